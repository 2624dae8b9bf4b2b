//! The agent: one beside each mongod.
