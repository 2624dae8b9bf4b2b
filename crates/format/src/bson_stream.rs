//! Documents one after the other, without anything between them: the content of every data object and of every slice.
//!
//! Only the framing is looked at here: each document says its length and ends with a zero byte. What is inside is for others. The
//! reader counts bytes and keeps a checksum, so that at the end both can be compared with the metadata.

use std::io::{self, Read};

use bson::RawDocumentBuf;

use crate::checksum::Crc64;

/// The largest document that is read: the server's internal limit, 16 MiB plus 16 KiB, which oplog entries may reach.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024 + 16 * 1024;
/// The smallest document: its length and the zero byte.
const DOCUMENT_BYTES_MIN: usize = 5;

/// Why a stream of documents cannot be read on. `offset` is where the document begins, in uncompressed bytes.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("read documents at byte {offset}: {source}")]
    Io { offset: u64, source: io::Error },
    #[error("the stream ends within a document: the one at byte {offset} needs {needed} bytes, and {found} are there")]
    Torn { offset: u64, needed: usize, found: usize },
    #[error("at byte {offset} a document claims {length} bytes, where {DOCUMENT_BYTES_MIN} to {DOCUMENT_BYTES_MAX} are possible")]
    BadLength { offset: u64, length: i32 },
    #[error("the document at byte {offset} does not end with a zero byte: {reason}")]
    NotTerminated { offset: u64, reason: String },
}

/// Reads documents from `reader`, which should be buffered or a decoder.
pub struct DocumentReader<R> {
    reader: R,
    bytes: u64,
    documents: u64,
    crc: Crc64,
}

impl<R: Read> DocumentReader<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, bytes: 0, documents: 0, crc: Crc64::new() }
    }

    /// The next document, or `None` at the end of the stream. After an error there is nothing more to be had.
    pub fn next_document(&mut self) -> Result<Option<RawDocumentBuf>, StreamError> {
        let offset = self.bytes;
        let mut prefix = [0; 4];
        match self.fill(&mut prefix)? {
            0 => return Ok(None),
            4 => {}
            found => return Err(StreamError::Torn { offset, needed: DOCUMENT_BYTES_MIN, found }),
        }
        let length = document_length(prefix, offset)?;
        let mut document = vec![0; length];
        document[..4].copy_from_slice(&prefix);
        let found = self.fill(&mut document[4..])? + 4;
        if found < length {
            return Err(StreamError::Torn { offset, needed: length, found });
        }
        self.crc.write(&document);
        self.bytes += length as u64;
        self.documents += 1;
        let document = RawDocumentBuf::from_bytes(document);
        document.map(Some).map_err(|error| StreamError::NotTerminated { offset, reason: error.to_string() })
    }

    /// Documents until at least `bytes_min` bytes are gathered or the stream ends; empty only at the end of the stream.
    pub fn next_batch(&mut self, bytes_min: usize) -> Result<Vec<RawDocumentBuf>, StreamError> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < bytes_min || batch.is_empty() {
            match self.next_document()? {
                Some(document) => {
                    bytes += document.as_bytes().len();
                    batch.push(document);
                }
                None => break,
            }
        }
        Ok(batch)
    }

    /// Reads to the end, only counting: afterwards `bytes`, `documents` and `crc64` are those of the whole stream.
    pub fn drain(&mut self) -> Result<(), StreamError> {
        while self.next_document()?.is_some() {}
        Ok(())
    }

    /// Bytes of the whole documents read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Documents read so far.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// CRC-64/XZ of the documents read so far.
    pub fn crc64(&self) -> u64 {
        self.crc.sum()
    }

    pub fn into_inner(self) -> R {
        self.reader
    }

    /// Fills `buffer` as far as the stream goes.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(StreamError::Io { offset: self.bytes + filled as u64, source }),
            }
        }
        Ok(filled)
    }
}

/// Reads whole documents in large pieces, for those who pass them on as they are.
pub struct PieceReader<R> {
    reader: R,
    /// The beginning of a document whose end has not been read.
    rest: Vec<u8>,
    ended: bool,
    bytes: u64,
    documents: u64,
    crc: Crc64,
}

