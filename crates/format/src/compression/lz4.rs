//! LZ4 frames, one after the other.
//!
//! The library's frame decoder takes an end of input between two blocks for the end of the frame, and does not know skippable
//! frames; both are handled here.

use std::io::{self, BufRead, Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::is_skippable_frame;
use super::source::Source;

/// One frame. PBM's reader refuses blocks that depend on each other.
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    // A reader sets a whole block's memory aside, also for a frame of a few bytes.
    let block_size = match bytes.len() {
        0..=0x1_0000 => BlockSize::Max64KB,
        0x1_0001..=0x10_0000 => BlockSize::Max1MB,
        _ => BlockSize::Max4MB,
    };
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(block_size).content_checksum(true);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::with_capacity(bytes.len() / 2 + 64));
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte")
}

pub(super) struct Decoder {
    state: State,
}

enum State {
    /// A decoder for each frame: the library's cannot go on to a frame with blocks of another size.
    Within(FrameDecoder<WithinFrame>),
    Between(Source),
    Failed,
}

/// Below the library's decoder: an end of input inside a frame is an error, because the library would take it for the end.
struct WithinFrame {
    source: Source,
}

impl Read for WithinFrame {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.source.read(buffer)? {
            // Not `UnexpectedEof`: that is what the library swallows.
            0 if !buffer.is_empty() => Err(io::Error::new(io::ErrorKind::InvalidData, EndsEarly)),
            count => Ok(count),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the stream ends within a frame")]
struct EndsEarly;

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        Self { state: State::Between(source) }
    }
}

/// Stands before the next frame, past skippable ones; false at the end of the stream.
fn next_frame(source: &mut Source) -> io::Result<bool> {
    while is_skippable_frame(source.peek(4)?) {
        let header = source.peek(8)?;
        let &[_, _, _, _, a, b, c, d] = header else {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, EndsEarly));
        };
        source.consume(8);
        skip(source, u32::from_le_bytes([a, b, c, d]).into())?;
    }
    Ok(!source.peek(1)?.is_empty())
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Failed) {
                State::Between(mut source) => {
                    if !next_frame(&mut source)? {
                        self.state = State::Between(source);
                        return Ok(0);
                    }
                    self.state = State::Within(FrameDecoder::new(WithinFrame { source }));
                }
                State::Within(mut frame) => {
                    let read = frame.read(buffer).map_err(|error| {
                        let early = error.get_ref().is_some_and(|inner| inner.is::<EndsEarly>());
                        if early { io::Error::new(io::ErrorKind::UnexpectedEof, EndsEarly) } else { error }
                    })?;
                    if read > 0 {
                        self.state = State::Within(frame);
                        return Ok(read);
                    }
                    // The library stops after the end mark; whether another frame follows is for `next_frame` to see.
                    self.state = State::Between(frame.into_inner().source);
                }
                State::Failed => return Err(io::Error::other("reading went on after an error")),
            }
        }
    }
}

/// Drops `count` bytes.
pub(super) fn skip(source: &mut Source, mut count: u64) -> io::Result<()> {
    while count > 0 {
        let available = source.fill_buf()?.len();
        if available == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, EndsEarly));
        }
        let step = usize::try_from(count).map_or(available, |count| count.min(available));
        source.consume(step);
        count -= step as u64;
    }
    Ok(())
}
