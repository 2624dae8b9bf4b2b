//! Paths of modifiers, `a.b.0.c`, and the order in which a server goes through them.

use std::cmp::Ordering;

/// The order in which fields that did not exist are appended. It is the order of the parts of the paths, in which 4.2 and 4.4 compare
/// bytes (`10` before `9`) and 5.0 and later compare numbers as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Bytes,
    Numbers,
}

impl Order {
    pub fn parts(self, a: &[u8], b: &[u8]) -> Ordering {
        // What begins with 0 is no number to the server. What begins with another digit is compared by length first, also when other
        // characters follow.
        let number = |part: &[u8]| matches!(part.first(), Some(b'1'..=b'9'));
        if self == Order::Numbers && number(a) && number(b) { a.len().cmp(&b.len()).then_with(|| a.cmp(b)) } else { a.cmp(b) }
    }

    pub fn paths(self, a: &[u8], b: &[u8]) -> Ordering {
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let start = a[..same].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
        self.parts(part(a, start), part(b, start)).then_with(|| a.len().cmp(&b.len()))
    }
}

/// The part of a path that begins at `start`.
pub(super) fn part(path: &[u8], start: usize) -> &[u8] {
    let rest = &path[start..];
    rest.iter().position(|byte| *byte == b'.').map_or(rest, |dot| &rest[..dot])
}

/// Whether setting both would be a contradiction: `a` and `a`, `a` and `a.b`.
pub(super) fn contradict(shorter: &[u8], longer: &[u8]) -> bool {
    longer.strip_prefix(shorter).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
}

/// The item of an array that a part of a path means, as servers read it: digits, also with zeros in front, up to 2³²−1.
pub(super) fn index(part: &[u8]) -> Option<u32> {
    if part.is_empty() || !part.iter().all(u8::is_ascii_digit) {
        return None;
    }
    part.iter().try_fold(0_u32, |number, digit| number.checked_mul(10)?.checked_add(u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_part_by_part() {
        let before = |order: Order, a: &str, b: &str| {
            assert_eq!(order.paths(a.as_bytes(), b.as_bytes()), Ordering::Less, "{a} before {b} by {order:?}");
            assert_eq!(order.paths(b.as_bytes(), a.as_bytes()), Ordering::Greater, "{b} after {a} by {order:?}");
        };
        for order in [Order::Bytes, Order::Numbers] {
            before(order, "a", "a.b");
            before(order, "a.z", "a-.b");
            before(order, "a.b.c", "a.c");
            before(order, "Z", "a");
            before(order, "01", "1");
            before(order, "0", "00");
            before(order, "1", "a");
            before(order, "-1", "0");
        }
        before(Order::Bytes, "a.10", "a.9");
        before(Order::Numbers, "a.9", "a.10");
        before(Order::Numbers, "9", "1x");
        before(Order::Bytes, "1x", "9");
    }

    #[test]
    fn an_index_is_read_as_servers_do() {
        for (part, expected) in [
            ("0", Some(0)),
            ("01", Some(1)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("18446744073709551617", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1x", None),
        ] {
            assert_eq!(index(part.as_bytes()), expected, "{part}");
        }
    }
}
