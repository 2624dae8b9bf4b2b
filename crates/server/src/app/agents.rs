//! What agents say and hear.
