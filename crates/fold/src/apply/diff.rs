//! Applying a `$v: 2` diff.
//!
//! A diff of a document has sections in this order: `d` (removed), `u` (set where it is, or appended), `i` (appended; what was there
//! under that name goes), and one `s<name>` for each document or array below that changes. A diff of an array begins with `a: true`,
//! may give a length `l`, and goes on with `u<index>` and `s<index>`, ascending. A value that is not of the kind a diff below it expects
//! becomes null: a later entry will have put it there, and will overwrite it.

use super::out::{Out, Position, check_name};
use super::path::index;
use super::raw::{Element, Elements, kind};
use super::{ApplyError, DEPTH_MAX, shown, unknown};

/// With so many fields in a diff, they are looked up by binary search.
const MANY: usize = 8;

/// The fields after `_id`, which stays where and what it is.
pub(super) fn apply(id: Element<'_>, fields: Elements<'_>, diff: &[u8], out: &mut Out) -> Result<(), ApplyError> {
    let Diff::Document(mut changes) = Diff::read(diff)? else {
        return Err(unknown("the diff of an array for a document"));
    };
    if let Some(at) = changes.list.iter().position(|(name, _)| *name == b"_id") {
        match changes.list.remove(at).1 {
            // A server puts an _id that was removed back, and one that was moved to the front.
            Change::Remove => {}
            Change::Set(same) | Change::Append(same) if same.bytes() == id.bytes() => {}
            _ => return Err(unknown("it changes the _id")),
        }
    }
    out.copy(id.bytes());
    document(fields, changes, 1, out)
}