impl<R: Read> PieceReader<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, rest: Vec::new(), ended: false, bytes: 0, documents: 0, crc: Crc64::new() }
    }

    /// Documents, one after the other, of about `bytes` bytes (more only when one has more), and how many they are. `None` at the end.
    pub fn next_piece(&mut self, bytes: usize) -> Result<Option<(Vec<u8>, u64)>, StreamError> {
        let mut piece = Vec::with_capacity(bytes.max(self.rest.len()));
        piece.append(&mut self.rest);
        let mut wanted = bytes.max(1);
        loop {
            self.fill(&mut piece, wanted)?;
            let (end, documents, needed) = self.whole(&piece)?;
            if documents == 0 && !self.ended {
                // One that is larger than a piece: exactly the room it needs.
                wanted = piece.len().max(needed);
                piece.reserve_exact(wanted - piece.len());
                continue;
            }
            if self.ended && end < piece.len() {
                let offset = self.bytes + end as u64;
                return Err(StreamError::Torn { offset, needed, found: piece.len() - end });
            }
            self.rest.extend_from_slice(&piece[end..]);
            piece.truncate(end);
            self.crc.write(&piece);
            self.bytes += end as u64;
            self.documents += documents;
            return Ok((documents > 0).then_some((piece, documents)));
        }
    }

    /// Bytes of the documents handed out so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Documents handed out so far.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// CRC-64/XZ of the documents handed out so far.
    pub fn crc64(&self) -> u64 {
        self.crc.sum()
    }

    /// Where the whole documents at the beginning of `piece` end, how many they are, and how many bytes the next one needs.
    fn whole(&self, piece: &[u8]) -> Result<(usize, u64, usize), StreamError> {
        let (mut end, mut documents) = (0, 0);
        loop {
            let rest = &piece[end..];
            let Some(prefix) = rest.first_chunk() else { return Ok((end, documents, DOCUMENT_BYTES_MIN)) };
            let offset = self.bytes + end as u64;
            let length = document_length(*prefix, offset)?;
            match rest.get(length - 1) {
                None => return Ok((end, documents, length)),
                Some(0) => {}
                Some(_) => return Err(StreamError::NotTerminated { offset, reason: "its last byte is another".to_owned() }),
            }
            end += length;
            documents += 1;
        }
    }

    fn fill(&mut self, piece: &mut Vec<u8>, wanted: usize) -> Result<(), StreamError> {
        while piece.len() < wanted && !self.ended {
            let missing = (wanted - piece.len()) as u64;
            match self.reader.by_ref().take(missing).read_to_end(piece) {
                Ok(_) => self.ended = piece.len() < wanted,
                Err(source) => return Err(StreamError::Io { offset: self.bytes + piece.len() as u64, source }),
            }
        }
        Ok(())
    }
}

/// The length a document claims, if it can have it.
fn document_length(prefix: [u8; 4], offset: u64) -> Result<usize, StreamError> {
    let claimed = i32::from_le_bytes(prefix);
    match usize::try_from(claimed) {
        Ok(length) if (DOCUMENT_BYTES_MIN..=DOCUMENT_BYTES_MAX).contains(&length) => Ok(length),
        _ => Err(StreamError::BadLength { offset, length: claimed }),
    }
}

impl<R: Read> Iterator for DocumentReader<R> {
    type Item = Result<RawDocumentBuf, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_document().transpose()
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn stream(documents: &[RawDocumentBuf]) -> Vec<u8> {
        documents.iter().flat_map(|document| document.as_bytes().to_vec()).collect()
    }

