//! What somebody wants kept, and which backups that is about.

use std::collections::BTreeSet;
use std::fmt;

use crate::backup::BackupName;
use crate::time::OplogTime;

/// A backup is kept when any rule that is set keeps it. 0: the rule is not set; with no rule set, everything is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The newest so many backups.
    pub count: u32,
    /// Backups that are not older than this many days.
    pub days: u32,
    /// Every moment of the last so many seconds stays restorable.
    pub window_seconds: u64,
    /// The newest backup of each of the last so many days (weeks, months, years) that have one. Days are days in UTC, weeks those of ISO 8601.
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
}

/// The rules that keep the newest backup of a stretch of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Rule {
    pub const ALL: [Self; 4] = [Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    /// `day`
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Daily => "day",
            Self::Weekly => "week",
            Self::Monthly => "month",
            Self::Yearly => "year",
        }
    }

    /// The stretch that `moment` lies in: `2026-11-22`, `2026-W47`, `2026-11`, `2026`. Sorts by time.
    pub fn stretch(self, moment: OplogTime) -> String {
        let date = moment.timestamp().to_zoned(jiff::tz::TimeZone::UTC).date();
        match self {
            Self::Daily => date.to_string(),
            Self::Weekly => {
                let week = date.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Self::Monthly => format!("{:04}-{:02}", date.year(), date.month()),
            Self::Yearly => format!("{:04}", date.year()),
        }
    }
}

impl Policy {
    pub fn keeps_everything(&self) -> bool {
        *self == Self::default()
    }

    /// How many stretches of `rule` are kept.
    pub const fn stretches(&self, rule: Rule) -> u32 {
        match rule {
            Rule::Daily => self.daily,
            Rule::Weekly => self.weekly,
            Rule::Monthly => self.monthly,
            Rule::Yearly => self.yearly,
        }
    }

    /// The first moment of the window; `None` when no window is wanted. `now`: Unix seconds.
    pub fn window_start(&self, now: u32) -> Option<OplogTime> {
        let seconds = u32::try_from(self.window_seconds).unwrap_or(u32::MAX);
        (self.window_seconds > 0).then(|| OplogTime::start_of_second(now.saturating_sub(seconds)))
    }
}

/// `the newest 7, 30 days, a window of 36 h, 12 months`: the rules that are set.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = Vec::new();
        if self.count > 0 {
            told.push(format!("the newest {}", self.count));
        }
        if self.days > 0 {
            told.push(format!("{} days", self.days));
        }
        if self.window_seconds > 0 {
            told.push(format!("a window of {}", span(self.window_seconds)));
        }
        let calendar = Rule::ALL.into_iter().filter(|rule| self.stretches(*rule) > 0);
        told.extend(calendar.map(|rule| format!("one of each of {} {}s", self.stretches(rule), rule.unit())));
        if told.is_empty() {
            return f.write_str("everything");
        }
        f.write_str(&told.join(", "))
    }
}

/// In the largest unit that tells it exactly.
fn span(seconds: u64) -> String {
    match seconds {
        seconds if seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        seconds if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// Which backups a policy is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// `None`: all.
    governed: Option<BTreeSet<BackupName>>,
    moments_only: BTreeSet<BackupName>,
}

impl Scope {
    /// Every backup of the folder.
    pub fn everything() -> Self {
        Self::default()
    }

    /// These backups, e.g. those of one schedule. All others stay, and so does whatever is restorable from them.
    pub fn of(names: impl IntoIterator<Item = BackupName>) -> Self {
        Self { governed: Some(names.into_iter().collect()), moments_only: BTreeSet::new() }
    }

    /// Of these, which stay in any case, only their own moment is wanted: they hold no slices. (Backups on demand, say.)
    #[must_use]
    pub fn moments_only(mut self, names: impl IntoIterator<Item = BackupName>) -> Self {
        self.moments_only.extend(names);
        self
    }

    pub fn governs(&self, name: &BackupName) -> bool {
        self.governed.as_ref().is_none_or(|governed| governed.contains(name))
    }

    /// True for a backup that is not governed and from which every restorable moment must stay so.
    pub(super) fn holds_its_reach(&self, name: &BackupName) -> bool {
        !self.governs(name) && !self.moments_only.contains(name)
    }
}
