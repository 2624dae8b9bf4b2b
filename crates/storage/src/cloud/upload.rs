//! One object written piece by piece: a single put when it fits one part, else a multipart upload.
//!
//! The cloud shows the object only when the upload is completed. A crash leaves an incomplete upload, which no listing shows but the
//! bucket's owner pays for; only a lifecycle rule of the bucket can remove those.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload};
use tokio::task::JoinSet;

use super::{Cloud, errors};
use crate::backend::WriteObject;
use crate::byte_budget::ByteBudget;
use crate::error::{Attempt, StorageError};

/// Parts of one object under way at once.
const PARTS_AT_ONCE: usize = 3;

/// Bytes of parts under way at once, of all objects being written to one storage: memory does not grow with their number. A larger part
/// goes alone.
const UNDER_WAY_BYTES_MAX: usize = 48 << 20;

/// What all writers of one storage share.
pub(super) fn budget() -> ByteBudget {
    ByteBudget::new(UNDER_WAY_BYTES_MAX)
}

/// S3's limit.
const PARTS_MAX: usize = 10_000;

/// After so many parts they get twice as large. Equal parts at first, since some look-alikes want them; then growth, so that objects
/// some 60,000 times the first part's size fit (16 MiB: 970 GiB) and the last parts are still only 16 times as large.
const PARTS_PER_SIZE: usize = 2000;

/// The size of part number `index`, from 0.
fn part_bytes(first: usize, index: usize) -> usize {
    let doublings = index.min(PARTS_MAX - 1) / PARTS_PER_SIZE;
    first.saturating_mul(1 << doublings)
}

pub(super) struct Upload {
    cloud: Cloud,
    attempt: Attempt,
    key: String,
    /// What the next part will hold, as it was given: nothing is copied.
    pieces: Vec<Bytes>,
    piece_bytes: usize,
    /// Begun with the first full part.
    multipart: Option<Box<dyn MultipartUpload>>,
    /// How many parts have been given to `under_way`.
    parts: usize,
    under_way: JoinSet<object_store::Result<()>>,
    /// Everything given so far.
    bytes: u64,
    /// After an error nothing but aborting makes sense.
    failed: bool,
}

impl Upload {
    pub(super) fn new(cloud: Cloud, attempt: Attempt, key: String) -> Self {
        let (pieces, under_way) = (Vec::new(), JoinSet::new());
        Self { cloud, attempt, key, pieces, piece_bytes: 0, multipart: None, parts: 0, under_way, bytes: 0, failed: false }
    }

    fn meaning(&self, error: &object_store::Error) -> StorageError {
        errors::meaning(&self.attempt, &self.key, error)
    }

