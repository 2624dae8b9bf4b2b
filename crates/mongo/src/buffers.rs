//! Buffers of documents that are used again.
//!
//! A backup fills thousands of buffers of the same size. A fresh one costs the kernel more than filling it does: its pages are found,
//! cleared, and lie in no cache.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

/// Buffers kept for later. A backup has about so many on their way at once; what is idle for good is memory lost.
const KEPT_MAX: usize = 32;

/// The spare buffers of a connection, all of one size.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().ok()?.pop()
    }

    fn put(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        if bytes.capacity() > 0
            && let Ok(mut kept) = self.0.lock()
            && kept.len() < KEPT_MAX
            && kept.first().is_none_or(|first| first.capacity() == bytes.capacity())
        {
            kept.push(bytes);
        }
    }
}

/// Bytes that go back where they came from.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// `None`, too, once it is larger than what is kept there.
    home: Option<Arc<Buffers>>,
}

impl Buffer {
    /// Without room so far.
    pub(crate) fn of(home: &Arc<Buffers>) -> Self {
        Self { bytes: Vec::new(), home: Some(home.clone()) }
    }

    /// Makes the first room: for `bytes`, or for `usual` of them if that is more.
    pub(crate) fn make_room(&mut self, bytes: usize, usual: usize) {
        if self.bytes.capacity() > 0 {
            return;
        }
        if bytes > usual {
            self.home = None;
        }
        match self.home.as_ref().and_then(|home| home.take()) {
            Some(kept) if kept.capacity() >= bytes => self.bytes = kept,
            _ => self.bytes.reserve_exact(bytes.max(usual)),
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.put(std::mem::take(&mut self.bytes));
        }
    }
}

/// A copy belongs to nobody.
impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::from(self.bytes.clone())
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Buffer {}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_empty_and_only_so_many_are_kept() {
        let home = Arc::new(Buffers::default());
        let mut buffer = Buffer::of(&home);
        buffer.make_room(3, 100);
        buffer.extend_from_slice(b"abc");
        let place = buffer.as_ptr();
        drop(buffer);
        let mut again = Buffer::of(&home);
        again.make_room(50, 100);
        assert_eq!((again.len(), again.as_ptr()), (0, place));
        // One that is larger than usual is not kept.
        let mut large = Buffer::of(&home);
        large.make_room(1_000, 100);
        drop(large);
        assert!(home.0.lock().expect("one thread").is_empty());
        let many: Vec<_> = (0..KEPT_MAX + 3)
            .map(|_| {
                let mut buffer = Buffer::of(&home);
                buffer.make_room(1, 100);
                buffer
            })
            .collect();
        drop(many);
        assert_eq!(home.0.lock().expect("one thread").len(), KEPT_MAX);
        drop(again.clone());
        assert_eq!(again, Buffer::from(Vec::new()));
    }
}
