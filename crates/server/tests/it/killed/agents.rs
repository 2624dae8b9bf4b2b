//! Agents that speak HTTP to whatever server there is, do no work, and write down what they did. And a user who restores, takes backups, cancels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oplogue_api::agent::{Attempt, AttemptId, Outcome, Report, ReportLine, Sync, Wishes, Work};
use oplogue_api::jobs::{Job, JobState, LogLevel};
use oplogue_server::app::App;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::work::agent::{Agent, failed, well};

/// Small, and the same each time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What an agent knows of its own doing: on its disk, as it were.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Attempts begun. Beginning one twice is the mistake that is looked for.
    pub begun: BTreeSet<AttemptId>,
    pub begun_twice: Vec<AttemptId>,
    /// How each ended, and whether the server has acknowledged that.
    pub ended: BTreeMap<AttemptId, (Outcome, bool)>,
    pub slicing_seen: bool,
}

pub struct Fleet {
    pub services: Vec<String>,
    credentials: Vec<String>,
    location: String,
    url: watch::Sender<String>,
    /// True: nothing fails any more, and the user is quiet.
    calm: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    agents: Vec<JoinHandle<Ledger>>,
    user: Option<JoinHandle<()>>,
}

impl Fleet {
    pub fn enrol(app: &App, clusters: &[&str], location: &str) -> Self {
        let enrol = |cluster: &&str| Agent::enrol(app, Some(cluster), &format!("{cluster}.example:27017")).expect("it enrols");
        let agents: Vec<Agent> = clusters.iter().map(enrol).collect();
        Self {
            services: agents.iter().map(|agent| agent.service_id.clone()).collect(),
            credentials: agents.iter().map(|agent| agent.credential.clone()).collect(),
            location: location.to_owned(),
            url: watch::Sender::new(String::new()),
            calm: watch::Sender::new(false),
            stop: watch::Sender::new(false),
            agents: Vec::new(),
            user: None,
        }
    }

    pub fn run(&mut self, url: String, token: String, seed: u64) {
        // Another test of this process may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
        self.url.send_replace(url);
        for (index, credential) in self.credentials.iter().enumerate() {
            let line = Line::new(credential.clone(), self.url.subscribe());
            let one = OneAgent {
                line: Arc::new(line),
                dice: Dice::new(seed * 100 + index as u64),
                calm: self.calm.subscribe(),
                stop: self.stop.subscribe(),
                member: index,
            };
            self.agents.push(tokio::spawn(one.live()));
        }
        let line = Line::new(token, self.url.subscribe());
        let user = User {
            line,
            dice: Dice::new(seed * 1000),
            services: self.services.clone(),
            location: self.location.clone(),
            calm: self.calm.subscribe(),
        };
        self.user = Some(tokio::spawn(user.live()));
    }

    pub fn moved(&self, url: &str) {
        self.url.send_replace(url.to_owned());
    }

    /// Until everything that was wanted has come to its end.
    pub async fn calm_down(&mut self, data_dir: &Path) {
        self.calm.send_replace(true);
        if let Some(user) = self.user.take() {
            user.await.expect("the user does not panic");
        }
        let patience = Duration::from_secs(120);
        let over = async {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                // Read beside the running server; schedules go on, so only what is old must be over.
                let app = App::open(super::config(data_dir)).expect("the database is sound");
                let filter = oplogue_server::app::jobs::JobFilter { open: true, ..Default::default() };
                let open = app.jobs(&filter, None, 500).expect("jobs").items;
                let now = app.clock.now();
                let old = |job: &&Job| now.duration_since(job.created_at) > jiff::SignedDuration::from_mins(10);
                if !open.iter().any(|job| old(&job)) {
                    return;
                }
            }
        };
        tokio::time::timeout(patience, over).await.expect("no job is orphaned: all that are older than ten minutes end");
    }

    pub async fn stop(self) -> Vec<Ledger> {
        self.stop.send_replace(true);
        let mut ledgers = Vec::new();
        for agent in self.agents {
            ledgers.push(tokio::time::timeout(Duration::from_secs(30), agent).await.expect("it stops").expect("no panic"));
        }
        ledgers
    }
}

