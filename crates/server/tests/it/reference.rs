//! docs/rest-api.md says what openapi.json says, for people.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value};

const HEAD: &str = "# REST API\n\n\
    Made from `crates/server/openapi.json` (also at `GET /v1/openapi.json`) by `OPLOGUE_UPDATE_DOCS=1 cargo test -p oplogue-server reference`.\n\n\
    ```sh\n\
    curl -H \"Authorization: Bearer $TOKEN\" https://backup.example.com:8480/v1/clusters\n\
    ```\n\n\
    Tokens are made under **Settings → API tokens**, with a role and perhaps an expiry. Bodies and answers are JSON. Instants are RFC 3339 in UTC; a moment of the oplog is `{\"t\": seconds, \"i\": ordinal, \"at\": RFC 3339}`; sizes are bytes. \
    Lists are `{\"items\": […], \"next\": …}`: give `next` as `after` to get the rest. A refusal has a body with `code`, `message`, `hint`, `fields`, `retryable` and `request_id`; 400, 401, 403, 404, 422, 500 and 503 can come from any call.\n";

fn objects(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE).iter()
}

/// `Backup`, `[Backup]`, `string`.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    for group in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[group].as_array() {
            let parts: Vec<String> = parts.iter().filter(|part| part["type"] != "null").map(kind).collect();
            return parts.join(" or ");
        }
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind(&schema["items"]));
    }
    match &schema["type"] {
        Value::String(text) => text.clone(),
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).filter(|text| *text != "null").collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn call(out: &mut String, method: &str, path: &str, operation: &Value) {
    let about = [&operation["summary"], &operation["description"]]
        .into_iter()
        .filter_map(Value::as_str)
        .map(one_line)
        .collect::<Vec<_>>()
        .join(" ");
    let _ = writeln!(out, "\n**{} {path}**  \n{about}", method.to_uppercase());
    let query: Vec<String> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["in"] == "query")
        .filter_map(|one| one["name"].as_str().map(|name| format!("`{name}`")))
        .collect();
    if !query.is_empty() {
        let _ = writeln!(out, "Query: {}.", query.join(", "));
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if body.is_object() {
        let _ = writeln!(out, "Body: {}.", kind(body));
    }
    let good = objects(&operation["responses"]).filter(|(status, _)| status.starts_with('2'));
    for (status, answer) in good {
        let schema = &answer["content"]["application/json"]["schema"];
        let what = if schema.is_object() { format!(": {}", kind(schema)) } else { String::new() };
        let _ = writeln!(out, "Answer: {status}{what}.");
    }
}

fn schema(out: &mut String, name: &str, schema: &Value) {
    let _ = writeln!(out, "\n### {name}\n");
    if let Some(about) = schema["description"].as_str() {
        let _ = writeln!(out, "{}\n", one_line(about));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        let _ = writeln!(out, "One of {}.", words.join(", "));
        return;
    }
    let parts: Vec<&Value> = schema["allOf"].as_array().map_or_else(|| vec![schema], |parts| parts.iter().collect());
    let mut rows = String::new();
    for part in &parts {
        if part["$ref"].is_string() {
            let _ = writeln!(out, "Everything of {}, and:\n", kind(part));
        }
        let required: Vec<&str> = part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (field, about) in objects(&part["properties"]) {
            let mark = if required.contains(&field.as_str()) { "" } else { " (optional)" };
            let _ =
                writeln!(rows, "| `{field}` | {}{mark} | {} |", kind(about), one_line(about["description"].as_str().unwrap_or_default()));
        }
    }
    if !rows.is_empty() {
        let _ = write!(out, "| field | type | |\n| --- | --- | --- |\n{rows}");
    }
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        if let Some(word) = variant["enum"][0].as_str().or_else(|| variant["const"].as_str()) {
            let _ = writeln!(out, "- `{word}`: {}", one_line(variant["description"].as_str().unwrap_or_default()));
        } else {
            let fields: Vec<String> = objects(&variant["properties"])
                .map(|(field, about)| match about["enum"][0].as_str() {
                    Some(word) => format!("`{field}`: `{word}`"),
                    None => format!("`{field}`: {}", kind(about)),
                })
                .collect();
            let _ = writeln!(out, "- {} {}", fields.join(", "), one_line(variant["description"].as_str().unwrap_or_default()));
        }
    }
}

fn reference(openapi: &Value) -> String {
    let mut out = HEAD.to_owned();
    let mut tags: Vec<(String, String)> = Vec::new();
    for (path, operations) in objects(&openapi["paths"]) {
        for (method, operation) in objects(operations).filter(|(_, operation)| operation["operationId"].is_string()) {
            let tag = operation["tags"][0].as_str().unwrap_or("other").to_owned();
            let mut text = String::new();
            call(&mut text, method, path, operation);
            match tags.iter_mut().find(|(known, _)| *known == tag) {
                Some((_, calls)) => calls.push_str(&text),
                None => tags.push((tag, text)),
            }
        }
    }
    for (tag, calls) in tags {
        let _ = write!(out, "\n## {tag}\n{calls}");
    }
    out.push_str("\n## Types\n");
    for (name, about) in objects(&openapi["components"]["schemas"]) {
        schema(&mut out, name, about);
    }
    out
}

#[test]
fn the_reference_for_people_is_that_for_programs() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let openapi = std::fs::read_to_string(here.join("openapi.json")).expect("it is checked in");
    let expected = reference(&serde_json::from_str(&openapi).expect("it is JSON"));
    let path = here.join("../../docs/rest-api.md");
    if std::env::var_os("OPLOGUE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("written");
    }
    let found = std::fs::read_to_string(&path).expect("docs/rest-api.md is checked in");
    assert!(found == expected, "docs/rest-api.md is out of date: OPLOGUE_UPDATE_DOCS=1 cargo test -p oplogue-server reference");
}
