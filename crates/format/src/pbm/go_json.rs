//! JSON as Go programs read and write it.
//!
//! Go's decoder ignores unknown keys, matches keys whatever their case, takes `null` and a missing key for the zero value. What PBM
//! would accept must not be refused here. Go's encoder indents with tabs.

use oplogue_domain::OplogTime;
use serde::Serialize;
use serde_json::{Map, Value};

/// A value that has the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` should be {expected}, and is {found}")]
pub struct WrongType {
    pub key: String,
    pub expected: &'static str,
    pub found: String,
}

/// A JSON object that is asked for its fields by name.
pub(super) struct Object<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Object<'a> {
    pub(super) fn new(value: &'a Value, path: &str) -> Result<Self, WrongType> {
        match value {
            Value::Object(map) => Ok(Self { map, path: path.to_owned() }),
            other => Err(wrong(path, "an object", other)),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The field, unless it is missing or null. The exact key wins over one in another case.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        let other_case = || self.map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        self.map.get(key).or_else(other_case).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, key: &str) -> Result<String, WrongType> {
        match self.get(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(wrong(&self.path(key), "a string", other)),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, WrongType> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong(&self.path(key), "true or false", other)),
        }
    }

    pub(super) fn integer(&self, key: &str) -> Result<i64, WrongType> {
        let Some(value) = self.get(key) else { return Ok(0) };
        value.as_i64().ok_or_else(|| wrong(&self.path(key), "an integer", value))
    }

    /// Unix seconds; what does not fit is cut to the nearest that does.
    pub(super) fn seconds(&self, key: &str) -> Result<u32, WrongType> {
        let seconds = self.integer(key)?.clamp(0, u32::MAX.into());
        Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// `{"T": seconds, "I": ordinal}`; the zero moment when missing.
    pub(super) fn time(&self, key: &str) -> Result<OplogTime, WrongType> {
        let Some(object) = self.object(key)? else { return Ok(OplogTime::MIN) };
        let part = |name: &str| {
            let value = object.integer(name)?;
            u32::try_from(value).map_err(|_| wrong(&object.path(name), "an unsigned 32-bit integer", &Value::from(value)))
        };
        Ok(OplogTime::new(part("T")?, part("I")?))
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Object<'a>>, WrongType> {
        self.get(key).map(|value| Object::new(value, &self.path(key))).transpose()
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }

    /// The elements of an array, empty when missing, each with its path for errors.
    pub(super) fn array(&self, key: &str) -> Result<Vec<(String, &'a Value)>, WrongType> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(elements)) => {
                Ok(elements.iter().enumerate().map(|(index, value)| (format!("{}[{index}]", self.path(key)), value)).collect())
            }
            Some(other) => Err(wrong(&self.path(key), "an array", other)),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, WrongType> {
        let text = |(path, value): (String, &Value)| match value {
            Value::String(text) => Ok(text.clone()),
            other => Err(wrong(&path, "a string", other)),
        };
        self.array(key)?.into_iter().map(text).collect()
    }
}

fn wrong(key: &str, expected: &'static str, found: &Value) -> WrongType {
    let mut found = found.to_string();
    if let Some((end, _)) = found.char_indices().nth(40) {
        found.truncate(end);
        found.push('…');
    }
    let key = if key.is_empty() { "the document" } else { key };
    WrongType { key: key.to_owned(), expected, found }
}

/// JSON text indented by `indent`, as PBM writes it.
pub(super) fn to_text(value: &Value, indent: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    value.serialize(&mut serializer).expect("a JSON value has only text keys, and a vector takes every byte");
    text
}

/// As PBM writes a moment: `{"T": 1795390848, "I": 54}`.
pub(super) fn time(time: OplogTime) -> Value {
    serde_json::json!({ "T": time.seconds, "I": time.ordinal })
}