    /// Hands out one byte at a time, now and then interrupted.
    struct Trickle<'a>(&'a [u8], bool);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = buffer.len().min(self.0.len()).min(1);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn documents_come_back_in_order_with_their_count_size_and_checksum() {
        let documents = [rawdoc! { "a": 1 }, rawdoc! {}, rawdoc! { "b": "x" }];
        let bytes = stream(&documents);
        let mut reader = DocumentReader::new(bytes.as_slice());
        let read: Vec<_> = reader.by_ref().collect::<Result<_, _>>().expect("a whole stream");
        assert_eq!(read, documents);
        assert_eq!((reader.bytes(), reader.documents(), reader.crc64()), (bytes.len() as u64, 3, Crc64::of(&bytes)));
    }

    #[test]
    fn short_reads_and_interruptions_do_not_matter() {
        let documents = [rawdoc! { "a": 1 }, rawdoc! { "b": 2 }];
        let bytes = stream(&documents);
        let read: Vec<_> = DocumentReader::new(Trickle(&bytes, false)).collect::<Result<_, _>>().expect("a whole stream");
        assert_eq!(read, documents);
    }

    #[test]
    fn nothing_is_a_stream_of_no_documents() {
        let mut reader = DocumentReader::new([].as_slice());
        assert!(reader.next_document().expect("an empty stream").is_none());
        assert_eq!((reader.bytes(), reader.crc64()), (0, 0));
    }

    #[test]
    fn every_cut_within_a_document_is_seen_and_told_with_its_place() {
        let documents = [rawdoc! { "a": 1 }, rawdoc! { "b": "text" }];
        let bytes = stream(&documents);
        let first = documents[0].as_bytes().len();
        for cut in 0..bytes.len() {
            let mut reader = DocumentReader::new(&bytes[..cut]);
            let outcome = reader.drain();
            if cut == 0 || cut == first {
                assert!(outcome.is_ok(), "{cut}");
                continue;
            }
            let offset = if cut < first { 0 } else { first as u64 };
            match outcome {
                Err(StreamError::Torn { offset: told, found, needed }) => {
                    assert_eq!((told, found), (offset, cut - offset as usize));
                    assert!(found < needed);
                }
                other => panic!("cut at {cut}: {other:?}"),
            }
        }
    }

    #[test]
    fn impossible_lengths_are_refused_before_memory_is_taken() {
        for length in [-1, 0, 4, DOCUMENT_BYTES_MAX as i32 + 1, i32::MAX, i32::MIN] {
            let bytes = length.to_le_bytes();
            let outcome = DocumentReader::new(bytes.as_slice()).next_document();
            assert!(matches!(outcome, Err(StreamError::BadLength { offset: 0, length: told }) if told == length), "{length}");
        }
    }

    #[test]
    fn an_entry_beyond_16_mib_is_read_as_the_server_wrote_it() {
        let mut document = vec![0; DOCUMENT_BYTES_MAX];
        document[..4].copy_from_slice(&(DOCUMENT_BYTES_MAX as i32).to_le_bytes());
        let mut reader = DocumentReader::new(document.as_slice());
        assert!(reader.next_document().expect("the largest document").is_some());
        assert_eq!(reader.bytes(), DOCUMENT_BYTES_MAX as u64);
    }

    #[test]
    fn a_document_without_its_zero_byte_is_refused() {
        let outcome = DocumentReader::new([5, 0, 0, 0, 1].as_slice()).next_document();
        assert!(matches!(outcome, Err(StreamError::NotTerminated { offset: 0, .. })), "{outcome:?}");
    }

    #[test]
    fn an_error_of_the_reader_is_told_with_the_place_it_reached() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the line is cut"))
            }
        }
        let bytes = stream(&[rawdoc! { "a": 1 }]);
        let mut reader = DocumentReader::new(bytes.as_slice().chain(Broken));
        assert!(reader.next_document().expect("the first is whole").is_some());
        let error = reader.next_document().expect_err("the line is cut");
        assert_eq!(error.to_string(), "read documents at byte 12: the line is cut");
    }

    #[test]
    fn a_batch_gathers_until_it_is_large_enough() {
        let bytes = stream(&[rawdoc! { "a": 1 }, rawdoc! { "a": 2 }, rawdoc! { "a": 3 }]);
        let mut reader = DocumentReader::new(bytes.as_slice());
        let sizes: Vec<_> = (0..3).map(|_| reader.next_batch(13).expect("a whole stream").len()).collect();
        assert_eq!(sizes, [2, 1, 0]);
        assert_eq!(DocumentReader::new(bytes.as_slice()).next_batch(0).expect("a whole stream").len(), 1);
    }

    #[test]
    fn pieces_hold_what_documents_read_one_by_one_hold() {
        let documents: Vec<_> = (0..50_usize).map(|n| rawdoc! { "_id": n as i32, "text": "x".repeat(n * 7) }).collect();
        let bytes = stream(&documents);
        for size in [1, 3, 64, 200, 1 << 20] {
            let mut reader = PieceReader::new(Trickle(&bytes, false));
            let (mut joined, mut count) = (Vec::new(), 0);
            while let Some((piece, documents)) = reader.next_piece(size).expect("a whole stream") {
                assert!(documents > 0 && (piece.len() <= size || documents == 1), "{size}");
                joined.extend(piece);
                count += documents;
            }
            assert_eq!((joined, count), (bytes.clone(), 50), "{size}");
            assert_eq!((reader.bytes(), reader.documents(), reader.crc64()), (bytes.len() as u64, 50, Crc64::of(&bytes)));
        }
        assert_eq!(PieceReader::new([].as_slice()).next_piece(10).expect("an empty stream"), None);
    }

    #[test]
    fn pieces_tell_damage_as_documents_do() {
        let documents = [rawdoc! { "a": 1 }, rawdoc! { "b": "text" }];
        let bytes = stream(&documents);
        let read = |bytes: &[u8], size| {
            let mut reader = PieceReader::new(bytes);
            while reader.next_piece(size)?.is_some() {}
            Ok::<_, StreamError>(())
        };
        let first = documents[0].as_bytes().len();
        for size in [1, 7, 1_000] {
            for cut in (1..bytes.len()).filter(|cut| *cut != first) {
                let offset = if cut < first { 0 } else { first as u64 };
                let told = read(&bytes[..cut], size);
                assert!(
                    matches!(told, Err(StreamError::Torn { offset: told, found, .. }) if told == offset && found == cut - offset as usize)
                );
            }
            assert!(matches!(read(&[255, 255, 255, 127, 0], size), Err(StreamError::BadLength { offset: 0, .. })));
            assert!(matches!(read(&[5, 0, 0, 0, 1], size), Err(StreamError::NotTerminated { offset: 0, .. })));
        }
    }
}
