//! What the slicer does: one line each.

use oplogue_engine::slice::SliceEvent;
use serde::Serialize;

use super::catalog::GapJson;
use super::time::{RangeJson, TimeJson};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum SliceEventJson {
    Started {
        replica_set: String,
        node: String,
        from: TimeJson,
        fence: i64,
    },
    Waiting {
        why: String,
    },
    Stored {
        replica_set: String,
        object: String,
        range: RangeJson,
        bytes: u64,
        entries: u64,
        lag_seconds: u32,
        window_headroom_seconds: u32,
    },
    Gap(GapJson),
    HeadroomShort {
        lag_seconds: u32,
        headroom_seconds: u32,
        window_seconds: u32,
    },
    Retrying {
        error: String,
        in_seconds: u64,
    },
    Stopped {
        newest: Option<TimeJson>,
    },
}

impl From<&SliceEvent> for SliceEventJson {
    fn from(event: &SliceEvent) -> Self {
        match event {
            SliceEvent::Started { replica_set, node, from, fence } => {
                Self::Started { replica_set: replica_set.to_string(), node: node.clone(), from: (*from).into(), fence: *fence }
            }
            SliceEvent::Waiting { why } => Self::Waiting { why: why.clone() },
            SliceEvent::Stored { slice, entries, lag_seconds, window_headroom_seconds } => Self::Stored {
                replica_set: slice.replica_set.to_string(),
                object: slice.object().into_owned(),
                range: slice.range.into(),
                bytes: slice.bytes,
                entries: *entries,
                lag_seconds: *lag_seconds,
                window_headroom_seconds: *window_headroom_seconds,
            },
            SliceEvent::Gap(gap) => Self::Gap(gap.into()),
            SliceEvent::HeadroomShort(headroom) => Self::HeadroomShort {
                lag_seconds: headroom.lag_seconds,
                headroom_seconds: headroom.headroom_seconds,
                window_seconds: headroom.window_seconds,
            },
            SliceEvent::Retrying { error, in_seconds } => Self::Retrying { error: error.clone(), in_seconds: *in_seconds },
            SliceEvent::Stopped { newest } => Self::Stopped { newest: newest.map(TimeJson::from) },
        }
    }
}
