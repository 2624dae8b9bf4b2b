//! Clocks: what is true, and what machines believe.

/// The first true second of every run: 2026-11-27, the last hours of a day.
pub const BEGIN: u32 = 1_795_737_600 + 82_800;

/// A machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    /// How far its calendar is off, in seconds. May jump.
    pub off: i64,
    /// The other clock never jumps: it counts the seconds since the beginning, too slowly by so many in ten thousand.
    pub slow: u32,
}

impl Clock {
    /// Unix seconds, as this machine has them.
    pub fn calendar(&self, now: u32) -> u32 {
        u32::try_from((i64::from(now) + self.off).max(1)).unwrap_or(u32::MAX)
    }

    /// Milliseconds since the beginning, as this machine counts them.
    pub fn steady_millis(&self, now: u32) -> u64 {
        let truly = u64::from(now - BEGIN) * 1_000;
        truly - truly * u64::from(self.slow) / 10_000
    }
}
