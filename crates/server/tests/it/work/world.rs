//! A server with a location, whose clock is set by hand.

use jiff::{SignedDuration, Timestamp};
use oplogue_api::backups::{BackupInput, BackupMode, RetryMode};
use oplogue_api::jobs::{Job, JobState, LogLine};
use oplogue_api::locations::{LocationInput, LocationKind, LocationSecrets, LocationSettings};
use oplogue_api::schedules::ScheduleInput;
use oplogue_api::users::Role;
use oplogue_server::app::jobs::JobFilter;
use oplogue_server::app::{Actor, App};
use oplogue_server::clock::Clock;
use oplogue_server::config::ServerConfig;

use super::agent::Agent;

pub struct World {
    pub app: App,
    pub clock: Clock,
    pub location: String,
    folder: tempfile::TempDir,
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("the test's own time")
}

pub fn anna() -> Actor {
    Actor { name: "anna".to_owned(), role: Role::Administrator, from: "10.0.0.1".to_owned() }
}

impl World {
    /// It is 10:00 on 25 November 2026.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::by_hand(at("2026-11-25T10:00:00Z"));
        let app = App::open_at(ServerConfig::local(folder.path()), clock.clone()).expect("the server opens");
        let mut world = Self { app, clock, location: String::new(), folder };
        world.location = world.new_location("disk", "storage");
        world
    }

    pub fn new_location(&self, name: &str, folder: &str) -> String {
        let path = self.folder.path().join(folder);
        std::fs::create_dir_all(&path).expect("a folder");
        let input = LocationInput {
            name: name.to_owned(),
            description: String::new(),
            kind: LocationKind::Local,
            settings: LocationSettings { path: path.to_str().expect("UTF-8").to_owned(), ..LocationSettings::default() },
            secrets: LocationSecrets::default(),
        };
        self.app.create_location(&anna(), input).expect("a location").id
    }

    /// The server dies without warning and is started again.
    pub fn crash(&mut self) {
        self.app = App::open_at(ServerConfig::local(self.folder.path()), self.clock.clone()).expect("the server opens again");
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.set(self.now() + SignedDuration::from_secs(seconds));
        self.app.tick().expect("a tick");
    }

    pub fn pass_until(&self, time: &str) {
        self.clock.set(at(time));
        self.app.tick().expect("a tick");
    }

    /// A replica set of one member, with its agent, online.
    pub async fn agent(&self, cluster: &str) -> Agent {
        let mut agent = Agent::enrol(&self.app, Some(cluster), &format!("{cluster}.example:27017")).expect("it enrols");
        agent.sync(&self.app).await;
        agent
    }

    pub fn schedule(&self, name: &str, agent: &Agent, cron: &str) -> ScheduleInput {
        let input = serde_json::json!({"name": name, "service_id": agent.service_id, "location_id": self.location, "mode": "snapshot", "cron": cron});
        serde_json::from_value(input).expect("an input")
    }

    pub fn pitr(&self, name: &str, agent: &Agent, cron: &str) -> ScheduleInput {
        ScheduleInput { mode: BackupMode::Pitr, ..self.schedule(name, agent, cron) }
    }

    pub fn retried(&self, input: ScheduleInput, retries: u32, interval: u32) -> ScheduleInput {
        ScheduleInput { retry_mode: RetryMode::Auto, retries, retry_interval_seconds: interval, ..input }
    }

    pub fn backup(&self, name: &str, agent: &Agent) -> BackupInput {
        BackupInput {
            name: name.to_owned(),
            service_id: agent.service_id.clone(),
            location_id: self.location.clone(),
            ..BackupInput::default()
        }
    }

    /// All jobs, oldest first.
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut after = None;
        loop {
            let page = self.app.jobs(&JobFilter::default(), after.as_deref(), 500).expect("jobs");
            jobs.extend(page.items);
            after = page.next;
            if after.is_none() {
                jobs.reverse();
                return jobs;
            }
        }
    }

    pub fn job(&self, id: &str) -> Job {
        self.app.job(id).expect("the job")
    }

    pub fn state(&self, id: &str) -> JobState {
        self.job(id).state
    }

    pub fn log(&self, id: &str) -> Vec<LogLine> {
        self.app.job_log(id, 0, 5000).expect("its log").lines
    }

    pub fn log_text(&self, id: &str) -> String {
        self.log(id).into_iter().map(|line| format!("{}: {}\n", line.source, line.text)).collect()
    }
}
