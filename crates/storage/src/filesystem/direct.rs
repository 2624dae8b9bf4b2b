//! Large files are written past the page cache.
//!
//! A backup is written once and not read again soon. Through the page cache it would push out what a database on the same machine keeps
//! there, and on a machine whose memory is not in use yet the kernel spends several times as long on finding room as on the copy. So what
//! is larger than [`PIECE_BYTES`] goes to the disk in pieces of that size (`O_DIRECT`), its end as usual. What comes in large parts that
//! lie right in memory goes there as it is, without a copy. A filesystem that cannot do it gets everything as usual.

use std::fs::File;
use std::io::{self, Write};

/// What is collected and written at once: large enough that disks are at their best.
const PIECE_BYTES: usize = 2 << 20;
/// What goes as it is has at least so many bytes. Batches of an uncompressed backup have twice as many.
const AS_IT_IS_BYTES_MIN: usize = PIECE_BYTES / 4;
/// Of place in memory, length, and place in the file. No disk in use has larger blocks.
const ALIGNMENT: usize = 4096;

/// How one file is written.
#[derive(Default)]
pub(super) struct Direct {
    /// What was given waits here until it makes a whole piece.
    piece: Piece,
    /// Whether it goes past the page cache, known from the first write on: either the file is switched, or all is written as usual and
    /// nothing waits.
    past_cache: Option<bool>,
}

impl Direct {
    /// Takes `bytes` in and writes what makes whole pieces. After an error only dropping the file makes sense.
    pub(super) fn write(&mut self, file: &File, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.past_cache == Some(false) {
                return write_all(file, bytes);
            }
            let ready = self.piece.ready(bytes);
            if ready > 0 {
                put(&mut self.past_cache, file, &bytes[..ready])?;
                bytes = &bytes[ready..];
            } else {
                bytes = self.piece.take(bytes);
                if self.piece.missing() == 0 {
                    put(&mut self.past_cache, file, self.piece.bytes())?;
                    self.piece.clear();
                }
            }
        }
        Ok(())
    }

    /// Takes all of `bytes` in if nothing has to be written for that.
    pub(super) fn stage(&mut self, bytes: &[u8]) -> bool {
        let waits = self.past_cache != Some(false) && self.piece.ready(bytes) == 0 && bytes.len() < self.piece.missing();
        waits && self.piece.take(bytes).is_empty()
    }

    /// Writes what still waits.
    pub(super) fn finish(&self, file: &File) -> io::Result<()> {
        if self.past_cache == Some(true) {
            switch(file, false)?;
        }
        write_all(file, self.piece.bytes())
    }
}

fn put(past_cache: &mut Option<bool>, file: &File, bytes: &[u8]) -> io::Result<()> {
    let direct = past_cache.unwrap_or_else(|| switch(file, true).is_ok());
    *past_cache = Some(write_piece(file, bytes, direct)?);
    Ok(())
}

/// Writes what is a multiple of [`ALIGNMENT`]. False when the filesystem did not take it directly: it was written as usual, as all that
/// follows must be.
fn write_piece(mut file: &File, mut bytes: &[u8], mut direct: bool) -> io::Result<bool> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && direct => {
                switch(file, false)?;
                direct = false;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(direct)
}

fn write_all(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}

#[cfg(target_os = "linux")]
fn switch(file: &File, on: bool) -> io::Result<()> {
    let mut flags = rustix::fs::fcntl_getfl(file)?;
    flags.set(rustix::fs::OFlags::DIRECT, on);
    Ok(rustix::fs::fcntl_setfl(file, flags)?)
}

