//! The engine against real replica sets, story by story.

mod backup;
mod disaster;
mod load;
mod pbm_repositories;
mod s3;
mod setup;
mod slice;
mod story;
