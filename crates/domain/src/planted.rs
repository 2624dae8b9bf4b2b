//! Mistakes that the simulation must find. Compiled for it alone (feature `planted-bugs`), and none is made unless a test plants it.

use std::cell::Cell;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The record of a slice is written before the slice is.
    RecordBeforeSlice,
    /// Slicing goes on behind the entry after the one that the newest slice ends with.
    ResumesOneLate,
    /// Short slices go before the long one was read back.
    ShortSlicesGoUnverified,
    /// Slices are joined over a gap.
    GapIsBridged,
    /// A slicer whose lease is over goes on.
    FencedSlicerGoesOn,
    /// The base of what the window promises goes because it is older than the window.
    BaseOfWindowGoes,
    /// What the server had forgotten is not recorded.
    GapIsNotRecorded,
}

impl Bug {
    pub const ALL: [Self; 7] = [
        Self::RecordBeforeSlice,
        Self::ResumesOneLate,
        Self::ShortSlicesGoUnverified,
        Self::GapIsBridged,
        Self::FencedSlicerGoesOn,
        Self::BaseOfWindowGoes,
        Self::GapIsNotRecorded,
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Takes the mistake out again when it is dropped.
pub struct Planted(());

/// Makes this mistake on this thread.
#[must_use]
pub fn plant(bug: Bug) -> Planted {
    PLANTED.set(Some(bug));
    Planted(())
}

impl Drop for Planted {
    fn drop(&mut self) {
        PLANTED.set(None);
    }
}

pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
