//! What was typed into the form, and the way to the API's values and back.

use jiff::tz::TimeZone;
use oplogue_api::FieldError;
use oplogue_api::backups::{Backup, BackupInput, BackupMode, RetryMode};
use oplogue_api::retention::RetentionPolicy;
use oplogue_api::schedules::{Schedule, ScheduleInput};
use oplogue_api::services::Service;
use serde::{Deserialize, Serialize};

use super::when::WhenForm;
use crate::typed::{Reading, check, checked, lines, number_or_blank, optional, picker, word, zone};

/// Backups kept by a new schedule.
pub const RETENTION_COUNT: u32 = 7;
pub const RETRIES: u32 = 2;
pub const RETRIES_MAX: u32 = 10;
pub const RETRY_INTERVAL_SECONDS: u32 = 30;
pub const RETRY_INTERVAL_SECONDS_MAX: u32 = 28_800;
pub const SLICE_SECONDS: u32 = 10;

/// Create, edit and copy, on demand or as a schedule: every field as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupForm {
    /// The card that is chosen: `on_demand` or `schedule`.
    pub kind: String,
    pub name: String,
    pub service_id: String,
    pub location_id: String,
    pub description: String,
    pub data_model: String,
    pub mode: String,
    #[serde(flatten)]
    pub when: WhenForm,
    pub time_zone: String,
    /// In `time_zone`.
    pub start_at: String,
    pub enabled: String,
    #[serde(rename = "retention.count")]
    pub retention_count: String,
    #[serde(rename = "retention.days")]
    pub retention_days: String,
    #[serde(rename = "retention.window_hours")]
    pub retention_window_hours: String,
    #[serde(rename = "retention.daily")]
    pub retention_daily: String,
    #[serde(rename = "retention.weekly")]
    pub retention_weekly: String,
    #[serde(rename = "retention.monthly")]
    pub retention_monthly: String,
    #[serde(rename = "retention.yearly")]
    pub retention_yearly: String,
    pub retry_mode: String,
    pub retries: String,
    pub retry_interval_seconds: String,
    pub compression: String,
    /// One a line.
    pub namespaces: String,
    pub folder: String,
    /// What `folder` was filled with last, so that another choice of service fills it again unless somebody changed it.
    pub filled_folder: String,
    pub slice_seconds: String,
    /// Which button was pressed; see [`Action`].
    pub action: String,
}

/// What the button that was pressed asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Take the backup, or keep the schedule.
    Submit,
    /// Fill in what follows from the service, show the form again.
    FillIn,
    /// Show the next runs.
    Runs,
    /// Show what retention would keep and delete.
    Retention,
    /// Switch the jobs in the way off, then submit.
    DisableOthers,
}

impl Action {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::FillIn => "fill_in",
            Self::Runs => "runs",
            Self::Retention => "retention",
            Self::DisableOthers => "disable_others",
        }
    }
}

impl BackupForm {
    /// What an empty form begins with.
    pub fn on_demand() -> Self {
        Self { kind: "on_demand".to_owned(), ..Self::schedule() }
    }

    pub fn schedule() -> Self {
        Self {
            kind: "schedule".to_owned(),
            data_model: "logical".to_owned(),
            mode: "snapshot".to_owned(),
            when: WhenForm::new(),
            time_zone: "UTC".to_owned(),
            enabled: check(true),
            retention_count: RETENTION_COUNT.to_string(),
            retry_mode: word(&RetryMode::Manual),
            retries: RETRIES.to_string(),
            retry_interval_seconds: RETRY_INTERVAL_SECONDS.to_string(),
            compression: "zstd".to_owned(),
            ..Self::default()
        }
    }

    pub fn action(&self) -> Action {
        match self.action.as_str() {
            "fill_in" => Action::FillIn,
            "runs" => Action::Runs,
            "retention" => Action::Retention,
            "disable_others" => Action::DisableOthers,
            _ => Action::Submit,
        }
    }

    pub fn is_schedule(&self) -> bool {
        self.kind == "schedule"
    }

    pub fn is_pitr(&self) -> bool {
        self.is_schedule() && self.mode == "pitr"
    }

