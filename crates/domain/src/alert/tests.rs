//! Tables and stories: what holds when, and what people are told.

use super::facts::*;
use super::*;
use crate::catalog::{Gap, GapReason};
use crate::namespace::ReplicaSetName;
use crate::time::{OplogRange, OplogTime};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a small number")
}

fn rule(condition: Condition, threshold: f64, for_seconds: u32) -> Rule {
    Rule { id: "r".to_owned(), condition, threshold, for_seconds, clusters: Vec::new(), services: Vec::new() }
}

/// Goes through moments as the server does, and tells what happened when: `10 began`, `20 fired`.
struct Story {
    rules: Vec<Rule>,
    standing: Vec<Standing>,
    told: Vec<String>,
}

impl Story {
    fn of(rule: Rule) -> Self {
        Self { rules: vec![rule], standing: Vec::new(), told: Vec::new() }
    }

    fn at(&mut self, second: i64, facts: &Facts) -> &mut Self {
        for change in evaluate(&self.rules, facts, &self.standing, at(second)) {
            let key = (change.alert.rule_id.clone(), change.alert.subject.clone());
            self.standing.retain(|alert| (alert.rule_id.clone(), alert.subject.clone()) != key);
            if change.step != Step::Retold {
                self.told.push(format!("{second} {}", format!("{:?}", change.step).to_lowercase()));
            }
            if change.alert.state != State::Resolved {
                self.standing.push(change.alert);
            }
        }
        self
    }

    fn summary(&self) -> &str {
        self.standing.first().map_or("", |alert| &alert.finding.summary)
    }
}

fn agent_seen(second: i64) -> Facts {
    let agent = AgentFacts {
        service_id: "srv_1".to_owned(),
        service: "db1".to_owned(),
        cluster: Some("shop".to_owned()),
        host: "h1".to_owned(),
        last_seen: at(second),
    };
    Facts { agents: vec![agent], ..Facts::default() }
}

#[test]
fn an_alert_is_pending_first_fires_after_its_duration_and_is_resolved_when_it_has_been_clear_for_a_while() {
    let mut story = Story::of(rule(Condition::AgentDown, 30.0, 60));
    story.at(1000, &agent_seen(995)).at(1031, &agent_seen(1000)).at(1060, &agent_seen(1000)).at(1091, &agent_seen(1000));
    assert_eq!(story.summary(), "The agent of db1 on h1 was not heard of since 1970-01-01 00:16:40 UTC, more than 30 s ago.");
    story.at(1100, &agent_seen(1100)).at(1140, &agent_seen(1140)).at(1160, &agent_seen(1160)).at(1170, &agent_seen(1170));
    assert_eq!(story.told, ["1031 began", "1091 fired", "1160 resolved"]);
}

#[test]
fn what_flaps_is_told_once() {
    let mut story = Story::of(rule(Condition::AgentDown, 30.0, 0));
    story.at(1031, &agent_seen(1000));
    for second in (1040..2000).step_by(20) {
        let seen = if second % 40 == 0 { second } else { 1000 };
        story.at(second, &agent_seen(seen));
    }
    assert_eq!(story.told, ["1031 fired"]);
}

#[test]
fn what_ends_while_it_is_pending_was_never_told() {
    let mut story = Story::of(rule(Condition::AgentDown, 30.0, 60));
    story.at(1031, &agent_seen(1000)).at(1040, &agent_seen(1040)).at(1500, &agent_seen(1040));
    assert_eq!(story.told, ["1031 began", "1040 dropped", "1500 began"]);
}

#[test]
fn an_alert_whose_rule_or_subject_is_gone_is_resolved() {
    let mut story = Story::of(rule(Condition::AgentDown, 30.0, 0));
    story.at(1031, &agent_seen(1000)).at(1040, &Facts::default()).at(1050, &agent_seen(1000));
    story.rules.clear();
    story.at(1060, &agent_seen(1000));
    assert_eq!(story.told, ["1031 fired", "1040 resolved", "1050 fired", "1060 resolved"]);
}

#[test]
fn nothing_is_said_twice() {
    let facts = agent_seen(1000);
    let rules = [rule(Condition::AgentDown, 30.0, 0)];
    let first = evaluate(&rules, &facts, &[], at(1031));
    assert_eq!(first.len(), 1);
    let standing: Vec<_> = first.into_iter().map(|change| change.alert).collect();
    assert_eq!(evaluate(&rules, &facts, &standing, at(1032)), []);
}

