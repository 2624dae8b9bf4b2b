//! The framing of OP_MSG, the one kind of message we send and take.
//!
//! A header of 16 bytes (length, request, answered request, kind), flags, and sections: the command as a document, and with inserts a
//! sequence of documents as they are. We send no checksum, so servers send none.

use bson::RawDocument;

const OP_MSG: i32 = 2013;
/// Header, flags, and the first section's kind.
pub(crate) const HEAD_BYTES: usize = 16 + 4 + 1;
/// No server takes or sends more in one message (`maxMessageSizeBytes`).
pub(crate) const MESSAGE_BYTES_MAX: usize = 48_000_000;
/// Flag of an answer: another one follows without being asked for.
const MORE_TO_COME: u32 = 1 << 1;
/// Flags of an answer that we know; of the lower 16 bits no other may be ignored.
const CHECKSUM: u32 = 1;
/// Flag of a request: the server may answer a `getMore` with all that is left, batch after batch.
pub(crate) const EXHAUST_ALLOWED: u32 = 1 << 16;

/// What stands before the documents in a message with `command` and, if there is one, a sequence of `documents` bytes under a name.
/// The sequence's bytes follow it.
pub(crate) fn head(request: i32, flags: u32, command: &RawDocument, sequence: Option<(&str, usize)>) -> Option<Vec<u8>> {
    let body = command.as_bytes();
    let sequence_head = sequence.map_or(0, |(name, _)| 1 + 4 + name.len() + 1);
    let documents = sequence.map_or(0, |(_, bytes)| bytes);
    let length = HEAD_BYTES.checked_add(body.len())?.checked_add(sequence_head)?.checked_add(documents)?;
    if length > MESSAGE_BYTES_MAX {
        return None;
    }
    let mut head = Vec::with_capacity(length - documents);
    for word in [i32::try_from(length).ok()?, request, 0, OP_MSG] {
        head.extend_from_slice(&word.to_le_bytes());
    }
    head.extend_from_slice(&flags.to_le_bytes());
    head.push(0);
    head.extend_from_slice(body);
    if let Some((name, bytes)) = sequence {
        head.push(1);
        head.extend_from_slice(&i32::try_from(4 + name.len() + 1 + bytes).ok()?.to_le_bytes());
        head.extend_from_slice(name.as_bytes());
        head.push(0);
    }
    Some(head)
}

/// The beginning of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerHead {
    /// Bytes of the document that follows, as far as the message's length tells.
    pub(crate) body_bytes: usize,
    /// Another answer follows.
    pub(crate) more: bool,
}

/// Reads the first [`HEAD_BYTES`] of an answer.
pub(crate) fn answer_head(head: &[u8; HEAD_BYTES]) -> Result<AnswerHead, String> {
    let word = |at: usize| i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (length, kind, flags) = (word(0), word(12), u32::from_le_bytes([head[16], head[17], head[18], head[19]]));
    if kind != OP_MSG {
        return Err(format!("a message of kind {kind} instead of {OP_MSG}"));
    }
    let length = usize::try_from(length).unwrap_or(0);
    if !(HEAD_BYTES + super::elements::DOCUMENT_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&length) {
        return Err(format!("a message of {length} bytes"));
    }
    if flags & CHECKSUM != 0 || flags & 0xffff & !MORE_TO_COME != 0 || head[20] != 0 {
        return Err(format!("a message with flags {flags:#x} that begins with a section of kind {}", head[20]));
    }
    Ok(AnswerHead { body_bytes: length - HEAD_BYTES, more: flags & MORE_TO_COME != 0 })
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn a_message_is_laid_out_as_the_protocol_says() {
        let command = rawdoc! { "ping": 1 };
        let plain = head(7, EXHAUST_ALLOWED, &command, None).expect("small");
        assert_eq!(plain[..4], (plain.len() as i32).to_le_bytes());
        assert_eq!((&plain[4..8], &plain[12..16]), (&7_i32.to_le_bytes()[..], &2013_i32.to_le_bytes()[..]));
        assert_eq!(plain[16..21], [0, 0, 1, 0, 0]);
        assert_eq!(&plain[21..], command.as_bytes());

        let with = head(7, 0, &command, Some(("documents", 5))).expect("small");
        assert_eq!(with[..4], (with.len() as i32 + 5).to_le_bytes());
        let section = &with[21 + command.as_bytes().len()..];
        assert_eq!(section[0], 1);
        assert_eq!(section[1..5], (section.len() as i32 - 1 + 5).to_le_bytes());
        assert_eq!(&section[5..], b"documents\0");
        assert_eq!(head(7, 0, &command, Some(("documents", MESSAGE_BYTES_MAX))), None);
    }

    #[test]
    fn only_answers_we_understand_are_taken() {
        let build = |length: i32, kind: i32, flags: u32, section: u8| {
            let mut head = [0; HEAD_BYTES];
            head[..4].copy_from_slice(&length.to_le_bytes());
            head[12..16].copy_from_slice(&kind.to_le_bytes());
            head[16..20].copy_from_slice(&flags.to_le_bytes());
            head[20] = section;
            answer_head(&head)
        };
        assert_eq!(build(26, OP_MSG, 0, 0), Ok(AnswerHead { body_bytes: 5, more: false }));
        assert_eq!(build(100, OP_MSG, MORE_TO_COME, 0), Ok(AnswerHead { body_bytes: 79, more: true }));
        // Flags above the sixteenth may be ignored.
        assert!(build(100, OP_MSG, 1 << 20, 0).is_ok());
        for refused in [
            build(25, OP_MSG, 0, 0),
            build(-1, OP_MSG, 0, 0),
            build(MESSAGE_BYTES_MAX as i32 + 1, OP_MSG, 0, 0),
            build(100, 1, 0, 0),
            build(100, OP_MSG, 1, 0),
            build(100, OP_MSG, 4, 0),
            build(100, OP_MSG, 0, 1),
        ] {
            assert!(refused.is_err());
        }
    }
}