    /// The service that is chosen.
    pub fn service<'a>(&self, services: &'a [Service]) -> Option<&'a Service> {
        services.iter().find(|service| service.id == self.service_id)
    }

    /// Fills the folder with the cluster label of the chosen service, unless somebody typed another one.
    pub fn fill_in(&mut self, services: &[Service]) {
        let label = self.service(services).and_then(|service| service.cluster.clone()).unwrap_or_default();
        if self.folder.trim().is_empty() || self.folder == self.filled_folder {
            self.folder.clone_from(&label);
        }
        self.filled_folder = label;
    }

    /// What to take now.
    pub fn to_backup_input(&self) -> Result<BackupInput, Vec<FieldError>> {
        let mut reading = Reading::default();
        let data_model = reading.choice("data_model", default_to(&self.data_model, "logical"));
        let (retry_mode, retries, retry_interval_seconds) = self.retry(&mut reading);
        let input = data_model.zip(retry_mode).map(|(data_model, retry_mode)| BackupInput {
            name: self.name.trim().to_owned(),
            service_id: self.service_id.clone(),
            location_id: self.location_id.clone(),
            description: self.description.trim().to_owned(),
            data_model,
            folder: optional(&self.folder),
            retry_mode,
            retries,
            retry_interval_seconds,
            compression: optional(&self.compression),
            namespaces: lines(&self.namespaces),
        });
        reading.done_with(input)
    }

    /// What to take regularly.
    pub fn to_schedule_input(&self) -> Result<ScheduleInput, Vec<FieldError>> {
        let mut reading = Reading::default();
        let mode = reading.choice::<BackupMode>("mode", default_to(&self.mode, "snapshot"));
        let data_model = reading.choice("data_model", default_to(&self.data_model, "logical"));
        let (retry_mode, retries, retry_interval_seconds) = self.retry(&mut reading);
        let cron = self.when.to_cron().unwrap_or_else(|errors| {
            for error in errors {
                reading.wrong(&error.field, error.message);
            }
            String::new()
        });
        let time_zone = optional(&self.time_zone).unwrap_or_else(|| "UTC".to_owned());
        if TimeZone::get(&time_zone).is_err() {
            reading.wrong("time_zone", format!("There is no time zone “{time_zone}”. Use a name like Europe/Berlin, or UTC."));
        }
        let start_at = reading.instant("start_at", &self.start_at, &zone(&time_zone));
        let retention = self.retention(&mut reading);
        let slice_seconds = reading.optional_number("slice_seconds", &self.slice_seconds);
        let input = mode.zip(data_model).zip(retry_mode).map(|((mode, data_model), retry_mode)| ScheduleInput {
            name: self.name.trim().to_owned(),
            service_id: self.service_id.clone(),
            location_id: self.location_id.clone(),
            description: self.description.trim().to_owned(),
            mode,
            data_model,
            cron,
            time_zone,
            start_at,
            enabled: checked(&self.enabled),
            retention,
            retry_mode,
            retries,
            retry_interval_seconds,
            compression: optional(&self.compression),
            namespaces: lines(&self.namespaces),
            folder: optional(&self.folder),
            slice_seconds: slice_seconds.filter(|_| mode == BackupMode::Pitr),
        });
        reading.done_with(input)
    }

    /// What to keep, alone; for the preview.
    pub fn to_retention(&self) -> Result<RetentionPolicy, Vec<FieldError>> {
        let mut reading = Reading::default();
        let retention = self.retention(&mut reading);
        reading.done(retention)
    }

    fn retention(&self, reading: &mut Reading) -> RetentionPolicy {
        RetentionPolicy {
            count: reading.number("retention.count", &self.retention_count, 0),
            days: reading.number("retention.days", &self.retention_days, 0),
            window_hours: reading.number("retention.window_hours", &self.retention_window_hours, 0),
            daily: reading.number("retention.daily", &self.retention_daily, 0),
            weekly: reading.number("retention.weekly", &self.retention_weekly, 0),
            monthly: reading.number("retention.monthly", &self.retention_monthly, 0),
            yearly: reading.number("retention.yearly", &self.retention_yearly, 0),
        }
    }

    fn retry(&self, reading: &mut Reading) -> (Option<RetryMode>, u32, u32) {
        let mode = reading.choice("retry_mode", default_to(&self.retry_mode, "manual"));
        let retries = reading.number("retries", &self.retries, RETRIES);
        let interval = reading.number("retry_interval_seconds", &self.retry_interval_seconds, RETRY_INTERVAL_SECONDS);
        (mode, retries, interval)
    }

    /// A schedule's values, to be changed.
    pub fn from_schedule(schedule: &Schedule) -> Self {
        let input = &schedule.input;
        let folder = input.folder.clone().unwrap_or_else(|| schedule.cluster.clone());
        Self {
            kind: "schedule".to_owned(),
            name: input.name.clone(),
            service_id: input.service_id.clone(),
            location_id: input.location_id.clone(),
            description: input.description.clone(),
            data_model: word(&input.data_model),
            mode: word(&input.mode),
            when: WhenForm::from_cron(&input.cron),
            time_zone: input.time_zone.clone(),
            start_at: input.start_at.map(|at| picker(at, &zone(&input.time_zone))).unwrap_or_default(),
            enabled: check(input.enabled),
            retention_count: input.retention.count.to_string(),
            retention_days: number_or_blank(input.retention.days),
            retention_window_hours: number_or_blank(input.retention.window_hours),
            retention_daily: number_or_blank(input.retention.daily),
            retention_weekly: number_or_blank(input.retention.weekly),
            retention_monthly: number_or_blank(input.retention.monthly),
            retention_yearly: number_or_blank(input.retention.yearly),
            retry_mode: word(&input.retry_mode),
            retries: if input.retries == 0 { RETRIES } else { input.retries }.to_string(),
            retry_interval_seconds: if input.retry_interval_seconds == 0 { RETRY_INTERVAL_SECONDS } else { input.retry_interval_seconds }
                .to_string(),
            compression: input.compression.clone().unwrap_or_else(|| "zstd".to_owned()),
            namespaces: input.namespaces.join("\n"),
            folder,
            filled_folder: schedule.cluster.clone(),
            slice_seconds: input.slice_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
            action: String::new(),
        }
    }

    /// The same again under another name, switched off. PMM's "Copy of" holds a blank, which no name may; so a dash stands there.
    pub fn copy_of(schedule: &Schedule) -> Self {
        let name = format!("Copy-of-{}", schedule.input.name).chars().take(100).collect();
        Self { name, enabled: check(false), ..Self::from_schedule(schedule) }
    }

    /// Another backup like one that is there.
    pub fn like(backup: &Backup) -> Self {
        let name = match backup.name.rsplit_once('_') {
            Some((name, time)) if time.parse::<jiff::Timestamp>().is_ok() => name,
            _ => &backup.name,
        };
        Self {
            name: name.to_owned(),
            service_id: backup.service_id.clone().unwrap_or_default(),
            location_id: backup.location_id.clone(),
            description: backup.description.clone(),
            compression: if backup.compression.is_empty() { "zstd".to_owned() } else { backup.compression.clone() },
            namespaces: backup.namespaces.as_ref().map(|namespaces| namespaces.join("\n")).unwrap_or_default(),
            folder: backup.folder.clone(),
            filled_folder: backup.cluster.clone().unwrap_or_default(),
            ..Self::on_demand()
        }
    }
}

