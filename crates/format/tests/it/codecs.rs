//! Compressed streams: what we write, and what others may have written.

use std::io::{self, Cursor, Read, Write};

use oplogue_format::compression::{Compression, decoder, encode_frame, sniff};
use proptest::prelude::*;

pub fn decode(expected: Compression, stored: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    decoder(expected, Box::new(Cursor::new(stored.to_vec()))).read_to_end(&mut out)?;
    Ok(out)
}

/// Bytes that compress, with some that do not: not random, so that a failure can be repeated.
pub fn sample(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut bytes = Vec::with_capacity(length + 64);
    while bytes.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match state >> 30 {
            0 => bytes.extend_from_slice(&state.to_le_bytes()),
            1 => bytes.extend_from_slice(b"{\"name\": \"somebody\", \"city\": \"somewhere\"}"),
            2 => bytes.extend(std::iter::repeat_n(b'x', (state >> 20) as usize & 63)),
            _ => bytes.extend_from_within(bytes.len().saturating_sub(300)..bytes.len().saturating_sub(280)),
        }
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn names_and_suffixes_go_both_ways() {
    for compression in Compression::ALL {
        assert_eq!(compression.to_string().parse(), Ok(compression));
        assert_eq!(Compression::from_suffix(compression.suffix()), Some(compression));
        assert_eq!(Compression::of_name(&format!("db.coll{}", compression.suffix())), compression);
    }
    assert_eq!("pgzip".parse(), Ok(Compression::Gzip));
    assert_eq!(Compression::from_suffix(".rar"), None);
    assert_eq!(Compression::of_name("db.coll.rar"), Compression::None);
    let error = "zip".parse::<Compression>().expect_err("no compression of ours");
    assert_eq!(error.to_string(), "`zip` is not a compression: use one of none, gzip, snappy, lz4, s2, zstd");
}

#[test]
fn every_codec_returns_what_it_was_given() {
    for compression in Compression::ALL {
        // Around the sizes of blocks: 64 KiB, 1 MiB, 4 MiB.
        for length in [0, 1, 5, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1, (4 << 20) + 3] {
            let bytes = sample(length);
            let stored = encode_frame(compression, &bytes);
            if compression != Compression::None {
                assert!(!stored.is_empty(), "{compression}: an object of no bytes counts as broken");
                assert_eq!(sniff(&stored), Some(compression));
            }
            assert!(decode(compression, &stored).expect("what was written") == bytes, "{compression} {length}");
        }
    }
}

#[test]
fn frames_one_after_the_other_are_one_stream() {
    let pieces = [sample(10), sample(0), sample(100_000), sample(7)];
    for compression in Compression::ALL {
        let stored: Vec<u8> = pieces.iter().flat_map(|piece| encode_frame(compression, piece)).collect();
        assert!(decode(compression, &stored).expect("whole frames") == pieces.concat(), "{compression}");
    }
}

#[test]
fn the_first_bytes_decide_and_not_the_name() {
    // PBM before 1.7 stored S2 under `.snappy`.
    let bytes = sample(200_000);
    for stored in Compression::ALL.into_iter().skip(1) {
        for named in Compression::ALL.into_iter().skip(1) {
            let frame = encode_frame(stored, &bytes);
            assert!(decode(named, &frame).expect("any codec") == bytes, "{stored} named {named}");
        }
    }
}

#[test]
fn an_uncompressed_object_is_never_taken_for_a_compressed_one() {
    let looks_like_gzip = [0x1f, 0x8b, 0x08, 0x00, 0x01];
    assert_eq!(decode(Compression::None, &looks_like_gzip).expect("plain bytes"), looks_like_gzip);
}

#[test]
fn s2_and_snappy_streams_may_follow_each_other() {
    let (first, second) = (sample(70_000), sample(90_000));
    let stored = [
        encode_frame(Compression::S2, &first),
        encode_frame(Compression::Snappy, &second),
        // Padding and a skippable chunk.
        vec![0xfe, 3, 0, 0, 1, 2, 3, 0x80, 2, 0, 0, 9, 9, 0x99, 1, 0, 0, 7],
        encode_frame(Compression::S2, &first),
    ]
    .concat();
    assert!(decode(Compression::S2, &stored).expect("whole streams") == [first.clone(), second, first].concat());
}

#[test]
fn skippable_frames_are_skipped() {
    let bytes = sample(5_000);
    let skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 7, 7];
    for compression in [Compression::Zstd, Compression::Lz4] {
        let frame = encode_frame(compression, &bytes);
        let stored = [&skippable, frame.as_slice(), &skippable, &skippable, &frame, &skippable].concat();
        assert!(decode(compression, &stored).expect("whole frames") == [bytes.clone(), bytes.clone()].concat(), "{compression}");
    }
}

#[test]
fn lz4_frames_have_independent_blocks_and_a_checksum() {
    // PBM's reader refuses linked blocks. FLG: version 01, independent blocks, content checksum.
    let frame = encode_frame(Compression::Lz4, &sample(100));
    assert_eq!(frame[4] & 0b1111_0100, 0b0110_0100, "{:#010b}", frame[4]);
}

