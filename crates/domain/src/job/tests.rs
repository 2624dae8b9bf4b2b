//! Every state with every event, and every pair of kinds.

use super::*;

/// The whole table; what is not in it is refused.
const TABLE: &[(JobState, &[(JobEvent, JobState)])] = {
    use JobEvent as E;
    use JobState as S;
    &[
        (
            S::Queued,
            &[
                (E::Started, S::Running),
                (E::CancelAsked, S::Cancelled),
                (E::Refused, S::Failed),
                (E::AttemptFailed { again: false }, S::Failed),
            ],
        ),
        (
            S::Running,
            &[
                (E::Succeeded, S::Done),
                (E::AttemptFailed { again: true }, S::WaitingToRetry),
                (E::AttemptFailed { again: false }, S::Failed),
                (E::Refused, S::Failed),
                (E::Stopped, S::Cancelled),
                (E::PutBack, S::Queued),
                (E::CancelAsked, S::Cancelling),
            ],
        ),
        (
            S::Cancelling,
            &[
                (E::Succeeded, S::Done),
                (E::AttemptFailed { again: true }, S::Cancelled),
                (E::AttemptFailed { again: false }, S::Cancelled),
                (E::Refused, S::Cancelled),
                (E::Stopped, S::Cancelled),
                (E::PutBack, S::Cancelled),
                (E::GivenUp, S::Cancelled),
                (E::CancelAsked, S::Cancelling),
            ],
        ),
        (S::WaitingToRetry, &[(E::RetryDue, S::Queued), (E::RetryAsked, S::Queued), (E::CancelAsked, S::Cancelled)]),
        (S::Done, &[]),
        (S::Failed, &[(E::RetryAsked, S::Queued)]),
        (S::Cancelled, &[(E::RetryAsked, S::Queued)]),
    ]
};

#[test]
fn a_job_changes_only_as_the_table_says() {
    assert_eq!(TABLE.iter().map(|(state, _)| *state).collect::<Vec<_>>(), JobState::ALL);
    for (state, row) in TABLE {
        for event in JobEvent::ALL {
            let expected = row.iter().find(|(known, _)| *known == event).map(|(_, next)| *next);
            assert_eq!(advance(*state, event), expected.ok_or(InvalidTransition { state: *state, event }), "{state} {event:?}");
        }
    }
}

#[test]
fn what_is_over_stays_over_unless_the_user_asks() {
    for state in JobState::ALL.into_iter().filter(|state| state.is_over()) {
        for event in JobEvent::ALL.into_iter().filter(|event| *event != JobEvent::RetryAsked) {
            assert!(advance(state, event).is_err(), "{state} {event:?}");
        }
    }
}

#[test]
fn a_refused_change_says_what_was_tried() {
    let refused = advance(JobState::Done, JobEvent::CancelAsked).expect_err("it is over");
    assert_eq!(refused.to_string(), "a job that is done cannot be cancelled");
}

#[test]
fn a_failed_attempt_is_followed_by_another_as_long_as_there_are_some_left() {
    let now: Timestamp = "2026-11-25T03:00:00Z".parse().expect("a time");
    let retries = Retries { attempts_max: 3, interval: SignedDuration::from_secs(30) };
    let later = Some("2026-11-25T03:00:30Z".parse().expect("a time"));
    for (attempt, retryable, expected) in [(1, true, later), (2, true, later), (3, true, None), (4, true, None), (1, false, None)] {
        assert_eq!(after_failure(retries, attempt, retryable, now), expected, "attempt {attempt}, retryable {retryable}");
    }
    assert_eq!(after_failure(Retries { attempts_max: 1, ..retries }, 1, true, now), None);
    assert_eq!(after_failure(retries, 1, true, Timestamp::MAX), Some(Timestamp::MAX));
}

const KINDS: [Kind; 4] = [Kind::Backup, Kind::Plan, Kind::Restore, Kind::Delete];

fn queued<'a>(id: &'a str, queue: &'a str, kind: Kind) -> Queued<'a> {
    Queued { id, queue, kind, ready: true }
}

#[test]
fn one_job_at_a_time_but_plans_beside_plans_and_backups() {
    let together = [(Kind::Plan, Kind::Plan), (Kind::Plan, Kind::Backup), (Kind::Backup, Kind::Plan)];
    for running in KINDS {
        for kind in KINDS {
            let turn = who_may_start(&[queued("b", "shop", kind)], &[Running { id: "a", queue: "shop", kind: running }]);
            let expected = if together.contains(&(kind, running)) { Turn::Start } else { Turn::After("a") };
            assert_eq!(turn, [expected], "{kind:?} beside {running:?}");
            let elsewhere = who_may_start(&[queued("b", "shop", kind)], &[Running { id: "a", queue: "blog", kind: running }]);
            assert_eq!(elsewhere, [Turn::Start]);
        }
    }
}

#[test]
fn nobody_is_overtaken_by_what_would_be_in_their_way() {
    let running = [Running { id: "a", queue: "shop", kind: Kind::Backup }];
    let waiting = [
        queued("b", "shop", Kind::Restore),
        queued("c", "shop", Kind::Plan),
        queued("d", "shop", Kind::Backup),
        queued("e", "blog", Kind::Backup),
    ];
    assert_eq!(who_may_start(&waiting, &running), [Turn::After("a"), Turn::After("b"), Turn::After("a"), Turn::Start]);
    let all = [
        queued("b", "shop", Kind::Plan),
        queued("c", "shop", Kind::Backup),
        queued("d", "shop", Kind::Plan),
        queued("e", "shop", Kind::Backup),
    ];
    assert_eq!(who_may_start(&all, &[]), [Turn::Start, Turn::Start, Turn::Start, Turn::After("c")]);
}

#[test]
fn a_job_that_nobody_can_carry_out_holds_nobody_up() {
    let waiting = [Queued { ready: false, ..queued("a", "shop", Kind::Restore) }, queued("b", "shop", Kind::Backup)];
    assert_eq!(who_may_start(&waiting, &[]), [Turn::NoWorker, Turn::Start]);
}

#[test]
fn what_may_start_together_may_run_together() {
    for first in KINDS {
        for second in KINDS {
            for third in KINDS {
                let waiting = [queued("a", "shop", first), queued("b", "shop", second), queued("c", "shop", third)];
                let turns = who_may_start(&waiting, &[]);
                assert_eq!(turns[0], Turn::Start);
                let started: Vec<Kind> =
                    waiting.iter().zip(&turns).filter(|(_, turn)| **turn == Turn::Start).map(|(job, _)| job.kind).collect();
                if started.len() > 1 {
                    assert!(started.iter().all(|kind| matches!(kind, Kind::Plan | Kind::Backup)), "{started:?}");
                    assert!(started.iter().filter(|kind| **kind == Kind::Backup).count() <= 1, "{started:?}");
                }
            }
        }
    }
}
