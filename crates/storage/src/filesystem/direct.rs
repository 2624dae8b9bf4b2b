//! Large files are written past the page cache.
//!
//! A backup is written once and not read again soon. Through the page cache it would push out what a database on the same machine keeps
//! there, and on a machine whose memory is not in use yet the kernel spends several times as long on finding room as on the copy. So a
//! file larger than [`PIECE_BYTES`] goes to the disk in pieces of that size (`O_DIRECT`), its end as usual. A filesystem that cannot do
//! it gets everything as usual.

use std::fs::File;
use std::io::{self, Write};

/// What is written at once: large enough that disks are at their best.
const PIECE_BYTES: usize = 2 << 20;
/// Of place in memory, length, and place in the file. No disk in use has larger blocks.
const ALIGNMENT: usize = 4096;

/// How one file is written.
pub(super) struct Direct {
    /// What was given waits here until it makes a whole piece. `None`: it is written as usual.
    piece: Option<Piece>,
    /// Pieces were written, and the file is switched.
    on: bool,
}

impl Default for Direct {
    fn default() -> Self {
        Self { piece: Some(Piece::default()), on: false }
    }
}

impl Direct {
    /// Takes `bytes` in and writes what makes whole pieces. After an error only dropping the file makes sense.
    pub(super) fn write(&mut self, file: &File, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let Some(piece) = &mut self.piece else { return write_all(file, bytes) };
            bytes = piece.take(bytes);
            if piece.missing() == 0 {
                self.on = self.on || switch(file, true).is_ok();
                self.on = write_piece(file, piece.bytes(), self.on)?;
                piece.filled = 0;
                if !self.on {
                    self.piece = None;
                }
            }
        }
        Ok(())
    }

    /// Takes all of `bytes` in if that does not make a whole piece, so that nothing has to be written.
    pub(super) fn stage(&mut self, bytes: &[u8]) -> bool {
        self.piece.as_mut().filter(|piece| bytes.len() < piece.missing()).is_some_and(|piece| piece.take(bytes).is_empty())
    }

    /// Writes what still waits.
    pub(super) fn finish(&mut self, file: &File) -> io::Result<()> {
        if self.on {
            switch(file, false)?;
        }
        self.piece.take().map_or(Ok(()), |piece| write_all(file, piece.bytes()))
    }
}

/// Writes a whole piece. False when the filesystem did not take it directly: it was written as usual, as all that follows must be.
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
pub(super) struct Piece {
    /// Empty until something is taken in; never moved afterwards.
    room: Vec<u8>,
    begin: usize,
    filled: usize,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        &self.room[self.begin..self.begin + self.filled]
    }

    fn missing(&self) -> usize {
        PIECE_BYTES - self.filled
    }

    /// Takes as much as there is room for, and returns the rest.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.room.is_empty() {
            self.room = vec![0; PIECE_BYTES + ALIGNMENT];
            // Should there be no such place, the kernel refuses, and everything is written as usual.
            self.begin = self.room.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        }
        let (taken, rest) = bytes.split_at(bytes.len().min(self.missing()));
        let at = self.begin + self.filled;
        self.room[at..at + taken.len()].copy_from_slice(taken);
        self.filled += taken.len();
        rest
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
            went_on |= direct.on;
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