#[cfg(not(target_os = "linux"))]
fn switch(_file: &File, on: bool) -> io::Result<()> {
    if on { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

/// Room for [`PIECE_BYTES`] at a place in memory that the kernel can write from without a copy.
#[derive(Default)]
struct Piece {
    /// Without capacity until something is taken in; never moved afterwards.
    room: Vec<u8>,
    begin: usize,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        &self.room[self.begin..]
    }

    fn missing(&self) -> usize {
        PIECE_BYTES - self.bytes().len()
    }

    /// How many of `bytes`, which come next, can be written as they are.
    fn ready(&self, bytes: &[u8]) -> usize {
        let lies_right = self.bytes().is_empty() && bytes.as_ptr().align_offset(ALIGNMENT) == 0;
        if lies_right && bytes.len() >= AS_IT_IS_BYTES_MIN { bytes.len() - bytes.len() % ALIGNMENT } else { 0 }
    }

    /// Takes as much as there is room for, and returns the rest.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.room.capacity() == 0 {
            self.room.reserve_exact(PIECE_BYTES + ALIGNMENT);
            // Should there be no such place, the kernel refuses, and everything is written as usual.
            self.begin = self.room.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
            self.room.resize(self.begin, 0);
        }
        let (taken, rest) = bytes.split_at(bytes.len().min(self.missing()));
        self.room.extend_from_slice(taken);
        rest
    }

    fn clear(&mut self) {
        self.room.truncate(self.begin);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Writes `sizes` bytes, one after the other, into a file of `folder`, and reads them again.
    fn written(folder: &std::path::Path, sizes: &[usize]) -> (bool, bool) {
        let path = folder.join("file");
        let file = File::create(&path).expect("a file");
        let (mut direct, mut all, mut went_on) = (Direct::default(), Vec::new(), false);
        for (index, size) in sizes.iter().enumerate() {
            let bytes: Vec<u8> = (0..*size).map(|at| (at * 7 + index) as u8).collect();
            direct.write(&file, &bytes).expect("written");
            went_on |= direct.past_cache == Some(true);
            all.extend_from_slice(&bytes);
        }
        direct.finish(&file).expect("written");
        let mut found = Vec::new();
        File::open(&path).expect("there").read_to_end(&mut found).expect("read");
        (found == all, went_on)
    }

    #[test]
    fn what_is_read_is_what_was_written_whatever_the_sizes() {
        let folder = tempfile::tempdir().expect("a folder");
        for sizes in [
            &[][..],
            &[0],
            &[1],
            &[100, 200],
            &[PIECE_BYTES - 1],
            &[PIECE_BYTES],
            &[PIECE_BYTES, 0, 1],
            &[PIECE_BYTES + 1],
            &[PIECE_BYTES * 2],
            &[1, PIECE_BYTES, 4095, PIECE_BYTES * 3 + 17, 4097],
        ] {
            assert!(written(folder.path(), sizes).0, "{sizes:?}");
        }
    }

    #[test]
    fn what_lies_right_is_written_as_it_is_between_what_does_not() {
        const A: usize = AS_IT_IS_BYTES_MIN;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        // Each size, and how many bytes wait after it.
        for parts in [
            &[(A, 0)][..],
            &[(A, 0), (A * 3, 0), (5, 5)],
            // What is over of it waits, and what follows with it.
            &[(A + 1, 1), (A, A + 1), (3, A + 4), (PIECE_BYTES, A + 4)],
            &[(7, 7), (A, A + 7)],
            // Together they make a piece, and the next is right again.
            &[(A - 1, A - 1), (PIECE_BYTES - A + 1, 0), (A, 0)],
        ] {
            let file = File::create(&path).expect("a file");
            let (mut direct, mut all) = (Direct::default(), Vec::new());
            for (size, waiting) in parts {
                // A piece lies right.
                let mut given = Piece::default();
                let bytes: Vec<u8> = (0..*size).map(|at| (at * 7 + size) as u8).collect();
                assert!(given.take(&bytes).is_empty());
                if !direct.stage(given.bytes()) {
                    direct.write(&file, given.bytes()).expect("written");
                }
                assert!(
                    direct.past_cache == Some(false) || direct.piece.bytes().len() == *waiting,
                    "{parts:?}: {}",
                    direct.piece.bytes().len()
                );
                all.extend_from_slice(&bytes);
            }
            direct.finish(&file).expect("written");
            assert!(std::fs::read(&path).expect("there") == all, "{parts:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn small_files_are_written_as_usual() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!written(folder.path(), &[PIECE_BYTES - 1]).1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_filesystem_that_refuses_gets_everything_as_usual() {
        // tmpfs refused `O_DIRECT` until Linux 6.6, and takes it since.
        let folder = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
        assert!(written(folder.path(), &[PIECE_BYTES * 2 + 5]).0);
        // What is not aligned is refused by others: then it is written all the same, and it is told.
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let file = File::create(&path).expect("a file");
        let direct = switch(&file, true).is_ok();
        let bytes = vec![3; ALIGNMENT + 100];
        let taken = write_piece(&file, &bytes[1..], direct).expect("written");
        assert!(!taken || !direct);
        assert_eq!(std::fs::read(&path).expect("there"), bytes[1..]);
    }
}
