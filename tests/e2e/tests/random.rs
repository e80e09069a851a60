//! Random scenarios from a seed, with two users and a failing gateway: the guarantees must hold.
//!
//! `VIDEORTC_E2E_SEED=7` repeats one seed, `VIDEORTC_E2E_SEEDS=12` plays that many. A failure
//! prints its seed and the steps with their times. A seed determines steps and pauses, but not the
//! speed of the browser, so a failed one may have to be repeated several times.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use videortc_e2e::{Devices, GatewayKind, Page, Result, Rig, skips};
use videortc_gateway::server::{Fault, Faults};

/// The seeds of every run.
const SEEDS: u64 = 3;

/// The number of steps of users and faults.
const STEPS: usize = 30;

/// The time limit for settling once the gateway works: longer than a call rings here.
const SETTLE_LIMIT: Duration = Duration::from_secs(45);

/// Acts in a page and records the results. A life is one call object, from `videoCall()` on.
const PLAYER: &str = r##"
const lives = [];
const pending = new Map();
let life; // of window.action
let isRenewing = false;
let number = 0;

const listeners = harness.listeners;
harness.listeners = () => {
  const next = { log: [], isOver: false };
  lives.push(next);
  const wrap = ([name, tell]) => [name, (...args) => {
    next.log.push({ name, args: args.map(String) });
    tell(...args);
  }];
  return Object.fromEntries(Object.entries(listeners()).map(wrap));
};

// All commands of a page, issued without waiting for earlier ones.
const deeds = {
  call: (name) => action.call(name),
  acceptCall: () => action.acceptCall(),
  hangUp: (reason) => action.hangUp(reason),
  getPeers: () => action.getPeers(),
  setCall: () => action.setCall(true, true, "medium"),
  toggleAudio: () => action.toggleAudio(),
  toggleVideo: () => action.toggleVideo(),
  text: (text) => harness.send("text/plain", text),
  file: (seed) => harness.send("application/x-noise", harness.noise(seed, 300000), undefined, "noise"),
  register: (name) => action.register(name),
  renew: (name) => renew(() => window.action?.closeUsecase(), name),
  reconnect: (name) => renew(async () => {
    await rtc.disconnect();
    window.usecases = await rtc.connect();
  }, name),
};

async function renew(leave, name) {
  isRenewing = true;
  try {
    if (life) life.isOver = true;
    await leave();
    await harness.videoCall({ options: { ringTimeout: 15000, connectTimeout: 10000 } });
    life = lives.at(-1);
    await action.register(name);
  } finally {
    isRenewing = false;
  }
}

const ownErrors = [];

