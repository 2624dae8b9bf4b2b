//! Cut and damaged objects: always an error or the whole truth, never a panic, never half of it without a word.

use std::io;

use oplogue_format::compression::{Compression, DecodeError, encode_frame};
use proptest::prelude::*;

use crate::codecs::{decode, sample};
use crate::fixtures::{PITR, SNAPSHOTS};

fn compressing() -> impl Iterator<Item = Compression> {
    Compression::ALL.into_iter().filter(|compression| *compression != Compression::None)
}

#[test]
fn every_cut_of_a_frame_is_an_error() {
    // Snappy and S2 have no end mark: between two chunks a cut cannot be seen. One chunk here, so only the bare identifier is whole.
    let bytes = sample(3_000);
    for compression in compressing() {
        let stored = encode_frame(compression, &bytes);
        for cut in 0..stored.len() {
            match decode(compression, &stored[..cut]) {
                Ok(read) => {
                    let bare = matches!(compression, Compression::Snappy | Compression::S2) && cut == 10;
                    assert!(bare && read.is_empty(), "{compression} cut at {cut}");
                }
                Err(error) => {
                    assert!(error.get_ref().is_some_and(|inner| inner.is::<DecodeError>()), "{compression} cut at {cut}: {error}");
                    let early = error.kind() == io::ErrorKind::UnexpectedEof;
                    assert!(early || cut < 10, "{compression} cut at {cut} of {}: {error:?}", stored.len());
                }
            }
        }
    }
}

#[test]
fn a_second_frame_that_is_cut_is_an_error() {
    let bytes = sample(3_000);
    for compression in compressing() {
        let frame = encode_frame(compression, &bytes);
        let stored = [frame.as_slice(), &frame].concat();
        let chunks_end = frame.len() + 10;
        for cut in frame.len() + 1..stored.len() {
            let whole = matches!(compression, Compression::Snappy | Compression::S2) && cut == chunks_end;
            assert_eq!(decode(compression, &stored[..cut]).is_ok(), whole, "{compression} cut at {cut}");
        }
    }
}

#[test]
fn every_flipped_bit_is_an_error_or_does_not_matter() {
    let bytes = sample(700);
    for compression in compressing() {
        let stored = encode_frame(compression, &bytes);
        for bit in 0..stored.len() * 8 {
            let mut damaged = stored.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let Ok(read) = decode(compression, &damaged) else { continue };
            // One flip makes a data chunk a skippable one. No Snappy reader can see that; the metadata's size and checksum do.
            let skipped = matches!(compression, Compression::Snappy | Compression::S2) && bit == 10 * 8 + 7 && read.is_empty();
            assert!(skipped || read == bytes, "{compression} bit {bit}");
        }
    }
}

#[test]
fn an_empty_object_and_one_that_is_something_else_are_told_apart() {
    for compression in compressing() {
        let error = decode(compression, b"").expect_err("an empty object");
        assert_eq!(error.to_string(), format!("decompress {compression}: the object is empty"));
        let error = decode(compression, b"\x05\0\0\0\0").expect_err("no compressed object");
        assert_eq!(error.to_string(), format!("decompress {compression}: it begins with 0500000000, which is no {compression} stream"));
    }
}

#[test]
fn bytes_after_the_last_frame_are_an_error() {
    let bytes = sample(100);
    for compression in compressing() {
        let stored = [encode_frame(compression, &bytes), b"rest of another object".to_vec()].concat();
        assert!(decode(compression, &stored).is_err(), "{compression}");
    }
}

