//! Every metric: its name, what it tells, and its labels.

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub help: &'static str,
    pub labels: &'static [&'static str],
}

const PLACE: &[&str] = &["cluster", "location", "folder"];
const TIMELINE: &[&str] = &["cluster", "replica_set", "location", "folder"];
const SERVICE: &[&str] = &["cluster", "replica_set", "service"];
const SCHEDULE: &[&str] = &["cluster", "schedule"];

macro_rules! metrics {
    ($($constant:ident, $name:literal, $labels:expr, $help:literal;)*) => {
        $(pub const $constant: Metric = Metric { name: $name, help: $help, labels: $labels };)*
        /// All of them, in the order they are told.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD_INFO, "oplogue_build_info", &["version"], "Always 1";
    START, "oplogue_start_timestamp_seconds", &[], "When the server started";
    NEWEST_RESTORABLE, "oplogue_newest_restorable_timestamp_seconds", TIMELINE, "The newest second that can be restored; absent while nothing can";
    OLDEST_RESTORABLE, "oplogue_oldest_restorable_timestamp_seconds", TIMELINE, "The oldest second that can be restored";
    NEWEST_STORED, "oplogue_newest_stored_timestamp_seconds", TIMELINE, "The newest second whose oplog is stored, restorable or not";
    GAPS, "oplogue_gaps", TIMELINE, "Stretches of oplog that are missing on the storage";
    GAP_SECONDS, "oplogue_gap_seconds", TIMELINE, "How long these stretches are together";
    SLICES, "oplogue_slices", TIMELINE, "Slices on the storage";
    STORED_BYTES, "oplogue_stored_bytes", PLACE, "Backups and slices on the storage";
    ARTIFACTS, "oplogue_artifacts", &["cluster", "location", "folder", "status"], "Backups: success and invalid on the storage; pending, in_progress and error by jobs";
    LAST_BACKUP, "oplogue_last_backup_timestamp_seconds", PLACE, "The moment that the newest usable backup stands for";
    LAST_BACKUP_BYTES, "oplogue_last_backup_bytes", PLACE, "Size of the newest usable backup";
    LAST_BACKUP_DURATION, "oplogue_last_backup_duration_seconds", PLACE, "How long the newest usable backup took";
    DAMAGED, "oplogue_damaged_objects", PLACE, "What was read back and is damaged or missing";
    FOLDER_READ, "oplogue_folder_read_timestamp_seconds", PLACE, "When the storage was last read; all of the above is from then. 0: never yet";
    FOLDERS_LEFT_OUT, "oplogue_folders_left_out", &[], "Folders that are not told because there are too many";
    STORAGE_REACHABLE, "oplogue_storage_reachable", &["location", "from"], "1 when a location could be used the last time it was tried, by the server or by the agent of a service";
    SLICING_WANTED, "oplogue_slicing_wanted", &["cluster", "schedule"], "1 when continuous storing of the oplog is asked for";
    SLICE_LAG, "oplogue_slice_lag_seconds", SERVICE, "From the newest slice to the newest majority-committed entry, as the slicing agent last said";
    SLICE_HEADROOM, "oplogue_slice_headroom_seconds", SERVICE, "From the oldest entry of the oplog to the end of the newest slice: how long slicing may stand still once the oplog is full";
    OPLOG_WINDOW, "oplogue_oplog_window_seconds", SERVICE, "From the oldest to the newest entry of the oplog";
    AGENT_ONLINE, "oplogue_agent_online", SERVICE, "1 when the agent was heard of within the last 30 seconds";
    AGENT_LAST_SEEN, "oplogue_agent_last_seen_timestamp_seconds", SERVICE, "When the agent was last heard of";
    AGENT_INFO, "oplogue_agent_info", &["cluster", "replica_set", "service", "version", "mongodb_version"], "Always 1";
    MONGOD_REACHABLE, "oplogue_mongod_reachable", SERVICE, "1 when the agent reached its mongod, as it last said";
    SCHEDULE_ENABLED, "oplogue_schedule_enabled", &["cluster", "schedule", "mode"], "1 when the scheduled job is enabled";
    NEXT_RUN, "oplogue_schedule_next_run_timestamp_seconds", SCHEDULE, "When the scheduled job runs next";
    LAST_RUN_FAILED, "oplogue_backup_last_run_failed", SCHEDULE, "1 when the last run of the scheduled job failed, retries included; absent before the first";
    LAST_RUN, "oplogue_backup_last_run_timestamp_seconds", SCHEDULE, "When the last run of the scheduled job ended";
    LAST_RUN_DURATION, "oplogue_backup_last_run_duration_seconds", SCHEDULE, "How long the last run of the scheduled job took";
    JOBS, "oplogue_jobs", &["kind", "state"], "Jobs that are known, by kind and state";
    ALERTS_FIRING, "oplogue_alerts_firing", &["severity"], "Alerts that fire";
    DELIVERIES_WAITING, "oplogue_alert_deliveries_waiting", &[], "Notifications that are not delivered yet";
    CONTACT_POINT_FAILED, "oplogue_contact_point_failed", &["contact_point"], "1 when the last try to tell a contact point failed";
}