/// How one of them talks to the server, wherever that is now.
struct Line {
    client: reqwest::Client,
    credential: String,
    url: watch::Receiver<String>,
}

impl Line {
    fn new(credential: String, url: watch::Receiver<String>) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        Self { client, credential, url }
    }

    /// `None`: the server was not there, or died before it answered.
    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let url = format!("{}/v1{path}", self.url.borrow().clone());
        let mut request = self.client.request(method, url).bearer_auth(&self.credential);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        assert!(status < 500 || status == 503, "{path}: {status} {:?}", answer.text().await);
        let text = answer.text().await.ok()?;
        Some((status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }))
    }
}

struct OneAgent {
    line: Arc<Line>,
    dice: Dice,
    calm: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
    member: usize,
}

/// An attempt at work.
struct AtWork {
    work: Work,
    number: u64,
    /// So many rounds are left.
    rounds: u64,
    cancelled: bool,
    outcome: Option<Outcome>,
}

impl OneAgent {
    async fn live(mut self) -> Ledger {
        let mut ledger = Ledger::default();
        let mut working: BTreeMap<AttemptId, AtWork> = BTreeMap::new();
        let mut revision = 0;
        loop {
            let stopping = *self.stop.borrow();
            if stopping && working.is_empty() {
                return ledger;
            }
            let calm = *self.calm.borrow();
            if !calm && self.dice.roll(40) == 0 {
                // Away for a while: a partition, a stopped agent; half the time it died and lost what it was doing.
                tokio::time::sleep(Duration::from_millis(self.dice.roll(3000))).await;
                if self.dice.roll(2) == 0 {
                    for at_work in working.values_mut() {
                        at_work.outcome.get_or_insert_with(|| failed("interrupted by a restart of the agent", true));
                    }
                    revision = 0;
                }
            }
            if !stopping && let Some(wishes) = self.sync(&working, revision, calm).await {
                revision = wishes.revision;
                ledger.slicing_seen |= wishes.slicing.is_some();
                self.hear(&wishes, &mut ledger, &mut working);
            }
            self.go_on(&mut working, calm).await;
            self.tell(&mut ledger, &mut working, stopping).await;
        }
    }

    async fn sync(&mut self, working: &BTreeMap<AttemptId, AtWork>, revision: u64, calm: bool) -> Option<Wishes> {
        let question = Sync {
            facts: crate::work::agent::facts("rs0", &format!("{}.example:27017", super::CLUSTERS[self.member])),
            slicing: None,
            attempts: working.keys().cloned().collect(),
            tests: Vec::new(),
            revision,
            wait_seconds: u32::from(working.is_empty()),
        };
        let question = serde_json::to_value(question).expect("JSON");
        if !calm && self.dice.roll(8) == 0 {
            // The answer to this one is never read.
            let lost = self.line.ask(reqwest::Method::POST, "/agent/sync", Some(question.clone())).await;
            drop(lost);
        }
        let (status, wishes) = self.line.ask(reqwest::Method::POST, "/agent/sync", Some(question)).await.or_else(|| None)?;
        assert_eq!(status, 200, "{wishes}");
        Some(serde_json::from_value(wishes).expect("wishes"))
    }

    fn hear(&mut self, wishes: &Wishes, ledger: &mut Ledger, working: &mut BTreeMap<AttemptId, AtWork>) {
        for Attempt { id, work } in &wishes.attempts {
            if working.contains_key(id) {
                continue;
            }
            if !ledger.begun.insert(id.clone()) {
                ledger.begun_twice.push(id.clone());
                continue;
            }
            let rounds = self.dice.roll(6);
            working.insert(id.clone(), AtWork { work: work.clone(), number: 1, rounds, cancelled: false, outcome: None });
        }
        for id in &wishes.cancel {
            if let Some(at_work) = working.get_mut(id) {
                at_work.cancelled = true;
            }
        }
    }

