//! Real servers for tests: `mongod` replica sets, a plain `mongod`, an S3 server, and what must be equal after a restore.
//!
//! Everything listens on `127.0.0.1` on ports nobody else of ours uses, keeps its data in one temporary folder, and is gone
//! (processes and folder) when the value is dropped, when the test panics, and also when the test process itself is killed:
//! a watchdog shell ([`folder::ServerFolder`]) holds the other end of a pipe. Waiting is always for a state, with a patient limit,
//! because several sets start at once on two cores. Nothing here is part of the product.

pub mod azurite;
pub mod browser;
pub mod certificates;
pub mod dice;
pub mod downloads;
pub mod every_version;
pub mod fake_mongos;
pub mod fault_proxy;
pub mod folder;
pub mod http;
pub mod oplogue;
pub mod packages;
pub mod ports;
pub mod receivers;
pub mod replica_set;
pub mod s3;
pub mod small_disk;
pub mod standalone;
pub mod state;
pub mod unpack;
pub mod version;
pub mod wait;

pub use azurite::{Azurite, AzuriteContainer};
pub use browser::Browser;
pub use certificates::Certificates;
pub use dice::Dice;
pub use fake_mongos::FakeMongos;
pub use fault_proxy::{Fault, FaultProxy};
pub use oplogue::OplogueServer;
pub use receivers::{HttpReceiver, MailReceiver};
pub use replica_set::{ReplicaSet, ReplicaSetOptions};
pub use s3::{S3Bucket, S3Server};
pub use small_disk::SmallDisk;
pub use standalone::Standalone;
pub use state::{Comparing, State, capture, differences, differences_with};
pub use unpack::unpack;
pub use version::Version;
