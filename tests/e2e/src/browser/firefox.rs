//! Firefox: its driver and its preferences.

use fantoccini::Client;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::Devices;
use crate::Result;

/// The environment variable that names the driver, its usual name, its arguments, and how to get
/// it. One geckodriver drives one Firefox; the second port would be the same for all.
pub(super) const DRIVER: (&str, &str, &[&str], &str) = (
    "GECKODRIVER",
    "geckodriver",
    &["--port=0", "--websocket-port=0", "--allow-system-access"],
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
        // This machine is out of reach too, when the browser is told to be offline.
        "network.dns.offline-localhost": false,
        // A download asks nothing; 2 is the folder that it is told.
        "browser.download.folderList": 2,
        "browser.download.useDownloadDir": true,
        "browser.download.always_ask_before_handling_new_types": false,
        "browser.download.alwaysOpenPanel": false,
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

/// Runs a script in the browser itself, where it may do what no page may.
pub(crate) async fn run_inside(client: &Client, script: &str, args: Vec<Value>) -> Result<Value> {
    client.issue_cmd(Context("chrome")).await?;
    let outcome = client.execute(script, args).await;
    client.issue_cmd(Context("content")).await?;
    Ok(outcome?)
}

/// From here on scripts run in the browser ("chrome") or in its page ("content"): geckodriver's own
/// command.
#[derive(Debug)]
struct Context(&'static str);

impl WebDriverCompatibleCommand for Context {
    fn endpoint(
        &self,
        base: &Url,
        session: Option<&str>,
    ) -> std::result::Result<Url, url::ParseError> {
        base.join(&format!("session/{}/moz/context", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "context": self.0 }).to_string()))
    }
}
