//! A server that speaks the agents' protocol, does what tests say, and remembers everything it was told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use oplogue_api::agent::{AttemptId, Enrol, Enrolled, Outcome, Report, Sync, Wishes};
use oplogue_api::{ErrorBody, ErrorCode};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub const TOKEN: &str = "enrol_once";
const CREDENTIAL: &str = "agent_secret";

#[derive(Default)]
pub struct Told {
    pub enrols: Vec<Enrol>,
    pub syncs: Vec<Sync>,
    /// As they came, also those heard before.
    pub reports: Vec<(String, Report)>,
}

impl Told {
    /// Outcomes of an attempt, each as often as it was told.
    pub fn outcomes(&self, job: &str) -> Vec<Outcome> {
        self.reports.iter().filter(|(id, _)| id == job).filter_map(|(_, report)| report.outcome.clone()).collect()
    }

    pub fn last_sync(&self) -> Option<&Sync> {
        self.syncs.last()
    }
}

struct Shared {
    told: Mutex<Told>,
    wishes: watch::Sender<Wishes>,
    news: watch::Sender<u64>,
}

pub struct FakeServer {
    address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl FakeServer {
    pub async fn start() -> anyhow::Result<Self> {
        let wishes = Wishes { revision: 1, attempts: Vec::new(), cancel: Vec::new(), slicing: None, tests: Vec::new() };
        let shared = Arc::new(Shared { told: Mutex::default(), wishes: watch::Sender::new(wishes), news: watch::Sender::new(0) });
        let router = axum::Router::new()
            .route("/v1/agent/enrol", post(enrol))
            .route("/v1/agent/sync", post(sync))
            .route("/v1/agent/jobs/{id}/report", post(report))
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, task })
    }

    /// `127.0.0.1:<port>`
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Changes what is wanted, and wakes whoever waits.
    pub fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        self.shared.wishes.send_modify(|wishes| {
            change(wishes);
            wishes.revision += 1;
        });
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.shared.told()
    }

    /// Waits until `find` makes something of what was told.
    pub async fn until<T>(&self, what: &str, find: impl Fn(&Told) -> Option<T>) -> anyhow::Result<T> {
        let mut news = self.shared.news.subscribe();
        let waiting = async {
            loop {
                news.borrow_and_update();
                if let Some(found) = find(&self.told()) {
                    return Ok(found);
                }
                news.changed().await.context("the server of the test is gone")?;
            }
        };
        tokio::time::timeout(oplogue_testkit::wait::PATIENCE, waiting).await.with_context(|| {
            let told = self.told();
            format!("waited for {what}; last sync {:?}; last report {:?}", told.last_sync(), told.reports.last())
        })?
    }

    /// The first outcome of a job.
    pub async fn outcome(&self, job: &str) -> anyhow::Result<Outcome> {
        self.until(&format!("the outcome of {job}"), |told| told.outcomes(job).first().cloned()).await
    }

    /// Waits until the agent has understood that everything it told was heard.
    pub async fn until_nothing_is_untold(&self) -> anyhow::Result<()> {
        let count = self.told().syncs.len();
        self.until("a sync without attempts", |told| told.syncs.iter().skip(count).any(|sync| sync.attempts.is_empty()).then_some(())).await
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told());
        self.news.send_modify(|news| *news += 1);
    }
}

fn refuse(code: ErrorCode, message: &str) -> Response {
    let body = ErrorBody {
        code,
        message: message.to_owned(),
        hint: Some("a hint of the test".to_owned()),
        fields: Vec::new(),
        retryable: false,
        request_id: "r".to_owned(),
    };
    (StatusCode::from_u16(code.status()).expect("a status of ours"), Json(body)).into_response()
}

async fn enrol(State(shared): State<Arc<Shared>>, Json(enrol): Json<Enrol>) -> Response {
    let spent = !shared.told().enrols.is_empty();
    if enrol.token != TOKEN || spent {
        return refuse(ErrorCode::Unauthenticated, "this token is not known, was used already, or has run out");
    }
    let name = enrol.service_name.clone().unwrap_or_else(|| enrol.facts.member.clone());
    let enrolled =
        Enrolled { service_id: "svc_1".into(), service_name: name, cluster: enrol.cluster.clone(), credential: CREDENTIAL.into() };
    shared.tell(|told| told.enrols.push(enrol));
    Json(enrolled).into_response()
}

fn is_known(headers: &HeaderMap) -> bool {
    headers.get("authorization").and_then(|value| value.to_str().ok()) == Some(&format!("Bearer {CREDENTIAL}"))
}

async fn sync(State(shared): State<Arc<Shared>>, headers: HeaderMap, Json(sync): Json<Sync>) -> Response {
    if !is_known(&headers) {
        return refuse(ErrorCode::Unauthenticated, "who is that?");
    }
    let (revision, wait) = (sync.revision, Duration::from_secs(sync.wait_seconds.into()));
    let mut wishes = shared.wishes.subscribe();
    let known = sync.attempts.clone();
    shared.tell(|told| told.syncs.push(sync));
    let _ = tokio::time::timeout(wait, wishes.wait_for(|wishes| wishes.revision != revision)).await;
    let mut answer = wishes.borrow().clone();
    // As the real one: attempts that the agent has and nobody wants.
    let unwanted = |id: &&AttemptId| !answer.attempts.iter().any(|attempt| attempt.id == **id) && !answer.cancel.contains(id);
    let unwanted: Vec<AttemptId> = known.iter().filter(unwanted).cloned().collect();
    answer.cancel.extend(unwanted);
    Json(answer).into_response()
}

async fn report(State(shared): State<Arc<Shared>>, headers: HeaderMap, Path(job): Path<String>, Json(report): Json<Report>) -> Response {
    if !is_known(&headers) {
        return refuse(ErrorCode::Unauthenticated, "who is that?");
    }
    let over = report.outcome.is_some();
    let id = AttemptId { job_id: job.clone(), attempt: report.attempt };
    shared.tell(|told| told.reports.push((job, report)));
    if over {
        shared.wishes.send_modify(|wishes| {
            wishes.attempts.retain(|attempt| attempt.id != id);
            wishes.cancel.retain(|other| *other != id);
            wishes.revision += 1;
        });
    }
    StatusCode::NO_CONTENT.into_response()
}
