//! Everything there is, and what happens next.

use std::collections::BTreeSet;
use std::sync::Arc;

use oplogue_domain::compact::Policy as Compaction;
use oplogue_domain::retention::Policy as Retention;
use oplogue_domain::{OplogTime, ReplicaSetName};
use oplogue_format::compression::Compression;
use oplogue_format::pbm::layout::{self, Located};
use oplogue_repository::Repository;
use oplogue_storage::Storage;
use oplogue_storage::fate::{Landing, fated};

use crate::check::{self, Memory};
use crate::clock::{BEGIN, Clock};
use crate::dice::Dice;
use crate::faults::{Way, Weather};
use crate::oplog::ReplicaSet;
use crate::slicer::{Slicer, Turn};
use crate::upkeep::{Dump, join, prune};

pub fn rs0() -> ReplicaSetName {
    "rs0".parse().expect("a name of the simulation")
}

/// How often things happened. What never happens proves nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tallies {
    pub slices: u32,
    pub backups: u32,
    pub crashes: u32,
    pub elections: u32,
    pub taken_back: u32,
    pub take_overs: u32,
    pub clock_jumps: u32,
    pub slept: u32,
    pub landed_late: u32,
    pub failures: u32,
    pub gaps: u32,
    pub deleted: u32,
    pub joined: u32,
    pub corrupted: u32,
    pub replayed: u32,
}

/// The kind of life that a seed leads.
struct Temper {
    weather: Weather,
    jumpy: bool,
    retention: Retention,
    compaction: Compaction,
}

