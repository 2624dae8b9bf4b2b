//! Our own configuration file: a flat YAML mapping of option names to values.

use std::fmt;
use std::path::Path;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{UsageError, Values};

pub fn read(path: &Path) -> Result<Values, UsageError> {
    let attempt = format!("read options from {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| UsageError::file(format!("{attempt}: {error}")))?;
    let Some(document) = parse::<Option<File>>(&text).map_err(|reason| UsageError::file(format!("{attempt}: {reason}")))? else {
        return Ok(Values::new());
    };
    let mut values = Values::new();
    for (key, setting) in document.0 {
        match setting {
            Setting::Nothing => {}
            Setting::Values(texts) => {
                values.insert(key, texts);
            }
            Setting::Unusable(why) => return Err(UsageError::file(format!("{attempt}: `{key}` {why}"))),
        }
    }
    Ok(values)
}

/// Parses YAML. The reason of a failure holds its place but never a piece of the text, which may be a secret.
pub(super) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| match error.location() {
        Some(location) => format!("line {}, column {} is not YAML as expected here", location.line(), location.column()),
        None => "this is not YAML as expected here".to_owned(),
    })
}

struct File(Vec<(String, Setting)>);

/// What may stand behind a key.
enum Setting {
    Nothing,
    Values(Vec<String>),
    /// Something else; the reason follows the key in a sentence.
    Unusable(&'static str),
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of option names to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(File(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnySetting)
    }
}

struct AnySetting;

fn one<E>(text: impl ToString) -> Result<Setting, E> {
    Ok(Setting::Values(vec![text.to_string()]))
}

impl<'de> Visitor<'de> for AnySetting {
    type Value = Setting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_unit<E: Error>(self) -> Result<Setting, E> {
        Ok(Setting::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Setting, E> {
        Ok(Setting::Nothing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Setting, E> {
        one(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Setting, E> {
        one(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Setting, E> {
        one(value)
    }

    // `1e10` is a number to YAML and may have been meant as a key: which text stood there cannot be known any more.
    fn visit_f64<E: Error>(self, _: f64) -> Result<Setting, E> {
        Ok(Setting::Unusable("looks like a number with a fraction or an exponent: put it into quotes"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Setting, E> {
        one(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Setting, A::Error> {
        let mut texts = Vec::new();
        while let Some(setting) = sequence.next_element::<Setting>()? {
            match setting {
                Setting::Values(mut values) if values.len() == 1 => texts.append(&mut values),
                _ => {
                    while sequence.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                    return Ok(Setting::Unusable("has something in its list that is not a plain value"));
                }
            }
        }
        Ok(Setting::Values(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Setting, A::Error> {
        while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
        Ok(Setting::Unusable("has keys below it, but options have plain values"))
    }
}
