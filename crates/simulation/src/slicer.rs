//! A slicer: the loop of `oplogue-engine`, a turn at a time, around a replica set that is a model.
//!
//! It decides with `resume` and `SliceCutter`, builds with `SliceBuilder`, stores with `write_slice` and `record_gap`. What is its own is the order: lease,
//! start, reading, cutting, and announcing a slice under the lease before it is stored, so that a successor makes the same one.

use std::sync::Arc;
use std::time::Duration;

use oplogue_domain::planted::{Bug, is_planted};
use oplogue_domain::{Decision, Gap, OplogRange, OplogTime, Resume, SliceCutter, SliceProgress, resume};
use oplogue_format::compression::Compression;
use oplogue_repository::{Repository, RepositoryError, SliceBuilder};

use crate::clock::Clock;
use crate::faults::Way;
use crate::oplog::ReplicaSet;
use crate::world::rs0;

/// The lease's life in seconds.
pub const TTL: u32 = 15;

pub struct Slicer {
    pub number: usize,
    pub clock: Clock,
    pub way: Arc<Way>,
    pub repository: Repository,
    pub compression: Compression,
    tenure: Option<Tenure>,
    cutting: Option<Cutting>,
    /// Asleep between the announcement and the storing.
    asleep: Option<SliceBuilder>,
}

struct Tenure {
    fence: u64,
    /// By its own steady clock: until when nobody else can have it.
    sure_until_millis: u64,
}

struct Cutting {
    builder: SliceBuilder,
    since_millis: Option<u64>,
    majority: OplogTime,
    /// The first slice was announced, and ends here.
    due: Option<OplogTime>,
}

/// What a turn came to, for the trace and the tallies.
pub enum Turn {
    Nothing,
    Waits,
    NeedsBackup,
    Took(u64),
    Lost,
    Started(OplogTime, Option<Gap>),
    RolledOver,
    FellAsleep,
    Stored { range: oplogue_domain::OplogRange, slept: bool },
    Failed(String),
}

impl Slicer {
    pub fn new(number: usize, clock: Clock, way: Arc<Way>, repository: Repository, compression: Compression) -> Self {
        Self { number, clock, way, repository, compression, tenure: None, cutting: None, asleep: None }
    }

    /// Whether it has a reason to believe that nobody else slices.
    fn holds(&self, now: u32) -> bool {
        self.tenure.as_ref().is_some_and(|tenure| self.clock.steady_millis(now) < tenure.sure_until_millis)
    }

    /// `cut_off`: it cannot reach the replica set. `sleepy`: it falls asleep before it stores.
    pub async fn turn(&mut self, set: &mut ReplicaSet, server_calendar: u32, now: u32, cut_off: bool, sleepy: bool) -> Turn {
        if let Some(builder) = self.asleep.take() {
            return self.store(builder, true).await;
        }
        if !cut_off && let Some(tenure) = &mut self.tenure {
            if set.lease.renew(tenure.fence, server_calendar, TTL) {
                tenure.sure_until_millis = self.clock.steady_millis(now) + u64::from(TTL) * 1_000;
            } else if !is_planted(Bug::FencedSlicerGoesOn) {
                (self.tenure, self.cutting) = (None, None);
                return Turn::Lost;
            }
        }
        if self.tenure.is_some() && !self.holds(now) && !is_planted(Bug::FencedSlicerGoesOn) {
            (self.tenure, self.cutting) = (None, None);
            return Turn::Lost;
        }
        if self.tenure.is_none() {
            if cut_off {
                return Turn::Nothing;
            }
            let Some(fence) = set.lease.acquire(self.number, server_calendar, TTL) else { return Turn::Waits };
            self.tenure = Some(Tenure { fence, sure_until_millis: self.clock.steady_millis(now) + u64::from(TTL) * 1_000 });
            return Turn::Took(fence);
        }
        match &self.cutting {
            None if cut_off => Turn::Nothing,
            None => self.start(set, now).await.unwrap_or_else(|error| Turn::Failed(error.to_string())),
            Some(_) => self.cut(set, server_calendar, now, cut_off, sleepy).await,
        }
    }

