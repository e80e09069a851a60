//! Every way in which a call ends: once, on both sides, with nothing left open.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use serde_json::json;
use videortc_e2e::{Page, Result, Rig, call, ring};

/// A closing browser sends a last request; if that is lost, only the media connection shows the
/// end.
const GONE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn either_side_hangs_up() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    for (caller, callee, who) in [(&tom, &jack, &tom), (&tom, &jack, &jack), (&jack, &tom, &tom)] {
        call(caller, callee).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        who.run("await action.hangUp()").await?;
        tom.ended("Jack", "Hung up").await?;
        jack.ended("Tom", "Hung up").await?;
        tokio::try_join!(tom.released(2), jack.released(2))?;
        who.refused("await action.hangUp()", "NO_CALL").await?;
    }
    for page in [&tom, &jack] {
        ensure!(page.count("onHangUp").await? == 3, "{}", page.history().await);
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hang_up_carries_its_reason() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    call(&tom, &jack).await?;
    tom.run("await action.hangUp('Dinner is ready: <b>pizza</b>')").await?;
    jack.ended("Tom", "Dinner is ready: <b>pizza</b>").await?;
    tom.event("onHangUp").await?;
    tom.refused("await action.hangUp(42)", "INVALID_ARGUMENT").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_hang_up_simultaneously() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    for _ in 0..3 {
        call(&tom, &jack).await?;
        // For the slower one, the call may have ended already.
        let hang_up = "await action.hangUp().catch((e) => { if (e.code !== 'NO_CALL') throw e; })";
        tokio::try_join!(tom.run(hang_up), jack.run(hang_up))?;
        tom.ended("Jack", "Hung up").await?;
        jack.ended("Tom", "Hung up").await?;
        tokio::try_join!(tom.released(2), jack.released(2))?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_twice_is_idempotent() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    call(&tom, &jack).await?;
    tom.run("await Promise.allSettled([action.hangUp(), action.hangUp(), action.hangUp()])")
        .await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;

    // There is still no second one after a further round trip and call.
    call(&jack, &tom).await?;
    jack.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    ensure!(tom.count("onHangUp").await? == 2, "{}", tom.history().await);
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_while_accepting_ends_it_once() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    ring(&tom, &jack).await?;
    let refusal = jack
        .refusal("const accepting = action.acceptCall(); await action.hangUp(); await accepting;")
        .await?;
    ensure!(refusal.code == "CALL_ENDED", "{refusal:?}");
    let (theirs, mine) = tokio::try_join!(tom.event("onHangUp"), jack.event("onHangUp"))?;
    ensure!(theirs[0] == "Jack" && mine[0] == "Tom", "ended as {theirs:?} and {mine:?}");
    tokio::try_join!(tom.released(2), jack.released(0))?;

    call(&tom, &jack).await?;
    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_calls_in_a_row_with_a_redial_from_on_hang_up() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    jack.run("harness.reactions.onIncomingCall = () => action.call()").await?;
    tom.run(
        "window.redials = 0;
         window.refused = [];
         harness.reactions.onHangUp = () => {
           if (++redials < 10) action.call('Jack').catch((error) => refused.push(String(error)));
         };
         await action.call('Jack');",
    )
    .await?;
    for round in 1..=10 {
        tom.expect("onAccepted", json!(["Jack"])).await?;
        jack.expect("onAccepted", json!(["Tom"])).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        let who = if round % 2 == 0 { &tom } else { &jack };
        who.run("await action.hangUp()").await?;
        tom.ended("Jack", "Hung up").await?;
        jack.ended("Tom", "Hung up").await?;
    }
    let refused = tom.run("return refused").await?;
    ensure!(refused == json!([]), "redials were refused: {refused}");
    tokio::try_join!(tom.released(20), jack.released(20))?;
    for page in [&tom, &jack] {
        for event in ["onAccepted", "onHangUp", "onReadyLocalStream", "onRemoteStreamReady"] {
            ensure!(page.count(event).await? == 10, "{event}: {}", page.history().await);
        }
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_tab_ends_the_call_of_the_peer() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    // In the middle of a file, in both directions.
    let send = "harness.send('a/b', harness.noise(1, 2 ** 27));
                await harness.until('nothing moves', () => harness.transfers.length === 2);";
    tokio::try_join!(tom.run(send), jack.run(send))?;
    rig.close(jack).await?;
    gone(&tom, "Jack").await?;
    tom.released(2).await?;
    let failed = tom
        .run(
            "const codes = harness.transfers.map(({ object }) => [object.direction, object.error?.code]);
             return codes.sort();",
        )
        .await?;
    ensure!(failed[0] == json!(["incoming", "CALL_ENDED"]), "{failed}");
    // A minute of silence may fail transfers before the gateway detects that the other side is
    // gone.
    let outgoing = failed[1][1].as_str().unwrap_or_default();
    ensure!(["CALL_ENDED", "TRANSFER_FAILED"].contains(&outgoing), "{failed}");

    // The name is free for the returning page, at the latest when the session has expired. If media
    // flows directly, the call ends before that.
    tom.gone_from_the_list("Jack", GONE).await?;
    let jack = rig.register("Jack").await?;
    call(&jack, &tom).await?;
    jack.run("await action.hangUp()").await?;
    jack.ended("Tom", "Hung up").await?;
    tom.ended("Jack", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_callers_tab_stops_the_ringing() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    ring(&tom, &jack).await?;
    rig.close(tom).await?;
    gone(&jack, "Tom").await?;
    jack.refused("await action.acceptCall()", "NO_CALL").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_callees_tab_while_ringing_ends_the_call() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    ring(&tom, &jack).await?;
    rig.close(jack).await?;
    gone(&tom, "Jack").await?;
    tom.released(2).await?;
    rig.finish().await
}

/// The peer went away: the call ends with a reason for that, or with an ordinary hang-up or cancel
/// if the closing page managed to send one.
async fn gone(page: &Page, peer: &str) -> Result {
    let args = page.event_within("onHangUp", GONE).await?;
    let reasons = [
        "The other side left",
        "Hung up",
        "Cancelled",
        "Call declined",
        "No answer",
        "Connection lost",
        "Media connection failed",
    ];
    ensure!(args[0] == peer, "it ended as {args:?}");
    ensure!(reasons.iter().any(|reason| args[1] == **reason), "it ended as {args:?}");
    Ok(())
}

async fn pair(rig: &Rig) -> Result<(Arc<Page>, Arc<Page>)> {
    tokio::try_join!(rig.register("Tom"), rig.register("Jack"))
}
