//! What a fact means for backups and restores, and what to do about it.

use oplogue_domain::nominate::{LAG_SECONDS_MAX, MemberRole, nominate};
use oplogue_mongo::{MongoError, PrivilegeReport, Purpose, ReplicaSet, Versions};
use oplogue_storage::ProbeReport;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    /// It works, and somebody should look at it.
    Attention,
    /// A backup or a restore would fail.
    Danger,
}

/// One line of the doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    /// What was looked at, in one or two words.
    pub subject: &'static str,
    pub finding: String,
    pub advice: Option<String>,
}

impl Finding {
    fn new(level: Level, subject: &'static str, finding: impl Into<String>) -> Self {
        Self { level, subject, finding: finding.into(), advice: None }
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// A day: a weekend needs two.
const WINDOW_ATTENTION_SECONDS: u32 = 24 * 3_600;
/// Schedules and retention compare our clock with the server's. Milliseconds.
const SKEW_ATTENTION_MILLIS: u64 = 2_000;

pub(super) fn unreachable(error: &MongoError) -> Finding {
    // The message of every connection error says what to do.
    Finding::new(Level::Danger, "connection", error.to_string())
}

pub(super) fn unknown(subject: &'static str, error: &MongoError) -> Finding {
    let finding = Finding::new(Level::Danger, subject, format!("could not be examined: {error}"));
    match error {
        MongoError::Unauthorized { .. } => finding.advise("see the commands under privileges"),
        _ => finding,
    }
}

pub(super) fn members(replica_set: &ReplicaSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (name, total) = (&replica_set.name, replica_set.members.len());
    let healthy = replica_set.members.iter().filter(|member| member.healthy).count();
    let who = format!("{name} has {total} member{}, {healthy} of them up", if total == 1 { "" } else { "s" });
    findings.push(match &replica_set.primary {
        None => Finding::new(Level::Danger, "replica set", format!("{who}, and no primary"))
            .advise("nothing can be written or sliced until a majority of the members is up"),
        Some(primary) if healthy < total => Finding::new(Level::Attention, "replica set", format!("{who}; primary {primary}"))
            .advise("bring the others back: with one more down the set may lose its majority"),
        Some(primary) => Finding::new(Level::Ok, "replica set", format!("{who}; primary {primary}")),
    });
    if replica_set.is_config_server {
        findings.push(
            Finding::new(Level::Danger, "replica set", "these are the config servers of a sharded cluster")
                .advise("sharded clusters are not supported yet"),
        );
    }
    let healthy_voting = replica_set
        .members
        .iter()
        .filter(|member| member.healthy && matches!(member.role, MemberRole::Primary | MemberRole::Secondary))
        .count();
    let needed = replica_set.voting_members / 2 + 1;
    let up = format!("data-bearing members that are up: {healthy_voting}; needed for a majority: {needed}");
    findings.push(if healthy_voting >= needed {
        Finding::new(Level::Ok, "majority", up)
    } else {
        Finding::new(Level::Danger, "majority", up).advise("only entries that a majority has can be sliced: bring members back")
    });
    let nomination = nominate(&replica_set.members, LAG_SECONDS_MAX);
    findings.push(match nomination.chosen() {
        Some(host) => Finding::new(Level::Ok, "member", format!("{host} would be read for backups and slices")),
        None => Finding::new(Level::Danger, "member", "no member is fit to be read").advise(nomination.to_string()),
    });
    findings
}

pub(super) fn version(versions: &Versions) -> Finding {
    let text = format!("MongoDB {} with feature compatibility version {}", versions.server, versions.fcv);
    match versions.server.major {
        0..=3 => Finding::new(Level::Danger, "version", text).advise("the oplog of versions before 4.2 is not understood: upgrade first"),
        4..=6 => Finding::new(Level::Ok, "version", text),
        7..=8 => Finding::new(Level::Attention, "version", text).advise(
            "its oplog is understood from its documentation and has not been tested by running it: try a restore before you rely on it",
        ),
        _ => Finding::new(Level::Danger, "version", text)
            .advise("newer than anything known here: unknown oplog entries are refused at restore"),
    }
}

pub(super) fn oplog(window_seconds: u32, behind_seconds: u32) -> Vec<Finding> {
    let hours = f64::from(window_seconds) / 3_600.0;
    let text = format!("the server keeps {hours:.1} h of oplog at the moment");
    let advice =
        "a slicer that is away longer than that leaves a gap. Enlarge it: db.adminCommand({replSetResizeOplog: 1, size: MEGABYTES})";
    // A young set has not had the time to fill its oplog.
    let level = if window_seconds < WINDOW_ATTENTION_SECONDS { Level::Attention } else { Level::Ok };
    let window = Finding::new(level, "oplog window", text);
    let window = if level == Level::Ok { window } else { window.advise(advice) };
    let majority = if behind_seconds > LAG_SECONDS_MAX {
        Finding::new(Level::Attention, "majority", format!("the majority is {behind_seconds} s behind the newest entry"))
            .advise("slices end where the majority is: look at the secondaries' lag")
    } else {
        Finding::new(Level::Ok, "majority", format!("the majority is {behind_seconds} s behind the newest entry"))
    };
    vec![window, majority]
}

pub(super) fn clock(skew_millis: i64) -> Finding {
    let text = format!("the server's clock is {:+.1} s from this machine's", skew_millis as f64 / 1_000.0);
    if skew_millis.unsigned_abs() > SKEW_ATTENTION_MILLIS {
        Finding::new(Level::Attention, "clock", text).advise("moments are named by the server's clock; let NTP set both")
    } else {
        Finding::new(Level::Ok, "clock", text)
    }
}

pub(super) fn privileges(purpose: Purpose, report: &PrivilegeReport) -> Finding {
    let (subject, work) = match purpose {
        Purpose::Backup => ("backup rights", "backing up and slicing"),
        Purpose::Restore => ("restore rights", "restoring"),
    };
    if !report.access_control {
        return Finding::new(Level::Attention, subject, "access control is off: anybody who reaches the server may do anything")
            .advise("fine for a test; in production start mongod with --auth or --keyFile");
    }
    let user = report.user.as_deref().unwrap_or("nobody (no user in the URI)");
    if report.missing.is_empty() {
        return Finding::new(Level::Ok, subject, format!("{user} may do everything that {work} needs"));
    }
    let missing: Vec<String> = report.missing.iter().map(ToString::to_string).collect();
    let finding = Finding::new(Level::Danger, subject, format!("{user} lacks for {work}: {}", missing.join("; ")));
    match report.commands.as_slice() {
        [] => finding.advise("give a user and its password in the URI"),
        commands => finding.advise(format!("run in mongosh as an administrator:\n{}", commands.join("\n"))),
    }
}

pub(super) fn storage(report: &ProbeReport) -> Vec<Finding> {
    let judge = |step: &oplogue_storage::ProbeStep| match &step.outcome {
        Ok(()) => Finding::new(Level::Ok, "storage", format!("{}: {} works", report.location, step.name)),
        Err(error) => Finding::new(Level::Danger, "storage", format!("{}: {} does not work: {error}", report.location, step.name)),
    };
    report.steps.iter().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_window_asks_for_attention_and_says_how_to_enlarge_it() {
        let levels: Vec<Level> = [60, 7_200, 100_000].map(|seconds| oplog(seconds, 0)[0].level).into();
        assert_eq!(levels, [Level::Attention, Level::Attention, Level::Ok]);
        assert!(oplog(60, 0)[0].advice.as_ref().is_some_and(|advice| advice.contains("replSetResizeOplog")));
    }

    #[test]
    fn a_majority_far_behind_is_told() {
        assert_eq!(oplog(100_000, 5)[1].level, Level::Ok);
        assert_eq!(oplog(100_000, 60)[1].level, Level::Attention);
    }

    #[test]
    fn a_clock_may_be_wrong_in_both_directions() {
        let levels: Vec<Level> = [0, 1_999, -1_999, 2_001, -60_000].map(|skew| clock(skew).level).into();
        assert_eq!(levels, [Level::Ok, Level::Ok, Level::Ok, Level::Attention, Level::Attention]);
    }

    #[test]
    fn without_access_control_nothing_is_missing_and_it_is_said() {
        let report = PrivilegeReport { user: None, access_control: false, missing: Vec::new(), commands: Vec::new() };
        assert_eq!(privileges(Purpose::Backup, &report).level, Level::Attention);
    }
}
