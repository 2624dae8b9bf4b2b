//! Following modifiers through a document.
//!
//! The modifiers are sorted, so those below one field are one slice of them, with a common beginning of their paths that ends at
//! `start`. A path that cannot be followed, because a value in its way is neither document nor array, is passed over: a server does so
//! when it applies an oplog, since a later entry will have put that value there.

use super::modifiers::Modifier;
use super::out::{Out, Position, check_name};
use super::path::{Order, index, part};
use super::raw::{Element, Elements, kind};
use super::{ApplyError, unknown};

/// How many nulls a server puts into an array to reach an index.
const PADDING_MAX: u32 = 1_500_000;

/// The fields of a document as the modifiers make them.
pub(super) fn modify(before: Elements<'_>, modifiers: &[Modifier<'_>], order: Order, out: &mut Out) -> Result<(), ApplyError> {
    object(before, modifiers, 0, order, out)
}

fn object(mut before: Elements<'_>, modifiers: &[Modifier<'_>], start: usize, order: Order, out: &mut Out) -> Result<(), ApplyError> {
    let mut met = vec![false; modifiers.len()];
    let mut kept = before.rest();
    loop {
        let here = before.rest();
        let Some(field) = before.next()? else { break };
        let first = modifiers.partition_point(|modifier| order.parts(part(modifier.path, start), field.key()).is_lt());
        let group = group(&modifiers[first..], start, field.key());
        // Of fields with the same name a server sees the first.
        if group.is_empty() || std::mem::replace(&mut met[first], true) {
            continue;
        }
        match fate(field, group, start) {
            Fate::Keep => continue,
            fate => {
                out.copy(&kept[..kept.len() - here.len()]);
                kept = before.rest();
                match fate {
                    Fate::Set(value) => out.value_of(field.key(), value),
                    Fate::Enter => enter(field, field.key(), group, start, order, out)?,
                    Fate::Remove | Fate::Keep => {}
                }
            }
        }
    }
    out.copy(kept);
    let mut rest = 0;
    while let Some(modifier) = modifiers.get(rest) {
        let name = part(modifier.path, start);
        let group = group(&modifiers[rest..], start, name);
        if !met[rest] {
            create(name, group, start, out);
        }
        rest += group.len();
    }
    Ok(())
}

fn array(mut before: Elements<'_>, modifiers: &[Modifier<'_>], start: usize, order: Order, out: &mut Out) -> Result<(), ApplyError> {
    let groups = groups_of_array(modifiers, start)?;
    let mut position = Position::first();
    let mut next = groups.iter().peekable();
    let mut kept = before.rest();
    loop {
        let here = before.rest();
        let Some(item) = before.next()? else { break };
        check_name(item, &position)?;
        if let Some((_, group)) = next.next_if(|(index, _)| *index == position.number()) {
            let fate = fate(item, group, start);
            if !matches!(fate, Fate::Keep) {
                out.copy(&kept[..kept.len() - here.len()]);
                kept = before.rest();
                match fate {
                    Fate::Set(value) => out.value_of(position.key(), value),
                    Fate::Enter => enter(item, position.key(), group, start, order, out)?,
                    Fate::Remove | Fate::Keep => out.null(position.key()),
                }
            }
        }
        position.advance();
    }
    out.copy(kept);
    let beyond: Vec<_> = next.collect();
    extend(&beyond, modifiers, start, position, out)
}

