//! Repeated calls in the same two pages, with messages and files, leak nothing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use videortc_e2e::{Browser, GatewayKind, Page, Remains, Result, Rig, skips};

/// From this call on, nothing grows any more: code is compiled, buffers have their size.
const SETTLED: u64 = 20;

/// The number of calls between two measurements.
const STEP: u64 = 10;

/// The allowed growth of the heap after call 20. The engine's own caches vary by some ten
/// kilobytes, and it keeps a little of each command of this test. A leak of 2 kB per call shows
/// after 300 calls.
const HEAP_SLACK: u64 = 512 << 10;

/// The allowed growth of the module's memory after call 20: one page, the smallest step. It never
/// shrinks, so it shows the peak, which depends on how pieces of a file coincide. A leak of 240
/// bytes per call shows after 300 calls.
const LINEAR_SLACK: u64 = 64 << 10;

/// The time limit for the calls between two measurements.
const FLIGHT_LIMIT: Duration = Duration::from_secs(150);

/// How long closed objects may remain: the browser releases closed connections one by one, over
/// seconds, and the gateway takes up to a second to clean up.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// The interval between two checks of late objects.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Each page's part in the repeated calls. The pages call in turns: the callee accepts, the caller
/// sends a message and a file, and one of the two hangs up. The next call is made inside
/// `onHangUp`.
const PILOT: &str = r#"
harness.pilot = { call: 0, stop: 0, whole: 0 };
const { pilot, reactions } = harness;
const [me, peer] = arguments_;
const isMine = () => pilot.call % 2 === me;
const calleeHangsUp = () => pilot.call % 4 > 1;
const file = (call) => harness.noise(call + 1, 200000);
const fail = (error) => harness.faults.push(`call ${pilot.call}: ${error}`);

pilot.next = () => {
  if (isMine() && !pilot.isDone()) harness.callWhenFree(peer).catch(fail);
};
pilot.isDone = () => pilot.call >= pilot.stop;
// Each incoming call brought one file.
pilot.calledHere = () => Math.floor((pilot.call + me) / 2);
reactions.onHangUp = (_, reason) => {
  // A caller that is too early gets an error and retries.
  if (reason === "User busy") return;
  if (reason !== "Hung up") fail(reason);
  pilot.call += 1;
  pilot.next();
};
reactions.onIncomingCall = () => void action.acceptCall().catch(fail);
reactions.onAccepted = async () => {
  if (!isMine()) return;
  try {
    await harness.send("text/plain", `call ${pilot.call}`);
    await harness.send("application/x-noise", file(pilot.call), undefined, "noise.bin");
    if (calleeHangsUp()) await harness.send("text/plain", "hang up").catch(() => {});
    else await action.hangUp();
  } catch (error) {
    fail(error);
  }
};
reactions.onDataReceived = async (type, data, filename) => {
  if (data === "hang up") return void action.hangUp().catch(fail);
  if (typeof data === "string") {
    if (data !== `call ${pilot.call}`) fail(`message ${data}`);
    return;
  }
  const expected = file(pilot.call);
  const [came, sent] = await Promise.all([harness.content(data), harness.content(expected)]);
  if (came.hash !== sent.hash || data.type !== "application/x-noise") fail(`${came.size} bytes came`);
  else pilot.whole += 1;
};
"#;

