//! Buffers of documents that are used again.
//!
//! A backup fills thousands of buffers of the same size. A fresh one costs the kernel more than filling it does: its pages are found,
//! cleared, and lie in no cache. And buffers lie where a disk can be written from directly.

use std::sync::{Arc, Mutex};

/// Buffers kept for later. A backup has about so many on their way at once; what is idle for good is memory lost.
const KEPT_MAX: usize = 32;
/// Of place in memory. No disk in use has larger blocks.
const ALIGNMENT: usize = 4096;

/// The spare buffers of a connection, all of one size.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().ok()?.pop()
    }

    fn put(&self, mut room: Vec<u8>) {
        room.clear();
        if room.capacity() > 0
            && let Ok(mut kept) = self.0.lock()
            && kept.len() < KEPT_MAX
            && kept.first().is_none_or(|first| first.capacity() == room.capacity())
        {
            kept.push(room);
        }
    }
}

/// Bytes that go back where they came from.
#[derive(Debug)]
pub(crate) struct Buffer {
    room: Vec<u8>,
    /// Where in the room they begin.
    begin: usize,
    /// `None`, too, once it is larger than what is kept there.
    home: Option<Arc<Buffers>>,
}

impl Buffer {
    /// Without room so far.
    pub(crate) fn of(home: &Arc<Buffers>) -> Self {
        Self { room: Vec::new(), begin: 0, home: Some(home.clone()) }
    }

    /// Makes the first room: for `bytes`, or for `usual` of them if that is more.
    pub(crate) fn make_room(&mut self, bytes: usize, usual: usize) {
        if self.room.capacity() > 0 {
            return;
        }
        if bytes > usual {
            self.home = None;
        }
        self.room = self.home.as_ref().and_then(|home| home.take()).unwrap_or_default();
        self.room.reserve_exact(bytes.max(usual) + ALIGNMENT);
        // Should there be no such place, it only costs whoever writes a copy.
        self.begin = self.room.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        self.room.resize(self.begin, 0);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.room[self.begin..]
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.room.extend_from_slice(bytes);
    }

    /// Keeps so many bytes, if there are as many.
    pub(crate) fn truncate(&mut self, bytes: usize) {
        self.room.truncate(self.begin + bytes);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.put(std::mem::take(&mut self.room));
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(home: &Arc<Buffers>, bytes: usize) -> Buffer {
        let mut buffer = Buffer::of(home);
        buffer.make_room(bytes, 100);
        buffer
    }

    #[test]
    fn a_buffer_is_used_again_empty_and_only_so_many_are_kept() {
        let home = Arc::new(Buffers::default());
        let mut first = buffer(&home, 3);
        first.append(b"abc");
        let place = first.bytes().as_ptr();
        drop(first);
        let again = buffer(&home, 50);
        assert_eq!((again.bytes().len(), again.bytes().as_ptr()), (0, place));
        // One that is larger than usual is not kept.
        drop(buffer(&home, 1_000));
        assert!(home.0.lock().expect("one thread").is_empty());
        let many: Vec<_> = (0..KEPT_MAX + 3).map(|_| buffer(&home, 1)).collect();
        drop(many);
        assert_eq!(home.0.lock().expect("one thread").len(), KEPT_MAX);
    }

    #[test]
    fn it_lies_where_a_disk_can_be_written_from_and_does_not_move_while_it_is_filled() {
        let home = Arc::new(Buffers::default());
        for bytes in [1, 100, 5_000] {
            let mut buffer = buffer(&home, bytes);
            let place = buffer.bytes().as_ptr();
            assert_eq!(place.align_offset(ALIGNMENT), 0);
            buffer.append(&vec![7; bytes]);
            assert_eq!((buffer.bytes().as_ptr(), buffer.bytes()), (place, &vec![7; bytes][..]));
            buffer.truncate(bytes + 1);
            assert_eq!(buffer.bytes().len(), bytes);
            buffer.truncate(0);
            assert_eq!(buffer.as_ref(), b"");
        }
    }
}
