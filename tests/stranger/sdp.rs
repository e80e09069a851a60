//! What must hold of any text that is read as a session description.

use videortc::data::sdp::{Support, announce, support};

/// Reads it, says more in it, and reads that.
pub fn check(sdp: &str) {
    let before = support(sdp);
    for version in [0, 1, 2, u8::MAX] {
        let announced = announce(sdp, version);
        let after = match (before, version) {
            (Support::Plain, 0) => Support::Off,
            (Support::Plain, version) => Support::Version(version),
            // Nothing to say it in, or said before.
            (before, _) => before,
        };
        assert_eq!(support(&announced), after, "{announced:?}");
        let added = format!("a=x-videortc-data:{version}");
        let mut rest = sdp.lines();
        for line in announced.lines() {
            if rest.clone().next() == Some(line) {
                rest.next();
            } else {
                assert_eq!(line, added, "{announced:?}");
            }
        }
        assert_eq!(rest.next(), None, "lines were lost: {announced:?}");
    }
}
