//! What may be asked for: names, folders, retries, namespaces. Pure; the messages are those that people know, made clear where they were not.

use std::time::Duration;

use jiff::Timestamp;
use oplogue_api::FieldError;
use oplogue_api::backups::{BackupInput, BackupMode, DataModel, RetryMode};
use oplogue_api::retention::RetentionPolicy;
use oplogue_api::schedules::ScheduleInput;
use oplogue_domain::{BackupName, NamespacePattern, Schedule as Times, ScheduleError};

pub const COMPRESSION: &str = "zstd";
pub const COMPRESSIONS: [&str; 6] = ["zstd", "s2", "lz4", "gzip", "snappy", "none"];
pub const SLICE_SECONDS: u32 = 10;
pub const SLICE_SECONDS_MAX: u32 = 3600;
pub const NAME_CHARACTERS_MAX: usize = 100;
pub const RETRIES_MAX: u32 = 10;
pub const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(8 * 3600);
const DESCRIPTION_CHARACTERS_MAX: usize = 10_000;
const FOLDER_CHARACTERS_MAX: usize = 500;
const NAMESPACES_MAX: usize = 1000;

pub const PHYSICAL: &str = "Physical backups are not available: Oplogue reads and restores documents, so that any member, any compatible server and any \
     single collection can be the target; choose Logical.";
pub const PITR_LOGICAL_ONLY: &str = "PITR is only supported for logical backups";

/// What both kinds of backup have in common.
struct Common<'a> {
    name: &'a str,
    service_id: &'a str,
    location_id: &'a str,
    description: &'a str,
    data_model: DataModel,
    folder: Option<&'a str>,
    retry_mode: RetryMode,
    retries: u32,
    retry_interval_seconds: u32,
    compression: Option<&'a str>,
    namespaces: &'a [String],
}

pub fn schedule_problems(input: &ScheduleInput) -> Vec<FieldError> {
    let mut problems = common_problems(&Common {
        name: &input.name,
        service_id: &input.service_id,
        location_id: &input.location_id,
        description: &input.description,
        data_model: DataModel::Logical,
        folder: input.folder.as_deref(),
        retry_mode: input.retry_mode,
        retries: input.retries,
        retry_interval_seconds: input.retry_interval_seconds,
        compression: input.compression.as_deref(),
        namespaces: &input.namespaces,
    });
    let mut wrong = |field: &str, message: &str| problems.push(FieldError::new(field, message));
    match (input.mode, input.data_model) {
        (BackupMode::Pitr, DataModel::Physical) => wrong("data_model", PITR_LOGICAL_ONLY),
        (BackupMode::Snapshot, DataModel::Physical) => wrong("data_model", PHYSICAL),
        _ => {}
    }
    if input.mode == BackupMode::Pitr && !input.namespaces.is_empty() {
        wrong("namespaces", "PITR starts from backups of everything; choose namespaces when restoring");
    }
    if input.slice_seconds.is_some_and(|seconds| seconds == 0 || seconds > SLICE_SECONDS_MAX) {
        wrong("slice_seconds", "a slice ends after 1 to 3600 seconds");
    }
    problems.extend(parse_times(&input.cron, &input.time_zone, input.start_at).err());
    problems.extend(retention_problems(&input.retention));
    problems
}

pub fn backup_problems(input: &BackupInput) -> Vec<FieldError> {
    common_problems(&Common {
        name: &input.name,
        service_id: &input.service_id,
        location_id: &input.location_id,
        description: &input.description,
        data_model: input.data_model,
        folder: input.folder.as_deref(),
        retry_mode: input.retry_mode,
        retries: input.retries,
        retry_interval_seconds: input.retry_interval_seconds,
        compression: input.compression.as_deref(),
        namespaces: &input.namespaces,
    })
}