#[test]
fn blocks_that_claim_too_much_are_refused() {
    let stream = |chunk: &[u8]| [b"\xff\x06\x00\x00S2sTwO", chunk].concat();
    for (chunk, expected) in [
        // A block of 4 MiB and one byte (varint 0x81 0x80 0x80 0x02).
        (b"\x00\x08\x00\x00\0\0\0\0\x81\x80\x80\x02".as_slice(), "a block claims 4194305 bytes, more than the 4194304 allowed"),
        // A copy before there is anything to copy; a repeated offset that was never set.
        (b"\x00\x08\x00\x00\0\0\0\0\x04\x01\x01\x00", "a copy reaches 1 bytes back where only 0 are known"),
        (b"\x00\x07\x00\x00\0\0\0\0\x04\x01\x00", "a copy reaches 0 bytes back where only 0 are known"),
        // A literal that is longer than the block, and one that is cut.
        (b"\x00\x08\x00\x00\0\0\0\0\x01\x04ab", "a block holds more bytes than the 1 it claims"),
        (b"\x00\x07\x00\x00\0\0\0\0\x02\x04a", "a block ends within an element"),
        (b"\x00\x07\x00\x00\0\0\0\0\x02\x00a", "a block holds 1 bytes, not the 2 it claims"),
        // A chunk too short for its checksum, a reserved one, one without data.
        (b"\x00\x03\x00\x00\0\0\0", "a chunk of 3 bytes, where 4 to 4893390 are possible"),
        (b"\x02\x00\x00\x00", "chunk type 0x02 is reserved and cannot be skipped"),
        (b"\x01\x05\x00\x00\0\0\0\0a", "the checksum of a chunk does not match its bytes"),
        (b"\xff\x05\x00\x00sNaPp", "an identifier has 5 bytes, not 6"),
    ] {
        let error = decode(Compression::S2, &stream(chunk)).expect_err(expected);
        assert_eq!(error.to_string(), format!("decompress s2: {expected}"));
    }
}

#[test]
fn a_snappy_stream_may_not_have_the_blocks_of_s2() {
    let mut stored = encode_frame(Compression::S2, &sample(200_000));
    stored[4..10].copy_from_slice(b"sNaPpY");
    assert!(decode(Compression::Snappy, &stored).is_err());
}

#[test]
fn nothing_more_is_read_after_an_error() {
    use std::io::Read;
    let mut stored = encode_frame(Compression::Zstd, &sample(2_000));
    let last = stored.len() - 1;
    stored[last] ^= 1;
    let mut reader = oplogue_format::decoder(Compression::Zstd, Box::new(io::Cursor::new(stored)));
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
    assert!(reader.read(&mut [0; 10]).is_err());
}

#[test]
fn real_objects_of_every_codec_that_are_cut_are_never_whole() {
    for suffix in [".gz", ".snappy", ".lz4", ".s2", ".zst"] {
        let name = SNAPSHOTS.names().find(|name| name.ends_with(&format!("app1.types{suffix}"))).expect("an object of each codec");
        let (compression, stored) = (Compression::of_name(name), SNAPSHOTS.get(name));
        let whole = decode(compression, stored).expect("an object PBM wrote");
        for cut in (1..stored.len()).step_by(stored.len() / 40 + 1) {
            match decode(compression, &stored[..cut]) {
                Ok(read) => {
                    assert!(read.len() < whole.len() && matches!(compression, Compression::S2 | Compression::Snappy), "{name} {cut}")
                }
                Err(error) => assert_ne!(error.kind(), io::ErrorKind::Other, "{name} {cut}"),
            }
        }
    }
}

#[test]
fn a_real_slice_with_a_damaged_byte_is_an_error() {
    for name in PITR.names().filter(|name| name.starts_with("pbmPitr/")) {
        let (compression, stored) = (Compression::of_name(name), PITR.get(name));
        let whole = decode(compression, stored).expect("an object PBM wrote");
        for at in (0..stored.len()).step_by(stored.len() / 6) {
            let mut damaged = stored.to_vec();
            damaged[at] ^= 0x10;
            assert!(decode(compression, &damaged).map_or(true, |read| read == whole), "{name} at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn noise_after_a_good_beginning_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300), keep in 0..200_usize, which in 1..6_usize) {
        let compression = Compression::ALL[which];
        let mut stored = encode_frame(compression, &sample(500));
        stored.truncate(keep.max(4));
        stored.extend(noise);
        let _: io::Result<Vec<u8>> = decode(compression, &stored);
    }

    #[test]
    fn any_s2_block_is_decoded_or_refused(block in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut stored = b"\xff\x06\x00\x00S2sTwO\x00".to_vec();
        stored.extend_from_slice(&u32::try_from(block.len() + 4).expect("a block").to_le_bytes()[..3]);
        stored.extend_from_slice(&[0; 4]);
        stored.extend_from_slice(&block);
        let _: io::Result<Vec<u8>> = decode(Compression::S2, &stored);
    }
}
