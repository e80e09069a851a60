//! What an offer or answer says about data. An attribute of its own (RFC 8866, section 5.13: unknown ones
//! are ignored) travels through the gateway: so it is known before the channel opens whether the other
//! side speaks this protocol, and a stock janus.js peer is never sent a frame that it would show as text.

/// The attribute of the data section. Its value is the highest version, or 0: no data, please.
const ATTRIBUTE: &str = "a=x-videortc-data:";

/// What the other side can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// There is no data section, or it is refused.
    None,
    /// The other side has switched data off.
    Off,
    /// A data channel, and no more: plain text goes through.
    Plain,
    /// It speaks the protocol, up to this version.
    Version(u8),
}

/// The description with this side's version at the end of its data section; 0 says that data is off.
pub fn announce(sdp: &str, version: u8) -> String {
    if support(sdp) == Support::None {
        return sdp.to_owned();
    }
    let attribute = format!("{ATTRIBUTE}{version}\r\n");
    let mut out = String::with_capacity(sdp.len().saturating_add(attribute.len()));
    let mut in_data = false;
    for line in sdp.lines() {
        if line.starts_with("m=") {
            if in_data {
                out.push_str(&attribute);
            }
            in_data = is_data(line);
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    if in_data {
        out.push_str(&attribute);
    }
    out
}

fn is_data(line: &str) -> bool {
    line.starts_with("m=application ") && line.contains("SCTP")
}

/// What the other side's description says about data.
pub fn support(sdp: &str) -> Support {
    let mut lines = sdp.lines().map(str::trim_end).skip_while(|line| !is_data(line));
    let Some(head) = lines.next() else { return Support::None };
    // Port 0 refuses, unless the section only goes in another's transport (RFC 9143, section 6): so Firefox
    // offers with the policy "max-bundle".
    let (mut is_refused, mut version) = (head.starts_with("m=application 0 "), None);
    for line in lines.take_while(|line| !line.starts_with("m=")) {
        is_refused &= line != "a=bundle-only";
        version = version.or_else(|| line.strip_prefix(ATTRIBUTE));
    }
    if is_refused {
        return Support::None;
    }
    match version.map(|version| version.trim().parse::<u8>()) {
        None => Support::Plain,
        Some(Ok(0)) => Support::Off,
        Some(Ok(version)) => Support::Version(version),
        // A version beyond these numbers is a later one.
        Some(Err(_)) => Support::Version(u8::MAX),
    }
}
