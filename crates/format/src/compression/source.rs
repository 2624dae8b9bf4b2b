//! The bytes below a decoder: buffered, with a look ahead, and with errors that can be told from the codec's own.

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Read};

const BUFFER_BYTES: usize = 128 * 1024;

/// Marks an error that came from the reader below a codec, so that it is not mistaken for damage in the stream.
#[derive(Debug)]
pub(super) struct ReaderError(io::Error);

impl fmt::Display for ReaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ReaderError {}

impl ReaderError {
    /// The reader's own error if `error` is one (`Ok`), else `error` itself (`Err`).
    pub(super) fn unwrap(error: io::Error) -> Result<io::Error, io::Error> {
        error.downcast::<Self>().map(|reader| reader.0)
    }
}

/// A buffered reader with a look ahead of a few bytes.
pub(super) struct Source {
    reader: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Source {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader, buffer: vec![0; BUFFER_BYTES].into_boxed_slice(), start: 0, end: 0 }
    }

    /// The next `count` bytes without consuming them; fewer only at the end of the stream.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.end - self.start < count && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < count && self.end < self.buffer.len() {
            match self.read_below()? {
                0 => break,
                read => self.end += read,
            }
        }
        let available = (self.end - self.start).min(count);
        Ok(&self.buffer[self.start..self.start + available])
    }

    fn read_below(&mut self) -> io::Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io::Error::new(error.kind_for_codec(), ReaderError(error))),
            }
        }
    }
}

/// Codecs treat `UnexpectedEof` and `Interrupted` specially; an error of the reader below must reach the caller instead.
trait KindForCodec {
    fn kind_for_codec(&self) -> io::ErrorKind;
}

impl KindForCodec for io::Error {
    fn kind_for_codec(&self) -> io::ErrorKind {
        match self.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => io::ErrorKind::Other,
            kind => kind,
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.end = self.read_below()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}
