//! What is Firefox's own: its driver and its preferences.

use fantoccini::wd::Capabilities;
use serde_json::{Value, json};

use super::Devices;

/// The environment variable that names the driver, its usual name, its arguments, and how to get it. One
/// geckodriver drives one Firefox; the second port would be the same for all.
pub(super) const DRIVER: (&str, &str, &[&str], &str) = (
    "GECKODRIVER",
    "geckodriver",
    &["--port=0", "--websocket-port=0"],
    "cargo install geckodriver",
);

pub(super) fn capabilities(devices: Devices) -> Capabilities {
    let mut options = json!({ "args": ["-headless"], "prefs": preferences(devices) });
    if let Ok(binary) = std::env::var("FIREFOX") {
        options["binary"] = json!(binary);
    }
    Capabilities::from_iter([("moz:firefoxOptions".to_owned(), options)])
}

fn preferences(devices: Devices) -> Value {
    let mut preferences = json!({
        "media.navigator.streams.fake": true,
        "media.autoplay.default": 0,
        // The gateway listens on loopback only, which WebRTC leaves out otherwise.
        "media.peerconnection.ice.loopback": true,
        "media.peerconnection.ice.obfuscate_host_addresses": false,
    });
    match devices {
        Devices::CameraAndMicrophone => {
            preferences["media.navigator.permission.disabled"] = json!(true);
        }
        Devices::MicrophoneOnly => {
            preferences["media.navigator.permission.disabled"] = json!(true);
            // A name comes before the fake devices, and no camera has it.
            preferences["media.video_loopback_dev"] = json!("no camera");
        }
        Devices::Refused => {
            // 2 blocks.
            preferences["permissions.default.camera"] = json!(2);
            preferences["permissions.default.microphone"] = json!(2);
        }
    }
    preferences
}

/// geckodriver's own words, after time and level: "Listening on 127.0.0.1:34791".
pub(super) fn announced_port(line: &str) -> Option<u16> {
    line.split("Listening on 127.0.0.1:").nth(1)?.trim_end().parse().ok()
}

/// The request that closes the browser of this session.
pub(super) fn end(session: &str) -> String {
    format!("DELETE /session/{session}")
}
