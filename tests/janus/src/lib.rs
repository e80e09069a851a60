//! A real Janus gateway as an owned value: it runs while the value lives.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let janus = videortc_janus::Janus::start()?;
//! let gateway = janus.url(); // "http://127.0.0.1:40123/janus"
//! # let _ = gateway; Ok(()) }
//! ```
//!
//! Its API listens on the loopback interface alone and its files are in a temporary folder, so that several
//! gateways run side by side and leave nothing behind. Media uses the machine's other addresses, since Janus
//! leaves the loopback interface out. Nothing here is asynchronous: a test of any kind can use it.

mod config;
mod http;

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tempfile::TempDir;

/// How long the gateway may take from its start to its first answer. Making its DTLS certificate is
/// what takes it long.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Between two looks at a gateway that is starting.
const START_POLL: Duration = Duration::from_millis(20);
/// How long a paused gateway's threads may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How many ports to try. A port is free when we choose it and may be taken when the gateway binds.
const PORT_ATTEMPTS: usize = 5;

/// How a gateway is to be started; [`Janus::options`] makes one with the defaults.
#[derive(Debug, Clone)]
pub struct JanusOptions {
    port: Option<u16>,
    api_secret: Option<String>,
    tokens: Vec<String>,
    session_timeout: Duration,
    admin: bool,
    inherit_output: bool,
}

impl Default for JanusOptions {
    fn default() -> Self {
        Self {
            port: None,
            api_secret: None,
            tokens: Vec::new(),
            session_timeout: Duration::from_secs(60),
            admin: false,
            inherit_output: false,
        }
    }
}

impl JanusOptions {
    /// Listens on this port. Default: one that the system chooses.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Refuses requests without this `apisecret`. Default: none is asked for.
    #[must_use]
    pub fn api_secret(mut self, secret: impl Into<String>) -> Self {
        self.api_secret = Some(secret.into());
        self
    }

    /// Turns token authentication on and makes this token a valid one. May be given more than once.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.tokens.push(token.into());
        self
    }

    /// Ends a session this long after its last activity, in whole seconds; Janus looks every two
    /// seconds. Default: 60 s, as Janus' own.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// Turns the admin API on, which [`Janus::sessions`] and [`Janus::handles`] ask. Default: off.
    #[must_use]
    pub fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// Lets the gateway write to this process' output instead of to a log file.
    #[must_use]
    pub fn inherit_output(mut self) -> Self {
        self.inherit_output = true;
        self
    }

    /// Starts the gateway and returns when it answers.
    pub fn start(self) -> Result<Janus> {
        Janus::start_with(self)
    }
}

/// A running Janus gateway. Dropping it ends the process.
#[derive(Debug)]
pub struct Janus {
    options: JanusOptions,
    /// The port of the Janus API: the same for the whole life, restarts included.
    port: u16,
    /// The port of the admin API, where it is on: another one after each start.
    admin_port: Option<u16>,
    folder: TempDir,
    process: Option<Child>,
}

impl Janus {
    /// Starts a gateway with the default options and returns when it answers.
    pub fn start() -> Result<Self> {
        Self::options().start()
    }

    /// The default options, to be changed and then [started](JanusOptions::start).
    #[must_use]
    pub fn options() -> JanusOptions {
        JanusOptions::default()
    }

    fn start_with(options: JanusOptions) -> Result<Self> {
        let attempts = if options.port.is_some() { 1 } else { PORT_ATTEMPTS };
        let mut last_error = anyhow!("no port was tried");
        for _ in 0..attempts {
            let port = options.port.map_or_else(free_port, Ok)?;
            let folder = tempfile::Builder::new().prefix("videortc-janus-").tempdir()?;
            let options = options.clone();
            let mut janus = Self { options, port, admin_port: None, folder, process: None };
            match janus.launch() {
                Ok(()) => return Ok(janus),
                Err(error) if error.is::<NotInstalled>() => return Err(error),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    /// The gateway's address, as a page gives it to the library: `http://127.0.0.1:PORT/janus`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/janus", self.port)
    }

    /// The port of the Janus API.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id, while the gateway runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// The file that the gateway's output goes to, unless it is [inherited](JanusOptions::inherit_output).
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("janus.log")
    }

    /// Ends the gateway at once, as a crash would. [`restart`](Self::restart) brings it back.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It can only fail for a process that has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts the gateway again at the same address, with no memory of its sessions.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.launch()
    }

    /// Stops the process without ending it: connections stay open and nothing is answered any more.
    /// Returns once every thread has stopped: on a busy machine the signal takes its time.
    pub fn pause(&self) -> Result<()> {
        self.signal("STOP")?;
        let began = Instant::now();
        while !self.is_stopped()? {
            ensure!(began.elapsed() < STOP_LIMIT, "the gateway did not stop within {STOP_LIMIT:?}");
            thread::sleep(START_POLL);
        }
        Ok(())
    }

