//! How often somebody may try a password.
//!
//! Each address and each name has a bucket of tries that refills with time; a success fills it up again. A try is taken before the
//! password is looked at, so that many tries at once gain nothing. Buckets that are full again are forgotten, and there are never more
//! than [`BUCKETS_MAX`]: beyond that the fullest ones go, which loses the least.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::Timestamp;

/// Tries from one address, and how long one takes to come back.
const OF_ADDRESS: Limit = Limit { tries: 10.0, refill_seconds: 30.0 };
/// Somebody else may be trying names of others from many addresses; the owner shares this bucket with them, so it is larger.
const OF_NAME: Limit = Limit { tries: 20.0, refill_seconds: 15.0 };

const BUCKETS_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Limit {
    tries: f64,
    refill_seconds: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    limit: Limit,
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn refilled(self, now: Timestamp) -> Self {
        // A clock set back gives nothing.
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        Self { left: (self.left + passed / self.limit.refill_seconds).min(self.limit.tries), at: now, ..self }
    }
}

#[derive(Debug, Default)]
pub struct Limits {
    buckets: HashMap<String, Bucket>,
}

impl Limits {
    /// Takes a try of both.
    ///
    /// # Errors
    /// Seconds until the next try, when there is none left. Nothing is taken then.
    pub fn take(&mut self, address: &str, name: &str, now: Timestamp) -> Result<(), u64> {
        let both = [(of_address(address), OF_ADDRESS), (of_name(name), OF_NAME)];
        let mut filled = Vec::with_capacity(both.len());
        for (key, limit) in both {
            let bucket = self.buckets.get(&key).copied().unwrap_or(Bucket { limit, left: limit.tries, at: now }).refilled(now);
            if bucket.left < 1.0 {
                return Err(((1.0 - bucket.left) * limit.refill_seconds).ceil().max(1.0) as u64);
            }
            filled.push((key, bucket));
        }
        for (key, bucket) in filled {
            self.make_room(&key, now);
            self.buckets.insert(key, Bucket { left: bucket.left - 1.0, ..bucket });
        }
        Ok(())
    }

    /// The password was right.
    pub fn clear(&mut self, address: &str, name: &str) {
        self.buckets.remove(&of_address(address));
        self.buckets.remove(&of_name(name));
    }

    fn make_room(&mut self, key: &str, now: Timestamp) {
        if self.buckets.len() < BUCKETS_MAX || self.buckets.contains_key(key) {
            return;
        }
        let missing = |bucket: &Bucket| bucket.limit.tries - bucket.refilled(now).left;
        self.buckets.retain(|_, bucket| missing(bucket) > 0.0);
        if self.buckets.len() < BUCKETS_MAX {
            return;
        }
        // A tenth at once, so that the next tries need no search.
        let mut by_missing: Vec<(f64, String)> = self.buckets.iter().map(|(key, bucket)| (missing(bucket), key.clone())).collect();
        by_missing.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, key) in by_missing.into_iter().take(BUCKETS_MAX / 10) {
            self.buckets.remove(&key);
        }
    }
}

/// One household or data centre gets a /64 of IPv6: its addresses count as one.
fn of_address(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => format!("a {:x?}", &v6.segments()[..4]),
        _ => format!("a {address}"),
    }
}

fn of_name(name: &str) -> String {
    format!("n {}", name.chars().take(64).flat_map(char::to_lowercase).collect::<String>())
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn an_address_runs_out_of_tries_and_gets_them_back_with_time() {
        let mut limits = Limits::default();
        for number in 0..10 {
            assert_eq!(limits.take("10.0.0.1", &format!("name{number}"), START), Ok(()), "try {number}");
        }
        assert_eq!(limits.take("10.0.0.1", "another", START), Err(30));
        assert_eq!(limits.take("10.0.0.2", "another", START), Ok(()));
        let later = START + 29.seconds();
        assert_eq!(limits.take("10.0.0.1", "another", later), Err(1));
        assert_eq!(limits.take("10.0.0.1", "another", later + 1.second()), Ok(()));
    }

    #[test]
    fn a_name_runs_out_of_tries_wherever_they_come_from_and_however_it_is_written() {
        let mut limits = Limits::default();
        for number in 0..20 {
            assert_eq!(limits.take(&format!("10.0.0.{number}"), "anna", START), Ok(()));
        }
        assert_eq!(limits.take("10.0.1.1", "ANNA", START), Err(15));
        limits.clear("10.0.1.1", "Anna");
        assert_eq!(limits.take("10.0.1.1", "anna", START), Ok(()));
    }

    #[test]
    fn a_network_of_the_sixth_version_counts_as_one_address() {
        let mut limits = Limits::default();
        for number in 0..10 {
            assert_eq!(limits.take(&format!("2001:db8:1:2::{number}"), &format!("name{number}"), START), Ok(()));
        }
        assert!(limits.take("2001:db8:1:2:ffff::1", "x", START).is_err());
        assert!(limits.take("2001:db8:1:3::1", "x", START).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_the_worst_offender_is_not_forgotten() {
        let mut limits = Limits::default();
        for number in 0..10 {
            limits.take("10.0.0.1", &format!("name{number}"), START).expect("ten tries");
        }
        for number in 0..20_000 {
            // Few tries each, from addresses of their own.
            let _ = limits.take(&format!("host{number}"), &format!("other{number}"), START);
        }
        assert!(limits.buckets.len() <= BUCKETS_MAX + 1);
        assert!(limits.take("10.0.0.1", "x", START).is_err());
    }

    #[test]
    fn a_clock_set_back_gives_no_tries() {
        let mut limits = Limits::default();
        let later = START + 1.hour();
        for number in 0..10 {
            limits.take("a", &format!("name{number}"), later).expect("ten tries");
        }
        assert!(limits.take("a", "x", START).is_err());
    }
}
