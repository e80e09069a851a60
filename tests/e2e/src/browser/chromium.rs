//! Chromium: its driver, its switches, its DevTools.

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::Devices;

/// The environment variable that names the driver, its usual name, its arguments, and how to get
/// it.
pub(super) const DRIVER: (&str, &str, &[&str], &str) =
    ("CHROMEDRIVER", "chromedriver", &["--port=0"], "apt-get install chromium-driver");

const FLAGS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    // The gateway listens on loopback only, which WebRTC leaves out otherwise.
    "--allow-loopback-in-peer-connection",
    "--disable-features=Translate,MediaRouter",
];

pub(super) fn capabilities(devices: Devices) -> Capabilities {
    let args: Vec<&str> = FLAGS.iter().chain(flags(devices)).copied().collect();
    let mut options = json!({ "args": args, "prefs": preferences(devices) });
    if let Ok(binary) = std::env::var("CHROMIUM") {
        options["binary"] = json!(binary);
    }
    Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)])
}

fn flags(devices: Devices) -> &'static [&'static str] {
    match devices {
        Devices::CameraAndMicrophone => {
            &["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        }
        Devices::MicrophoneOnly => {
            &["--use-fake-device-for-media-stream=device-count=0", "--use-fake-ui-for-media-stream"]
        }
        Devices::Refused => &["--use-fake-device-for-media-stream"],
    }
}

/// Content settings: 1 allows, 2 blocks.
fn preferences(devices: Devices) -> Value {
    let setting = if devices == Devices::Refused { 2 } else { 1 };
    json!({
        "profile.default_content_setting_values.media_stream_camera": setting,
        "profile.default_content_setting_values.media_stream_mic": setting,
    })
}

/// chromedriver's own words: "ChromeDriver was started successfully on port 40123."
pub(super) fn announced_port(line: &str) -> Option<u16> {
    let digits = line.split("successfully on port ").nth(1)?;
    digits.trim_end_matches('.').parse().ok()
}

/// The request that ends chromedriver and all its browsers.
pub(super) fn end() -> String {
    "GET /shutdown".to_owned()
}

/// A command of the DevTools protocol, with its parameters.
#[derive(Debug)]
pub(crate) struct Devtools(pub(crate) &'static str, pub(crate) Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(
        &self,
        base: &Url,
        session: Option<&str>,
    ) -> std::result::Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
    }
}