/// What lies beyond the end of an array. In the order of bytes, item 10 may be created before item 9, which then is a null: it can be
/// set, but no path leads through it.
fn extend(
    beyond: &[&(u32, &[Modifier<'_>])],
    modifiers: &[Modifier<'_>],
    start: usize,
    mut position: Position,
    out: &mut Out,
) -> Result<(), ApplyError> {
    if !beyond.iter().any(|(_, group)| sets(group)) {
        return Ok(());
    }
    let mut in_order: Vec<_> = beyond.iter().filter(|(_, group)| sets(group)).collect();
    // The slices are parts of `modifiers`, which is in the server's order.
    in_order.sort_by_key(|(_, group)| group.as_ptr() as usize - modifiers.as_ptr() as usize);
    let mut length = position.number();
    let mut created = Vec::with_capacity(in_order.len());
    for (index, group) in in_order {
        if *index >= length {
            if *index - length > PADDING_MAX {
                return Err(unknown(format!("{} nulls in an array", *index - length)));
            }
            length = *index + 1;
        } else if !is_leaf(group, start) {
            continue;
        }
        created.push((*index, *group));
    }
    created.sort_by_key(|(index, _)| *index);
    for (index, group) in created {
        while position.number() < index {
            out.null(position.key());
            out.check_size()?;
            position.advance();
        }
        create(position.key(), group, start, out);
        position.advance();
    }
    Ok(())
}

/// The modifiers of an array by item, in the order of the items. A part that is no index leads nowhere.
fn groups_of_array<'m, 'a>(modifiers: &'m [Modifier<'a>], start: usize) -> Result<Vec<(u32, &'m [Modifier<'a>])>, ApplyError> {
    let mut groups = Vec::new();
    let mut rest = modifiers;
    while let Some(modifier) = rest.first() {
        let name = part(modifier.path, start);
        let group = group(rest, start, name);
        groups.extend(index(name).map(|index| (index, group)));
        rest = &rest[group.len()..];
    }
    groups.sort_by_key(|(index, _)| *index);
    if groups.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(unknown("an item of an array under two names"));
    }
    Ok(groups)
}

/// What a group of modifiers makes of a value that is there.
enum Fate<'a> {
    Keep,
    Remove,
    Set(Element<'a>),
    Enter,
}

fn fate<'a>(value: Element<'_>, group: &[Modifier<'a>], start: usize) -> Fate<'a> {
    if is_leaf(group, start) {
        return group[0].set.map_or(Fate::Remove, Fate::Set);
    }
    match value.kind() {
        kind::DOCUMENT | kind::ARRAY => Fate::Enter,
        _ => Fate::Keep,
    }
}

fn enter(value: Element<'_>, key: &[u8], group: &[Modifier<'_>], start: usize, order: Order, out: &mut Out) -> Result<(), ApplyError> {
    let start = below(group, start);
    let fields = Elements::of(value.value())?;
    let begun = out.begin(value.kind(), key);
    if value.kind() == kind::ARRAY {
        array(fields, group, start, order, out)?;
    } else {
        object(fields, group, start, order, out)?;
    }
    out.end(begun);
    Ok(())
}

/// A field that was not there, with documents as its parents. What is only removed creates nothing.
fn create(key: &[u8], group: &[Modifier<'_>], start: usize, out: &mut Out) {
    if !sets(group) {
        return;
    }
    if is_leaf(group, start) {
        if let Some(value) = group[0].set {
            out.value_of(key, value);
        }
        return;
    }
    let begun = out.begin(kind::DOCUMENT, key);
    let (start, mut rest) = (below(group, start), group);
    while let Some(modifier) = rest.first() {
        let name = part(modifier.path, start);
        let group = self::group(rest, start, name);
        create(name, group, start, out);
        rest = &rest[group.len()..];
    }
    out.end(begun);
}

/// Those at the beginning of `modifiers` whose part is `name`.
fn group<'m, 'a>(modifiers: &'m [Modifier<'a>], start: usize, name: &[u8]) -> &'m [Modifier<'a>] {
    let count = modifiers.iter().take_while(|modifier| part(modifier.path, start) == name).count();
    &modifiers[..count]
}

fn sets(group: &[Modifier<'_>]) -> bool {
    group.iter().any(|modifier| modifier.set.is_some())
}

/// Whether the path ends here. Then it is the only one of its group, because paths do not contradict each other.
fn is_leaf(group: &[Modifier<'_>], start: usize) -> bool {
    start + part(group[0].path, start).len() == group[0].path.len()
}

/// Where the next parts of a group's paths begin.
fn below(group: &[Modifier<'_>], start: usize) -> usize {
    start + part(group[0].path, start).len() + 1
}
