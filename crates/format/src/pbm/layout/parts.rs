//! Large objects in several parts.
//!
//! PBM 2.11 and later continues an object that outgrows a limit of its configuration in `<name>.pbmpart.1`, `.2` and so on; joined they
//! are the one stream that would otherwise be in the first. All parts that are listed count, whatever their sizes: PBM itself stops at
//! a part smaller than its present limit, and cuts the object short when that limit was changed.

use std::collections::BTreeMap;

const PART_INFIX: &str = ".pbmpart.";

/// The `number`th continuation of a large object, from 1.
pub fn part(object: &str, number: u32) -> String {
    format!("{object}{PART_INFIX}{number}")
}

/// The object a name belongs to, and which continuation of it this is (`None`: the beginning).
pub fn split_part(object: &str) -> (&str, Option<u32>) {
    let split = object.rsplit_once(PART_INFIX).and_then(|(base, number)| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = digits.then(|| number.parse().ok())??;
        (number > 0 && !base.is_empty()).then_some((base, Some(number)))
    });
    split.unwrap_or((object, None))
}

/// An object with its continuations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WholeObject {
    /// Stored bytes, all parts together.
    pub bytes: u64,
    /// How many continuations (`.pbmpart.1` to `.pbmpart.<parts>`) follow the first object.
    pub parts: u32,
    /// Which part is missing, when one is: 0 is the object itself.
    pub missing: Option<u32>,
}

/// Puts large objects together: from names and sizes as listed to whole objects, by name.
pub fn join_parts<'a>(listed: impl IntoIterator<Item = (&'a str, u64)>) -> BTreeMap<&'a str, WholeObject> {
    let mut pieces: BTreeMap<&str, BTreeMap<u32, u64>> = BTreeMap::new();
    for (name, bytes) in listed {
        let (base, number) = split_part(name);
        pieces.entry(base).or_default().insert(number.unwrap_or(0), bytes);
    }
    let join = |pieces: BTreeMap<u32, u64>| WholeObject {
        bytes: pieces.values().sum(),
        parts: pieces.keys().next_back().copied().unwrap_or(0),
        missing: (0..).zip(pieces.keys()).find(|(expected, found)| expected != *found).map(|(expected, _)| expected),
    };
    pieces.into_iter().map(|(base, pieces)| (base, join(pieces))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuations_are_put_together_and_a_missing_one_is_told() {
        let listed = [("a.pbmpart.2", 3), ("a", 10), ("a.pbmpart.1", 10), ("b", 1), ("c", 5), ("c.pbmpart.2", 5), ("d.pbmpart.1", 1)];
        let joined = join_parts(listed);
        let whole = |bytes, parts, missing| WholeObject { bytes, parts, missing };
        assert_eq!(joined["a"], whole(23, 2, None));
        assert_eq!(joined["b"], whole(1, 0, None));
        assert_eq!(joined["c"], whole(10, 2, Some(1)));
        assert_eq!(joined["d"], whole(1, 1, Some(0)));
    }

    #[test]
    fn only_numbers_from_one_are_continuations() {
        assert_eq!(split_part(&part("x", 12)), ("x", Some(12)));
        for name in ["x.pbmpart.0", "x.pbmpart.", "x.pbmpart.a", "x.pbmpart.-1", ".pbmpart.1", "x.pbmpart.99999999999", "x"] {
            assert_eq!(split_part(name), (name, None));
        }
    }
}
