//! Two want one thing.

crate::on_every_version!(a_lease_has_one_holder, an_expired_lease_is_taken_over_and_its_holder_told, of_many_takers_at_once_one_wins);

mod checks {
    use std::time::Duration;

    use futures::future::join_all;
    use oplogue_mongo::{Acquired, Lease, LeaseState, MongoError};
    use oplogue_testkit::Version;

    use crate::Bench;

    const LONG: Duration = Duration::from_secs(600);

    fn taken(acquired: Acquired) -> Lease {
        match acquired {
            Acquired::Lease(lease) => lease,
            Acquired::HeldBy(other) => panic!("held by {other:?}"),
        }
    }

    fn held(acquired: Acquired) -> LeaseState {
        match acquired {
            Acquired::Lease(lease) => panic!("taken: {lease:?}"),
            Acquired::HeldBy(other) => other,
        }
    }

    pub async fn a_lease_has_one_holder(version: Version) {
        let bench = Bench::new(version, "lease_one").await;
        let connection = &bench.connection;
        assert_eq!(connection.lease("one").await.expect("asked"), None);
        let first = taken(connection.acquire_lease("one", "$first", LONG).await.expect("asked"));
        assert_eq!((first.fence, first.holder.as_str()), (1, "$first"));
        let other = held(connection.acquire_lease("one", "second", LONG).await.expect("asked"));
        assert_eq!((other.holder.as_str(), other.is_held, other.fence, other.expires_millis), ("$first", true, 1, first.expires_millis));
        // The same name is not the same holder: its process may have been replaced.
        held(connection.acquire_lease("one", "$first", LONG).await.expect("asked"));
        taken(connection.acquire_lease("another", "second", LONG).await.expect("asked"));
        let renewed = connection.renew_lease(&first, LONG * 2).await.expect("renewed");
        assert!(renewed.expires_millis > first.expires_millis && renewed.fence == 1);
        connection.release_lease(&renewed).await.expect("released");
        assert_eq!(connection.lease("one").await.expect("asked").map(|lease| lease.is_held), Some(false));
        assert_eq!(taken(connection.acquire_lease("one", "second", LONG).await.expect("asked")).fence, 2);
        // Releasing what is no longer ours does nothing.
        connection.release_lease(&renewed).await.expect("no harm");
        held(connection.acquire_lease("one", "third", LONG).await.expect("asked"));
    }

    pub async fn an_expired_lease_is_taken_over_and_its_holder_told(version: Version) {
        let bench = Bench::new(version, "lease_expired").await;
        let connection = &bench.connection;
        let first = taken(connection.acquire_lease("expired", "first", LONG).await.expect("asked"));
        connection.expire_lease("expired").await.expect("expired");
        // Nobody has it: still ours.
        let first = connection.renew_lease(&first, LONG).await.expect("renewed");
        connection.expire_lease("expired").await.expect("expired");
        let second = taken(connection.acquire_lease("expired", "second", LONG).await.expect("asked"));
        assert_eq!(second.fence, first.fence + 1);
        let error = connection.renew_lease(&first, LONG).await.expect_err("lost");
        assert!(matches!(&error, MongoError::LeaseLost { reason, .. } if reason.contains("second")), "{error:?}");
        connection.renew_lease(&second, LONG).await.expect("undisturbed");
    }

    pub async fn of_many_takers_at_once_one_wins(version: Version) {
        let bench = Bench::new(version, "lease_many").await;
        let takers = (0..8).map(|n| {
            let connection = bench.connection.clone();
            async move { connection.acquire_lease("many", &format!("taker {n}"), LONG).await.expect("asked") }
        });
        let won = join_all(takers).await.into_iter().filter(|acquired| matches!(acquired, Acquired::Lease(_))).count();
        assert_eq!(won, 1);
    }
}
