//! Trying a location from everywhere: the server itself, and every agent that is online, through the answers to their syncs.
//!
//! A trial lives in memory, as long as somebody waits for it, [`PATIENCE`] at most. Its credentials are never written down.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oplogue_api::ErrorCode;
use oplogue_api::agent::{Place, TestAnswer, TestWish};
use oplogue_api::locations::{LocationTest, TestedFrom};
use oplogue_api::services::{AgentState, ProbeStep};
use tokio::sync::watch;

use crate::app::{App, AppError};
use crate::ids;

/// How long answers are waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long the storage may take; an agent must still get its answer through.
pub const PROBE_PATIENCE: Duration = Duration::from_secs(15);
const OPEN_MAX: usize = 16;

/// Steps, or why there are none.
type Finding = Result<Vec<ProbeStep>, String>;

/// Trials under way.
#[derive(Debug, Default)]
pub struct Trials(Mutex<BTreeMap<String, Open>>);

#[derive(Debug)]
struct Open {
    place: Place,
    /// By service; `None`: not answered yet.
    agents: BTreeMap<String, Option<Finding>>,
    /// How many have not answered.
    missing: watch::Sender<usize>,
}

impl Trials {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Trial {
    server: Finding,
    /// Service's id and name. `None`: was not asked, because it is offline.
    agents: Vec<(String, String, Option<Finding>)>,
}

impl Trial {
    /// By service; the server itself has the empty id. Without those that were not asked.
    pub(super) fn findings(&self) -> impl Iterator<Item = (&str, &Finding)> {
        let agents = self.agents.iter().filter_map(|(id, _, finding)| Some((id.as_str(), finding.as_ref()?)));
        std::iter::once(("", &self.server)).chain(agents)
    }

    /// It works when it works for everybody who could be asked.
    pub(super) fn shown(&self) -> LocationTest {
        let agents = self.agents.iter().map(|(_, name, finding)| match finding {
            Some(finding) => tested(name, finding),
            None => TestedFrom { problem: Some("the agent is offline".to_owned()), ..tested(name, &Err(String::new())) },
        });
        let ok = self.findings().all(|(_, finding)| is_good(finding));
        LocationTest { ok, places: std::iter::once(tested("server", &self.server)).chain(agents).collect() }
    }
}

fn is_good(finding: &Finding) -> bool {
    finding.as_ref().is_ok_and(|steps| steps.iter().all(|step| step.problem.is_none()))
}

fn tested(from: &str, finding: &Finding) -> TestedFrom {
    let (steps, problem) = match finding {
        Ok(steps) => (steps.clone(), None),
        Err(problem) => (Vec::new(), Some(problem.clone())),
    };
    TestedFrom { from: from.to_owned(), ok: is_good(finding), steps, problem }
}

impl App {
    /// What the agent of this service is to try.
    pub fn open_tests_for(&self, service_id: &str) -> Vec<TestWish> {
        let open = self.trials.lock();
        let wanted = open.iter().filter(|(_, test)| matches!(test.agents.get(service_id), Some(None)));
        wanted.map(|(id, test)| TestWish { test_id: id.clone(), place: test.place.clone() }).collect()
    }

    /// What it found. Answers that nobody waits for any more are dropped.
    pub fn test_answered(&self, service_id: &str, answers: Vec<TestAnswer>) {
        let mut open = self.trials.lock();
        for answer in answers {
            let Some(test) = open.get_mut(&answer.test_id) else { continue };
            let Some(slot @ None) = test.agents.get_mut(service_id) else { continue };
            *slot = Some(match answer.problem {
                Some(problem) => Err(problem),
                None => Ok(answer.steps),
            });
            let missing = test.agents.values().filter(|finding| finding.is_none()).count();
            test.missing.send_replace(missing);
        }
    }

    pub(super) async fn try_everywhere(&self, place: Place) -> Result<Trial, AppError> {
        let services = self.services()?;
        let (online, offline): (Vec<_>, Vec<_>) = services.into_iter().partition(|service| service.agent.state == AgentState::Online);
        let id = ids::new("test", self.clock.now());
        let agents: BTreeMap<_, _> = online.iter().map(|service| (service.id.clone(), None)).collect();
        let missing = watch::Sender::new(agents.len());
        let mut all_answered = missing.subscribe();
        {
            let mut open = self.trials.lock();
            if open.len() >= OPEN_MAX {
                return Err(AppError::new(ErrorCode::TooMany, "too many locations are being tested").hint("wait half a minute"));
            }
            open.insert(id.clone(), Open { place: place.clone(), agents, missing });
        }
        // Also when whoever asked has gone away.
        let closing = Closing { app: self, id: &id };
        self.wake_agents();
        let answers = async {
            // Whoever has not answered by then is told so below.
            let _ = tokio::time::timeout(PATIENCE, all_answered.wait_for(|missing| *missing == 0)).await;
        };
        let (server, ()) = tokio::join!(oplogue_api::place::probe(&place, PROBE_PATIENCE), answers);
        let mut answered = self.trials.lock().get(&id).map(|test| test.agents.clone()).unwrap_or_default();
        drop(closing);
        let silent = || Err(format!("the agent did not answer within {} s", PATIENCE.as_secs()));
        let asked = online.into_iter().map(|service| {
            let finding = answered.remove(&service.id).flatten().unwrap_or_else(silent);
            (service.id, service.name, Some(finding))
        });
        let not_asked = offline.into_iter().map(|service| (service.id, service.name, None));
        Ok(Trial { server, agents: asked.chain(not_asked).collect() })
    }
}

struct Closing<'a> {
    app: &'a App,
    id: &'a str,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.app.trials.lock().remove(self.id);
    }
}
