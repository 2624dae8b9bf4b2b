//! How values stand in columns: instants as RFC 3339, words as the API spells them, everything nested as JSON.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Row, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A word of an enumeration, as the API spells it.
pub(super) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("only enumerations of plain words are spelled so, not {other:?}"),
    }
}

pub(super) fn word_at<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let word: String = row.get(index)?;
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| unreadable(index, error))
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("types of the API have string keys and finite numbers")
}

pub(super) fn json_at<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text: String = row.get(index)?;
    serde_json::from_str(&text).map_err(|error| unreadable(index, error))
}

pub(super) fn maybe_json_at<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(index)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| unreadable(index, error))).transpose()
}

pub(super) fn instant_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    let text: String = row.get(index)?;
    text.parse().map_err(|error: jiff::Error| unreadable(index, error))
}

pub(super) fn maybe_instant_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    let text: Option<String> = row.get(index)?;
    text.map(|text| text.parse().map_err(|error: jiff::Error| unreadable(index, error))).transpose()
}

pub(super) fn text(instant: Option<Timestamp>) -> Option<String> {
    instant.map(|instant| instant.to_string())
}

fn unreadable(index: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}

/// The name of a location, if there is such a one.
pub(super) fn location_name(tx: &Transaction<'_>, id: &str) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension;
    tx.prepare_cached("SELECT name FROM locations WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()
}