fn default_to<'a>(text: &'a str, blank: &'a str) -> &'a str {
    if text.is_empty() { blank } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::world as samples;

    #[test]
    fn an_empty_form_begins_with_the_stated_defaults() {
        let input = BackupForm::schedule().to_schedule_input().expect("defaults are good");
        assert_eq!((input.cron.as_str(), input.time_zone.as_str()), ("0 0 * * *", "UTC"));
        assert_eq!((input.retention.count, input.retries, input.retry_interval_seconds), (7, 2, 30));
        assert_eq!((input.mode, input.retry_mode, input.enabled), (BackupMode::Snapshot, RetryMode::Manual, true));
    }

    #[test]
    fn a_schedule_that_is_edited_without_a_change_stays_the_same() {
        for schedule in samples::schedules() {
            let input = BackupForm::from_schedule(&schedule).to_schedule_input().expect("it was valid");
            let mut expected = schedule.input.clone();
            expected.folder = expected.folder.or_else(|| Some(schedule.cluster.clone()));
            expected.compression = expected.compression.or_else(|| Some("zstd".into()));
            assert_eq!(input, expected);
        }
    }

    #[test]
    fn a_copy_has_another_name_that_is_allowed_and_is_switched_off() {
        let schedule = samples::schedules().remove(0);
        let copy = BackupForm::copy_of(&schedule).to_schedule_input().expect("it was valid");
        assert_eq!(copy.name, format!("Copy-of-{}", schedule.input.name));
        assert!(!copy.enabled && !copy.name.contains(' '));
    }

    #[test]
    fn another_service_fills_the_folder_again_unless_somebody_typed_one() {
        let services = samples::services();
        let mut form = BackupForm { service_id: services[0].id.clone(), ..BackupForm::on_demand() };
        form.fill_in(&services);
        assert_eq!(Some(form.folder.clone()), services[0].cluster);
        form.service_id = services[1].id.clone();
        form.fill_in(&services);
        assert_eq!(Some(form.folder.clone()), services[1].cluster);
        form.folder = "mine".into();
        form.service_id = services[0].id.clone();
        form.fill_in(&services);
        assert_eq!(form.folder, "mine");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let form = BackupForm {
            time_zone: "Europe/Bielefeld".into(),
            start_at: "soon".into(),
            retries: "many".into(),
            retention_count: "-1".into(),
            ..BackupForm::schedule()
        };
        let errors = form.to_schedule_input().expect_err("wrong");
        let fields = errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>();
        assert_eq!(fields, ["retries", "time_zone", "start_at", "retention.count"]);
    }

    #[test]
    fn the_start_is_meant_in_the_chosen_zone() {
        let form = BackupForm { time_zone: "Europe/Berlin".into(), start_at: "2026-12-01T03:00".into(), ..BackupForm::schedule() };
        let input = form.to_schedule_input().expect("it is valid");
        assert_eq!(input.start_at.map(|at| at.to_string()).as_deref(), Some("2026-12-01T02:00:00Z"));
    }

    #[test]
    fn a_backup_like_another_has_its_name_without_the_time() {
        let mut backup = samples::backup();
        backup.name = "nightly_2026-11-25T03:00:00Z".into();
        assert_eq!(BackupForm::like(&backup).name, "nightly");
        backup.name = "2026-11-25T03:00:00Z".into();
        assert_eq!(BackupForm::like(&backup).name, "2026-11-25T03:00:00Z");
    }
}
