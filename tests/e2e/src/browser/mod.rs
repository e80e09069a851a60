//! The browsers that pages run in, and the drivers that start them.

pub(crate) mod chromium;
pub(crate) mod firefox;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fantoccini::wd::TimeoutConfiguration;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;

use crate::Result;

/// How long a driver may take to start, and to end its browsers.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a driver is started that ends before it has named its port. chromedriver lets the
/// system choose one for IPv6 and ends where the same one is taken for IPv4, as by any connection
/// of another page.
const ATTEMPTS: usize = 10;

/// How often a browser is opened that does not start: the drivers let it choose a port, too, that
/// may be taken before it is used.
const OPENING_ATTEMPTS: usize = 3;

/// The browser of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Browser {
    /// Chromium, by chromedriver.
    Chromium,
    /// Firefox, by geckodriver.
    Firefox,
}

impl Browser {
    /// Reads `VIDEORTC_E2E_BROWSER`; Chromium where it says nothing.
    pub fn asked_for() -> Result<Self> {
        match std::env::var("VIDEORTC_E2E_BROWSER").as_deref() {
            Ok("chromium") | Err(_) => Ok(Self::Chromium),
            Ok("firefox") => Ok(Self::Firefox),
            Ok(other) => {
                bail!("VIDEORTC_E2E_BROWSER is `{other}`, which is neither chromium nor firefox")
            }
        }
    }
}

/// The devices of a visitor's machine.
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

/// A running driver. Dropping it ends the program and every browser that it started.
#[derive(Debug)]
pub(crate) struct Driver {
    browser: Browser,
    process: Child,
    port: u16,
    /// The session that is open, in a driver that has only one.
    session: Mutex<Option<String>>,
}

impl Driver {
    pub(crate) fn start(browser: Browser) -> Result<Self> {
        let mut words = String::new();
        for _ in 0..ATTEMPTS {
            let mut driver = Self::spawn(browser)?;
            let stdout = driver.process.stdout.take().context("the driver has no output")?;
            let find = match browser {
                Browser::Chromium => chromium::announced_port,
                Browser::Firefox => firefox::announced_port,
            };
            match first(stdout, find) {
                Ok(port) => {
                    driver.port = port;
                    return Ok(driver);
                }
                Err(said) => words = said,
            }
        }
        bail!(
            "the driver of {browser:?} named no port in {ATTEMPTS} attempts; its last words:\n{words}"
        )
    }

    fn spawn(browser: Browser) -> Result<Self> {
        let (variable, name, arguments, package) = match browser {
            Browser::Chromium => chromium::DRIVER,
            Browser::Firefox => firefox::DRIVER,
        };
        let program = std::env::var(variable).unwrap_or_else(|_| name.to_owned());
        let process = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its own process group, so that no browser outlives a test that failed.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {program}: run {package}"))?;
        Ok(Self { browser, process, port: 0, session: Mutex::default() })
    }

    /// Whether this driver, and not a new one, opens the next browser of this kind.
    pub(crate) fn opens_many(&self, browser: Browser) -> bool {
        self.browser == browser && browser == Browser::Chromium
    }

    /// A new browser with one empty tab.
    pub(crate) async fn open(&self, devices: Devices) -> Result<Client> {
        let capabilities = match self.browser {
            Browser::Chromium => chromium::capabilities(devices),
            Browser::Firefox => firefox::capabilities(devices),
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let address = format!("http://127.0.0.1:{}", self.port);
        let mut opened = builder.connect(&address).await;
        for _ in 1..OPENING_ATTEMPTS {
            if opened.is_err() {
                opened = builder.connect(&address).await;
            }
        }
        let client = opened
            .with_context(|| format!("no {:?} was opened: is it installed?", self.browser))?;
        let limits = TimeoutConfiguration::new(
            Some(Duration::from_secs(180)),
            Some(Duration::from_secs(30)),
            Some(Duration::ZERO),
        );
        client.update_timeouts(limits).await?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = client.session_id().await?;
        Ok(client)
    }

    /// Asks the driver to close its browsers, in order.
    fn shut_down(&self) -> std::io::Result<()> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let request = match (self.browser, session.as_deref()) {
            (Browser::Chromium, _) => chromium::end(),
            (Browser::Firefox, Some(session)) => firefox::end(session),
            (Browser::Firefox, None) => return Ok(()),
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let headers = format!("Host: 127.0.0.1:{}\r\nConnection: close", self.port);
        stream.write_all(format!("{request} HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| ())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let asked = self.port != 0 && self.shut_down().is_ok();
        let end = Instant::now() + PATIENCE;
        // geckodriver closes its browser before it answers, and stays.
        while asked && self.browser == Browser::Chromium && Instant::now() < end {
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

/// The first thing that `find` finds in a line of the output; or all that was said until the output
/// ended or [`PATIENCE`] did.
fn first<T: Send + 'static>(
    output: impl Read + Send + 'static,
    find: fn(&str) -> Option<T>,
) -> std::result::Result<T, String> {
    let (say, heard) = std::sync::mpsc::channel();
    // The thread goes on reading to the end, since a full pipe would stop the program.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
            let _ = say.send(line);
        }
    });
    let end = Instant::now() + PATIENCE;
    let mut said = String::new();
    while let Ok(line) = heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
        if let Some(value) = find(&line) {
            return Ok(value);
        }
        said += &line;
        said.push('\n');
    }
    Err(said)
}
