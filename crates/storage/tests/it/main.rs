//! The promises of every storage, on the real thing.

mod azure;
mod conformance;
mod filesystem;
mod gcs;
mod resuming;
mod s3;
mod s3_encryption;
mod s3_refusals;
