//! One chromedriver and the headless Chromium sessions it opens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fantoccini::wd::{Capabilities, TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::Url;

use crate::Result;

/// How long chromedriver may take to start, and to end its browsers.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a visitor's machine has to offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Devices {
    /// A camera that shows a moving picture and a microphone that beeps, both allowed.
    #[default]
    CameraAndMicrophone,
    /// A microphone that beeps, allowed, and no camera.
    MicrophoneOnly,
    /// Camera and microphone are there, but the person refuses them.
    Refused,
}

impl Devices {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::CameraAndMicrophone => {
                &["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
            }
            Self::MicrophoneOnly => &[
                "--use-fake-device-for-media-stream=device-count=0",
                "--use-fake-ui-for-media-stream",
            ],
            Self::Refused => &["--use-fake-device-for-media-stream"],
        }
    }

    /// Chromium's content settings: 1 allows, 2 blocks.
    fn preferences(self) -> Value {
        let setting = if self == Self::Refused { 2 } else { 1 };
        json!({
            "profile.default_content_setting_values.media_stream_camera": setting,
            "profile.default_content_setting_values.media_stream_mic": setting,
        })
    }
}

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

/// A running chromedriver. Dropping it ends the program and every browser that it started.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    pub(crate) fn start() -> Result<Self> {
        let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let mut process = Command::new(&program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its own process group, so that no browser outlives a test that failed.
            .process_group(0)
            .spawn()
            .with_context(|| {
                format!("cannot start {program}: run apt-get install chromium-driver")
            })?;
        let stdout = process.stdout.take().context("chromedriver has no output")?;
        let mut driver = Self { process, port: 0 };
        driver.port = announced_port(stdout)?;
        Ok(driver)
    }

    /// A new browser with one empty tab.
    pub(crate) async fn browser(&self, devices: Devices) -> Result<Client> {
        let args: Vec<&str> = FLAGS.iter().chain(devices.flags()).copied().collect();
        let mut options = json!({ "args": args, "prefs": devices.preferences() });
        if let Ok(binary) = std::env::var("CHROMIUM") {
            options["binary"] = json!(binary);
        }
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .context("chromedriver opened no browser: run apt-get install chromium")?;
        let limits = TimeoutConfiguration::new(
            Some(Duration::from_secs(180)),
            Some(Duration::from_secs(30)),
            Some(Duration::ZERO),
        );
        client.update_timeouts(limits).await?;
        let source = include_str!("../pages/harness.js");
        // In every page, before the page's own scripts.
        let load_first = "Page.addScriptToEvaluateOnNewDocument";
        client.issue_cmd(Devtools(load_first, json!({ "source": source }))).await?;
        Ok(client)
    }

    /// Asks chromedriver to end, which closes its browsers in order.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| ())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let asked = self.port != 0 && self.shut_down().is_ok();
        let end = Instant::now() + PATIENCE;
        while asked && Instant::now() < end {
            if let Ok(Some(_)) = self.process.try_wait() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        // Whatever is left of the group, which this program started itself.
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}

/// A command of Chromium's own, the DevTools protocol, with its parameters.
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

/// Reads chromedriver's own words: "ChromeDriver was started successfully on port 40123."
fn announced_port(stdout: impl Read + Send + 'static) -> Result<u16> {
    let (found, port) = std::sync::mpsc::channel();
    // The thread goes on reading to the end, since a full pipe would stop chromedriver.
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
            let digits = line.split("successfully on port ").nth(1);
            if let Some(port) = digits.and_then(|rest| rest.trim_end_matches('.').parse().ok()) {
                let _ = found.send(port);
            }
        }
    });
    match port.recv_timeout(PATIENCE) {
        Ok(port) => Ok(port),
        Err(_) => bail!("chromedriver named no port within {PATIENCE:?}"),
    }
}
