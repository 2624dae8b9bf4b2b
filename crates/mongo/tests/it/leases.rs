//! Two want one thing.

oplogue_testkit::on_every_version!(
    a_lease_has_one_holder,
    an_expired_lease_is_taken_over_and_its_holder_told,
    of_many_takers_at_once_one_wins,
    a_successor_finds_what_was_announced_and_a_late_holder_announces_nothing_more,
    a_lease_does_not_outlive_a_clock_that_went_back
);

mod checks {
    use std::time::Duration;

    use bson::{Document, doc};
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

    pub async fn a_successor_finds_what_was_announced_and_a_late_holder_announces_nothing_more(version: Version) {
        let bench = Bench::new(version, "lease_announced").await;
        let connection = &bench.connection;
        let first = taken(connection.acquire_lease("announced", "first", LONG).await.expect("asked"));
        assert_eq!(first.announced, None);
        let (step, late) = (doc! {"step": "$one", "n": {"$add": [1, 2]}}, doc! {"step": "late"});
        assert_eq!(connection.announce(&first, LONG, &step).await.expect("announced").announced.as_ref(), Some(&step));
        assert_eq!(connection.renew_lease(&first, LONG).await.expect("renewed").announced.as_ref(), Some(&step));
        connection.expire_lease("announced").await.expect("expired");
        let second = taken(connection.acquire_lease("announced", "second", LONG).await.expect("asked"));
        assert_eq!(second.announced.as_ref(), Some(&step));
        let error = connection.announce(&first, LONG, &late).await.expect_err("lost");
        assert!(matches!(error, MongoError::LeaseLost { .. }), "{error:?}");
        assert_eq!(connection.renew_lease(&second, LONG).await.expect("renewed").announced, Some(step));
    }

    pub async fn a_lease_does_not_outlive_a_clock_that_went_back(version: Version) {
        let bench = Bench::new(version, "lease_clock").await;
        let connection = &bench.connection;
        let ttl = Duration::from_secs(2);
        let first = taken(connection.acquire_lease("clock", "first", ttl).await.expect("asked"));
        // As it stands after the primary's clock was set back by a day.
        let leases = bench.client.database("config").collection::<Document>("oplogueLeases");
        let tomorrow = bson::DateTime::from_millis(first.expires_millis + 86_400_000);
        leases.update_one(doc! {"_id": "clock"}, doc! {"$set": {"expires": tomorrow}}).await.expect("set");
        let other = held(connection.acquire_lease("clock", "second", LONG).await.expect("asked"));
        assert!(other.expires_millis < tomorrow.timestamp_millis() - 80_000_000, "{other:?}");
        let asking = async {
            while let Acquired::HeldBy(_) = connection.acquire_lease("clock", "second", LONG).await.expect("asked") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(oplogue_testkit::wait::PATIENCE, asking).await.expect("it ends after its own time, not tomorrow");
    }
}