enum Diff<'a> {
    Document(Changes<'a>),
    Array(Items<'a>),
}

impl<'a> Diff<'a> {
    fn read(diff: &'a [u8]) -> Result<Self, ApplyError> {
        let mut sections = Elements::of(diff)?;
        match sections.next()? {
            None => Err(unknown("an empty diff")),
            Some(first) if first.key() == b"a" => Items::read(first, sections).map(Diff::Array),
            Some(first) => Changes::read(first, sections).map(Diff::Document),
        }
    }
}

/// What happens to one field of a document.
enum Change<'a> {
    Remove,
    Set(Element<'a>),
    Append(Element<'a>),
    Below(&'a [u8]),
}

/// The fields of a document's diff, in its order.
struct Changes<'a> {
    list: Vec<(&'a [u8], Change<'a>)>,
}

impl<'a> Changes<'a> {
    fn read(first: Element<'a>, mut rest: Elements<'a>) -> Result<Self, ApplyError> {
        let mut list = Vec::new();
        let (mut last, mut section) = (0, Some(first));
        while let Some(field) = section {
            let order = match field.key() {
                b"d" => 1,
                b"u" => 2,
                b"i" => 3,
                [b's', ..] => 5,
                other => return Err(unknown(format!("the section {} of a diff", shown(other)))),
            };
            if order < last || (order == last && order < 5) {
                return Err(unknown("sections of a diff in another order"));
            }
            if field.kind() != kind::DOCUMENT {
                return Err(unknown(format!("the section {} of a diff is not a document", shown(field.key()))));
            }
            if order == 5 {
                list.push((&field.key()[1..], Change::Below(field.value())));
            } else {
                let mut fields = Elements::of(field.value())?;
                while let Some(field) = fields.next()? {
                    list.push((
                        field.key(),
                        match order {
                            1 => Change::Remove,
                            2 => Change::Set(field),
                            _ => Change::Append(field),
                        },
                    ));
                }
            }
            last = order;
            section = rest.next()?;
        }
        Ok(Self { list })
    }

    /// The positions in the list by name. None names a field twice.
    fn by_name(&self) -> Result<Vec<usize>, ApplyError> {
        let name = |at: &usize| self.list[*at].0;
        let mut by_name: Vec<usize> = (0..self.list.len()).collect();
        by_name.sort_unstable_by_key(name);
        match by_name.windows(2).find(|pair| name(&pair[0]) == name(&pair[1])) {
            Some(pair) => Err(unknown(format!("the diff has {} twice", shown(name(&pair[0]))))),
            None => Ok(by_name),
        }
    }
}

fn document(mut before: Elements<'_>, changes: Changes<'_>, depth: usize, out: &mut Out) -> Result<(), ApplyError> {
    let by_name = changes.by_name()?;
    let find = |name: &[u8]| {
        if by_name.len() <= MANY {
            changes.list.iter().position(|(changed, _)| *changed == name)
        } else {
            by_name.binary_search_by_key(&name, |at| changes.list[*at].0).ok().map(|found| by_name[found])
        }
    };
    let mut met = vec![false; changes.list.len()];
    let mut kept = before.rest();
    loop {
        let here = before.rest();
        let Some(field) = before.next()? else { break };
        let Some(found) = find(field.key()) else { continue };
        met[found] = true;
        out.copy(&kept[..kept.len() - here.len()]);
        kept = before.rest();
        match changes.list[found].1 {
            Change::Remove | Change::Append(_) => {}
            Change::Set(field) => out.copy(field.bytes()),
            Change::Below(diff) => below(field, field.key(), diff, depth, out)?,
        }
    }
    out.copy(kept);
    for ((_, change), met) in changes.list.iter().zip(met) {
        match change {
            Change::Set(field) if !met => out.copy(field.bytes()),
            Change::Append(field) => out.copy(field.bytes()),
            // A server passes over what is not there, but not over a diff it cannot read.
            Change::Below(diff) if !met => drop(Diff::read(diff)?),
            _ => {}
        }
    }
    Ok(())
}

/// A value of which only a part changes.
fn below(value: Element<'_>, key: &[u8], diff: &[u8], depth: usize, out: &mut Out) -> Result<(), ApplyError> {
    if depth >= DEPTH_MAX {
        return Err(unknown(format!("a diff deeper than {DEPTH_MAX}")));
    }
    match (value.kind(), Diff::read(diff)?) {
        (kind::DOCUMENT, Diff::Document(changes)) => {
            let begun = out.begin(kind::DOCUMENT, key);
            document(Elements::of(value.value())?, changes, depth + 1, out)?;
            out.end(begun);
        }
        (kind::ARRAY, Diff::Array(items)) => {
            let begun = out.begin(kind::ARRAY, key);
            array(Elements::of(value.value())?, items, depth + 1, out)?;
            out.end(begun);
        }
        _ => out.null(key),
    }
    Ok(())
}

/// The rest of an array's diff.
struct Items<'a> {
    length: Option<u32>,
    rest: Elements<'a>,
    last: Option<u32>,
}

/// What happens to one item of an array.
enum Item<'a> {
    Set(Element<'a>),
    Below(&'a [u8]),
}

impl<'a> Items<'a> {
    fn read(header: Element<'a>, mut rest: Elements<'a>) -> Result<Self, ApplyError> {
        if header.kind() != kind::BOOLEAN || header.value() == [0] {
            return Err(unknown("an array's diff does not begin with a: true"));
        }
        let mut after = rest;
        let length = match after.next()? {
            Some(field) if field.key() == b"l" => {
                rest = after;
                let length = field.integer().filter(|_| field.kind() == kind::INT32).and_then(|length| u32::try_from(length).ok());
                Some(length.ok_or_else(|| unknown("an array's new length is not a number of items"))?)
            }
            _ => None,
        };
        Ok(Self { length, rest, last: None })
    }

    /// The next change, ascending by index.
    fn next(&mut self) -> Result<Option<(u32, Item<'a>)>, ApplyError> {
        let Some(field) = self.rest.next()? else { return Ok(None) };
        let (letter, digits) = field.key().split_first().ok_or_else(|| unknown("an array's diff has an item without a name"))?;
        let at = index(digits).ok_or_else(|| unknown(format!("an array's diff has the field {}", shown(field.key()))))?;
        if self.last.is_some_and(|last| at <= last) || self.length.is_some_and(|length| at >= length) {
            return Err(unknown("an array's diff has items out of order, or beyond its end"));
        }
        self.last = Some(at);
        match letter {
            b'u' => Ok(Some((at, Item::Set(field)))),
            b's' if field.kind() == kind::DOCUMENT => Ok(Some((at, Item::Below(field.value())))),
            _ => Err(unknown(format!("an array's diff has the field {}", shown(field.key())))),
        }
    }
}

fn array(mut before: Elements<'_>, mut items: Items<'_>, depth: usize, out: &mut Out) -> Result<(), ApplyError> {
    let length = items.length;
    let inside = |position: &Position| length.is_none_or(|length| position.number() < length);
    let mut position = Position::first();
    let mut next = items.next()?;
    let mut kept = before.rest();
    while inside(&position) {
        let here = before.rest();
        let Some(item) = before.next()? else { break };
        check_name(item, &position)?;
        if let Some((_, change)) = next.take_if(|(at, _)| *at == position.number()) {
            out.copy(&kept[..kept.len() - here.len()]);
            kept = before.rest();
            match change {
                Item::Set(value) => out.value_of(position.key(), value),
                Item::Below(diff) => below(item, position.key(), diff, depth, out)?,
            }
            next = items.next()?;
        }
        position.advance();
    }
    // What was not read is beyond the new length.
    out.copy(&kept[..kept.len() - before.rest().len()]);
    while next.is_some() || length.is_some_and(|length| position.number() < length) {
        match next.take_if(|(at, _)| *at == position.number()) {
            Some((_, change)) => {
                match change {
                    Item::Set(value) => out.value_of(position.key(), value),
                    // There is nothing it could change, so a later entry will have made the array shorter.
                    Item::Below(diff) => {
                        Diff::read(diff)?;
                        out.null(position.key());
                    }
                }
                next = items.next()?;
            }
            None => out.null(position.key()),
        }
        out.check_size()?;
        position.advance();
    }
    Ok(())
}