#[test]
fn a_rule_for_some_clusters_or_services_looks_only_there() {
    for (clusters, services, fires) in [
        (vec![], vec![], true),
        (vec!["shop"], vec![], true),
        (vec!["other"], vec![], false),
        (vec!["other", "shop"], vec!["db1"], true),
        (vec!["shop"], vec!["db2"], false),
    ] {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let rule = Rule { clusters: owned(&clusters), services: owned(&services), ..rule(Condition::AgentDown, 30.0, 0) };
        assert_eq!(evaluate(&[rule], &agent_seen(0), &[], at(100)).len(), usize::from(fires), "{clusters:?} {services:?}");
    }
}

fn run(series: &str, created: i64, state: RunState) -> RunFacts {
    RunFacts {
        job_id: format!("job_{created}"),
        series: series.to_owned(),
        name: "nightly".to_owned(),
        cluster: Some("shop".to_owned()),
        service: "db1".to_owned(),
        created_at: at(created),
        state,
    }
}

fn failed() -> RunState {
    RunState::Failed("write to s3-main: connection refused".to_owned())
}

#[test]
fn a_failed_backup_fires_when_its_retries_are_used_up_and_resolves_when_a_later_run_succeeds() {
    let runs = |runs: &[RunFacts]| Facts { runs: runs.to_vec(), ..Facts::default() };
    let nightly = |created, state| run("schedule:sch_1", created, state);
    let mut story = Story::of(rule(Condition::BackupFailed, 0.0, 0));
    // It failed once and waits for a retry: not over.
    story.at(10, &runs(&[nightly(1, RunState::NotOver)]));
    story.at(20, &runs(&[nightly(1, failed())]));
    assert_eq!(story.summary(), "The backup nightly of shop failed: write to s3-main: connection refused");
    story.at(30, &runs(&[nightly(1, failed()), nightly(25, RunState::NotOver)]));
    story.at(35, &runs(&[nightly(1, failed()), nightly(25, RunState::Cancelled)]));
    story.at(40, &runs(&[nightly(1, failed()), nightly(36, RunState::Done)]));
    // The failed run is still in the list; it does not matter any more.
    story.at(50, &runs(&[nightly(36, RunState::Done), nightly(1, failed())]));
    assert_eq!(story.told, ["20 fired", "40 resolved"]);
}

#[test]
fn another_schedules_success_does_not_hide_a_failure_but_any_backup_makes_good_one_on_demand() {
    let holds = |runs: &[RunFacts], now| {
        let facts = Facts { runs: runs.to_vec(), ..Facts::default() };
        observe(Condition::BackupFailed, 0.0, &facts, at(now)).iter().filter(|seen| matches!(seen.verdict, Verdict::Holds(_))).count()
    };
    assert_eq!(holds(&[run("schedule:a", 1, failed()), run("schedule:b", 2, RunState::Done)], 10), 1);
    assert_eq!(holds(&[run("once:db1", 1, failed()), run("schedule:b", 2, RunState::Done)], 10), 0);
    assert_eq!(holds(&[run("once:db1", 2, failed()), run("schedule:b", 1, RunState::Done)], 10), 1);
    assert_eq!(holds(&[run("once:db1", 1, failed())], 8 * 86_400), 0);
    assert_eq!(holds(&[run("schedule:a", 1, failed())], 8 * 86_400), 1);
}