    /// Whether all threads are in state T, which follows the name in parentheses (proc(5)).
    fn is_stopped(&self) -> Result<bool> {
        let pid = self.pid().context("the gateway does not run")?;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let stat = fs::read_to_string(task?.path().join("stat"))?;
            if !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('T') {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets a [paused](Self::pause) gateway go on.
    pub fn resume(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// The numbers of the sessions that the gateway has. Needs [`JanusOptions::admin`].
    pub fn sessions(&self) -> Result<Vec<u64>> {
        numbers(&self.ask_admin("/admin", &config::admin_request("list_sessions"))?, "sessions")
    }

    /// The numbers of a session's handles. Needs [`JanusOptions::admin`].
    pub fn handles(&self, session: u64) -> Result<Vec<u64>> {
        let request = config::admin_request("list_handles");
        numbers(&self.ask_admin(&format!("/admin/{session}"), &request)?, "handles")
    }

    /// Waits until the process ends by itself; for a gateway in the foreground.
    pub fn wait(&mut self) -> Result<()> {
        if let Some(process) = self.process.as_mut() {
            process.wait()?;
        }
        Ok(())
    }

    fn signal(&self, name: &str) -> Result<()> {
        let pid = self.pid().context("the gateway does not run")?;
        // The shell's own `kill`: a minimal Debian has no other.
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status()?;
        ensure!(status.success(), "cannot send SIG{name} to process {pid}");
        Ok(())
    }

    fn launch(&mut self) -> Result<()> {
        let has_admin = self.options.admin || !self.options.tokens.is_empty();
        self.admin_port = if has_admin { Some(free_port()?) } else { None };
        config::write(self.folder.path(), &self.name(), &self.options, self.port, self.admin_port)?;
        self.process = Some(self.spawn()?);
        let started = self.wait_until_ready().and_then(|()| self.add_tokens());
        if started.is_err() {
            self.kill();
        }
        started
    }

    fn spawn(&self) -> Result<Child> {
        let mut command = Command::new("janus");
        command.arg("-F").arg(self.folder.path());
        command.arg("-C").arg(self.folder.path().join("janus.jcfg"));
        // Without a colour code in the log; the standard input is not the gateway's.
        command.arg("--disable-colors").stdin(Stdio::null());
        if !self.options.inherit_output {
            let log = File::create(self.log_path())?;
            command.stdout(log.try_clone()?).stderr(log);
        }
        command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => NotInstalled.into(),
            _ => anyhow::Error::new(error).context("cannot start `janus`"),
        })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if let Some(process) = self.process.as_mut()
                && let Some(status) = process.try_wait()?
            {
                bail!(
                    "janus ended while starting ({status}); its last words:\n{}",
                    self.log_tail()
                );
            }
            // The name tells our gateway from another one that has taken the port.
            if http::get(self.port, "/janus/info").is_ok_and(|info| info.contains(&self.name())) {
                return Ok(());
            }
            thread::sleep(START_POLL);
        }
        bail!("janus gave no answer within {START_LIMIT:?}; its last words:\n{}", self.log_tail())
    }

    /// Janus takes tokens from its admin API only.
    fn add_tokens(&self) -> Result<()> {
        for token in &self.options.tokens {
            self.ask_admin("/admin", &config::add_token_request(token))?;
        }
        Ok(())
    }

    fn ask_admin(&self, path: &str, request: &str) -> Result<String> {
        let port = self.admin_port.context("the admin API is off: start with .admin()")?;
        let answer = http::post(port, path, request)?;
        ensure!(answer.contains("success"), "janus' admin API refused {path}: {answer}");
        Ok(answer)
    }

    /// A name that no other gateway on this machine has.
    fn name(&self) -> String {
        self.folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn log_tail(&self) -> String {
        const LINES: usize = 25;
        let log = fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
        tail.join("\n")
    }
}

impl Drop for Janus {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The error of a machine without Janus.
#[derive(Debug, Clone, Copy)]
struct NotInstalled;

impl std::fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the program `janus` is not installed: run `apt-get install janus`")
    }
}

impl std::error::Error for NotInstalled {}

/// The array of numbers under this key, in an answer of the admin API: `"handles":[1,2]`.
fn numbers(answer: &str, key: &str) -> Result<Vec<u64>> {
    let array = answer.split_once(&format!("\"{key}\"")).and_then(|(_, rest)| {
        let (_, rest) = rest.split_once('[')?;
        rest.split_once(']')
    });
    let (array, _) = array.with_context(|| format!("no {key} in {answer}"))?;
    let items = array.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| item.parse().with_context(|| format!("{key}: {item}"))).collect()
}

/// A port that nobody has, below those that Linux gives to outgoing connections (ip(7): 32768 and up).
/// Above, a connection of some page could take the port of a gateway that is down for a moment, or,
/// looking for the gateway there, connect to itself.
fn free_port() -> Result<u16> {
    for _ in 0..PORT_ATTEMPTS {
        // By chance, since several programs look for ports at the same time.
        let chance = RandomState::new().hash_one(()) % 12_768;
        let port = u16::try_from(chance)?.saturating_add(20_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("{PORT_ATTEMPTS} ports between 20000 and 32767 were tried, and none is free")
}