/// The objects of both pages and the gateway after this many calls.
#[derive(Clone, Copy, Debug)]
struct Look {
    calls: u64,
    pages: [Remains; 2],
    sessions: usize,
    handles: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_calls_leak_nothing() -> Result {
    if GatewayKind::asked_for()? != GatewayKind::Janus {
        skips("the gateway's handles are the real Janus' here");
        return Ok(());
    }
    if Browser::asked_for()? != Browser::Chromium {
        skips("only Chromium tells what a page holds");
        return Ok(());
    }
    let calls = calls()?;
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;
    for (number, page, peer) in [(0, &tom, "Jack"), (1, &jack, "Tom")] {
        page.run(PILOT.replace("arguments_", &json!([number, peer]).to_string())).await?;
    }
    let mut looks: Vec<Look> = Vec::new();
    let mut done = 0;
    while done < calls {
        let more = if done < SETTLED { SETTLED } else { STEP.min(calls - done) };
        fly(&[&tom, &jack], more).await?;
        done += more;
        looks.push(look(&rig, [&tom, &jack], done, looks.first()).await?);
    }
    let _ = writeln!(std::io::stderr(), "{}", table(&looks));
    nothing_grew(&looks).with_context(|| table(&looks))?;
    rig.finish().await
}

/// The number of calls: `VIDEORTC_E2E_CALLS`, or as many as fit into a minute.
fn calls() -> Result<u64> {
    let Ok(asked) = std::env::var("VIDEORTC_E2E_CALLS") else { return Ok(2 * SETTLED) };
    let calls = asked.parse().ok().filter(|&calls| calls > SETTLED);
    calls.with_context(|| {
        format!("VIDEORTC_E2E_CALLS is `{asked}`, expected a number greater than {SETTLED}")
    })
}

/// Makes the pages run this many more calls. The evaluated script is the same text each time, since
/// the engine keeps compiled scripts.
async fn fly(pages: &[&Page; 2], calls: u64) -> Result {
    for page in pages {
        page.run(format!("harness.pilot.stop += {calls}")).await?;
    }
    for page in pages {
        page.run("harness.pilot.next()").await?;
    }
    for page in pages {
        page.run(format!(
            "await harness.until(() => `stuck in call ${{harness.pilot.call}}`,
               () => harness.faults.length > 0 || harness.pilot.isDone(), {})",
            FLIGHT_LIMIT.as_millis()
        ))
        .await?;
        let faults = page.run("return harness.faults").await?;
        ensure!(faults == json!([]), "{}: {faults}\n{}", page.name(), page.history().await);
    }
    for page in pages {
        page.run(
            "const { pilot } = harness;
             await harness.until(() => `${pilot.whole} of ${pilot.calledHere()} files are whole`,
               () => pilot.whole === pilot.calledHere())",
        )
        .await?;
        page.released(0).await?;
    }
    Ok(())
}

/// Clears the test page's own records, and counts the remaining objects.
async fn look(
    rig: &Rig,
    pages: [&std::sync::Arc<Page>; 2],
    calls: u64,
    first: Option<&Look>,
) -> Result<Look> {
    for page in pages {
        page.forget().await?;
        page.run(
            "Object.assign(harness, { peers: [], tracks: [], requests: [], sent: [], console: [] })",
        )
        .await?;
    }
    let end = Instant::now() + SETTLE_LIMIT;
    loop {
        let both = [pages[0].remains().await?, pages[1].remains().await?];
        let (sessions, handles) = rig.held_by_the_gateway()?;
        let look = Look { calls, pages: both, sessions, handles };
        // A surplus may only be late.
        if Instant::now() > end
            || growth(first.unwrap_or(&look), &look).is_empty() && is_empty(&look)
        {
            return Ok(look);
        }
        // Rarely, since the engine keeps a little of each evaluated script.
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Nothing of an ended call is retained.
fn is_empty(look: &Look) -> bool {
    look.pages.iter().all(|page| page.objects == 0)
}

/// The objects that have increased in number; bytes are checked at the end.
fn growth(first: &Look, now: &Look) -> Vec<String> {
    let mut grown = Vec::new();
    if (now.sessions, now.handles) != (first.sessions, first.handles) {
        grown.push(format!("the gateway has {} sessions, {} handles", now.sessions, now.handles));
    }
    for (page, then) in now.pages.iter().zip(&first.pages) {
        if !page.counts_as(*then) {
            grown.push(format!("{page:?}, at first {then:?}"));
        }
    }
    grown
}

fn nothing_grew(looks: &[Look]) -> Result {
    let first = looks.first().context("no look was taken")?;
    // One session and one handle per page.
    ensure!((first.sessions, first.handles) == (2, 2), "{first:?}");
    for now in looks {
        let calls = now.calls;
        ensure!(is_empty(now), "objects are left after {calls} calls");
        let grown = growth(first, now);
        ensure!(grown.is_empty(), "after {calls} calls: {grown:?}");
        for (page, then) in now.pages.iter().zip(&first.pages) {
            ensure!(
                page.linear_memory <= then.linear_memory + LINEAR_SLACK,
                "the module's memory grew with call {calls}"
            );
            ensure!(page.heap <= then.heap + HEAP_SLACK, "the heap grew with call {calls}");
        }
    }
    Ok(())
}

fn table(looks: &[Look]) -> String {
    let mut text = "lasting: calls | gateway: sessions handles | each page: linear KiB, heap KiB, \
                    objects, listeners, nodes, timers"
        .to_owned();
    for Look { calls, pages, sessions, handles } in looks {
        let _ = write!(text, "\nlasting: {calls:5} | {sessions} {handles}");
        for page in pages {
            let Remains { linear_memory, heap, objects, listeners, nodes, timers, .. } = page;
            let (linear, heap) = (linear_memory >> 10, heap >> 10);
            let _ =
                write!(text, " | {linear:5} {heap:6} {objects} {listeners:3} {nodes:3} {timers}");
        }
    }
    text
}
