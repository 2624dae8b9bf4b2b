//! Who may import whom. The table is the one of ARCHITECTURE.md; a new arrow is a change here, seen in review.

use serde_json::Value;

/// A crate and the crates of ours its product may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("oplogue-domain", &[]),
    ("oplogue-oplog", &["oplogue-domain"]),
    ("oplogue-fold", &["oplogue-domain", "oplogue-oplog"]),
    ("oplogue-format", &["oplogue-domain"]),
    ("oplogue-fuzzing", &["oplogue-domain", "oplogue-oplog", "oplogue-fold", "oplogue-format"]),
    ("oplogue-storage", &[]),
    ("oplogue-repository", &["oplogue-domain", "oplogue-format", "oplogue-storage"]),
    ("oplogue-mongo", &["oplogue-domain", "oplogue-oplog"]),
    (
        "oplogue-engine",
        &["oplogue-domain", "oplogue-oplog", "oplogue-fold", "oplogue-format", "oplogue-storage", "oplogue-repository", "oplogue-mongo"],
    ),
    ("oplogue-api", &["oplogue-domain", "oplogue-storage"]),
    ("oplogue-pages", &["oplogue-domain", "oplogue-api"]),
    ("oplogue-notify", &["oplogue-api"]),
    (
        "oplogue-agent",
        &["oplogue-domain", "oplogue-format", "oplogue-storage", "oplogue-repository", "oplogue-mongo", "oplogue-engine", "oplogue-api"],
    ),
    ("oplogue-server", &["oplogue-domain", "oplogue-storage", "oplogue-repository", "oplogue-api", "oplogue-pages", "oplogue-notify"]),
    (
        "oplogue",
        &[
            "oplogue-domain",
            "oplogue-oplog",
            "oplogue-format",
            "oplogue-storage",
            "oplogue-repository",
            "oplogue-mongo",
            "oplogue-engine",
            "oplogue-api",
            "oplogue-agent",
            "oplogue-server",
        ],
    ),
    ("oplogue-testkit", &["oplogue-domain"]),
    ("oplogue-simulation", &["oplogue-domain", "oplogue-format", "oplogue-storage", "oplogue-repository"]),
    ("xtask", &["oplogue-testkit"]),
];

/// Libraries that a crate must never get, because it promises not to know what they are about.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("oplogue-domain", &["serde", "serde_json", "tokio", "bson", "mongodb", "object_store", "futures"]),
    ("oplogue-oplog", &["tokio", "mongodb", "object_store", "futures", "serde_json"]),
    ("oplogue-fold", &["tokio", "mongodb", "object_store", "futures", "serde_json"]),
    ("oplogue-format", &["tokio", "mongodb", "object_store", "futures"]),
    ("oplogue-storage", &["mongodb", "bson"]),
    ("oplogue-repository", &["mongodb", "object_store"]),
    ("oplogue-mongo", &["object_store"]),
    ("oplogue-engine", &["mongodb", "object_store"]),
    ("oplogue-api", &["mongodb", "bson", "object_store", "axum", "maud", "rusqlite"]),
    ("oplogue-pages", &["tokio", "mongodb", "bson", "object_store", "axum", "rusqlite", "futures"]),
    ("oplogue-notify", &["mongodb", "bson", "object_store", "axum", "maud", "rusqlite"]),
    ("oplogue-agent", &["mongodb", "object_store", "axum", "maud", "rusqlite"]),
    ("oplogue-server", &["mongodb", "bson", "object_store", "maud", "lettre"]),
];

/// `metadata` is what `cargo metadata --no-deps` prints.
pub fn problems(metadata: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            problems.push(format!("crate {name} is not in the table of who may import whom (xtask/src/tidy/arrows.rs)"));
            continue;
        };
        let forbidden = FORBIDDEN.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, libraries)| libraries);
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            // `kind` is null for what goes into the product; tests may use more.
            let in_product = dependency["kind"].is_null();
            let ours = used.starts_with("oplogue");
            if in_product && ours && !allowed.contains(&used) {
                problems.push(format!("{name} must not import {used}: the table of who may import whom does not allow it"));
            }
            // The mistakes planted for the simulation are in no product.
            let features = dependency["features"].as_array().into_iter().flatten();
            if name != "oplogue-simulation" && features.into_iter().any(|feature| feature == "planted-bugs") {
                problems.push(format!("{name} must not use {used} with its planted mistakes: they are for the simulation"));
            }
            if in_product && forbidden.contains(&used) {
                problems.push(format!("{name} must not use {used}: it promises not to know what that is about"));
            }
            if !in_product && ours && used != "oplogue-testkit" && !allowed.contains(&used) && used != name {
                problems.push(format!("the tests of {name} must not import {used}"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(name: &str, used: &str, kind: Value) -> usize {
        problems(&json!({"packages": [{"name": name, "dependencies": [{"name": used, "kind": kind}]}]})).len()
    }

    #[test]
    fn planted_mistakes_are_for_the_simulation_alone() {
        let check = |name: &str| {
            let used = json!({"name": "oplogue-domain", "kind": null, "features": ["planted-bugs"]});
            problems(&json!({"packages": [{"name": name, "dependencies": [used]}]})).len()
        };
        assert_eq!((check("oplogue-simulation"), check("oplogue-repository"), check("oplogue")), (0, 1, 1));
    }

    #[test]
    fn arrows_only_point_up() {
        for (name, used, kind, expected) in [
            ("oplogue-mongo", "oplogue-oplog", Value::Null, 0),
            ("oplogue-oplog", "oplogue-mongo", Value::Null, 1),
            ("oplogue-mongo", "oplogue-storage", json!("dev"), 1),
            ("oplogue-mongo", "oplogue-testkit", json!("dev"), 0),
            ("oplogue-mongo", "oplogue-testkit", Value::Null, 1),
            ("oplogue-domain", "serde", Value::Null, 1),
            ("oplogue-domain", "serde", json!("dev"), 0),
            ("oplogue-unheard-of", "serde", Value::Null, 1),
        ] {
            assert_eq!(check(name, used, kind), expected, "{name} -> {used}");
        }
    }
}
