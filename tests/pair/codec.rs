//! Properties of the frame decoder for any bytes.

use videortc::data::frame::{Frame, Verdict};

use super::sealed;

/// Decodes bytes as they are, and with a valid checksum appended.
pub fn check(bytes: &[u8]) {
    check_message(bytes);
    check_message(&sealed(bytes));
}

fn check_message(message: &[u8]) {
    let Ok(frame) = Frame::decode(message) else { return };
    let again = frame.encode();
    assert_eq!(Frame::decode(&again).as_ref(), Ok(&frame));
    // Fields that a later version appends are ignored.
    let is_later = matches!(
        frame,
        Frame::Hello { version: 2.., .. } | Frame::Result { verdict: Verdict::Other, .. }
    );
    assert!(is_later || again == message, "two spellings of {frame:?}");
}