#[test]
fn zstd_frames_have_a_checksum_and_no_dictionary() {
    let frame = encode_frame(Compression::Zstd, &sample(100));
    assert_eq!(frame[4] & 0b0000_0111, 0b0000_0100, "{:#010b}", frame[4]);
}

#[test]
fn linked_blocks_and_small_blocks_of_others_are_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let bytes = sample(700_000);
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max4MB] {
            let info = FrameInfo::new().block_mode(mode).block_size(size).block_checksums(true);
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(&bytes).expect("a vector");
            let stored = encoder.finish().expect("a vector");
            assert!(decode(Compression::Lz4, &stored).expect("a whole frame") == bytes);
        }
    }
}

#[test]
fn streams_of_another_s2_writer_are_read() {
    // Better and best compression use repeated offsets, which Snappy does not have.
    let bytes = sample(3_000_000);
    let framed = |block: fn(&[u8]) -> Vec<u8>| {
        let mut stored = b"\xff\x06\x00\x00S2sTwO".to_vec();
        for piece in bytes.chunks(4 << 20) {
            let compressed = block(piece);
            let length = u32::try_from(compressed.len() + 4).expect("a block");
            stored.push(0);
            stored.extend_from_slice(&length.to_le_bytes()[..3]);
            stored.extend_from_slice(&minlz::crc::crc(piece).to_le_bytes());
            stored.extend_from_slice(&compressed);
        }
        stored
    };
    for (how, block) in
        [("fast", minlz::s2::encode as fn(&[u8]) -> Vec<u8>), ("better", minlz::s2::encode_better), ("best", minlz::s2::encode_best)]
    {
        assert!(decode(Compression::S2, &framed(block)).expect("a whole stream") == bytes, "{how}");
    }
    let mut writer = minlz::s2::Writer::with_index(Vec::new());
    writer.write_all(&bytes).expect("a vector");
    writer.flush().expect("a vector");
    let stored = writer.reset(Vec::new());
    assert!(decode(Compression::S2, &stored).expect("a stream with an index") == bytes);
}

#[test]
fn others_read_our_streams() {
    let bytes = sample(3_000_000);
    let mut read = Vec::new();
    minlz::s2::Reader::new(encode_frame(Compression::S2, &bytes).as_slice()).read_to_end(&mut read).expect("an S2 stream");
    assert!(read == bytes);
    read.clear();
    snap::read::FrameDecoder::new(encode_frame(Compression::Snappy, &bytes).as_slice()).read_to_end(&mut read).expect("a Snappy stream");
    assert!(read == bytes);
}

#[test]
fn the_reader_below_is_not_blamed_on_the_codec() {
    struct Broken(io::ErrorKind);
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(self.0, "the line is cut"))
        }
    }
    for compression in Compression::ALL {
        for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof, io::ErrorKind::Other] {
            let stored = encode_frame(compression, &sample(300_000));
            // From the very start, within a header, within the data, after the last byte.
            for cut in [0, 3, stored.len() / 2, stored.len()] {
                let reader = Cursor::new(stored[..cut].to_vec()).chain(Broken(kind));
                let error = decoder(compression, Box::new(reader)).read_to_end(&mut Vec::new()).expect_err("the line is cut");
                assert_eq!((error.kind(), error.to_string().as_str()), (kind, "the line is cut"), "{compression} {cut}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_cut_anywhere_come_back(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4_000), 1..6), which in 0..6_usize) {
        let compression = Compression::ALL[which];
        let mut stored: Vec<u8> = pieces.iter().flat_map(|piece| encode_frame(compression, piece)).collect();
        if stored.is_empty() {
            stored = encode_frame(compression, &[]);
        }
        prop_assert_eq!(decode(compression, &stored).expect("whole frames"), pieces.concat());
    }

    #[test]
    fn repeating_bytes_come_back(unit in prop::collection::vec(any::<u8>(), 1..40), times in 1..3_000_usize, which in 0..6_usize) {
        let compression = Compression::ALL[which];
        let bytes = unit.repeat(times);
        prop_assert!(decode(compression, &encode_frame(compression, &bytes)).expect("a whole frame") == bytes);
    }

    #[test]
    fn another_s2_writer_and_our_reader_agree(unit in prop::collection::vec(any::<u8>(), 1..40), times in 1..300_usize, tail in prop::collection::vec(0..4_u8, 0..3_000)) {
        let bytes = [unit.repeat(times), tail].concat();
        let mut writer = minlz::s2::Writer::new(Vec::new());
        writer.write_all(&bytes).expect("a vector");
        writer.flush().expect("a vector");
        let stored = writer.reset(Vec::new());
        prop_assert!(decode(Compression::S2, &stored).expect("a whole stream") == bytes);
        let mut stored = b"\xff\x06\x00\x00S2sTwO\x00".to_vec();
        let block = minlz::s2::encode_best(&bytes);
        stored.extend_from_slice(&u32::try_from(block.len() + 4).expect("a block").to_le_bytes()[..3]);
        stored.extend_from_slice(&minlz::crc::crc(&bytes).to_le_bytes());
        stored.extend_from_slice(&block);
        prop_assert!(decode(Compression::S2, &stored).expect("a whole stream") == bytes);
    }
}
