//! The engine against real replica sets, story by story.

mod backup;
mod backup_away;
mod cancel;
mod compact;
mod damage;
mod disaster;
mod exactness;
mod folding;
mod generated;
mod load;
mod pbm_mistakes;
mod pbm_repositories;
mod principals;
mod resume;
mod s3;
mod selective;
mod setup;
mod slice;
mod slice_faults;
mod stage;
mod storm;
mod story;
mod target;
mod verify;
