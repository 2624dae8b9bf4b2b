//! Is the restore still the one that was confirmed?
//!
//! Between the plan and its confirmation the target lives on: counts and sizes change, and those are not compared. What is compared is what
//! somebody agreed to: where the data comes from, which moment, which collections and views appear, and what is dropped for them.

use std::collections::BTreeSet;

use oplogue_api::plan::Plan;

/// What is different now, in words; empty when the confirmation holds.
///
/// An attempt after the first may find what an earlier one has already put in place of what it dropped: those names were agreed to as
/// well, and nothing else may be dropped.
pub fn differences(confirmed: &Plan, now: &Plan, attempt: u32) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, confirmed: &str, now: &str| {
        if confirmed != now {
            differences.push(format!("{what} was {confirmed} and would be {now}"));
        }
    };
    compare("the base", &confirmed.base, &now.base);
    let moment = |plan: &Plan| format!("{},{} ({})", plan.through.t, plan.through.i, plan.through.at);
    compare("the moment", &moment(confirmed), &moment(now));
    compare("the replica set restored from", &confirmed.source_replica_set, &now.source_replica_set);
    compare("the replica set restored to", &confirmed.target_replica_set, &now.target_replica_set);
    let people = |plan: &Plan| if plan.users.is_some() { "restored" } else { "left alone" };
    compare("the part of users and roles", people(confirmed), people(now));

    let created = |plan: &Plan| -> BTreeSet<String> {
        let collections = plan.collections.iter().map(|one| arrow(&one.namespace, &one.target));
        collections.chain(plan.views.iter().map(|one| arrow(&one.namespace, &one.target))).collect()
    };
    let (then, new) = (created(confirmed), created(now));
    list(&mut differences, "would be restored as well", new.difference(&then));
    list(&mut differences, "would not be restored", then.difference(&new));

    let mut agreed: BTreeSet<String> = confirmed.drops.iter().map(|one| one.namespace.clone()).collect();
    if attempt > 1 {
        agreed.extend(confirmed.collections.iter().map(|one| one.target.clone()));
        agreed.extend(confirmed.views.iter().map(|one| one.target.clone()));
    }
    let dropped: BTreeSet<String> = now.drops.iter().map(|one| one.namespace.clone()).collect();
    list(&mut differences, "would be dropped, which nobody agreed to", dropped.difference(&agreed));
    differences
}

fn arrow(namespace: &str, target: &str) -> String {
    if namespace == target { namespace.to_owned() } else { format!("{namespace} as {target}") }
}

fn list<'a>(differences: &mut Vec<String>, what: &str, names: impl Iterator<Item = &'a String>) {
    const SHOWN_MAX: usize = 5;
    let names: Vec<&String> = names.collect();
    if names.is_empty() {
        return;
    }
    let shown: Vec<&str> = names.iter().take(SHOWN_MAX).map(|name| name.as_str()).collect();
    let more = if names.len() > SHOWN_MAX { format!(" and {} more", names.len() - SHOWN_MAX) } else { String::new() };
    differences.push(format!("{}{more} {what}", shown.join(", ")));
}

#[cfg(test)]
mod tests {
    use oplogue_api::plan::{PlannedCollection, PlannedDrop, WritesAfter};
    use oplogue_domain::OplogTime;

    use super::*;

    fn plan(base: &str, through: OplogTime, collections: &[&str], drops: &[&str]) -> Plan {
        let collection = |name: &&str| PlannedCollection {
            namespace: (*name).to_owned(),
            target: (*name).to_owned(),
            time_series: false,
            loaded_from: None,
            document_bytes: 0,
            documents: 0,
            writes: 0,
            replayed_because: None,
            indexes: 1,
            keeps_uuid: true,
        };
        let dropped = |name: &&str| PlannedDrop { namespace: (*name).to_owned(), documents: 1, bytes: 1, replaced: true };
        Plan {
            base: base.to_owned(),
            base_mongodb_version: "6.0.5".into(),
            base_fcv: "6.0".into(),
            source_replica_set: "rs0".into(),
            target_replica_set: "rs0".into(),
            target_host: "h:1".into(),
            target_mongodb_version: "6.0.5".into(),
            target_fcv: "6.0".into(),
            through: through.into(),
            passed_over: Vec::new(),
            oplog: Vec::new(),
            collections: collections.iter().map(collection).collect(),
            views: Vec::new(),
            drops: drops.iter().map(dropped).collect(),
            users: None,
            roles: None,
            read_bytes: 0,
            document_bytes: 0,
            operations: 0,
            writes_after: WritesAfter { counted: 0, complete: true, newest: through.into() },
            unfinished_transactions: 0,
            seconds_estimate: 1,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn counts_hosts_and_what_is_gone_already_are_no_difference() {
        let at = OplogTime::new(100, 1);
        let confirmed = plan("b", at, &["shop.orders"], &["shop.orders", "shop.old"]);
        let mut now = plan("b", at, &["shop.orders"], &["shop.orders"]);
        now.drops[0].documents = 99;
        now.target_host = "other:1".into();
        now.operations = 7;
        assert!(differences(&confirmed, &now, 1).is_empty());
    }

    #[test]
    fn whatever_was_agreed_to_and_is_different_is_named() {
        let at = OplogTime::new(100, 1);
        let confirmed = plan("b", at, &["shop.orders"], &["shop.orders"]);
        for (now, expected) in [
            (plan("c", at, &["shop.orders"], &["shop.orders"]), "the base was b and would be c"),
            (plan("b", OplogTime::new(100, 2), &["shop.orders"], &["shop.orders"]), "the moment was 100,1"),
            (plan("b", at, &["shop.orders", "shop.new"], &["shop.orders"]), "shop.new would be restored as well"),
            (plan("b", at, &[], &["shop.orders"]), "shop.orders would not be restored"),
            (plan("b", at, &["shop.orders"], &["shop.orders", "crm.people"]), "crm.people would be dropped, which nobody agreed to"),
            (Plan { users: Some(1), ..confirmed.clone() }, "users and roles"),
            (Plan { target_replica_set: "rs1".into(), ..confirmed.clone() }, "the replica set restored to was rs0"),
        ] {
            let told = differences(&confirmed, &now, 1);
            assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        }
    }

    #[test]
    fn a_second_attempt_may_drop_what_the_first_put_there_and_nothing_else() {
        let at = OplogTime::new(100, 1);
        let confirmed = plan("b", at, &["shop.orders"], &[]);
        let now = plan("b", at, &["shop.orders"], &["shop.orders"]);
        assert_eq!(differences(&confirmed, &now, 1).len(), 1);
        assert!(differences(&confirmed, &now, 2).is_empty());
        let more = plan("b", at, &["shop.orders"], &["shop.orders", "crm.people"]);
        assert_eq!(differences(&confirmed, &more, 2).len(), 1);
    }
}
