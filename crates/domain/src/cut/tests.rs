use super::*;

const CUTTER: SliceCutter = SliceCutter { span: Duration::from_secs(10), bytes_max: 1_000 };

/// A slice after 100 whose newest entry is `last`, with the majority at `majority`.
fn progress(last: Option<u32>, majority: u32, bytes: u64, waiting_seconds: u64) -> SliceProgress {
    SliceProgress {
        after: OplogTime::new(100, 1),
        last: last.map(|seconds| OplogTime::new(seconds, 1)),
        bytes,
        majority: OplogTime::new(majority, 1),
        waiting: Duration::from_secs(waiting_seconds),
        stopping: false,
    }
}

fn cut(through: u32, why: CutReason) -> Decision {
    Decision::Cut { range: OplogRange::new(OplogTime::new(100, 1), OplogTime::new(through, 1)), why }
}

fn wait(seconds: u64) -> Decision {
    Decision::Continue { within: Duration::from_secs(seconds) }
}

#[test]
fn every_case_has_its_decision() {
    for (name, last, majority, bytes, waiting, expected) in [
        ("nothing was read", None, 100, 0, 0, wait(10)),
        ("nothing was read for long", None, 100, 0, 60, wait(10)),
        ("nothing was read, and the majority is ahead", None, 150, 0, 60, wait(10)),
        ("only the boundary entry was read", Some(100), 150, 90, 60, wait(10)),
        ("an entry came just now", Some(101), 101, 10, 0, wait(10)),
        ("an entry waits for some time", Some(101), 105, 10, 4, wait(6)),
        ("one second before the span is over", Some(109), 109, 10, 9, wait(1)),
        ("the span is over", Some(109), 109, 10, 10, cut(109, CutReason::Span)),
        ("the span is long over", Some(109), 200, 10, 500, cut(109, CutReason::Span)),
        ("one byte below the limit", Some(102), 102, 999, 1, wait(9)),
        ("at the limit", Some(102), 102, 1_000, 1, cut(102, CutReason::Bytes)),
        ("far over the limit", Some(102), 102, 50_000_000, 0, cut(102, CutReason::Bytes)),
        ("both limits at once", Some(110), 110, 5_000, 20, cut(110, CutReason::Bytes)),
        ("the newest entry is not yet safe", Some(109), 108, 10, 10, wait(0)),
        ("big, and the newest entry is not yet safe", Some(109), 108, 5_000, 1, wait(0)),
        ("not due, and not yet safe", Some(109), 108, 10, 3, wait(7)),
    ] {
        assert_eq!(CUTTER.decide(&progress(last, majority, bytes, waiting)), expected, "{name}");
    }
}

#[test]
fn stopping_cuts_what_is_there() {
    let stopping = |last, majority| CUTTER.decide(&SliceProgress { stopping: true, ..progress(last, majority, 10, 0) });
    assert_eq!(stopping(Some(101), 101), cut(101, CutReason::Stopping));
    assert_eq!(stopping(None, 101), wait(10));
    assert_eq!(stopping(Some(100), 101), wait(10));
    assert_eq!(stopping(Some(102), 101), wait(0), "what could be rolled back is never cut");
}

#[test]
fn the_ordinal_decides_within_a_second() {
    let mut slice = progress(Some(100), 100, 10, 10);
    slice.last = Some(OplogTime::new(100, 3));
    slice.majority = OplogTime::new(100, 2);
    assert_eq!(CUTTER.decide(&slice), wait(0));
    slice.majority = OplogTime::new(100, 3);
    assert!(matches!(CUTTER.decide(&slice), Decision::Cut { range, .. } if range.through == OplogTime::new(100, 3)));
}

#[test]
fn a_span_of_zero_cuts_every_entry() {
    let cutter = SliceCutter { span: Duration::ZERO, ..CUTTER };
    assert_eq!(cutter.decide(&progress(Some(101), 101, 1, 0)), cut(101, CutReason::Span));
}

#[test]
fn the_default_is_ten_seconds_or_64_mib() {
    assert_eq!(SliceCutter::default(), SliceCutter { span: Duration::from_secs(10), bytes_max: 67_108_864 });
}

proptest::proptest! {
    #[test]
    fn a_cut_is_never_empty_and_never_beyond_the_majority(
        last in proptest::option::of(90..130u32), majority in 90..130u32, bytes in 0..2_000u64, waiting in 0..20u64, stopping: bool
    ) {
        let slice = SliceProgress { stopping, ..progress(last, majority, bytes, waiting) };
        match CUTTER.decide(&slice) {
            Decision::Cut { range, .. } => {
                proptest::prop_assert!(!range.is_empty() && range.through <= slice.majority);
                proptest::prop_assert_eq!((range.after, Some(range.through)), (slice.after, slice.last));
            }
            Decision::Continue { within } => {
                proptest::prop_assert!(within <= CUTTER.span);
                let due = stopping || bytes >= 1_000 || waiting >= 10;
                let safe = slice.last.is_some_and(|last| last > slice.after && last <= slice.majority);
                proptest::prop_assert!(!(due && safe));
            }
        }
    }
}
