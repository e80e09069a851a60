//! Session descriptions as Chromium makes them, cut to what Janus looks at: sound, picture and a data
//! channel in one bundle. Nobody stands behind them, so no media ever flows.

use serde_json::{Value, json};

const FINGERPRINT: &str = "A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90:\
                           A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90";

pub(crate) fn offer() -> Value {
    json!({ "type": "offer", "sdp": description("actpass") })
}

pub(crate) fn answer() -> Value {
    json!({ "type": "answer", "sdp": description("active") })
}

fn description(setup: &str) -> String {
    let transport = format!(
        "c=IN IP4 0.0.0.0\n\
         a=ice-ufrag:abcd\n\
         a=ice-pwd:abcdefghijklmnopqrstuvwx\n\
         a=ice-options:trickle\n\
         a=fingerprint:sha-256 {FINGERPRINT}\n\
         a=setup:{setup}"
    );
    let text = format!(
        "v=0\n\
         o=- 4611731400430051336 2 IN IP4 127.0.0.1\n\
         s=-\n\
         t=0 0\n\
         a=group:BUNDLE 0 1 2\n\
         a=msid-semantic: WMS stream\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\n\
         {transport}\n\
         a=mid:0\n\
         a=sendrecv\n\
         a=msid:stream sound\n\
         a=rtcp-mux\n\
         a=rtpmap:111 opus/48000/2\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\n\
         {transport}\n\
         a=mid:1\n\
         a=sendrecv\n\
         a=msid:stream picture\n\
         a=rtcp-mux\n\
         a=rtpmap:96 VP8/90000\n\
         a=rtcp-fb:96 nack pli\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n\
         {transport}\n\
         a=mid:2\n\
         a=sctp-port:5000\n\
         a=max-message-size:262144\n"
    );
    text.replace('\n', "\r\n")
}