window.player = {
  lives,
  outcomes: [],
  willAccept: false,

  /** Starts an action and returns immediately. */
  play(name, value) {
    if (isRenewing && ["renew", "reconnect"].includes(name)) return;
    const entry = { name: `${name}()`, life: lives.indexOf(life), outcome: null };
    if (name === "call") life?.log.push(entry);
    player.outcomes.push(entry);
    const key = `${(number += 1)} ${name}`;
    const done = (outcome) => {
      entry.outcome = outcome;
      pending.delete(key);
    };
    pending.set(key, entry);
    let promise;
    try {
      promise = Promise.resolve(deeds[name](value));
    } catch (error) {
      promise = Promise.reject(error);
    }
    promise.then(() => done("done"), (error) => {
      if (error?.name !== "VideoRTCError") ownErrors.push(`${name}() rejected with ${error?.stack ?? error}`);
      done(error?.code ?? String(error));
    });
  },

  /** Waits for an action that must succeed. */
  async must(name, value) {
    player.play(name, value);
    const entry = player.outcomes.at(-1);
    await harness.until(() => `${name}() is pending`, () => entry.outcome !== null, 45000);
    return entry.outcome;
  },

  pending: () => [...pending.keys()],

  /** Violations of the reference in the reported calls, and whether a call is open. */
  judge() {
    const wrong = [...ownErrors];
    let isOpen = false;
    for (const [index, { log, isOver }] of lives.entries()) {
      let call = null;
      let isLost = false;
      const say = (what) => wrong.push(`life ${index}: ${what}`);
      for (const { name, args, outcome } of log) {
        if (name === "call()") {
          const isRefused = ["NOT_REGISTERED", "ALREADY_IN_CALL", "CLOSED"].includes(outcome);
          if (!isRefused) call ??= {};
        } else if (["onCalling", "onIncomingCall", "onAccepted", "onRemoteStreamReady"].includes(name)) {
          if (!call && name !== "onIncomingCall") say(`${name}(${args}) without a call`);
          call ??= {};
          call[name] = (call[name] ?? 0) + 1;
          if (call[name] > 1) say(`${name}(${args}) twice in a call`);
        } else if (name === "onHangUp") {
          if (!call) say(`onHangUp(${args}) without a call`);
          if (!args[1]) say(`onHangUp(${args}) without a reason`);
          call = null;
        } else if (name === "onReconnecting") {
          if (isLost) say("onReconnecting twice");
          isLost = true;
        } else if (name === "onReconnected") {
          if (!isLost) say("onReconnected without onReconnecting");
          isLost = false;
        } else if (name === "onError") say(`onError(${args})`);
      }
      const isNow = log === life?.log && !isOver;
      if (call && !isNow) say("a call has no end");
      if (call && isNow) isOpen = true;
      if (isLost && isNow) isOpen = true;
    }
    return { wrong, isOpen };
  },

  /** Ends everything that is open, until every promise has settled. */
  async settle(limit) {
    const state = () => `pending ${player.pending()}, open ${player.judge().isOpen}`;
    let asked = 0;
    await harness.until(() => `stuck: ${state()}`, () => {
      const { isOpen } = player.judge();
      if (pending.size === 0 && !isOpen) return true;
      if (isOpen && performance.now() - asked > 2000) {
        asked = performance.now();
        player.play("hangUp");
      }
      return false;
    }, limit);
  },

  /** The number of events. */
  sum() {
    const count = (name) => lives.flatMap(({ log }) => log).filter((one) => one.name === name).length;
    const settled = (outcome) => player.outcomes.filter((one) => one.outcome === outcome).length;
    const refused = player.outcomes.length - settled("done");
    return `${count("onHangUp")} ends, ${count("onAccepted")} calls up, ${harness.arrived.length} things came, ` +
      `${count("onReconnecting")} times lost, ${settled("done")} promises kept and ${refused} rejected`;
  },

  story: () => lives.map(({ log }, index) => `life ${index}: ${log.map(({ name, args, outcome }) =>
    name === "call()" ? `call()=${outcome}` : `${name}(${args})`).join(" ")}`).join("\n"),
};

harness.reactions.onIncomingCall = () => {
  if (player.willAccept) player.play("acceptCall");
};
"##;

/// The generator splitmix64.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }
}

