//! A value that fits a schema, so that a request is refused for who asks and not for what is asked.

use serde_json::{Map, Value, json};

const DEPTH_MAX: usize = 12;

pub fn of(schema: &Value, document: &Value) -> Value {
    build(schema, document, 0)
}

fn build(schema: &Value, document: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    let next = |schema: &Value| build(schema, document, depth + 1);
    if let Some(reference) = schema["$ref"].as_str() {
        return next(document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null));
    }
    for known in ["const", "example", "default"] {
        if let Some(value) = schema.get(known).filter(|value| !value.is_null()) {
            return value.clone();
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let real = choices.iter().find(|choice| choice["type"] != "null");
            return real.map_or(Value::Null, next);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            whole.extend(next(part).as_object().cloned().unwrap_or_default());
        }
        return Value::Object(whole);
    }
    match kind(schema) {
        "object" => {
            let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let needed = properties.iter().filter(|(name, _)| required.contains(&name.as_str()));
            Value::Object(needed.map(|(name, schema)| (name.clone(), next(schema))).collect())
        }
        "array" => json!([next(&schema["items"])]),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => json!(false),
        "string" if schema["format"] == "date-time" => json!("2026-11-22T10:00:05Z"),
        "string" => json!("example"),
        _ => Value::Null,
    }
}

/// The type, or the first that is not null.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        _ if schema["properties"].is_object() => "object",
        _ => "",
    }
}
