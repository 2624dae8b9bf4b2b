//! Storage locations.
