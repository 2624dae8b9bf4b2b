//! What a replica set and its slicing are doing.

use std::fmt::Write;

use oplogue_domain::{MemberRole, MemberState, OplogTime};
use oplogue_engine::status::Status;

use super::words;
use crate::output::{Style, Table, Tone};

pub fn status(status: &Status, style: Style) -> String {
    let mut text =
        format!("replica set {}, MongoDB {}, feature compatibility version {}\n\n", status.replica_set, status.server_version, status.fcv);
    text.push_str(&members(status));
    text.push('\n');
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<14} {value}");
    };
    line("now", words::moment(status.majority));
    let window = status.oplog_newest.seconds_since(status.oplog_oldest);
    line("oplog", format!("{} … {}, {}", status.oplog_oldest, status.oplog_newest, words::seconds(u64::from(window))));
    line(
        "slicer",
        match &status.slicer {
            Some((holder, expires)) => format!("{holder}, lease until {}", clock(*expires)),
            None => style.paint(Tone::Caution, "nobody is slicing"),
        },
    );
    line("newest slice", status.newest_slice.map_or("none".to_owned(), words::moment));
    let seconds = |value: Option<u32>| value.map_or("unknown".to_owned(), |value| words::seconds(u64::from(value)));
    line("behind", seconds(status.lag_seconds));
    let headroom = status.headroom_seconds.map(|left| {
        let left = format!("{} until the server discards what is not stored", words::seconds(u64::from(left)));
        if status.headroom_is_short == Some(true) { style.paint(Tone::Bad, &format!("{left}: short")) } else { left }
    });
    line("headroom", headroom.unwrap_or_else(|| "unknown".to_owned()));
    line(
        "last backup",
        match &status.last_backup {
            Some(backup) => format!("{}, restores to {}", backup.name, words::moment(backup.consistent_at())),
            None => style.paint(Tone::Caution, "none"),
        },
    );
    text
}

fn members(status: &Status) -> String {
    let mut table = Table::new(&["MEMBER", "STATE", "LAG>", ""]);
    for member in &status.members {
        let mut remarks = Vec::new();
        if member.hidden {
            remarks.push("hidden".to_owned());
        }
        if member.delay_seconds > 0 {
            remarks.push(format!("delayed by {}", words::seconds(member.delay_seconds)));
        }
        if !member.healthy {
            remarks.push("cannot be reached".to_owned());
        }
        let lag = member.applied.map(|applied| words::seconds(u64::from(status.majority.seconds_since(applied))));
        table.row([member.host.clone(), role(member).to_owned(), lag.unwrap_or_default(), remarks.join(", ")]);
    }
    table.render(2)
}

/// The state by its name in the server's own status.
pub fn role(member: &MemberState) -> &str {
    match &member.role {
        MemberRole::Primary => "PRIMARY",
        MemberRole::Secondary => "SECONDARY",
        MemberRole::Arbiter => "ARBITER",
        MemberRole::Other(name) => name,
    }
}

fn clock(unix_seconds: i64) -> String {
    u32::try_from(unix_seconds).map_or("an unknown time".to_owned(), |seconds| OplogTime::start_of_second(seconds).rfc3339())
}
