//! The slice that a slicer is about to store, as it is announced under the lease.
//!
//! A slicer that is frozen while it uploads, or whose storage answers late, may publish its slice when somebody else slices already. That is no
//! harm as long as both publish the same: so a slice is announced before it is stored, and who goes on at its beginning, another or
//! the same slicer, ends it at the same entry and gives it the same name. For one range there is one slice, whatever clocks and networks do.

use bson::{Document, doc};
use oplogue_domain::{OplogRange, OplogTime};
use oplogue_format::compression::Compression;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub range: OplogRange,
    /// Part of the object's name.
    pub compression: Compression,
}

impl Step {
    pub fn to_document(self) -> Document {
        let time = |time: OplogTime| bson::Timestamp { time: time.seconds, increment: time.ordinal };
        doc! { "after": time(self.range.after), "through": time(self.range.through), "compression": self.compression.to_string() }
    }

    /// `None` for what no slicer of this version announces.
    pub fn read(document: &Document) -> Option<Self> {
        let time = |key| document.get_timestamp(key).ok().map(|time| OplogTime::new(time.time, time.increment));
        let (after, through) = (time("after")?, time("through")?);
        let compression = document.get_str("compression").ok()?.parse().ok()?;
        (after < through).then(|| Self { range: OplogRange::new(after, through), compression })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_read_again_and_anything_else_is_not() {
        for compression in Compression::ALL {
            let range = OplogRange::new(OplogTime::new(1, 2), OplogTime::new(3, 4));
            let step = Step { range, compression };
            assert_eq!(Step::read(&step.to_document()), Some(step));
        }
        let whole = Step { range: OplogRange::new(OplogTime::new(1, 2), OplogTime::new(3, 4)), compression: Compression::Zstd };
        for key in ["after", "through", "compression"] {
            let mut torn = whole.to_document();
            torn.remove(key);
            assert_eq!(Step::read(&torn), None, "{key}");
        }
        let mut backwards = whole.to_document();
        backwards.insert("through", bson::Timestamp { time: 1, increment: 2 });
        assert_eq!(Step::read(&backwards), None);
    }
}
