//! A life of a repository, decided by one number. Not part of the product.
//!
//! A replica set writes, elects, takes back what no majority had, and forgets what its oplog has no room for. Slicers take turns by a lease; one
//! dies, falls asleep in the middle of an upload, has a clock that jumps. Backups are taken, old ones go, short slices become long. Below
//! them lies a storage that fails, does what it said it had not, and breaks connections. All that is ours is the real thing: every decision
//! comes from `oplogue-domain`, every object is written, read and deleted by `oplogue-repository`. Only the replica set is a model, and
//! the loop around the slicer, which in `oplogue-engine` needs a server.
//!
//! After every step [`check`] looks at the bytes that lie there, with eyes of its own, and compares them with what the model
//! knows to be true. A seed is a whole run: the same seed gives the same trace, on every machine.

mod check;
mod clock;
mod dice;
mod faults;
mod oplog;
mod slicer;
mod upkeep;
mod world;

pub use oplogue_domain::planted::Bug;
pub use world::{Tallies, World};

/// What came of one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub seed: u64,
    /// A line for each thing that happened.
    pub trace: Vec<String>,
    /// The promise that was broken, and how.
    pub broken: Option<String>,
    pub tallies: Tallies,
}

impl Run {
    /// For who has to find out why: the end of the trace, what is wrong, and how to see it again.
    pub fn story(&self) -> String {
        let skipped = self.trace.len().saturating_sub(60);
        let lines = self.trace[skipped..].join("\n  ");
        let what = self.broken.as_deref().unwrap_or("nothing is broken");
        format!(
            "seed {}: {what}\n  ({skipped} lines before)\n  {lines}\nsee it again, from its beginning:\n  \
             OPLOGUE_SIM_SEED={} cargo test -p oplogue-simulation -- --nocapture the_seed_that_is_asked_for",
            self.seed, self.seed
        )
    }
}

/// Steps of one run.
const STEPS: u32 = 60;

/// Lives through one seed, with a mistake planted if there is one to be found.
pub fn simulate(seed: u64, bug: Option<Bug>) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O needs nothing");
    let _planted = bug.map(oplogue_domain::planted::plant);
    runtime.block_on(async {
        let mut world = World::new(seed);
        let mut broken = None;
        for _ in 0..STEPS {
            world.step().await;
            if let Err(why) = check::check(&mut world).await {
                broken = Some(why);
                break;
            }
        }
        let World { trace, tallies, .. } = world;
        Run { seed, trace, broken, tallies }
    })
}