fn common_problems(input: &Common<'_>) -> Vec<FieldError> {
    let mut problems = Vec::new();
    let mut wrong = |field: &str, message: String| problems.push(FieldError::new(field, message));
    if let Some(problem) = name_problem(input.name) {
        wrong("name", problem);
    }
    if input.service_id.is_empty() {
        wrong("service_id", "choose the service to back up".to_owned());
    }
    if input.location_id.is_empty() {
        wrong("location_id", "choose a storage location".to_owned());
    }
    if input.description.chars().count() > DESCRIPTION_CHARACTERS_MAX {
        wrong("description", format!("Must contain at most {DESCRIPTION_CHARACTERS_MAX} characters"));
    }
    if input.data_model == DataModel::Physical {
        wrong("data_model", PHYSICAL.to_owned());
    }
    if let Some(problem) = input.folder.and_then(folder_problem) {
        wrong("folder", problem);
    }
    if input.retries > RETRIES_MAX {
        wrong("retries", format!("Exceeded max retries {RETRIES_MAX}."));
    } else if input.retry_mode == RetryMode::Auto && input.retries == 0 {
        wrong("retries", format!("choose 1 to {RETRIES_MAX} retries, or retry mode Manual"));
    }
    if u64::from(input.retry_interval_seconds) > RETRY_INTERVAL_MAX.as_secs() {
        wrong("retry_interval_seconds", "Exceeded max retry interval 8h0m0s.".to_owned());
    } else if input.retry_mode == RetryMode::Auto && input.retry_interval_seconds == 0 {
        wrong("retry_interval_seconds", "choose 1 second to 8 hours (28,800 seconds) between retries".to_owned());
    }
    if let Some(compression) = input.compression.filter(|name| !COMPRESSIONS.contains(name)) {
        wrong("compression", format!("there is no compression `{compression}`: choose {}", COMPRESSIONS.join(", ")));
    }
    if input.namespaces.len() > NAMESPACES_MAX {
        wrong("namespaces", format!("at most {NAMESPACES_MAX} namespaces can be named"));
    }
    for namespace in input.namespaces {
        if let Err(error) = namespace.parse::<NamespacePattern>() {
            wrong("namespaces", error.to_string());
            break;
        }
    }
    problems
}

/// What is wrong with the name of a backup or schedule.
pub fn name_problem(name: &str) -> Option<String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".:_-".contains(letter);
    if name.is_empty() {
        return Some("backup name can't be empty".to_owned());
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Some(format!("Must contain at most {NAME_CHARACTERS_MAX} characters"));
    }
    if !name.chars().all(fits) {
        return Some("Backup name can contain only dots, colons, letters, digits, underscores and dashes.".to_owned());
    }
    // It becomes the beginning of an object's name.
    name.starts_with('.').then(|| "Backup name can't begin with a dot.".to_owned())
}

/// What is wrong with a folder. The empty one is the location's own top.
pub fn folder_problem(folder: &str) -> Option<String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".:/_-".contains(letter);
    if folder.is_empty() {
        return None;
    }
    if folder.starts_with('/') {
        return Some("Folder should be a relative path (shouldn't contain leading slashes).".to_owned());
    }
    if folder.split('/').any(|part| part == "..") {
        return Some("Specified folder refers to a parent directory.".to_owned());
    }
    if !folder.chars().all(fits) {
        return Some("Folder name can contain only dots, colons, slashes, letters, digits, underscores and dashes.".to_owned());
    }
    let canonical = folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/");
    if canonical != folder {
        return Some(format!("Specified folder in non-canonical format, canonical would be: {canonical:?}."));
    }
    if folder.len() > FOLDER_CHARACTERS_MAX {
        return Some(format!("Must contain at most {FOLDER_CHARACTERS_MAX} characters"));
    }
    folder.split('/').find_map(reserved_folder)
}

/// Names that mean something inside every folder of backups. `part` has no other fault.
pub fn reserved_folder(part: &str) -> Option<String> {
    // What cannot name a backup, though its letters and length would do, is the layout's own.
    let fits_otherwise = !part.starts_with('.') && part.len() <= NAME_CHARACTERS_MAX;
    let reserved = fits_otherwise && part.parse::<BackupName>().is_err();
    reserved.then(|| format!("`{part}` is the name of a folder that holds oplog slices or records; choose another"))
}

/// True when backups of one folder would lie among those of the other.
pub fn folders_overlap(one: &str, other: &str) -> bool {
    let inside = |outer: &str, inner: &str| {
        outer.is_empty() || inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
    };
    inside(one, other) || inside(other, one)
}

pub fn attempts_max(mode: RetryMode, retries: u32) -> u32 {
    match mode {
        RetryMode::Manual => 1,
        RetryMode::Auto => retries.min(RETRIES_MAX) + 1,
    }
}

