//! Exclusive rights with an expiry, kept in the replica set itself.
//!
//! A lease is a document of `config.oplogueLeases`, named by its purpose. It is taken and renewed by one majority write whose
//! condition and times are both computed by the primary (`$$NOW`), so the clocks of the programs that compete do not matter. Each
//! takeover increases `fence`. A holder that stops renewing loses the lease when it expires, and finds out at its next renewal.
//!
//! No clock is trusted for more than patience. A holder that is frozen at the wrong moment wakes up when the lease has long been another's, and
//! its last step outside the replica set can then not be stopped. So it announces that step here first ([`Connection::announce`]), by the
//! same kind of write: whoever takes the lease afterwards finds the announcement, and does exactly that step itself before any other.
//! Nothing is ever announced by one who has lost the lease. And a lease that seems to last longer than it was taken for, because the primary's clock went
//! back, is cut short by the next one who asks for it.

use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use crate::command::{Patience, number, raw};
use crate::connect::Connection;
use crate::error::MongoError;

/// PBM's restore skips what it does not know in `config`. In `admin` it would replay renewals from our slices into a collection that
/// no backup holds, and fail ("cannot apply insert or update operation on a non-existent namespace").
const DATABASE: &str = "config";
const COLLECTION: &str = "oplogueLeases";
/// Attempts when two first takers collide on `_id`.
const COLLISIONS_MAX: u32 = 5;

/// A lease that is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    pub purpose: String,
    pub holder: String,
    /// Milliseconds since 1970 by the primary's clock.
    pub expires_millis: i64,
    /// Greater than that of every earlier holder.
    pub fence: i64,
    /// What was announced last, by whichever holder.
    pub announced: Option<Document>,
    /// Tells this taking from any other by the same holder.
    token: ObjectId,
}

/// A lease as it stands, whoever has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseState {
    pub holder: String,
    /// Milliseconds since 1970 by the primary's clock.
    pub expires_millis: i64,
    pub fence: i64,
    /// True while it has not expired by the primary's clock.
    pub is_held: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Acquired {
    Lease(Lease),
    HeldBy(LeaseState),
}

impl Connection {
    /// Takes the lease `purpose` for `ttl` if nobody has it. `holder` is shown to others: who, where, since when.
    ///
    /// # Errors
    /// [`MongoError::NoMajority`] when the write did not reach a majority: then the lease may or may not be ours, until it expires.
    pub async fn acquire_lease(&self, purpose: &str, holder: &str, ttl: Duration) -> Result<Acquired, MongoError> {
        let what = format!("take the lease `{purpose}`");
        let token = ObjectId::new();
        let free = doc! { "$or": [
            { "$lte": [{ "$ifNull": ["$expires", bson::DateTime::from_millis(0)] }, "$$NOW"] },
            { "$eq": ["$token", token] },
        ] };
        let when_free = |value: Bson, field: &str| doc! { "$cond": ["$free", value, format!("${field}")] };
        let pipeline = vec![
            doc! { "$set": { "free": free } },
            doc! { "$set": {
                "holder": when_free(doc! { "$literal": holder }.into(), "holder"),
                "token": when_free(token.into(), "token"),
                "fence": when_free(doc! { "$add": [{ "$ifNull": ["$fence", 0_i64] }, 1_i64] }.into(), "fence"),
                "acquired": when_free("$$NOW".into(), "acquired"),
                "ttl": when_free(millis(ttl).into(), "ttl"),
                "expires": when_free(doc! { "$add": ["$$NOW", millis(ttl)] }.into(), "expires"),
            } },
            // Later than it can be: the clock has gone back since. Without `ttl` it was taken by a version that did not tell.
            doc! { "$set": { "expires": { "$min": ["$expires", { "$add": ["$$NOW", { "$ifNull": ["$ttl", i64::from(u32::MAX)] }] }] } } },
            doc! { "$unset": "free" },
        ];
        let command = doc! {
            "findAndModify": COLLECTION, "query": { "_id": purpose }, "update": pipeline, "upsert": true, "new": true,
            "writeConcern": self.majority(),
        };
        for _ in 0..COLLISIONS_MAX {
            let reply = match self.primary().run_again(&what, DATABASE, command.clone(), Patience::Short).await {
                // Two first takers at once: one of the two upserts.
                Err(error) if error.has_code(&[11000]) => continue,
                reply => reply?,
            };
            let value = reply.get_document("value").map_err(|error| MongoError::answer(&what, error))?;
            if value.get_object_id("token").is_ok_and(|value| value == token) {
                return Ok(Acquired::Lease(Lease {
                    purpose: purpose.to_owned(),
                    holder: holder.to_owned(),
                    expires_millis: expires(value),
                    fence: number(value, "fence").unwrap_or(0),
                    announced: value.get_document("announced").ok().cloned(),
                    token,
                }));
            }
            return Ok(Acquired::HeldBy(state(value, true)));
        }
        Err(MongoError::answer(&what, "too many takers at once"))
    }

