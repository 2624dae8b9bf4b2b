//! Who of the fold may use how much memory.

/// The largest block that is written at once.
const BLOCK_BYTES_MAX: usize = 256 << 10;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// What the operations of all collections need while they are taken, and until they meet their documents.
    pub(crate) gathered_bytes: usize,
    pub(crate) filter_bytes: usize,
    /// What is held of partitions that were written down, while they are folded. By [`Limits::shared_by`]: of one collection.
    pub(crate) joined_bytes: usize,
    pub(crate) block_bytes: usize,
}

impl Limits {
    pub(crate) fn of(memory_bytes_max: usize) -> Self {
        let eighth = memory_bytes_max / 8;
        Self {
            gathered_bytes: 5 * eighth,
            filter_bytes: eighth,
            joined_bytes: 2 * eighth,
            block_bytes: (eighth / 16).clamp(64, BLOCK_BYTES_MAX),
        }
    }

    pub(crate) fn shared_by(self, collections: usize) -> Self {
        let joined_bytes = self.joined_bytes / collections.max(1);
        // 32 runs are written at once when a partition is divided: all of them together need no more than two thirds.
        Self { joined_bytes, block_bytes: (joined_bytes / 48).clamp(64, BLOCK_BYTES_MAX), ..self }
    }
}
