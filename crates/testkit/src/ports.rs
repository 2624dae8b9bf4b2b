//! Free TCP ports that stay ours.
//!
//! Asking the system for port 0 and closing it again leaves a moment in which another test gets the same number. So a port is
//! taken below the system's own (ephemeral) range under a lock file that is held for as long as the [`Port`] lives; the lock
//! is the kernel's, so a killed process releases it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;

const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A loopback port reserved for this value's life.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a port that nobody listens on now and no other test of ours uses.
    pub fn reserve() -> anyhow::Result<Port> {
        let folder = std::env::temp_dir().join("oplogue-test-ports");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        // Processes start at different places so that they seldom meet.
        let start = std::process::id().wrapping_mul(97);
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = (FIRST + start.wrapping_add(step) % COUNT) as u16;
            let path = folder.join(number.to_string());
            let lock = File::options().create(true).truncate(false).write(true).open(&path);
            let lock = lock.with_context(|| format!("opening the lock file {}", path.display()))?;
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Port { number, _lock: lock });
            }
        }
        anyhow::bail!("no free port between {FIRST} and {}", FIRST + COUNT)
    }

    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:<number>`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_differ_and_are_free() {
        let ports: Vec<Port> = (0..50).map(|_| Port::reserve().expect("a free port")).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
    }
}
