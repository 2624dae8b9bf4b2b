//! Building indexes.

use bson::{Bson, Document, doc};
use oplogue_domain::Namespace;

use crate::command::Patience;
use crate::connect::Connection;
use crate::error::MongoError;

impl Connection {
    /// Builds the indexes of a collection, all in one pass over it. The specifications are those of `listIndexes`, complete; `_id_` and the
    /// index of a clustered collection are left out. `collated` says that the collection has a collation of its own: then indexes
    /// without one were made with the simple one, and must be again. For a time series give its bucket collection. Waits as long as
    /// the build takes.
    ///
    /// # Errors
    /// [`MongoError::Server`] with code 11000 when a unique index does not fit the documents.
    pub async fn build_indexes(&self, namespace: &Namespace, specs: &[Document], collated: bool) -> Result<(), MongoError> {
        let specs: Vec<Document> = specs.iter().filter(|spec| is_secondary(spec)).map(|spec| to_build(spec, collated)).collect();
        if specs.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = specs.iter().filter_map(|spec| spec.get_str("name").ok()).collect();
        let what = format!("build the indexes {} of `{namespace}`", names.join(", "));
        let command = doc! { "createIndexes": &namespace.collection, "indexes": specs };
        self.primary().run_again(&what, &namespace.database, command, Patience::Endless).await.map(|_| ())
    }
}

/// False for what a collection has from birth. Not by the key alone: `{_id: "hashed"}` is an index like any other.
fn is_secondary(spec: &Document) -> bool {
    !spec.get_str("name").is_ok_and(|value| value == "_id_") && !spec.contains_key("clustered") && !is_plain_id(spec)
}

/// The `_id` index under another name: `{_id: 1}`, of any numeric type.
fn is_plain_id(spec: &Document) -> bool {
    let Ok(key) = spec.get_document("key") else { return false };
    key.len() == 1 && matches!(key.get("_id"), Some(Bson::Int32(1) | Bson::Int64(1)))
        || key.len() == 1 && key.get_f64("_id").is_ok_and(|value| value == 1.0)
}

fn to_build(spec: &Document, collated: bool) -> Document {
    let mut spec = spec.clone();
    // Wrong after a rename, refused since 4.4; and `background` decides nothing since 4.2.
    for obsolete in ["ns", "background", "dropDups"] {
        spec.remove(obsolete);
    }
    if collated && !spec.contains_key("collation") {
        spec.insert("collation", doc! { "locale": "simple" });
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_id_index_is_built_and_the_plain_one_is_not() {
        assert!(is_secondary(&doc! { "name": "_id_hashed", "key": { "_id": "hashed" } }));
        assert!(is_secondary(&doc! { "name": "_id_-1_x_1", "key": { "_id": 1, "x": 1 } }));
        for spec in [
            doc! { "name": "_id_", "key": { "_id": 1 } },
            doc! { "name": "other", "key": { "_id": 1.0 } },
            doc! { "name": "mine", "key": { "_id": 1 }, "clustered": true, "unique": true },
        ] {
            assert!(!is_secondary(&spec), "{spec}");
        }
    }

    #[test]
    fn on_a_collated_collection_no_collation_means_the_simple_one() {
        let spec = doc! { "v": 2, "name": "a_1", "key": { "a": 1 }, "ns": "x.y", "hidden": true };
        assert_eq!(
            to_build(&spec, true),
            doc! { "v": 2, "name": "a_1", "key": { "a": 1 }, "hidden": true, "collation": { "locale": "simple" } }
        );
        assert_eq!(to_build(&spec, false), doc! { "v": 2, "name": "a_1", "key": { "a": 1 }, "hidden": true });
    }
}
