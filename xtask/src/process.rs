//! Child processes with time limits, which never outlive this program.
//!
//! Each child leads its own process group, so that ending it also ends its descendants: `cargo
//! test` starts a test, which starts a driver, which starts a browser.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xshell::Cmd;

/// The time limit for a process to end after SIGTERM. Then it is killed.
const GRACE: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 5000 });

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The processes to end on an interrupt.
static RUNNING: Mutex<Vec<Target>> = Mutex::new(Vec::new());

/// From now on, Ctrl-C and SIGTERM end our children before this program.
///
/// The main thread notices that its child has ended and returns through every destructor; if it
/// does not, this program exits.
pub(crate) fn watch_interrupts() -> Result<()> {
    ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        running().iter().for_each(|&target| end(target, Force::Polite));
        thread::sleep(GRACE);
        running().iter().for_each(|&target| end(target, Force::Hard));
        std::process::exit(130);
    })
    .context("cannot watch for Ctrl-C")
}

/// Whether the user or the system has requested a stop.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Runs a command to its end. Fails if the command fails or exceeds the deadline.
pub(crate) fn run(command: Cmd<'_>, deadline: Instant) -> Result<()> {
    let line = command.to_string();
    // To the same stream as cargo, so that the order is kept.
    eprintln!("$ {}", shortened(&line));
    let status = Running::start(command)?.wait_until(deadline)?;
    match status {
        Some(status) => ensure!(status.success(), "`{}` failed ({status})", shortened(&line)),
        None => bail!("`{}` was ended: it was not done in time", shortened(&line)),
    }
    Ok(())
}

/// A child process. Ends the process and its descendants on drop.
#[derive(Debug)]
pub(crate) struct Running {
    ended: Receiver<io::Result<ExitStatus>>,
    group: Registered,
}

impl Running {
    /// Starts a command with our output streams and without input.
    pub(crate) fn start(command: Cmd<'_>) -> Result<Self> {
        let line = command.to_string();
        let mut command = Command::from(command);
        command.stdin(Stdio::null());
        lead_own_group(&mut command);
        // Under the lock, so that an interrupt either precedes the start or finds the process.
        let mut running = running();
        ensure!(!is_interrupted(), "interrupted");
        let child =
            command.spawn().with_context(|| format!("cannot start `{}`", shortened(&line)))?;
        let group = Target::Group(child.id());
        running.push(group);
        drop(running);
        Ok(Self { ended: watch(child), group: Registered(group) })
    }

    /// Waits for the end; `None` when the deadline comes first.
    pub(crate) fn wait_until(&self, deadline: Instant) -> Result<Option<ExitStatus>> {
        match self.ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(status) => Ok(Some(status?)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the process has ended before"),
        }
    }

    /// Waits for the end without a limit.
    pub(crate) fn wait(&self) -> Result<ExitStatus> {
        Ok(self.ended.recv()??)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An empty channel means that the process still runs; a closed one, that it has ended.
        if let Err(mpsc::TryRecvError::Empty) = self.ended.try_recv() {
            end(self.group.0, Force::Polite);
            // Whether the signal arrived or not, the next line handles it.
            let _ = self.ended.recv_timeout(GRACE);
        }
        end(self.group.0, Force::Hard);
    }
}

/// Ends a process on an interrupt, as long as this value lives.
#[derive(Debug)]
pub(crate) struct Registered(Target);

impl Registered {
    /// For a process that another library started.
    pub(crate) fn process(id: u32) -> Self {
        running().push(Target::Process(id));
        Self(Target::Process(id))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        running().retain(|&target| target != self.0);
    }
}

/// A target to end: one process, or a whole group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Process(u32),
    Group(u32),
}

fn running() -> MutexGuard<'static, Vec<Target>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(mut child: Child) -> Receiver<io::Result<ExitStatus>> {
    let (sender, receiver) = mpsc::channel();
    // Nobody may be receiving any more, which is fine.
    thread::spawn(move || drop(sender.send(child.wait())));
    receiver
}

#[derive(Debug, Clone, Copy)]
enum Force {
    Polite,
    Hard,
}

#[cfg(unix)]
fn lead_own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(unix)]
fn end(target: Target, force: Force) {
    use nix::sys::signal::{Signal, kill, killpg};
    use nix::unistd::Pid;

    let signal = match force {
        Force::Polite => Signal::SIGTERM,
        Force::Hard => Signal::SIGKILL,
    };
    let pid = |id| Pid::from_raw(i32::try_from(id).unwrap_or_default());
    // Fails for a process that has ended, which is fine.
    let _ = match target {
        Target::Process(id) => kill(pid(id), signal),
        Target::Group(id) => killpg(pid(id), signal),
    };
}

#[cfg(not(unix))]
fn lead_own_group(_command: &mut Command) {}

#[cfg(not(unix))]
fn end(target: Target, _force: Force) {
    let (Target::Process(id) | Target::Group(id)) = target;
    // Fails for a process that has ended, which is fine.
    let _ = Command::new("taskkill").args(["/T", "/F", "/PID", &id.to_string()]).output();
}

/// The command line in readable form.
fn shortened(line: &str) -> String {
    const LONGEST: usize = 160;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", line.get(..end).unwrap_or(line)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use xshell::{Shell, cmd};

    use super::*;

    fn in_time(limit: Duration) -> Instant {
        Instant::now().checked_add(limit).expect("a near deadline")
    }

    #[test]
    fn a_command_tells_how_it_ended() {
        let shell = Shell::new().expect("a shell");
        let deadline = in_time(Duration::from_secs(60));
        run(cmd!(shell, "true"), deadline).expect("true is true");
        let error = run(cmd!(shell, "false"), deadline).expect_err("false is not").to_string();
        assert!(error.contains("`false` failed"), "{error}");
        let error = run(cmd!(shell, "no-such-program"), deadline).expect_err("is not there");
        assert!(error.to_string().contains("cannot start `no-such-program`"), "{error}");
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_all_it_started() {
        let shell = Shell::new().expect("a shell");
        let folder = shell.create_temp_dir().expect("a folder");
        let pipe = folder.path().join("pipe");
        cmd!(shell, "mkfifo {pipe}").quiet().run().expect("a pipe");
        // The inner process keeps the pipe open; the outer one ignores SIGTERM.
        let script = "trap '' TERM; sleep 1000 >$0 & wait; sleep 1000";
        let hanging = cmd!(shell, "sh -c {script} {pipe}").quiet();
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe)
        });
        let error = run(hanging, in_time(Duration::from_millis(100))).expect_err("hangs");
        assert!(error.to_string().contains("not done in time"), "{error}");
        // The pipe closes with its last writer.
        assert_eq!(reader.join().expect("no panic").expect("read"), b"");
    }
}