    async fn start(&mut self, set: &ReplicaSet, now: u32) -> Result<Turn, RepositoryError> {
        let catalog = self.repository.catalog().await?;
        let known = catalog.recorded_gaps.get(&rs0()).map_or(&[][..], Vec::as_slice);
        match resume(&catalog, &rs0(), set.oldest()) {
            Resume::Start(point) => {
                let gap = point.gap.filter(|gap| !gap.range.is_empty() && !known.contains(gap));
                if let Some(gap) = &gap {
                    self.repository.record_gap(gap, self.clock.calendar(now)).await?;
                }
                let announced = set.lease.announced.filter(|(range, _)| range.after == point.from);
                let compression = announced.map_or(self.compression, |(_, compression)| compression);
                let builder = SliceBuilder::new(rs0(), point.from, compression);
                let due = announced.map(|(range, _)| range.through);
                self.cutting = Some(Cutting { builder, since_millis: None, majority: point.from, due });
                Ok(Turn::Started(point.from, gap))
            }
            Resume::NeedsBackup { lost } => {
                if let Some(gap) = lost.filter(|gap| !known.iter().any(|recorded| recorded.range.after == gap.range.after)) {
                    self.repository.record_gap(&gap, self.clock.calendar(now)).await?;
                }
                Ok(Turn::NeedsBackup)
            }
        }
    }

    async fn cut(&mut self, set: &mut ReplicaSet, server_calendar: u32, now: u32, cut_off: bool, sleepy: bool) -> Turn {
        let steady = self.clock.steady_millis(now);
        let Some(cutting) = &mut self.cutting else { return Turn::Nothing };
        if !cut_off {
            cutting.majority = set.majority_time();
            let through = cutting.due.unwrap_or(cutting.majority);
            if cutting.majority < through {
                return Turn::Nothing;
            }
            if through > cutting.builder.last() {
                let Some(entries) = set.read(cutting.builder.last(), through) else {
                    self.cutting = None;
                    return Turn::RolledOver;
                };
                for entry in entries {
                    if let Err(error) = cutting.builder.push(&entry).await {
                        return Turn::Failed(error.to_string());
                    }
                }
                if cutting.builder.last() > cutting.builder.first() {
                    cutting.since_millis.get_or_insert(steady);
                }
            }
        }
        let progress = SliceProgress {
            after: cutting.builder.first(),
            last: Some(cutting.builder.last()),
            bytes: cutting.builder.bytes(),
            majority: cutting.majority,
            waiting: Duration::from_millis(cutting.since_millis.map_or(0, |since| steady.saturating_sub(since))),
            stopping: false,
        };
        let cutter = SliceCutter { span: Duration::from_secs(10), bytes_max: 2_000 };
        let is_due = cutting.due.take_if(|_| !cut_off).is_some_and(|due| due == cutting.builder.last());
        if !is_due && !matches!(cutter.decide(&progress), Decision::Cut { .. }) {
            return Turn::Nothing;
        }
        if !is_planted(Bug::FencedSlicerGoesOn) {
            if cut_off {
                return Turn::Nothing;
            }
            let step = (OplogRange::new(cutting.builder.first(), cutting.builder.last()), cutting.builder.compression());
            let fence = self.tenure.as_ref().map_or(0, |tenure| tenure.fence);
            if !set.lease.announce(fence, server_calendar, TTL, step) {
                (self.tenure, self.cutting) = (None, None);
                return Turn::Lost;
            }
        }
        let next = match cutting.builder.following(self.compression).await {
            Ok(next) => next,
            Err(error) => return Turn::Failed(error.to_string()),
        };
        let whole = std::mem::replace(&mut cutting.builder, next);
        cutting.since_millis = None;
        if sleepy {
            self.asleep = Some(whole);
            return Turn::FellAsleep;
        }
        self.store(whole, false).await
    }

    async fn store(&mut self, builder: SliceBuilder, slept: bool) -> Turn {
        match self.repository.write_slice(builder).await {
            Ok(stored) => Turn::Stored { range: stored.slice.range, slept },
            Err(error) => {
                // What was not stored is read again.
                self.cutting = None;
                Turn::Failed(error.to_string())
            }
        }
    }
}
