//! The part of time that is shown: seconds since 1970 in UTC, `from` before `to`.

use oplogue_api::timelines::Timeline;

use crate::urls::Query;

/// A window is never shorter than this: at ten seconds each tick is one.
const SECONDS_MIN: u32 = 10;

pub(super) const PRESETS: &[(&str, u32)] =
    &[("15 m", 900), ("1 h", 3_600), ("6 h", 21_600), ("24 h", 86_400), ("7 d", 604_800), ("30 d", 2_592_000)];

/// See the module's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub from: u32,
    pub to: u32,
}

impl Window {
    /// Puts the two in order and far enough apart.
    pub fn new(from: u32, to: u32) -> Self {
        let (from, to) = (from.min(to), from.max(to));
        if to - from >= SECONDS_MIN {
            return Self { from, to };
        }
        let from = from.min(u32::MAX - SECONDS_MIN);
        Self { from, to: from + SECONDS_MIN }
    }

    /// From `from` and `to` of a URL; `None` when they are absent or not numbers.
    pub fn asked_for(from: Option<&str>, to: Option<&str>) -> Option<Self> {
        Some(Self::new(from?.parse().ok()?, to?.parse().ok()?))
    }

    /// The last `seconds` before now.
    pub fn last(seconds: u32, now: u32) -> Self {
        Self::new(now.saturating_sub(seconds), now)
    }

    /// All that is known, up to now. A day, when nothing is.
    pub fn whole(timeline: &Timeline, now: u32) -> Self {
        let restorable = timeline.restorable.iter().map(|range| range.from.t);
        let backups = timeline.backups.iter().map(|backup| backup.restores_to.t);
        let gaps = timeline.replica_sets.iter().flat_map(|set| set.gaps.iter().map(|gap| gap.range.after.t));
        let unreached = timeline.replica_sets.iter().flat_map(|set| set.unreached.iter().map(|range| range.after.t));
        let oldest = restorable.chain(backups).chain(gaps).chain(unreached).filter(|second| *second > 0).min();
        let Some(oldest) = oldest else { return Self::last(86_400, now) };
        let length = now.saturating_sub(oldest).max(60);
        Self::new(oldest.saturating_sub(length / 50), now.max(oldest))
    }

    /// Around a moment that is about to be restored: a quarter of an hour on each side.
    pub fn around(second: u32, now: u32) -> Self {
        let to = second.saturating_add(900).min(now.max(second));
        Self::new(to.saturating_sub(1_800), to)
    }

    pub fn seconds(self) -> u32 {
        self.to - self.from
    }

    fn moved(self, by: i64) -> Self {
        let shift = |second: u32| u32::try_from(i64::from(second).saturating_add(by).max(0)).unwrap_or(u32::MAX);
        Self::new(shift(self.from), shift(self.to))
    }

    #[must_use]
    pub fn earlier(self) -> Self {
        self.moved(-i64::from(self.seconds() / 2))
    }

    #[must_use]
    pub fn later(self) -> Self {
        self.moved(i64::from(self.seconds() / 2))
    }

    /// Half as long, around `around` when that is inside, around the middle otherwise.
    #[must_use]
    pub fn zoomed_in(self, around: Option<u32>) -> Self {
        let half = (self.seconds() / 2).max(SECONDS_MIN);
        let middle = around.filter(|second| (self.from..=self.to).contains(second)).unwrap_or(self.from + self.seconds() / 2);
        let from = middle.saturating_sub(half / 2).clamp(self.from, self.to.saturating_sub(half).max(self.from));
        Self::new(from, from.saturating_add(half))
    }

    /// Twice as long.
    #[must_use]
    pub fn zoomed_out(self) -> Self {
        let half = self.seconds() / 2;
        Self::new(self.from.saturating_sub(half), self.to.saturating_add(half.max(1)))
    }

    /// Sets `from` and `to` of a query.
    pub fn on(self, query: &Query) -> Query {
        query.clone().with("from", self.from).with("to", self.to)
    }

    /// Where a second stands, 0 to 100, outside ones at the edges.
    pub(super) fn percent(self, second: u32) -> f64 {
        let second = second.clamp(self.from, self.to);
        f64::from(second - self.from) * 100.0 / f64::from(self.seconds())
    }

    /// Left edge and width of what is inside, in percent.
    pub(super) fn span(self, from: u32, to: u32) -> Option<(f64, f64)> {
        if to <= self.from || from >= self.to || to <= from {
            return None;
        }
        let left = self.percent(from);
        Some((left, self.percent(to) - left))
    }
}