/// Two pages, their users, and the steps so far.
struct Play {
    pages: [Arc<Page>; 2],
    names: [String; 2],
    faults: Faults,
    began: Instant,
    told: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantees_hold_in_random_scenarios() -> Result {
    if GatewayKind::asked_for()? != GatewayKind::Embedded {
        skips("only the embedded gateway fails on demand");
        return Ok(());
    }
    let mut failed = Vec::new();
    for seed in seeds()? {
        let began = Instant::now();
        let outcome = play(seed).await;
        let time = began.elapsed().as_millis();
        let word = outcome.as_deref().unwrap_or("FAILS");
        let _ = writeln!(std::io::stderr(), "random: seed {seed}, {time} ms: {word}");
        failed.extend(outcome.err().map(|error| format!("seed {seed}: {error:#}")));
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n\n"));
    Ok(())
}

fn seeds() -> Result<Vec<u64>> {
    let asked = |name: &str| -> Result<Option<u64>> {
        let Ok(text) = std::env::var(name) else { return Ok(None) };
        text.parse().map(Some).with_context(|| format!("{name} is `{text}`, expected a number"))
    };
    if let Some(seed) = asked("VIDEORTC_E2E_SEED")? {
        return Ok(vec![seed]);
    }
    Ok((1..=asked("VIDEORTC_E2E_SEEDS")?.unwrap_or(SEEDS)).collect())
}

/// Plays a seed, and returns the number of events.
async fn play(seed: u64) -> Result<String> {
    let rig = Rig::start().await?;
    let names = ["Tom".to_owned(), "Jack".to_owned()];
    let pages = tokio::try_join!(enter(&rig, &names[0]), enter(&rig, &names[1]))?;
    let faults = rig.faults()?;
    let mut play =
        Play { pages: pages.into(), names, faults, began: Instant::now(), told: String::new() };
    let outcome = async {
        let mut dice = Dice(seed);
        for _ in 0..STEPS {
            play.step(&mut dice).await?;
            tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
        }
        play.faults.clear();
        play.settles().await?;
        play.works().await
    }
    .await;
    if let Err(error) = outcome {
        let mut text = format!("{error:#}\nplayed:{}", play.told);
        for page in &play.pages {
            let story = page.run("return player.story()").await.unwrap_or(Value::Null);
            let story = story.as_str().unwrap_or("nothing is known");
            let _ = write!(text, "\n{}:\n{story}\n{}", page.name(), page.history().await);
        }
        bail!(text);
    }
    let mut sums = Vec::new();
    for page in &play.pages {
        let sum = page.run("return player.sum()").await?;
        sums.push(format!("{}: {}", page.name(), sum.as_str().unwrap_or_default()));
        page.skip("onHangUp").await?;
    }
    rig.finish().await?;
    Ok(sums.join("; "))
}

/// Opens a registered page with the player in it.
async fn enter(rig: &Rig, name: &str) -> Result<Arc<Page>> {
    let page = rig.open(name, Devices::default()).await?;
    page.run(PLAYER).await?;
    let options = json!({ "requestTimeout": 3000, "retryLimit": 30000 });
    let visitor = json!({ "level": "debug", "options": options });
    page.run(format!("await harness.connect({visitor})")).await?;
    must(&page, "renew", name).await?;
    Ok(page)
}

async fn must(page: &Page, deed: &str, value: &str) -> Result {
    let outcome =
        page.run(format!("return await player.must({}, {})", json!(deed), json!(value))).await?;
    ensure!(outcome == "done", "{}: {deed}({value}) ended as {outcome}", page.name());
    Ok(())
}

impl Play {
    async fn step(&mut self, dice: &mut Dice) -> Result {
        let who = dice.below(2) as usize;
        match dice.below(28) {
            0..=5 => {
                // Most callees accept; some let it ring.
                let accepts = dice.below(4) > 0;
                let rule = format!("player.willAccept = {accepts}");
                self.pages[1 - who].run(rule).await?;
                let peer = self.names[1 - who].clone();
                self.deed(who, "call", json!(peer)).await
            }
            6..=7 => self.deed(who, "acceptCall", Value::Null).await,
            8..=9 => {
                let reason = dice.one_of(&[Value::Null, json!("Dinner is ready")]);
                self.deed(who, "hangUp", reason).await
            }
            10..=12 => {
                let text = json!(format!("text {}", dice.below(1000)));
                self.deed(who, "text", text).await
            }
            13..=14 => {
                let seed = json!(dice.below(1000));
                self.deed(who, "file", seed).await
            }
            15..=16 => {
                let deed = dice.one_of(&["setCall", "toggleAudio", "toggleVideo", "getPeers"]);
                self.deed(who, deed, Value::Null).await
            }
            17 => {
                // A new name each time: the gateway may hold the old one for a minute if it was not
                // notified.
                let deed = dice.one_of(&["renew", "reconnect"]);
                let name =
                    format!("{} {}", self.pages[who].name(), self.began.elapsed().as_micros());
                self.names[who].clone_from(&name);
                self.deed(who, deed, json!(name)).await
            }
            _ => {
                self.fault(who, dice).await;
                Ok(())
            }
        }
    }

    async fn deed(&mut self, who: usize, deed: &str, value: Value) -> Result {
        self.tell(format!("{}: {deed}({value})", self.pages[who].name()));
        self.pages[who].run(format!("player.play({}, {value} ?? undefined)", json!(deed))).await?;
        Ok(())
    }

    async fn fault(&mut self, who: usize, dice: &mut Dice) {
        let name = self.pages[who].name().to_owned();
        let faults = self.faults.of(&self.names[who]);
        let fault = dice.one_of(&[
            Fault::Status(500),
            Fault::Status(503),
            Fault::RetryAfter(1),
            Fault::Html502,
            Fault::Empty,
            Fault::Body(r#"[{"janus":"#.to_owned()),
            Fault::Garbage,
            Fault::CloseConnection,
            Fault::HalfBody,
            Fault::Hang,
            Fault::Delay(Duration::from_millis(700)),
            Fault::Drip(Duration::from_millis(5)),
            Fault::DropEvents,
            Fault::RepeatEvents,
            Fault::RepeatEventsLater,
            Fault::ForgetSession,
        ]);
        match dice.below(10) {
            0..=3 => {
                self.tell(format!("{name}: next POST {fault:?}"));
                faults.next_post(fault);
            }
            4..=6 => {
                self.tell(format!("{name}: next poll {fault:?}"));
                faults.next_poll(fault);
            }
            7 => {
                let event = dice.one_of(&[
                    "calling",
                    "incomingcall",
                    "accepted",
                    "hangup",
                    "list",
                    "registered",
                    "webrtcup",
                ]);
                self.tell(format!("{name}: loses {event}"));
                faults.lose_event(event);
            }
            8 => {
                self.tell("everybody: next POST forgets all".to_owned());
                self.faults.next_post(Fault::ForgetAll);
            }
            _ => {
                let lasting = dice.one_of(&[
                    Fault::Status(500),
                    Fault::Stall,
                    Fault::Hang,
                    Fault::CloseConnection,
                    Fault::RepeatEvents,
                ]);
                let time = Duration::from_millis(500 + dice.below(2000));
                self.tell(format!("{name}: {lasting:?} for {time:?}"));
                faults.all(lasting);
                tokio::time::sleep(time).await;
                self.tell("all faults are over".to_owned());
                self.faults.clear();
            }
        }
    }

    fn tell(&mut self, what: String) {
        let _ = write!(self.told, "\n{:6} {what}", self.began.elapsed().as_millis());
    }

    /// Every promise settles, every call ends once, every transfer has one result, everything is
    /// released.
    async fn settles(&mut self) -> Result {
        self.tell("the gateway is well".to_owned());
        let limit = SETTLE_LIMIT.as_millis();
        let settle = format!("player.willAccept = false; await player.settle({limit})");
        tokio::try_join!(self.pages[0].run(&settle), self.pages[1].run(&settle))?;
        self.tell("settled".to_owned());
        self.is_right().await
    }

    async fn is_right(&self) -> Result {
        for page in &self.pages {
            let wrong = page
                .run("return [...player.judge().wrong, ...harness.audit(), ...harness.faults]")
                .await?;
            ensure!(wrong == json!([]), "{}: {wrong}", page.name());
            page.released(0).await?;
        }
        Ok(())
    }

    /// Nothing is stuck: the existing objects call each other in both directions.
    async fn works(&mut self) -> Result {
        for who in 0..2 {
            // A page without a name or an object starts again.
            let name = json!(self.names[who]);
            let outcome = self.pages[who]
                .run(format!("return await player.must('register', {name})"))
                .await?;
            if outcome != "done" {
                let is_open = self.is_open(who).await?;
                ensure!(!is_open, "{}: register() ended as {outcome}", self.pages[who].name());
                self.names[who] = format!("{} at last", self.pages[who].name());
                must(&self.pages[who], "reconnect", &self.names[who]).await?;
            }
        }
        self.tell("registered".to_owned());
        for (caller, callee) in [(0, 1), (1, 0)] {
            let (calls, called) = (&self.pages[caller], &self.pages[callee]);
            for page in &self.pages {
                page.skip("onAccepted").await?;
            }
            called.run("player.willAccept = true").await?;
            let name = json!(self.names[callee]);
            calls
                .run(format!(
                    "await harness.until({name} + ' is not called', async () =>
                       await player.must('call', {name}) === 'done', 30000)"
                ))
                .await?;
            tokio::try_join!(calls.event("onAccepted"), called.event("onAccepted"))?;
            tokio::try_join!(calls.sees_both(), called.sees_both())?;
            must(calls, "text", "it works").await?;
            must(called, "hangUp", "done").await?;
            let settle = "await player.settle(10000)";
            tokio::try_join!(calls.run(settle), called.run(settle))?;
        }
        self.is_right().await
    }

    /// Whether the page has a call object that was not closed and did not fail to start.
    async fn is_open(&self, who: usize) -> Result<bool> {
        let open = "return player.lives.length > 0 && !player.lives.at(-1).isOver
                    && !player.outcomes.some(({ name, outcome }) =>
                      /^(renew|reconnect)/.test(name) && outcome !== 'done')";
        Ok(self.pages[who].run(open).await? == json!(true))
    }
}
