//! How fast a live server may be worked, and when it must be left alone for a while.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::nominate::{MemberRole, MemberState};

/// Saved up while nothing was taken: so much may be taken at once without a wait.
const SAVED: Duration = Duration::from_millis(250);

/// Keeps an average: what is taken is paid for in time afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    per_second: NonZeroU64,
    /// When everything taken so far is paid for.
    paid: Duration,
}

impl Throttle {
    pub fn new(per_second: NonZeroU64) -> Self {
        Self { per_second, paid: Duration::ZERO }
    }

    /// Takes `amount` at `now`, on any clock that never goes back. Returns how long to wait before anything else is taken.
    pub fn take(&mut self, amount: u64, now: Duration) -> Duration {
        let cost = u128::from(amount) * 1_000_000_000 / u128::from(self.per_second.get());
        let cost = Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        self.paid = self.paid.max(now.saturating_sub(SAVED)).saturating_add(cost);
        self.paid.saturating_sub(now)
    }
}

/// How a replica set bears its load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub members: Vec<MemberState>,
    /// The primary holds writes back so that its secondaries can follow (flow control, since 4.2).
    pub writes_held_back: bool,
}

/// Why a replica set is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Strained {
    #[error("{host} is {seconds} s behind")]
    Behind { host: String, seconds: u64 },
    #[error("the primary holds writes back until its secondaries have caught up (flow control)")]
    WritesHeldBack,
}

/// Whether it must be left alone: some member is more than `lag_seconds_max` behind the newest, not counting what its configuration
/// delays it by, or writes are held back. Once left alone (`waiting`) it is until nobody is half as far behind, so that work does not
/// begin and end all the time. Members that cannot be reached say nothing: waiting for them could take for ever.
pub fn strained(load: &Load, lag_seconds_max: u32, waiting: bool) -> Option<Strained> {
    let bearable = u64::from(if waiting { lag_seconds_max / 2 } else { lag_seconds_max });
    let newest = load.members.iter().filter_map(|member| member.applied).max()?;
    let follows = |member: &&MemberState| member.healthy && matches!(member.role, MemberRole::Secondary);
    let lags = load.members.iter().filter(follows).filter_map(|member| {
        let behind = u64::from(newest.seconds_since(member.applied?)).saturating_sub(member.delay_seconds);
        Some((behind, &member.host))
    });
    match lags.max() {
        Some((seconds, host)) if seconds > bearable => Some(Strained::Behind { host: host.clone(), seconds }),
        _ => load.writes_held_back.then_some(Strained::WritesHeldBack),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OplogTime;

    fn throttle(per_second: u64) -> Throttle {
        Throttle::new(NonZeroU64::new(per_second).expect("a rate of the test"))
    }

    #[test]
    fn an_average_is_kept_however_it_is_taken() {
        for amount in [1, 10, 1_000, 5_000] {
            let mut throttle = throttle(1_000);
            let mut now = Duration::from_secs(100);
            let mut taken = 0;
            while now < Duration::from_secs(200) {
                now += throttle.take(amount, now).max(Duration::from_micros(100));
                taken += amount;
            }
            let seconds = (now - Duration::from_secs(100)).as_secs_f64();
            let rate = taken as f64 / seconds;
            assert!((990.0..1_010.0).contains(&rate), "{amount} at a time: {rate} per second");
        }
    }

    #[test]
    fn only_a_little_is_saved_while_nothing_is_taken() {
        let mut throttle = throttle(1_000);
        assert_eq!(throttle.take(250, Duration::from_secs(3_600)), Duration::ZERO);
        assert_eq!(throttle.take(100, Duration::from_secs(3_600)), Duration::from_millis(100));
        assert_eq!(throttle.take(0, Duration::from_secs(3_601)), Duration::ZERO);
        assert!(throttle.take(u64::MAX, Duration::from_secs(3_602)) > Duration::from_secs(1 << 30));
    }

    fn member(host: &str, role: MemberRole, applied: u32) -> MemberState {
        let applied = (applied > 0).then(|| OplogTime::new(applied, 1));
        MemberState { host: host.to_owned(), role, hidden: false, delay_seconds: 0, healthy: true, applied }
    }

    #[test]
    fn a_set_is_left_alone_while_a_secondary_is_behind() {
        let load = |behind: u32| Load {
            members: vec![
                member("a:1", MemberRole::Primary, 1_000),
                member("b:1", MemberRole::Secondary, 1_000 - behind),
                member("c:1", MemberRole::Secondary, 999),
                member("d:1", MemberRole::Arbiter, 0),
            ],
            writes_held_back: false,
        };
        assert_eq!(strained(&load(10), 10, false), None);
        assert_eq!(strained(&load(11), 10, false), Some(Strained::Behind { host: "b:1".to_owned(), seconds: 11 }));
        // It goes on when it is half as far behind.
        assert_eq!(strained(&load(6), 10, true), Some(Strained::Behind { host: "b:1".to_owned(), seconds: 6 }));
        assert_eq!(strained(&load(5), 10, true), None);
        // Not for what is delayed on purpose, nor for who is not there.
        let mut other = load(500);
        other.members[1].delay_seconds = 495;
        assert_eq!(strained(&other, 10, false), None);
        other.members[1] = MemberState { healthy: false, delay_seconds: 0, ..other.members[1].clone() };
        assert_eq!(strained(&other, 10, false), None);
        assert_eq!(strained(&Load { writes_held_back: true, ..load(0) }, 10, false), Some(Strained::WritesHeldBack));
        assert_eq!(strained(&Load::default(), 10, false), None);
    }
}
