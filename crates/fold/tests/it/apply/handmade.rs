//! Entries that no server wrote, some with parts that make no sense. A server accepts or refuses them.

use std::collections::BTreeMap;

use bson::{Bson, Document, RawDocumentBuf, doc};
use oplogue_testkit::Version;

use super::bench::raw;
use super::chance::Chance;
use super::generate::{fields, name, value};
use super::paths::{paths, some_path};

/// An entry for a document that may look like `document`.
pub fn entry(chance: &mut Chance, document: &Document, version: Version) -> RawDocumentBuf {
    let entry = if version >= Version::V5_0 && !chance.one_in(3) {
        doc! { "$v": 2, "diff": of_document(chance, document, 4) }
    } else if chance.one_in(10) {
        let mut replacement = doc! { "_id": document.get("_id").expect("each has one").clone() };
        replacement.extend(fields(chance, 2));
        replacement
    } else {
        modifiers(chance, document)
    };
    raw(&entry)
}

fn modifiers(chance: &mut Chance, document: &Document) -> Document {
    let places = paths(document);
    // In the order of their names, as entries are. Two numbers of different length would be ordered differently by versions.
    let (mut set, mut unset) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..=chance.below(4) {
        let mut path = some_path(chance, &places);
        if chance.one_in(20) {
            path += *chance.pick(&["", ".", ".$", ".01", ".-1", ".4294967296", ".$id"]);
        }
        if path.split('.').any(|part| part.starts_with('1') && part.len() > 1) {
            continue;
        }
        if chance.one_in(3) {
            unset.insert(path, Bson::Boolean(true));
        } else {
            set.insert(path, value(chance, 2));
        }
    }
    if chance.one_in(20) {
        set.insert(
            String::from("_id"),
            if chance.one_in(2) { document.get("_id").expect("each has one").clone() } else { value(chance, 1) },
        );
    }
    let mut entry = doc! { "$v": 1 };
    for (operator, fields) in [("$set", set), ("$unset", unset)] {
        if !fields.is_empty() {
            entry.insert(operator, fields.into_iter().collect::<Document>());
        }
    }
    entry
}

fn of_document(chance: &mut Chance, document: &Document, depth: usize) -> Document {
    let mut sections: [Document; 4] = Default::default();
    let mut names: Vec<String> = document.keys().filter(|name| *name != "_id").cloned().collect();
    names.extend((0..chance.below(3)).map(|_| name(chance)));
    if chance.one_in(40) {
        names.push(String::from("_id"));
    }
    for name in names {
        match chance.below(8) {
            0 => drop(sections[0].insert(name, false)),
            1 => drop(sections[1].insert(name, value(chance, 2))),
            2 => drop(sections[2].insert(name, value(chance, 2))),
            3 | 4 if depth > 0 && name != "_id" => {
                let below = of_value(chance, document.get(&name), depth - 1);
                sections[3].insert(format!("s{name}"), below);
            }
            _ => {}
        }
        // A name in two sections is refused.
        if chance.one_in(100)
            && let Some((name, _)) = sections[1].clone().into_iter().next()
        {
            sections[2].insert(name, 1);
        }
    }
    let [remove, set, append, below] = sections;
    let mut diff = Document::new();
    for (name, section) in [("d", remove), ("u", set), ("i", append)] {
        // An empty diff is refused, and now and then a section that is no document.
        if !section.is_empty() {
            diff.insert(name, if chance.one_in(200) { Bson::Int32(1) } else { Bson::Document(section) });
        }
    }
    diff.extend(below);
    if diff.is_empty() && !chance.one_in(10) {
        diff.insert("u", doc! { name(chance): 1 });
    }
    diff
}

fn of_value(chance: &mut Chance, value: Option<&Bson>, depth: usize) -> Document {
    match value {
        // Now and then a diff of the wrong kind.
        Some(Bson::Document(fields)) if !chance.one_in(6) => of_document(chance, fields, depth),
        Some(Bson::Array(items)) if !chance.one_in(6) => of_array(chance, items, depth),
        _ if chance.one_in(2) => of_array(chance, &[], depth),
        _ => of_document(chance, &Document::new(), depth),
    }
}

/// Ascending, and not beyond a length that is given: a mongod ends itself otherwise.
fn of_array(chance: &mut Chance, items: &[Bson], depth: usize) -> Document {
    let mut diff = doc! { "a": true };
    if chance.one_in(100) {
        diff.insert("a", false);
    }
    let end = items.len() + chance.below(3);
    let length = chance.one_in(3).then(|| chance.below(end + 1));
    if let Some(length) = length {
        diff.insert("l", i32::try_from(length).expect("short"));
    }
    for at in 0..length.unwrap_or(end) {
        match chance.below(6) {
            0 => drop(diff.insert(format!("u{at}"), value(chance, 2))),
            1 if depth > 0 => drop(diff.insert(format!("s{at}"), of_value(chance, items.get(at), depth - 1))),
            _ => {}
        }
    }
    if chance.one_in(100) {
        diff.insert("x0", 1);
    }
    diff
}
