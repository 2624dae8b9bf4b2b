//! What the slicer does, a line at a time.

use oplogue_engine::slice::SliceEvent;

use super::words;
use crate::output::{Style, Tone};

pub fn event(event: &SliceEvent, style: Style) -> String {
    match event {
        SliceEvent::Started { replica_set, node, from, fence } => {
            format!("slicing {replica_set} from {}, reading {node} (lease {fence})", words::moment(*from))
        }
        SliceEvent::Waiting { why } => style.paint(Tone::Quiet, &format!("waiting: {why}")),
        SliceEvent::Stored { slice, entries, lag_seconds, window_headroom_seconds } => format!(
            "stored {} … {}  {}  {}  lag {}  headroom {}",
            slice.range.after,
            slice.range.through,
            words::counted(*entries, "entry", "entries"),
            words::bytes(slice.bytes),
            words::seconds(u64::from(*lag_seconds)),
            words::seconds(u64::from(*window_headroom_seconds)),
        ),
        SliceEvent::Gap(gap) => style.paint(Tone::Bad, &format!("gap {}: {}", gap.range, gap.reason)),
        SliceEvent::HeadroomShort(headroom) => style.paint(Tone::Bad, &format!("the oplog is getting short: {headroom}")),
        SliceEvent::Retrying { error, in_seconds } => {
            style.paint(Tone::Caution, &format!("failed, next try in {}: {error}", words::seconds(*in_seconds)))
        }
        SliceEvent::Stopped { newest: Some(newest) } => format!("stopped; stored through {}", words::moment(*newest)),
        SliceEvent::Stopped { newest: None } => "stopped; nothing was stored".to_owned(),
    }
}
