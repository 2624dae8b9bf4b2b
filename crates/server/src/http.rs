//! The router and what stands before every handler.
