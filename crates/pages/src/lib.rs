//! What people see: pure functions from values of the API to HTML.
