//! Trying locations from here: really writing, reading, listing and deleting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oplogue_api::agent::{AttemptId, TestAnswer, TestWish};
use tokio::task::JoinSet;

use crate::shared::Shared;

/// People wait for the answer in front of a page.
const LIMIT: Duration = Duration::from_secs(20);
/// Nobody tests that many at once.
const TESTS_MAX: usize = 32;

/// Tests that are asked for; `None` while one is under way.
#[derive(Default)]
pub struct LocationTests(Mutex<BTreeMap<String, Option<TestAnswer>>>);

impl LocationTests {
    pub fn answers(&self) -> Vec<TestAnswer> {
        self.inner().values().flatten().cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, BTreeMap<String, Option<TestAnswer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins the tests that are new, and forgets those nobody asks for any more.
pub fn heed(shared: &Arc<Shared>, wishes: &[TestWish], tasks: &mut JoinSet<Option<AttemptId>>) {
    let mut known = shared.tests.inner();
    known.retain(|id, _| wishes.iter().any(|wish| wish.test_id == *id));
    for wish in wishes {
        if known.len() >= TESTS_MAX || known.contains_key(&wish.test_id) {
            continue;
        }
        known.insert(wish.test_id.clone(), None);
        let (shared, wish) = (shared.clone(), wish.clone());
        tasks.spawn(async move {
            let probed = shared.stop.run_until_cancelled(oplogue_api::place::probe(&wish.place, LIMIT)).await?;
            let answer = match probed {
                Ok(steps) => TestAnswer { test_id: wish.test_id.clone(), steps, problem: None },
                Err(problem) => TestAnswer { test_id: wish.test_id.clone(), steps: Vec::new(), problem: Some(problem) },
            };
            if let Some(place) = shared.tests.inner().get_mut(&wish.test_id) {
                *place = Some(answer);
            }
            shared.poke();
            None
        });
    }
}
