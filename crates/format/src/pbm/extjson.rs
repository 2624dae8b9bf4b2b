//! BSON as canonical Extended JSON, and back.

use bson::{Bson, Document};
use serde_json::Value;

/// Canonical Extended JSON: every type is spelled out.
pub(crate) fn to_canonical(document: &Document) -> Value {
    Bson::Document(document.clone()).into_canonical_extjson()
}

/// Reads canonical or relaxed Extended JSON.
pub(crate) fn from_value(value: Value) -> Result<Document, String> {
    match value {
        // Not through `Bson`: an object whose keys look like a type is still a document at the top.
        Value::Object(map) => Document::try_from(map).map_err(|error| error.to_string()),
        other => Err(format!("expected an object, found {other}")),
    }
}

/// Extended JSON that certainly reads back as the same document: canonical where that is so, otherwise the BSON itself as
/// `{"$oplogueBson": "<hexadecimal>"}`. Canonical Extended JSON alone is not exact: a document `{"$date": …}` in a validator cannot be
/// told from a date.
pub(crate) fn to_exact(document: &Document) -> Value {
    let canonical = to_canonical(document);
    let wanted = document.to_vec().ok();
    let same = wanted.is_some() && from_exact(canonical.clone()).ok().and_then(|read| read.to_vec().ok()) == wanted;
    match wanted {
        Some(bytes) if !same => serde_json::json!({ EXACT_KEY: hex::encode(bytes) }),
        _ => canonical,
    }
}

const EXACT_KEY: &str = "$oplogueBson";

/// Reads what [`to_exact`] writes.
pub(crate) fn from_exact(value: Value) -> Result<Document, String> {
    let Some(text) = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.get(EXACT_KEY)).and_then(Value::as_str) else {
        return from_value(value);
    };
    let bytes = hex::decode(text).map_err(|error| error.to_string())?;
    Document::from_reader(bytes.as_slice()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn exact_json_survives_documents_that_look_like_types() {
        for document in [
            doc! {},
            doc! { "a": 1_i32, "b": 1_i64, "c": 1.0, "d": f64::NAN, "e": f64::INFINITY, "f": -0.0, "g": 5e-324, "h": 1e300 },
            doc! { "validator": { "x": { "$date": "2026-01-01T00:00:00Z" } } },
            doc! { "validator": { "x": { "$oid": "not one" } } },
            doc! { "x": { "$type": "string", "$regex": "a", "$options": "i" } },
            doc! { "$oplogueBson": "00" },
            doc! { "$numberInt": "1" },
            doc! { "x": bson::Timestamp { time: 5, increment: 6 }, "y": Bson::MinKey, "z": Bson::Undefined },
        ] {
            let text = serde_json::to_string(&to_exact(&document)).expect("JSON values have a text");
            let read = from_exact(serde_json::from_str(&text).expect("JSON")).expect("what was written");
            assert_eq!(read.to_vec().expect("BSON"), document.to_vec().expect("BSON"), "{text}");
        }
    }

    #[test]
    fn relaxed_numbers_are_read() {
        let read = from_value(serde_json::json!({ "a": 1, "b": 5_000_000_000_i64, "c": 1.5 })).expect("relaxed JSON");
        assert_eq!(read, doc! { "a": 1_i32, "b": 5_000_000_000_i64, "c": 1.5 });
    }
}
