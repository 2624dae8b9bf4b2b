//! Paths into a document, as an update names them.

use bson::{Bson, Document};

use super::chance::Chance;
use super::generate::name;

/// A path and what is there.
pub struct Place {
    pub path: String,
    pub value: Bson,
}

/// Everything in a document that a path reaches, but the `_id`.
pub fn paths(document: &Document) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, value) in document.iter().filter(|(name, _)| *name != "_id") {
        collect(name, name, value, &mut places);
    }
    places
}

fn collect(path: &str, part: &str, value: &Bson, places: &mut Vec<Place>) {
    if part.is_empty() || part.contains('.') || part.starts_with('$') {
        return;
    }
    places.push(Place { path: path.to_owned(), value: value.clone() });
    match value {
        Bson::Document(fields) => fields.iter().for_each(|(name, value)| collect(&format!("{path}.{name}"), name, value, places)),
        Bson::Array(items) => items.iter().enumerate().for_each(|(at, item)| collect(&format!("{path}.{at}"), "0", item, places)),
        _ => {}
    }
}

/// A path that exists, or goes on where another ends, or is new.
pub fn some_path(chance: &mut Chance, places: &[Place]) -> String {
    let known = (!places.is_empty() && !chance.one_in(5)).then(|| chance.pick(places));
    match known {
        Some(place) if chance.one_in(2) => place.path.clone(),
        Some(Place { path, value: Bson::Array(items) }) if chance.one_in(2) => format!("{path}.{}", items.len() + chance.below(3)),
        Some(place) => format!("{}.{}", place.path, name(chance)),
        None if chance.one_in(3) => format!("{}.{}", name(chance), name(chance)),
        None => name(chance),
    }
}

/// The path of an array, and one of its items.
pub fn below_array(chance: &mut Chance, places: &[Place]) -> Option<(String, Bson)> {
    let arrays: Vec<(&String, &Vec<Bson>)> = (places.iter())
        .filter_map(|place| match &place.value {
            Bson::Array(items) if !items.is_empty() => Some((&place.path, items)),
            _ => None,
        })
        .collect();
    if arrays.is_empty() {
        return None;
    }
    let (path, items) = chance.pick(&arrays);
    Some(((*path).clone(), chance.pick(items).clone()))
}
