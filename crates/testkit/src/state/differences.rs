//! What differs between two [`State`]s, as lines for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::{CollectionState, Principal, State};

/// What is compared beyond the content.
#[derive(Debug, Clone, Copy, Default)]
pub struct Comparing {
    /// Collections must have the same UUIDs.
    pub uuids: bool,
    /// Users must have the same credentials and `userId`.
    pub credentials: bool,
}

/// One line for each difference in content; empty when all is equal. UUIDs and credentials are not compared.
pub fn differences(expected: &State, actual: &State) -> Vec<String> {
    differences_with(expected, actual, Comparing::default())
}

/// As [`differences`], with more to compare.
pub fn differences_with(expected: &State, actual: &State, comparing: Comparing) -> Vec<String> {
    let mut lines = Vec::new();
    each(&mut lines, "", &expected.collections, &actual.collections, |lines, name, expected, actual| {
        compare_collection(lines, name, expected, actual, comparing);
    });
    for (kind, expected, actual) in [("user ", &expected.users, &actual.users), ("role ", &expected.roles, &actual.roles)] {
        each(&mut lines, kind, expected, actual, |lines, name, expected: &Principal, actual: &Principal| {
            unequal(lines, name, "definition", &expected.document, &actual.document);
            if comparing.credentials {
                unequal(lines, name, "credentials (hash)", &expected.secret_hash, &actual.secret_hash);
            }
        });
    }
    lines
}

fn compare_collection(lines: &mut Vec<String>, name: &str, expected: &CollectionState, actual: &CollectionState, comparing: Comparing) {
    unequal(lines, name, "kind", &expected.kind, &actual.kind);
    unequal(lines, name, "options", &expected.options, &actual.options);
    unequal(lines, name, "number of documents", &expected.documents, &actual.documents);
    unequal(lines, name, "hash", &expected.hash, &actual.hash);
    // With other documents the rest would only say the same again.
    if expected.hash == actual.hash {
        unequal(lines, name, "natural order (hash)", &expected.natural_order_hash, &actual.natural_order_hash);
        unequal(lines, name, "buckets (hash)", &expected.buckets_hash, &actual.buckets_hash);
    }
    each(lines, &format!("{name} index "), &expected.indexes, &actual.indexes, |lines, name, expected, actual| {
        unequal(lines, name, "definition", expected, actual);
    });
    if comparing.uuids {
        unequal(lines, name, "uuid", &expected.uuid, &actual.uuid);
    }
}

/// Pairs two maps: says what is missing or too much, and compares the rest.
fn each<T>(
    lines: &mut Vec<String>,
    kind: &str,
    expected: &BTreeMap<String, T>,
    actual: &BTreeMap<String, T>,
    compare: impl Fn(&mut Vec<String>, &str, &T, &T),
) {
    let names: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    for name in names {
        let full = format!("{kind}{name}");
        match (expected.get(name), actual.get(name)) {
            (Some(expected), Some(actual)) => compare(lines, &full, expected, actual),
            (Some(_), None) => lines.push(format!("{full} is missing")),
            _ => lines.push(format!("{full} should not be there")),
        }
    }
}

fn unequal<T: PartialEq + Debug>(lines: &mut Vec<String>, name: &str, what: &str, expected: &T, actual: &T) {
    if expected != actual {
        lines.push(format!("{name}: {what} is {actual:?}, expected {expected:?}"));
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn state() -> State {
        let items = CollectionState {
            kind: "collection".into(),
            uuid: Some("aa".into()),
            documents: 2,
            hash: Some("h".into()),
            indexes: [("_id_".to_string(), doc! {"key": {"_id": 1}})].into(),
            ..CollectionState::default()
        };
        let user = Principal { document: doc! {"roles": []}, secret_hash: "s".into() };
        State {
            collections: [("shop.items".to_string(), items)].into(),
            users: [("admin.anna".to_string(), user)].into(),
            roles: BTreeMap::new(),
        }
    }

    /// Changes a state, and checks that exactly one difference is told, containing `told`.
    fn check(told: &str, comparing: Comparing, change: impl Fn(&mut State)) {
        let mut changed = state();
        change(&mut changed);
        let lines = differences_with(&state(), &changed, comparing);
        assert!(lines.len() == 1 && lines[0].contains(told), "{told}: {lines:?}");
    }

    fn items(state: &mut State) -> &mut CollectionState {
        state.collections.get_mut("shop.items").expect("made by state()")
    }

    #[test]
    fn equal_states_have_no_differences() {
        assert_eq!(differences_with(&state(), &state(), Comparing { uuids: true, credentials: true }), Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_change_is_told() {
        let plain = Comparing::default();
        check("shop.items is missing", plain, |s| s.collections.clear());
        check("shop.more should not be there", plain, |s| drop(s.collections.insert("shop.more".into(), CollectionState::default())));
        check("kind is \"view\"", plain, |s| items(s).kind = "view".into());
        check("options", plain, |s| items(s).options = doc! {"capped": true});
        check("number of documents is 3, expected 2", plain, |s| items(s).documents = 3);
        check("hash is Some(\"i\")", plain, |s| items(s).hash = Some("i".into()));
        check("natural order", plain, |s| items(s).natural_order_hash = Some("i".into()));
        check("buckets", plain, |s| items(s).buckets_hash = Some("i".into()));
        check("index _id_ is missing", plain, |s| items(s).indexes.clear());
        check("index _id_: definition", plain, |s| drop(items(s).indexes.insert("_id_".into(), doc! {})));
        check("user admin.anna is missing", plain, |s| s.users.clear());
        check("role x.y should not be there", plain, |s| drop(s.roles.insert("x.y".into(), Principal::default())));
    }

    #[test]
    fn uuids_and_credentials_count_only_when_asked() {
        let uuid = |s: &mut State| items(s).uuid = Some("bb".into());
        let secret = |s: &mut State| s.users.values_mut().for_each(|u| u.secret_hash = "t".into());
        check("uuid", Comparing { uuids: true, credentials: false }, uuid);
        check("credentials", Comparing { uuids: false, credentials: true }, secret);
        let mut changed = state();
        uuid(&mut changed);
        secret(&mut changed);
        assert_eq!(differences(&state(), &changed), Vec::<String>::new());
    }

    #[test]
    fn a_renamed_state_expects_the_new_names() {
        let names = |from: &str, to: &str| state().renamed(from, to).names().join(" ");
        assert_eq!(names("shop", "shop2"), "shop2.items");
        assert_eq!(names("shop.items", "x.y"), "x.y");
        assert_eq!(names("sho", "x"), "shop.items");
        assert_eq!(names("shop.item", "x.y"), "shop.items");
    }
}
