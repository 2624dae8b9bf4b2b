//! Whose turn it is in the queue of a cluster.
//!
//! One job at a time, with one exception: working out a plan reads only, so plans run beside each other and beside a backup. A restore is alone.
//! Nobody is overtaken by what would be in their way: a plan that arrives after a waiting restore waits too, or the restore would wait for ever.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Backup,
    Plan,
    Restore,
    /// Deletes from the cluster's folder: one backup, or what retention says.
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued<'a> {
    pub id: &'a str,
    pub queue: &'a str,
    pub kind: Kind,
    /// Somebody is there who can carry it out. One that nobody can carry out now does not hold up the others.
    pub ready: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running<'a> {
    pub id: &'a str,
    pub queue: &'a str,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn<'a> {
    Start,
    /// After the job of this id.
    After(&'a str),
    /// Nobody is there who can carry it out.
    NoWorker,
}

/// `queued` in the order of arrival; the answer has the same order. All that may start may start together.
pub fn who_may_start<'a>(queued: &[Queued<'a>], running: &[Running<'a>]) -> Vec<Turn<'a>> {
    let mut ahead: Vec<Running<'a>> = running.to_vec();
    let turn = |job: &Queued<'a>| {
        let in_the_way = ahead.iter().find(|other| other.queue == job.queue && !may_run_beside(job.kind, other.kind));
        let turn = match (in_the_way, job.ready) {
            (_, false) => Turn::NoWorker,
            (Some(other), true) => Turn::After(other.id),
            (None, true) => Turn::Start,
        };
        if turn != Turn::NoWorker {
            ahead.push(Running { id: job.id, queue: job.queue, kind: job.kind });
        }
        turn
    };
    queued.iter().map(turn).collect()
}

const fn may_run_beside(one: Kind, other: Kind) -> bool {
    matches!((one, other), (Kind::Plan, Kind::Plan | Kind::Backup) | (Kind::Backup, Kind::Plan))
}