pub struct World {
    pub dice: Dice,
    /// True seconds.
    pub now: u32,
    pub set: ReplicaSet,
    pub server: Clock,
    /// The bytes themselves, without anything in between.
    pub storage: Storage,
    slicers: Vec<Slicer>,
    temper: Temper,
    landings: Vec<(u32, Landing)>,
    /// Objects that were put by a slicer that was asleep, or that landed late: others may be there without them, and they without others.
    pub excused: BTreeSet<String>,
    /// Slices that slicers have put.
    pub cut: BTreeSet<String>,
    pub corrupted: BTreeSet<String>,
    /// Moments before this one may be gone: retention was allowed to.
    pub allowed: OplogTime,
    pub memory: Memory,
    pub trace: Vec<String>,
    pub tallies: Tallies,
    backups: u32,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let rough = dice.percent(70);
        let chance = |dice: &mut Dice, most: u32| if rough { dice.between(0, most) } else { 0 };
        let weather = Weather { failing: chance(&mut dice, 8), unheard: chance(&mut dice, 4), late: chance(&mut dice, 4), corrupting: 0 };
        let span_seconds = dice.pick(&[40, 90, 200]);
        let window = dice.percent(60);
        let temper = Temper {
            weather,
            jumpy: dice.percent(30),
            retention: Retention {
                count: if window { 0 } else { dice.between(1, 3) },
                window_seconds: if window { u64::from(dice.between(100, 900)) } else { 0 },
                ..Retention::default()
            },
            compaction: Compaction {
                older_than_seconds: dice.between(0, 120),
                span_seconds,
                bytes_max: u64::from(dice.between(2_000, 40_000)),
            },
        };
        let set = ReplicaSet::new(dice.pick(&[25, 60, 150]));
        let mut world = Self {
            now: BEGIN,
            set,
            server: Clock::default(),
            storage: Storage::memory(),
            slicers: Vec::new(),
            temper,
            landings: Vec::new(),
            excused: BTreeSet::new(),
            cut: BTreeSet::new(),
            corrupted: BTreeSet::new(),
            allowed: OplogTime::MIN,
            memory: Memory::default(),
            trace: Vec::new(),
            tallies: Tallies::default(),
            backups: 0,
            dice,
        };
        for number in 0..world.dice.between(1, 3) as usize {
            let slicer = world.born(number);
            world.slicers.push(slicer);
        }
        for _ in 0..5 {
            world.set.write(world.now, &mut world.dice);
        }
        world.set.replicate(&mut world.dice);
        world
    }

    /// True where two slicers may both believe to be the only one for a while.
    pub fn clocks_lie(&self) -> bool {
        self.temper.jumpy
    }

    fn tell(&mut self, line: String) {
        self.trace.push(format!("+{:>4} {line}", self.now - BEGIN));
    }

    fn way(&mut self, weather: Weather) -> Arc<Way> {
        let dies_after = self.dice.percent(25).then(|| self.dice.between(0, 15));
        Arc::new(Way::new(self.dice.roll(), weather, dies_after))
    }

    fn through(&self, way: &Arc<Way>) -> Repository {
        Repository::new(fated(&self.storage, way.clone()))
    }

    fn born(&mut self, number: usize) -> Slicer {
        let way = self.way(self.temper.weather);
        let off = if self.temper.jumpy { i64::from(self.dice.between(0, 200)) - 100 } else { 0 };
        let slow = if self.temper.jumpy { self.dice.between(0, 50) } else { 0 };
        let compression = self.dice.pick(&[Compression::None, Compression::None, Compression::Zstd]);
        let repository = self.through(&way);
        Slicer::new(number, Clock { off, slow }, way, repository, compression)
    }

    /// What a process left behind on its way.
    fn settle(&mut self, way: &Way, slept: bool) -> Vec<String> {
        for landing in way.take_landings() {
            self.excused.insert(landing.key.clone());
            // Some are lost after all.
            if self.dice.percent(80) {
                let at = self.now + self.dice.between(1, 40);
                self.landings.push((at, landing));
            }
        }
        let put = way.take_put();
        if slept {
            self.excused.extend(put.iter().cloned());
        }
        let corrupted = way.take_corrupted();
        self.tallies.corrupted += u32::try_from(corrupted.len()).expect("few");
        self.corrupted.extend(corrupted);
        if way.is_dead() {
            self.tallies.crashes += 1;
            self.tell("it dies".to_owned());
        }
        put
    }

    pub async fn step(&mut self) {
        self.now += if self.dice.percent(6) { self.dice.between(60, 400) } else { self.dice.between(1, 9) };
        self.land().await;
        self.live();
        match self.dice.between(1, 100) {
            1..=8 => self.back_up().await,
            9..=16 => self.retain().await,
            17..=30 => self.compact().await,
            31..=34 => self.kill(),
            _ => {}
        }
        for index in 0..self.slicers.len() {
            if self.dice.percent(80) {
                self.slice(index).await;
            }
        }
    }

    async fn land(&mut self) {
        let now = self.now;
        let (due, waiting) = std::mem::take(&mut self.landings).into_iter().partition(|(at, _)| *at <= now);
        self.landings = waiting;
        let due: Vec<(u32, Landing)> = due;
        let backups = due.iter().any(|(_, landing)| matches!(layout::locate(&landing.key), Located::BackupJson { .. }));
        for (_, landing) in due {
            self.tell(format!("lands late: {}", landing.key));
            self.tallies.landed_late += 1;
            self.storage.put(&landing.key, landing.bytes).await.expect("memory takes everything");
        }
        if backups {
            // The process that wrote it died before it could take the rest of it away: then it is a backup like any other.
            check::see_backups(self).await;
        }
    }

    /// The replica set goes on.
    fn live(&mut self) {
        if self.temper.jumpy && self.dice.percent(5) {
            self.server.off = i64::from(self.dice.between(0, 120)) - 60;
            self.tallies.clock_jumps += 1;
            self.tell(format!("the primary's clock is off by {} s", self.server.off));
        }
        if self.dice.percent(7) {
            let taken_back = self.set.elect(&mut self.dice);
            self.tallies.elections += 1;
            self.tallies.taken_back += u32::try_from(taken_back).expect("few");
            self.tell(format!("election; {taken_back} entries are taken back"));
        }
        let calendar = self.server.calendar(self.now);
        for _ in 0..self.dice.between(0, 6) {
            self.set.write(calendar, &mut self.dice);
        }
        self.set.replicate(&mut self.dice);
    }

    fn kill(&mut self) {
        let index = self.dice.between(0, u32::try_from(self.slicers.len() - 1).expect("few")) as usize;
        self.slicers[index].way.kill();
        self.tell(format!("slicer {index} is killed"));
    }

    async fn slice(&mut self, index: usize) {
        if self.slicers[index].way.is_dead() {
            if self.dice.percent(30) {
                self.tell(format!("slicer {index} is started"));
                self.slicers[index] = self.born(index);
            }
            return;
        }
        let (cut_off, sleepy) = (self.dice.percent(8), self.dice.percent(4));
        let calendar = self.server.calendar(self.now);
        let fence = self.set.lease.fence;
        let turn = self.slicers[index].turn(&mut self.set, calendar, self.now, cut_off, sleepy).await;
        let slept = matches!(turn, Turn::Stored { slept: true, .. });
        let way = self.slicers[index].way.clone();
        let put = self.settle(&way, slept);
        self.cut.extend(put);
        let line = match turn {
            Turn::Nothing | Turn::Waits => None,
            Turn::NeedsBackup => Some("needs a backup".to_owned()),
            Turn::Took(now) => {
                self.tallies.take_overs += u32::from(fence > 0);
                Some(format!("has lease {now}"))
            }
            Turn::Lost => Some("has lost its lease".to_owned()),
            Turn::Started(from, gap) => {
                self.tallies.gaps += u32::from(gap.is_some());
                Some(format!("goes on after {from:?}, gap: {:?}", gap.map(|gap| gap.range)))
            }
            Turn::RolledOver => Some("finds the oplog rolled over".to_owned()),
            Turn::FellAsleep => {
                self.tallies.slept += 1;
                Some("falls asleep with a slice in its hands".to_owned())
            }
            Turn::Stored { range, slept } => {
                self.tallies.slices += 1;
                Some(format!("stored {range:?}{}", if slept { ", having slept" } else { "" }))
            }
            Turn::Failed(error) => {
                self.tallies.failures += 1;
                Some(format!("failed: {error}"))
            }
        };
        if let Some(line) = line {
            self.tell(format!("slicer {index} {line}"));
        }
    }

    async fn back_up(&mut self) {
        let after = self.set.majority_time();
        for _ in 0..self.dice.between(0, 2) {
            self.now += self.dice.between(1, 5);
            self.live();
        }
        let Some(dump) = Dump::read(&self.set, after, &mut self.dice) else {
            return self.tell("a backup fails: the oplog rolled over".to_owned());
        };
        self.backups += 1;
        let name = format!("b{}", self.backups);
        let way = self.way(self.temper.weather);
        let repository = self.through(&way);
        let ended = dump.store(&repository, &name, self.now).await;
        if ended.is_err() && !way.is_dead() {
            // As the engine does. What it cannot take away is nobody's.
            let _ = repository.discard_backup(&name.parse().expect("a name of the simulation")).await;
        }
        self.settle(&way, false);
        self.tallies.backups += u32::from(ended.is_ok());
        self.tallies.failures += u32::from(ended.is_err());
        self.tell(format!("backup {name} of {:?}: {}", dump.range, outcome(&ended)));
    }

    async fn retain(&mut self) {
        let calendar =
            Clock { off: if self.temper.jumpy { i64::from(self.dice.between(0, 40)) - 20 } else { 0 }, slow: 0 }.calendar(self.now);
        let policy = self.temper.retention;
        let limit = match policy.window_start(calendar) {
            Some(start) => start,
            None => self.memory.oldest_of_newest(policy.count as usize),
        };
        self.allowed = self.allowed.max(limit);
        let way = self.way(self.temper.weather);
        let ended = prune(&self.through(&way), &policy, calendar).await;
        self.settle(&way, false);
        if let Ok((backups, slices)) = &ended {
            self.tallies.deleted += u32::try_from(backups + slices).expect("few");
        }
        self.tell(format!("retention, {policy} at {calendar}: {}", outcome(&ended)));
    }

    async fn compact(&mut self) {
        let off = if self.temper.jumpy { i64::from(self.dice.between(0, 400)) - 200 } else { 0 };
        let calendar = Clock { off, slow: 0 }.calendar(self.now);
        // What it writes is read back, so that here the storage may lie.
        let corrupting = if self.temper.weather.failing > 0 { 12 } else { 0 };
        let way = self.way(Weather { corrupting, ..self.temper.weather });
        let compression = self.dice.pick(&[Compression::None, Compression::Zstd]);
        let ended = join(&self.through(&way), &self.temper.compaction, calendar, compression).await;
        self.settle(&way, false);
        if let Ok((long, _)) = &ended {
            self.tallies.joined += u32::try_from(*long).expect("few");
        }
        self.tell(format!("compaction: {}", outcome(&ended)));
    }
}

fn outcome<T: std::fmt::Debug, E: std::fmt::Display>(ended: &Result<T, E>) -> String {
    match ended {
        Ok(done) => format!("{done:?}"),
        Err(error) => format!("failed: {error}"),
    }
}