    async fn go_on(&mut self, working: &mut BTreeMap<AttemptId, AtWork>, calm: bool) {
        if working.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10 + self.dice.roll(120))).await;
        for at_work in working.values_mut() {
            if at_work.cancelled {
                at_work.outcome.get_or_insert(Outcome::Cancelled { state: "stopped".to_owned() });
            }
            if at_work.rounds > 0 {
                at_work.rounds -= 1;
                continue;
            }
            let outcome = if !calm && self.dice.roll(5) == 0 { failed("the storage is away", true) } else { well(&at_work.work) };
            at_work.outcome.get_or_insert(outcome);
        }
    }

    async fn tell(&mut self, ledger: &mut Ledger, working: &mut BTreeMap<AttemptId, AtWork>, stopping: bool) {
        for (id, at_work) in &mut *working {
            if let Some(outcome) = &at_work.outcome {
                ledger.ended.entry(id.clone()).or_insert_with(|| (outcome.clone(), false));
            }
            let line = ReportLine {
                at: jiff::Timestamp::now(),
                level: LogLevel::Info,
                text: format!("report {} of {}", at_work.number, id.attempt),
            };
            let report = Report {
                attempt: id.attempt,
                number: at_work.number,
                steps: Vec::new(),
                lines: vec![line],
                outcome: at_work.outcome.clone(),
            };
            let path = format!("/agent/jobs/{}/report", id.job_id);
            let answer = self.line.ask(reqwest::Method::POST, &path, Some(serde_json::to_value(&report).expect("JSON"))).await;
            if answer.is_some_and(|(status, _)| status == 204) {
                at_work.number += 1;
                if at_work.outcome.is_some()
                    && let Some((_, acknowledged)) = ledger.ended.get_mut(id)
                {
                    *acknowledged = true;
                }
            }
        }
        working.retain(|id, _| !stopping && !ledger.ended.get(id).is_some_and(|(_, acknowledged)| *acknowledged));
    }
}

/// Somebody who restores, takes backups and cancels.
struct User {
    line: Line,
    dice: Dice,
    services: Vec<String>,
    location: String,
    calm: watch::Receiver<bool>,
}

impl User {
    async fn live(mut self) {
        let mut plan: Option<(String, &'static str)> = None;
        while !*self.calm.borrow() {
            tokio::time::sleep(Duration::from_millis(self.dice.roll(700))).await;
            match self.dice.roll(6) {
                0 => {
                    let body =
                        json!({"name": "now", "service_id": self.services[self.dice.roll(3) as usize], "location_id": self.location});
                    self.line.ask(reqwest::Method::POST, "/backups", Some(body)).await;
                }
                1 => self.cancel_something().await,
                _ => plan = self.restore(plan).await,
            }
        }
    }

    async fn cancel_something(&mut self) {
        let Some((_, page)) = self.line.ask(reqwest::Method::GET, "/jobs?open=true", None).await else { return };
        let jobs = page["items"].as_array().cloned().unwrap_or_default();
        if jobs.is_empty() {
            return;
        }
        let id = jobs[self.dice.roll(jobs.len() as u64) as usize]["id"].as_str().expect("an id").to_owned();
        self.line.ask(reqwest::Method::POST, &format!("/jobs/{id}/cancel"), None).await;
    }

    /// One step on the way to a restore: a plan, then its confirmation.
    async fn restore(&mut self, plan: Option<(String, &'static str)>) -> Option<(String, &'static str)> {
        let Some((id, cluster)) = plan else {
            let target = self.dice.roll(3) as usize;
            let body = json!({
                "service_id": self.services[target], "location_id": self.location, "folder": super::CLUSTERS[target], "moment": {"kind": "latest"},
            });
            let (status, job) = self.line.ask(reqwest::Method::POST, "/restores/plans", Some(body)).await?;
            assert_eq!(status, 201, "{job}");
            return Some((job["id"].as_str()?.to_owned(), super::CLUSTERS[target]));
        };
        let Some((_, job)) = self.line.ask(reqwest::Method::GET, &format!("/jobs/{id}"), None).await else { return Some((id, cluster)) };
        match serde_json::from_value::<JobState>(job["state"].clone()).expect("a state") {
            JobState::Done => {
                let body = json!({"plan_job_id": id, "confirm": cluster});
                self.line.ask(reqwest::Method::POST, "/restores", Some(body)).await;
                None
            }
            state if state.is_over() => None,
            _ => Some((id, cluster)),
        }
    }
}
