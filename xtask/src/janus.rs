//! Runs the real Janus in the foreground.

use anyhow::Result;
use videortc_janus::Janus;

use crate::process::{Registered, is_interrupted};
use crate::tools;
use crate::workspace::Workspace;

/// Runs until Ctrl-C, or until Janus ends.
pub(crate) fn run(workspace: &Workspace, port: u16) -> Result<()> {
    tools::ensure_janus(workspace)?;
    let mut options = Janus::options().inherit_output();
    if port != 0 {
        options = options.port(port);
    }
    let mut janus = options.start()?;
    let _registered = janus.pid().map(Registered::process);
    println!("\nJanus runs at {}\nCtrl-C ends it.\n", janus.url());
    let ended = janus.wait();
    if is_interrupted() { Ok(()) } else { ended }
}
