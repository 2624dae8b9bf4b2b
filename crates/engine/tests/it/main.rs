//! The engine against real replica sets, story by story.

mod disaster;
mod load;
mod pbm_repositories;
mod s3;
mod setup;
mod story;
