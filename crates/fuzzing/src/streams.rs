//! Streams of documents, and compressed ones.

use std::io::Read;

use oplogue_format::{Compression, DocumentReader, decoder, encode_frame};

/// As much as is read of what a decompressor gives: a few bytes can stand for a very long stream.
const DECODED_BYTES_MAX: u64 = 64 << 20;

/// The bytes are documents one after another.
pub(crate) fn bson_stream(bytes: &[u8]) {
    let mut documents = 0;
    let mut reader = DocumentReader::new(bytes);
    while let Ok(Some(document)) = reader.next_document() {
        documents += 1;
        // What is inside is not checked when a stream is read; looking at it must be harmless.
        for element in document.iter() {
            let Ok((key, value)) = element else { break };
            let _ = (key, value.as_str());
        }
    }
    let mut again = DocumentReader::new(bytes);
    let mut in_batches = 0;
    while let Ok(batch) = again.next_batch(64) {
        if batch.is_empty() {
            break;
        }
        in_batches += batch.len();
    }
    assert!(in_batches <= documents, "{in_batches} documents in batches, {documents} one by one");
    let _ = DocumentReader::new(bytes).drain();
}

/// The first byte says which compression is expected; the rest is the stream, or what is to be compressed.
pub(crate) fn decompress(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let compression = Compression::ALL[usize::from(*choice) % Compression::ALL.len()];
    let mut decoded = decoder(compression, Box::new(std::io::Cursor::new(rest.to_vec()))).take(DECODED_BYTES_MAX);
    let _ = std::io::copy(&mut decoded, &mut std::io::sink());
    if rest.len() <= 4096 {
        let frame = encode_frame(compression, rest);
        let mut back = Vec::new();
        decoder(compression, Box::new(std::io::Cursor::new(frame))).read_to_end(&mut back).expect("what was compressed is decompressed");
        assert_eq!(back, rest, "{compression}");
    }
}
