//! Time-series collections: from what the server stores to what users say.
//!
//! The oplog knows a time series only by its buckets: `system.buckets.<name>` is created with a validator and the name's options
//! together, and an index on `{m: 1, t: 1}` is logged as `{meta: 1, control.min.t: 1, control.max.t: 1}`. A target makes the collection and its
//! indexes from the users' form. The rules are those of the server's `timeseries_index_schema_conversion_functions.cpp`.

use bson::{Bson, Document};

/// Of the options of the collection of buckets, those that users give to `create`.
pub fn user_options(buckets: &Document) -> Document {
    const OURS: &[&str] = &["timeseries", "expireAfterSeconds", "collation", "storageEngine", "indexOptionDefaults"];
    buckets.iter().filter(|(option, _)| OURS.contains(&option.as_str())).map(|(option, value)| (option.clone(), value.clone())).collect()
}

/// Applies the `timeseries` argument of collMod to a collection's options.
pub fn modify(options: &mut Document, changes: &Document) {
    let Ok(series) = options.get_document_mut("timeseries") else {
        return;
    };
    // The spans the server derives (`getMaxSpanSecondsFromGranularity`); it refuses a granularity beside any other span.
    let derived = match changes.get_str("granularity") {
        Ok("seconds") => Some(3600),
        Ok("minutes") => Some(86_400),
        Ok("hours") => Some(2_592_000),
        _ => None,
    };
    for (field, value) in changes {
        series.insert(field, value.clone());
    }
    match derived {
        Some(span) => {
            series.remove("bucketRoundingSeconds");
            if series.contains_key("bucketMaxSpanSeconds") {
                series.insert("bucketMaxSpanSeconds", span);
            }
        }
        None if changes.contains_key("bucketMaxSpanSeconds") => {
            series.remove("granularity");
        }
        None => {}
    }
}

/// The users' form of all indexes of a snapshot, which may be in either form. The one on the buckets' `_id` is nobody's.
pub fn user_indexes(indexes: Vec<Document>, options: &Document) -> Vec<Document> {
    let is_id = |index: &Document| index.get_document("key").is_ok_and(|key| key.len() == 1 && key.contains_key("_id"));
    indexes.into_iter().filter(|index| !is_id(index)).map(|index| user_index(&index, options).unwrap_or(index)).collect()
}

/// The users' form of an index on buckets; `None` when it cannot be said so.
pub fn user_index(spec: &Document, options: &Document) -> Option<Document> {
    // 6.0 and later keep what the user said, when it is not simply the same.
    let mut user = match spec.get("originalSpec") {
        Some(Bson::Document(original)) => original.clone(),
        _ => {
            let mut user = spec.clone();
            user.insert("key", user_key(spec.get_document("key").ok()?, options)?);
            user
        }
    };
    // What collMod changed stands in the outer one.
    for field in ["hidden", "expireAfterSeconds"] {
        if let Some(value) = spec.get(field) {
            user.insert(field, value.clone());
        }
    }
    Some(user)
}

/// The users' form of a key pattern on buckets; `None` when it is not one.
pub fn user_key(key: &Document, options: &Document) -> Option<Document> {
    let series = options.get_document("timeseries").ok()?;
    let meta_field = series.get_str("metaField").ok();
    let mut user = Document::new();
    let mut fields = key.iter().peekable();
    while let Some((field, direction)) = fields.next() {
        if field == "meta" {
            user.insert(meta_field?, direction.clone());
        } else if let Some(path) = field.strip_prefix("meta.") {
            user.insert(format!("{}.{path}", meta_field?), direction.clone());
        } else if let Some(path) = field.strip_prefix("control.min.") {
            // Ascending: min, then max, both with the user's direction.
            let (next, _) = fields.next()?;
            (next.strip_prefix("control.max.")? == path).then_some(())?;
            user.insert(path, direction.clone());
        } else if let Some(path) = field.strip_prefix("control.max.") {
            let (next, _) = fields.next()?;
            (next.strip_prefix("control.min.")? == path).then_some(())?;
            user.insert(path, direction.clone());
        } else if let Some(path) = field.strip_prefix("data.") {
            (direction == &Bson::String("2dsphere_bucket".to_owned())).then_some(())?;
            user.insert(path, "2dsphere");
        } else {
            return None;
        }
    }
    Some(user)
}
