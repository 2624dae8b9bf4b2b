//! What is true: pure values and decisions of point-in-time recovery.
//!
//! No I/O, no async, no clock, no serde: `now`, randomness and paths are arguments. Everything the engine decides (where a
//! slice ends, which member works, what can be restored, from what) is a function here that returns a value one can print.

pub mod alert;
pub mod backup;
pub mod catalog;
pub mod compact;
pub mod coverage;
pub mod cut;
pub mod damage;
pub mod headroom;
pub mod job;
pub mod namespace;
pub mod nominate;
pub mod plan;
pub mod reach;
pub mod resume;
pub mod retention;
pub mod schedule;
pub mod slice;
pub mod throttle;
pub mod time;
pub mod timeline;

#[cfg(any(test, feature = "testing"))]
pub mod diagram;
#[cfg(test)]
mod oracle;
#[cfg(feature = "planted-bugs")]
pub mod planted;

pub use backup::{Backup, BackupKind, BackupName, BackupProblem, Snapshot};
pub use catalog::{Catalog, Gap, GapReason};
pub use coverage::{Coverage, OplogPiece, OplogSource};
pub use cut::{CutReason, Decision, SliceCutter, SliceProgress};
pub use headroom::Headroom;
pub use namespace::{Namespace, NamespacePattern, NamespaceSelection, Rename, ReplicaSetName};
pub use nominate::{MemberRole, MemberState, Nomination, Unsuitable, Verdict, nominate};
pub use plan::{Choice, Moment, Part, PlanError, choose};
pub use resume::{Resume, StartPoint, resume};
pub use schedule::{Due, Schedule, ScheduleError, due};
pub use slice::{NamingRule, Slice, SliceName};
pub use time::{OplogRange, OplogTime};
pub use timeline::{ReplicaSetTimeline, RestorableRange, Timeline, timeline};
