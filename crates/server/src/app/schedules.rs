//! Scheduled backup jobs.