#[test]
fn the_last_known_restorable_moment_grows_older_when_nothing_new_is_known() {
    let cluster = ClusterFacts {
        name: "shop".to_owned(),
        services: vec!["db1".to_owned()],
        read: true,
        newest: Some(OplogTime::new(1000, 7)),
        wanted_since: at(0),
        rhythm_seconds: 0,
        suspended: false,
    };
    for (newest, wanted_since, rhythm_seconds, suspended, now, holds) in [
        (Some(1000), 0, 0, false, 1900, false),
        (Some(1000), 0, 0, false, 1901, true),
        (Some(1000), 0, 0, true, 1901, false),
        // Nightly backups: a day more.
        (Some(1000), 0, 86_400, false, 80_000, false),
        (Some(1000), 0, 86_400, false, 88_301, true),
        // Switched on again after a long time: it gets the time to begin.
        (Some(1000), 50_000, 0, false, 50_900, false),
        (None, 50_000, 0, false, 50_900, false),
        (None, 50_000, 0, false, 50_901, true),
    ] {
        let newest = newest.map(|second| OplogTime::new(second, 7));
        let cluster = ClusterFacts { newest, wanted_since: at(wanted_since), rhythm_seconds, suspended, ..cluster.clone() };
        let facts = Facts { clusters: vec![cluster], ..Facts::default() };
        let seen = observe(Condition::RestorePointOld, 900.0, &facts, at(now)).remove(0);
        assert_eq!(matches!(seen.verdict, Verdict::Holds(_)), holds, "{seen:?}");
    }
}

fn slicing() -> SlicingFacts {
    SlicingFacts {
        cluster: "shop".to_owned(),
        replica_set: "rs0".to_owned(),
        services: vec!["db1".to_owned()],
        wanted_since: at(0),
        suspended: false,
        newest: Some(OplogTime::new(1000, 1)),
        headroom: Some((7_200, at(1000))),
        message: Some("s3-main: 503".to_owned()),
    }
}

#[test]
fn slicing_is_stalled_when_nothing_was_stored_for_too_long() {
    let mut story = Story::of(rule(Condition::SlicingStalled, 120.0, 0));
    let facts = |slicing| Facts { slicing: vec![slicing], ..Facts::default() };
    story.at(1120, &facts(slicing())).at(1121, &facts(slicing()));
    let expected = "Slicing of rs0 of shop has stored nothing later than 1970-01-01 00:16:40 UTC, more than 2 min ago (s3-main: 503).";
    assert_eq!(story.summary(), expected);
    story.at(1130, &facts(SlicingFacts { suspended: true, ..slicing() })).at(1200, &facts(SlicingFacts { suspended: true, ..slicing() }));
    assert_eq!(story.told, ["1121 fired", "1200 resolved"]);
}

#[test]
fn headroom_runs_out_while_the_agent_is_silent_and_is_unknown_before_it_spoke() {
    for (headroom, suspended, now, expected) in [
        (Some((7_200, at(1000))), false, 1000, Some(false)),
        (Some((7_200, at(1000))), false, 4600, Some(false)),
        (Some((7_200, at(1000))), false, 4601, Some(true)),
        (Some((7_200, at(1000))), true, 4601, Some(false)),
        (Some((10, at(1000))), false, 900, Some(true)),
        (None, false, 1000, None),
    ] {
        let facts = Facts { slicing: vec![SlicingFacts { headroom, suspended, ..slicing() }], ..Facts::default() };
        let seen = observe(Condition::OplogWindowShort, 3600.0, &facts, at(now)).remove(0);
        let holds = match seen.verdict {
            Verdict::Holds(_) => Some(true),
            Verdict::Clear => Some(false),
            Verdict::Unknown => None,
        };
        assert_eq!(holds, expected, "{headroom:?} {suspended} {now}");
    }
}

fn folder(gaps: &[(u32, u32)]) -> FolderFacts {
    let replica_set: ReplicaSetName = "rs0".parse().expect("a replica set's name");
    let gap = |(after, through): &(u32, u32)| Gap {
        replica_set: replica_set.clone(),
        range: OplogRange::new(OplogTime::new(*after, 0), OplogTime::new(*through, 0)),
        reason: GapReason::OplogRolledOver,
    };
    FolderFacts {
        location_id: "loc_1".to_owned(),
        location: "s3-main".to_owned(),
        folder: "shop".to_owned(),
        cluster: Some("shop".to_owned()),
        services: vec!["db1".to_owned()],
        known: true,
        gaps: gaps.iter().map(gap).collect(),
        damaged: Vec::new(),
    }
}

