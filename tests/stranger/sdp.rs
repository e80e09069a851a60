//! Properties of the session description parser for any text.

use videortc::data::sdp::{Support, announce, support};

/// Parses a text, adds the attribute, and parses the result.
pub fn check(sdp: &str) {
    let before = support(sdp);
    for version in [0, 1, 2, u8::MAX] {
        let announced = announce(sdp, version);
        let after = match (before, version) {
            (Support::Plain, 0) => Support::Off,
            (Support::Plain, version) => Support::Version(version),
            // There is no data section, or it has the attribute already.
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