pub fn parse_times(cron: &str, time_zone: &str, start_at: Option<Timestamp>) -> Result<Times, FieldError> {
    Times::parse(cron, time_zone, start_at).map_err(|error| {
        let field = match error {
            ScheduleError::Zone(_) => "time_zone",
            ScheduleError::Cron(_) | ScheduleError::Never(_) => "cron",
        };
        FieldError::new(field, error.to_string())
    })
}

fn retention_problems(policy: &RetentionPolicy) -> Vec<FieldError> {
    [
        ("retention.count", policy.count, 9999),
        ("retention.days", policy.days, 36_500),
        ("retention.window_hours", policy.window_hours, 876_000),
        ("retention.daily", policy.daily, 9999),
        ("retention.weekly", policy.weekly, 9999),
        ("retention.monthly", policy.monthly, 9999),
        ("retention.yearly", policy.yearly, 9999),
    ]
    .into_iter()
    .filter(|(_, value, most)| value > most)
    .map(|(field, _, most)| FieldError::new(field, format!("at most {most}")))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_people_know() {
        for name in ["nightly", "a.b:c_d-9", &"x".repeat(100)] {
            assert_eq!(name_problem(name), None, "{name}");
        }
        for (name, message) in [
            ("", "backup name can't be empty"),
            ("a b", "Backup name can contain only dots, colons, letters, digits, underscores and dashes."),
            ("a/b", "Backup name can contain only dots, colons, letters, digits, underscores and dashes."),
            ("ü", "Backup name can contain only dots, colons, letters, digits, underscores and dashes."),
            (&"x".repeat(101), "Must contain at most 100 characters"),
            (".hidden", "Backup name can't begin with a dot."),
        ] {
            assert_eq!(name_problem(name).as_deref(), Some(message), "{name}");
        }
    }

    #[test]
    fn folders_are_relative_canonical_and_not_the_layouts_own() {
        for folder in ["", "shop", "a/b", "a.b:c_d-9"] {
            assert_eq!(folder_problem(folder), None, "{folder}");
        }
        for (folder, message) in [
            ("/a", "Folder should be a relative path (shouldn't contain leading slashes)."),
            ("../a", "Specified folder refers to a parent directory."),
            ("a/../b", "Specified folder refers to a parent directory."),
            ("a//b", "Specified folder in non-canonical format, canonical would be: \"a/b\"."),
            ("a/./b/", "Specified folder in non-canonical format, canonical would be: \"a/b\"."),
            ("a b", "Folder name can contain only dots, colons, slashes, letters, digits, underscores and dashes."),
            ("a/oplogue", "`oplogue` is the name of a folder that holds oplog slices or records; choose another"),
        ] {
            assert_eq!(folder_problem(folder).as_deref(), Some(message), "{folder}");
        }
    }

    #[test]
    fn folders_overlap_when_one_lies_in_the_other() {
        for (one, other, expected) in [
            ("a", "a", true),
            ("a", "a/b", true),
            ("a/b", "a", true),
            ("a", "ab", false),
            ("a", "b", false),
            ("", "a", true),
            ("", "", true),
        ] {
            assert_eq!(folders_overlap(one, other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn retries_have_limits_only_where_they_mean_something() {
        let input = |retry_mode, retries, retry_interval_seconds| BackupInput {
            name: "x".into(),
            service_id: "svc".into(),
            location_id: "loc".into(),
            retry_mode,
            retries,
            retry_interval_seconds,
            ..BackupInput::default()
        };
        let fields = |input: &BackupInput| backup_problems(input).into_iter().map(|problem| problem.field).collect::<Vec<_>>();
        assert!(fields(&input(RetryMode::Manual, 0, 0)).is_empty());
        assert!(fields(&input(RetryMode::Auto, 10, 28_800)).is_empty());
        assert_eq!(fields(&input(RetryMode::Auto, 11, 28_801)), ["retries", "retry_interval_seconds"]);
        assert_eq!(fields(&input(RetryMode::Auto, 0, 0)), ["retries", "retry_interval_seconds"]);
        assert_eq!((attempts_max(RetryMode::Manual, 5), attempts_max(RetryMode::Auto, 2)), (1, 3));
    }
}