#[test]
fn a_gap_is_told_with_its_reason_until_it_is_old_or_gone() {
    let facts = |folder| Facts { folders: vec![folder], ..Facts::default() };
    let mut story = Story::of(rule(Condition::Gap, 1000.0, 0));
    story.at(100, &facts(folder(&[]))).at(200, &facts(folder(&[(20, 50), (120, 180)])));
    let expected = "The oplog of rs0 in s3-main/shop is missing from 1970-01-01 00:02:00 UTC to 1970-01-01 00:03:00 UTC: \
                    the server's oplog rolled over before it was sliced. There are 1 more.";
    assert_eq!(story.summary(), expected);
    // Cannot be read now: still there, as far as anybody knows.
    story.at(300, &facts(FolderFacts { known: false, ..folder(&[]) }));
    story.at(1180, &facts(folder(&[(120, 180)]))).at(1181, &facts(folder(&[(120, 180)])));
    assert_eq!(story.told, ["200 fired", "1181 resolved"]);
    let any = observe(Condition::Gap, 0.0, &facts(folder(&[(120, 180)])), at(1 << 30)).remove(0);
    assert!(matches!(any.verdict, Verdict::Holds(_)));
}

#[test]
fn damage_is_told_with_the_object() {
    let damaged = vec![("shop/a.zst".to_owned(), "ends early".to_owned()), ("shop/b".to_owned(), "x".to_owned())];
    let facts = Facts { folders: vec![FolderFacts { damaged, ..folder(&[]) }], ..Facts::default() };
    let seen = observe(Condition::VerifyFailed, 0.0, &facts, at(1)).remove(0);
    assert_eq!(seen.verdict, Verdict::Holds("What was read from s3-main/shop is damaged: shop/a.zst: ends early (and 1 more)".to_owned()));
}

#[test]
fn a_location_that_is_away_is_one_alert_whoever_cannot_use_it() {
    let reach = |service: Option<&str>, cluster: &str, problem: Option<&str>| ReachFacts {
        location_id: "loc_1".to_owned(),
        location: "s3-main".to_owned(),
        service: service.map(str::to_owned),
        clusters: vec![cluster.to_owned()],
        problem: problem.map(str::to_owned),
    };
    let refused = Some("connection refused");
    let facts = |reaches: Vec<ReachFacts>| Facts { reaches, ..Facts::default() };
    let mut story = Story::of(rule(Condition::StorageUnreachable, 0.0, 0));
    story.at(1, &facts(vec![reach(Some("db1"), "shop", refused), reach(None, "shop", refused), reach(Some("db2"), "shop", None)]));
    assert_eq!(story.summary(), "s3-main cannot be used from the server and the agent of db1: connection refused");
    story.at(2, &facts(vec![reach(Some("db1"), "shop", None), reach(None, "shop", None)]));
    story.at(62, &facts(vec![reach(Some("db1"), "shop", None), reach(None, "shop", None)]));
    assert_eq!(story.told, ["1 fired", "62 resolved"]);
    // A rule for another cluster is not about an agent of this one.
    let rule = Rule { clusters: vec!["other".to_owned()], ..rule(Condition::StorageUnreachable, 0.0, 0) };
    let seen = evaluate(&[rule], &facts(vec![reach(Some("db1"), "shop", refused), reach(Some("db9"), "other", None)]), &[], at(1));
    assert_eq!(seen, []);
}

#[test]
fn growth_is_counted_against_the_oldest_size_known_of_the_last_day() {
    let location = |bytes, bytes_before| LocationFacts {
        location_id: "loc_1".to_owned(),
        location: "s3-main".to_owned(),
        clusters: Vec::new(),
        services: Vec::new(),
        bytes,
        bytes_before,
    };
    for (bytes, before, expected) in [
        (Some(3 << 30), Some((at(0), 1 << 30)), Some(true)),
        (Some(2 << 30), Some((at(0), 1 << 30)), Some(false)),
        (Some(1 << 20), Some((at(0), 1 << 30)), Some(false)),
        (Some(3 << 30), None, None),
        (None, Some((at(0), 1)), None),
    ] {
        let facts = Facts { locations: vec![location(bytes, before)], ..Facts::default() };
        let seen = observe(Condition::StorageGrowth, f64::from(1 << 30), &facts, at(1)).remove(0);
        let holds = match seen.verdict {
            Verdict::Holds(text) => {
                assert_eq!(
                    text,
                    "s3-main grew from 1.0 GiB to more than 2.0 GiB since 1970-01-01 00:00:00 UTC; the limit is 1.0 GiB a day."
                );
                Some(true)
            }
            Verdict::Clear => Some(false),
            Verdict::Unknown => None,
        };
        assert_eq!(holds, expected);
    }
}
