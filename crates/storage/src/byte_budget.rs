//! How many bytes may be on their way at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One permit is so many bytes.
const UNIT_BYTES: usize = 4 << 10;

/// Room for bytes that wait for somebody, or for a storage. Clones share it.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    bytes_max: usize,
    permits: Arc<Semaphore>,
}

/// A share of a [`ByteBudget`]. Dropped, it is free for others.
#[derive(Debug)]
pub struct Room {
    _share: OwnedSemaphorePermit,
}

impl ByteBudget {
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, permits: Arc::new(Semaphore::new(bytes_max / UNIT_BYTES)) }
    }

    /// Waits until there is room. More than there is at all may go alone. `None` once the budget is [closed](Self::close). Who waits for another
    /// share while it keeps one may wait for itself.
    pub async fn room(&self, bytes: usize) -> Option<Room> {
        let units = bytes.min(self.bytes_max).div_ceil(UNIT_BYTES);
        let share = self.permits.clone().acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)).await;
        share.ok().map(|share| Room { _share: share })
    }

    /// Nobody who waits gets room any more.
    pub fn close(&self) {
        self.permits.close();
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn what_is_too_large_goes_alone_and_a_closed_budget_lets_nobody_wait() {
        let budget = ByteBudget::new(3 * UNIT_BYTES);
        let small = budget.room(1).await.expect("room");
        let mut large = Box::pin(budget.room(100 * UNIT_BYTES));
        assert!(poll!(&mut large).is_pending());
        drop(small);
        let large = large.await.expect("alone");
        let mut next = Box::pin(budget.room(1));
        assert!(poll!(&mut next).is_pending());
        budget.close();
        assert!(next.await.is_none());
        drop(large);
        assert!(budget.room(1).await.is_none());
    }
}
