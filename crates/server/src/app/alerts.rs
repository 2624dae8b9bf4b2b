//! Rules, their state, and who is told.
