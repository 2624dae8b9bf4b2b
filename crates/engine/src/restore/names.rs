//! Which names `--rename` may give. Looked at before anything is touched: a server would say no only after the drops.

use oplogue_domain::Namespace;

use crate::failure::Refused;

/// Refuses new names that no server would take.
pub(super) fn refuse_impossible<'a>(names: impl Iterator<Item = (&'a Namespace, &'a Namespace)>) -> Result<(), Refused> {
    for (from, to) in names.filter(|(from, to)| from != to) {
        if let Some(why) = impossible(to) {
            return Err(
                Refused::new(format!("`{from}` cannot be renamed to `{to}`: {why}")).advise("choose another name; nothing was touched")
            );
        }
    }
    Ok(())
}

/// Why a user's collection cannot have this name: the rules of the server's `NamespaceString`.
fn impossible(name: &Namespace) -> Option<&'static str> {
    let (database, collection) = (name.database.as_str(), name.collection.as_str());
    if matches!(database, "admin" | "config" | "local") {
        return Some("the databases admin, config and local are the server's own");
    }
    if database.is_empty() || database.len() > 63 || database.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
        return Some("a database's name has 1 to 63 bytes and none of / \\ . \" $ or space");
    }
    if collection.is_empty() || collection.starts_with("system.") || collection.starts_with('.') || collection.contains(['$', '\0']) {
        return Some("a collection's name is not empty, does not begin with `system.` or a dot, and has no `$` in it");
    }
    (database.len() + 1 + collection.len() > 255).then_some("database and collection together are longer than 255 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_server_would_take_are_given() {
        let from = Namespace::new("shop", "people");
        let (long_database, long_name) = ("d".repeat(64), "n".repeat(252));
        let cases = [
            ("shop", "other/name, with 'anything'.else", true),
            ("shop-2", "people", true),
            ("two words", "people", false),
            ("", "people", false),
            ("a.b", "people", false),
            (&long_database, "people", false),
            ("shop", &long_name, false),
            ("shop", "", false),
            ("shop", "system.views", false),
            ("shop", "with$", false),
            ("shop", ".hidden", false),
            ("admin", "people", false),
            ("config", "people", false),
        ];
        for (database, collection, fine) in cases {
            let to = Namespace::new(database, collection);
            assert_eq!(refuse_impossible([(&from, &to)].into_iter()).is_ok(), fine, "{to}");
        }
        // What keeps its name has had it on a server.
        let stored = Namespace::new("shop", "system.js");
        assert!(refuse_impossible([(&stored, &stored)].into_iter()).is_ok());
    }
}
