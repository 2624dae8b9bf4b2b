//! Backups: those on the storages, those being made, those that failed.
