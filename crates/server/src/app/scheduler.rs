//! The tick that turns schedules into jobs.
