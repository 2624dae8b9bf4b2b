//! Reading `$set` and `$unset` of an update, and putting their paths into the order in which a server follows them.

use super::modify::modify;
use super::out::Out;
use super::path::{Order, contradict};
use super::raw::{Element, Elements, kind};
use super::{ApplyError, DEPTH_MAX, shown, unknown};

/// What becomes of the field at a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modifier<'a> {
    pub path: &'a [u8],
    /// The field with the value to set; nothing means it is removed.
    pub set: Option<Element<'a>>,
}

pub(super) fn apply(id: Element<'_>, before: &[u8], change: &[u8], out: &mut Out) -> Result<(), ApplyError> {
    let mut modifiers = read(id, change)?;
    let order = put_in_order(&mut modifiers)?;
    modify(Elements::of(before)?, &modifiers, order, out)
}

fn read<'a>(id: Element<'_>, change: &'a [u8]) -> Result<Vec<Modifier<'a>>, ApplyError> {
    let mut modifiers = Vec::new();
    let (mut operators, mut versions) = (Elements::of(change)?, 0);
    while let Some(operator) = operators.next()? {
        let sets = match operator.key() {
            b"$set" => true,
            b"$unset" => false,
            b"$v" if versions == 0 => {
                versions += 1;
                continue;
            }
            other => return Err(unknown(format!("the operator {}", shown(other)))),
        };
        if operator.kind() != kind::DOCUMENT {
            return Err(ApplyError::Malformed(format!("{} is not a document", shown(operator.key()))));
        }
        let mut fields = Elements::of(operator.value())?;
        if fields.rest().is_empty() {
            return Err(unknown("an operator without fields, which versions read differently"));
        }
        while let Some(field) = fields.next()? {
            let path = field.key();
            check(path)?;
            match path.strip_prefix(b"_id") {
                Some(b"") if sets && field.bytes() == id.bytes() => {}
                Some([] | [b'.', ..]) => return Err(unknown("it changes the _id")),
                _ => modifiers.push(Modifier { path, set: sets.then_some(field) }),
            }
        }
    }
    Ok(modifiers)
}

fn check(path: &[u8]) -> Result<(), ApplyError> {
    let mut parts = 0;
    for part in path.split(|byte| *byte == b'.') {
        parts += 1;
        match part {
            b"" => return Err(unknown(format!("the path {:?} has an empty part", shown(path)))),
            b"$" | [b'$', b'[', ..] => return Err(unknown(format!("the path {} is positional", shown(path)))),
            _ => {}
        }
    }
    if parts > DEPTH_MAX { Err(unknown(format!("a path of {parts} parts"))) } else { Ok(()) }
}

/// Sorts as the server did that wrote the entry: it writes `$set` in the order in which it went through the document.
fn put_in_order(modifiers: &mut [Modifier<'_>]) -> Result<Order, ApplyError> {
    let sorted = |order: Order, modifiers: &[Modifier<'_>]| {
        let mut sets = modifiers.iter().filter(|modifier| modifier.set.is_some()).map(|modifier| modifier.path);
        let Some(mut last) = sets.next() else { return true };
        sets.all(|path| order.paths(std::mem::replace(&mut last, path), path).is_le())
    };
    let order = if sorted(Order::Bytes, modifiers) {
        Order::Bytes
    } else if sorted(Order::Numbers, modifiers) {
        Order::Numbers
    } else {
        modifiers.sort_by(|a, b| Order::Bytes.paths(a.path, b.path));
        if !sorted(Order::Numbers, modifiers) {
            return Err(unknown("the order of its fields is that of no server, and versions would add them in different orders"));
        }
        Order::Bytes
    };
    modifiers.sort_by(|a, b| order.paths(a.path, b.path));
    match modifiers.windows(2).find(|pair| contradict(pair[0].path, pair[1].path)) {
        Some(pair) => Err(unknown(format!("the paths {} and {} contradict each other", shown(pair[0].path), shown(pair[1].path)))),
        None => Ok(order),
    }
}