    /// Prolongs a lease to `ttl` from now. An expired lease that nobody has taken since is ours still.
    ///
    /// # Errors
    /// [`MongoError::LeaseLost`] when somebody else has it or its document is gone; any other error says nothing about whose it is.
    pub async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, MongoError> {
        self.prolong(&format!("renew the lease `{}`", lease.purpose), lease, ttl, None).await
    }

    /// Prolongs a lease and says what its holder is about to do. A majority knows it when this returns, so that no successor can miss it.
    ///
    /// # Errors
    /// As [`Connection::renew_lease`]; after any of them the step must not be taken.
    pub async fn announce(&self, lease: &Lease, ttl: Duration, step: &Document) -> Result<Lease, MongoError> {
        self.prolong(&format!("announce a step under the lease `{}`", lease.purpose), lease, ttl, Some(step)).await
    }

    async fn prolong(&self, what: &str, lease: &Lease, ttl: Duration, step: Option<&Document>) -> Result<Lease, MongoError> {
        let mut set = doc! { "expires": { "$add": ["$$NOW", millis(ttl)] }, "ttl": millis(ttl) };
        if let Some(step) = step {
            set.insert("announced", doc! { "$literal": step });
        }
        let command = doc! {
            "findAndModify": COLLECTION, "query": { "_id": &lease.purpose, "token": lease.token }, "new": true,
            "update": [{ "$set": set }],
            "writeConcern": self.majority(),
        };
        let reply = self.primary().run_again(what, DATABASE, command, Patience::Short).await?;
        match reply.get_document("value") {
            Ok(value) => {
                Ok(Lease { expires_millis: expires(value), announced: value.get_document("announced").ok().cloned(), ..lease.clone() })
            }
            Err(_) => {
                let reason = match self.lease(&lease.purpose).await {
                    Ok(Some(other)) => format!("{} has it now", other.holder),
                    _ => "its document is gone".to_owned(),
                };
                Err(MongoError::LeaseLost { purpose: lease.purpose.clone(), reason })
            }
        }
    }

    /// Gives a lease back. One that is no longer ours is left alone.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), MongoError> {
        let what = format!("release the lease `{}`", lease.purpose);
        // The document stays, so that `fence` goes on rising.
        let command = doc! {
            "update": COLLECTION,
            "updates": [{ "q": { "_id": &lease.purpose, "token": lease.token }, "u": { "$set": { "expires": bson::DateTime::from_millis(0) } } }],
            "writeConcern": self.majority(),
        };
        self.primary().run_again(&what, DATABASE, command, Patience::Short).await.map(|_| ())
    }

    /// Who has the lease `purpose`, or had it last.
    pub async fn lease(&self, purpose: &str) -> Result<Option<LeaseState>, MongoError> {
        let what = format!("look at the lease `{purpose}`");
        let command = doc! {
            "aggregate": COLLECTION, "cursor": {},
            "pipeline": [{ "$match": { "_id": purpose } }, { "$addFields": { "held": { "$gt": ["$expires", "$$NOW"] } } }],
        };
        let primary = self.primary();
        let found = primary.collect(&what, DATABASE, command).await?;
        let Some(found) = found.first() else { return Ok(None) };
        let found = crate::command::decoded(&what, found)?;
        let held = found.get_bool("held").unwrap_or(false);
        Ok(Some(state(&found, held)))
    }

    pub(crate) fn majority(&self) -> Document {
        doc! { "w": "majority", "wtimeout": self.majority_millis() }
    }

    #[doc(hidden)]
    /// For tests: makes a lease expire now.
    pub async fn expire_lease(&self, purpose: &str) -> Result<(), MongoError> {
        let command = doc! {
            "update": COLLECTION,
            "updates": [{ "q": { "_id": purpose }, "u": { "$set": { "expires": bson::DateTime::from_millis(0) } } }],
            "writeConcern": self.majority(),
        };
        self.primary().run("expire a lease", DATABASE, raw("expire a lease", &command)?, Patience::Short).await.map(|_| ())
    }
}

fn millis(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX / 4)
}

fn expires(document: &Document) -> i64 {
    document.get_datetime("expires").map(|time| time.timestamp_millis()).unwrap_or(0)
}

fn state(document: &Document, is_held: bool) -> LeaseState {
    LeaseState {
        holder: document.get_str("holder").unwrap_or("unknown").to_owned(),
        expires_millis: expires(document),
        fence: number(document, "fence").unwrap_or(0),
        is_held,
    }
}
