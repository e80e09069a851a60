//! What must hold of any bytes that are read as a frame.

use videortc::data::frame::{Frame, Verdict};

use super::sealed;

/// Reads bytes as they are, and as what a checksum is missing of.
pub fn check(bytes: &[u8]) {
    check_message(bytes);
    check_message(&sealed(bytes));
}

fn check_message(message: &[u8]) {
    let Ok(frame) = Frame::decode(message) else { return };
    let again = frame.encode();
    assert_eq!(Frame::decode(&again).as_ref(), Ok(&frame));
    // What a later version says more is not kept.
    let is_later = matches!(
        frame,
        Frame::Hello { version: 2.., .. } | Frame::Result { verdict: Verdict::Other, .. }
    );
    assert!(is_later || again == message, "two spellings of {frame:?}");
}
