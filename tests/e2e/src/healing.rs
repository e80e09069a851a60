//! Recovery as a page sees it, and its duration.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use crate::Result;
use crate::page::Page;
use crate::rig::{accept, ring_when_free};

/// How long healing may take: longer than a dead session holds its name, and shorter than a test.
const HEALING_LIMIT: Duration = Duration::from_secs(90);

/// One fault, from its end on.
#[derive(Debug)]
pub struct Healing {
    fault: String,
    since: Instant,
}

impl Healing {
    /// The fault is over at this moment.
    pub fn starts(fault: impl Into<String>) -> Self {
        Self { fault: fault.into(), since: Instant::now() }
    }

    /// Prints how long it took until now, past the test runner, which holds back what a test
    /// prints.
    pub fn done(&self) {
        let Self { fault, since } = self;
        let _ = writeln!(std::io::stderr(), "healing: {fault}: {}", since.elapsed().as_millis());
    }

    /// The page said once that it lost something, and says that it is back.
    pub async fn is_seen(&self, page: &Page) -> Result {
        self.reconnecting(page).await?;
        page.event_within("onReconnected", HEALING_LIMIT).await?;
        self.done();
        Ok(())
    }

    /// The session was lost: the page is registered again, then says that it is back.
    pub async fn brings_a_new_session(&self, page: &Page) -> Result {
        self.reconnecting(page).await?;
        let registered = page.event_within("onRegistered", HEALING_LIMIT).await?;
        ensure!(registered == [json!(page.name()), json!(true)], "registered as {registered:?}");
        page.event_within("onReconnected", HEALING_LIMIT).await?;
        self.done();
        let order = page
            .run(
                "const names = harness.events.map(({ name }) => name);
                 return names.lastIndexOf('onRegistered') < names.lastIndexOf('onReconnected')",
            )
            .await?;
        ensure!(order == json!(true), "onRegistered came late: {}", page.history().await);
        Ok(())
    }

    /// The call with `peer` ends, for one of these reasons; all if there are none.
    pub async fn ends_the_call(&self, page: &Page, peer: &str, reasons: &[&str]) -> Result {
        let args = page.event_within("onHangUp", HEALING_LIMIT).await?;
        self.done();
        let reason = args.get(1).and_then(Value::as_str).unwrap_or_default();
        let fits = reasons.is_empty() || reasons.contains(&reason);
        if args.first() != Some(&json!(peer)) || reason.is_empty() || !fits {
            bail!(
                "{}: {}: it ended as {args:?}, expected {peer} and one of {reasons:?}\n{}",
                page.name(),
                self.fault,
                page.history().await
            );
        }
        Ok(())
    }

    async fn reconnecting(&self, page: &Page) -> Result {
        let cause = page.event_within("onReconnecting", HEALING_LIMIT).await?;
        let error = cause.first().unwrap_or(&Value::Null);
        ensure!(
            error["name"] == "VideoRTCError" && error["code"].is_string(),
            "{}: onReconnecting came with {cause:?}",
            page.name()
        );
        Ok(())
    }
}

/// Everything is restored: one `onReconnected` followed each `onReconnecting`. Waits for a pending
/// one.
pub async fn is_whole(page: &Page) -> Result {
    let told =
        "harness.events.map(({ name }) => name).filter((name) => name.startsWith('onReconnect'))";
    let whole = format!(
        "await harness.until('not back yet', () => {told}.at(-1) !== 'onReconnecting', 90000)"
    );
    page.run(whole).await?;
    let told = page.run(format!("return {told}")).await?;
    let names = told.as_array().map(Vec::as_slice).unwrap_or_default();
    let in_turns = names.chunks(2).all(|pair| pair == ["onReconnecting", "onReconnected"]);
    ensure!(in_turns, "{}: not in turns: {told}\n{}", page.name(), page.history().await);
    page.skip("onReconnecting").await?;
    page.skip("onReconnected").await
}

/// Waits until both are in the gateway's list, as each sees it.
pub async fn until_listed(a: &Page, b: &Page) -> Result {
    for (page, other) in [(a, b), (b, a)] {
        page.run(format!(
            "await harness.until('{0} is not in the list', async () =>
               (await action.getPeers().catch(() => [])).includes('{0}'))",
            other.name()
        ))
        .await?;
        page.skip("onGotPeers").await?;
    }
    Ok(())
}

/// Nothing of the fault is left: they call each other, in both directions.
pub async fn works(a: &Page, b: &Page) -> Result {
    for (caller, callee) in [(a, b), (b, a)] {
        until_listed(caller, callee).await?;
        ring_when_free(caller, callee).await?;
        accept(caller, callee).await?;
        tokio::try_join!(caller.sees_both(), callee.sees_both())?;
        hang_up(callee, caller).await?;
    }
    Ok(())
}

/// Hangs up the call that is up; both hear of it.
pub async fn hang_up(who: &Page, other: &Page) -> Result {
    who.run("await action.hangUp()").await?;
    who.ended(other.name(), "Hung up").await?;
    other.ended(who.name(), "Hung up").await
}

/// Says past the test runner why a test does nothing here.
pub fn skips(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