    /// Sends one part in the background, waiting first until there is room for it.
    async fn send_part(&mut self) -> Result<(), StorageError> {
        if self.parts == PARTS_MAX {
            let cause = format!("storages take {PARTS_MAX} parts per object, and this one needs more; choose a larger part size");
            return Err(StorageError::Other { at: self.attempt.because(cause) });
        }
        while self.under_way.len() >= PARTS_AT_ONCE {
            self.part_done().await?;
        }
        // The budget is never closed. Parts under way give back what they have whether anybody looks after them or not.
        let room = self.cloud.under_way.room(self.piece_bytes).await;
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            empty => {
                let path = self.cloud.path(&self.attempt, &self.key)?;
                let options = PutMultipartOptions { attributes: self.cloud.attributes(), ..Default::default() };
                let begun = self.cloud.store.put_multipart_opts(&path, options).await;
                empty.insert(begun.map_err(|error| errors::meaning(&self.attempt, &self.key, &error))?)
            }
        };
        let sending = multipart.put_part(std::mem::take(&mut self.pieces).into_iter().collect::<PutPayload>());
        self.piece_bytes = 0;
        self.under_way.spawn(async move {
            let sent = sending.await;
            drop(room);
            sent
        });
        self.parts += 1;
        Ok(())
    }

    /// Waits for one part, if any is under way.
    async fn part_done(&mut self) -> Result<(), StorageError> {
        match self.under_way.join_next().await {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(self.meaning(&error)),
            Some(Err(broken)) => Err(StorageError::Other { at: self.attempt.because(broken) }),
        }
    }

    /// Takes `bytes`, and sends each part that becomes full.
    async fn take(&mut self, mut bytes: Bytes) -> Result<(), StorageError> {
        while !bytes.is_empty() {
            let missing = part_bytes(self.cloud.part_bytes, self.parts) - self.piece_bytes;
            let piece = bytes.split_to(missing.min(bytes.len()));
            self.piece_bytes += piece.len();
            let full = piece.len() == missing;
            self.pieces.push(piece);
            if full {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// What has not been sent, as one.
    fn rest(&mut self) -> Bytes {
        let mut rest = BytesMut::with_capacity(std::mem::take(&mut self.piece_bytes));
        std::mem::take(&mut self.pieces).iter().for_each(|piece| rest.extend_from_slice(piece));
        rest.freeze()
    }

    async fn complete(&mut self) -> Result<(), StorageError> {
        if self.multipart.is_none() {
            let rest = self.rest();
            return self.cloud.put_attempted(&self.attempt, &self.key, rest).await;
        }
        if !self.pieces.is_empty() {
            self.send_part().await?;
        }
        while !self.under_way.is_empty() {
            self.part_done().await?;
        }
        let Some(multipart) = &mut self.multipart else {
            return Ok(());
        };
        match multipart.complete().await {
            Ok(_) => {}
            Err(error) => match errors::meaning(&self.attempt, &self.key, &error) {
                // The first request did it, its answer got lost, and the repeated one finds no upload any more.
                StorageError::Changed { .. } if self.is_there().await => {}
                error => return Err(error),
            },
        }
        self.multipart = None;
        Ok(())
    }

    /// Is what lies under our name what we sent? Size and number of parts (S3 puts it into the ETag) must agree.
    async fn is_there(&mut self) -> bool {
        let Ok(found) = self.cloud.meta(&self.attempt, &self.key).await else {
            return false;
        };
        let parts = found.e_tag.as_deref().and_then(|tag| tag.trim_matches('"').rsplit_once('-')).map(|(_, parts)| parts);
        found.size == self.bytes && parts == Some(self.parts.to_string().as_str())
    }

    async fn take_back(
        mut multipart: Box<dyn MultipartUpload>,
        mut under_way: JoinSet<object_store::Result<()>>,
    ) -> object_store::Result<()> {
        // A part that arrives after the abort would stay.
        under_way.shutdown().await;
        multipart.abort().await
    }
}

#[async_trait]
impl WriteObject for Upload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if self.failed {
            return Err(StorageError::Other { at: self.attempt.because("an earlier part of this object could not be written") });
        }
        self.bytes += bytes.len() as u64;
        let result = self.take(bytes).await;
        self.failed = result.is_err();
        result
    }

    async fn finish(&mut self) -> Result<(), StorageError> {
        if self.failed {
            return Err(StorageError::Other { at: self.attempt.because("an earlier part of this object could not be written") });
        }
        self.complete().await
    }

    async fn abort(&mut self) -> Result<(), StorageError> {
        let Some(multipart) = self.multipart.take() else {
            return Ok(());
        };
        let result = Self::take_back(multipart, std::mem::take(&mut self.under_way)).await;
        match result.map_err(|error| self.meaning(&error)) {
            Err(StorageError::NotFound { .. } | StorageError::Changed { .. }) => Ok(()),
            result => result,
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(multipart) = self.multipart.take() else {
            return;
        };
        // Outside of a runtime (it is shutting down) nobody can; see the module's text.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(Self::take_back(multipart, std::mem::take(&mut self.under_way)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_at_first_and_all_together_hold_large_objects() {
        let first = 16 * 1024 * 1024;
        assert_eq!((part_bytes(first, 0), part_bytes(first, 1999)), (first, first));
        assert_eq!(part_bytes(first, 2000), 2 * first);
        assert_eq!(part_bytes(first, PARTS_MAX - 1), 16 * first);
        let all: u64 = (0..PARTS_MAX).map(|index| part_bytes(first, index) as u64).sum();
        assert!(all > 960 << 30, "{all}");
    }
}
