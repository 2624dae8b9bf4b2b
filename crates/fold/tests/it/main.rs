//! One update against real servers of every version the testbed has; whole folds against a server simulated in the plainest way.

mod apply;
mod model;
mod spilling;
mod support;

use oplogue_testkit::{ReplicaSet, ReplicaSetOptions, Version};
use tokio::sync::OnceCell;

/// One member per version, shared by the tests of this process. Each test has a database of its own.
async fn shared(version: Version) -> &'static ReplicaSet {
    static SETS: [OnceCell<ReplicaSet>; 5] = [const { OnceCell::const_new() }; 5];
    let place = Version::ALL.iter().position(|known| *known == version).expect("ALL holds every version");
    SETS[place]
        .get_or_init(|| async {
            let options = ReplicaSetOptions::default().version(version).cache_gb(0.5);
            ReplicaSet::start(options).await.expect("a replica set starts")
        })
        .await
}
