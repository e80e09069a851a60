//! Every fault that the embedded gateway can produce, while a page is idle, ringing and in a call.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use videortc_e2e::{
    GatewayKind, Healing, Page, Result, Rig, Visitor, accept, call, hang_up, is_whole, ring,
    ring_when_free, skips, until_listed, works,
};
use videortc_gateway::server::{Fault, Faults};

const SECOND: Duration = Duration::from_secs(1);

/// The request timeout here, short so that a hanging request does not delay a test.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// The time limit for settling without answers: all retries of the requests on leaving.
const SETTLE_LIMIT: Duration = Duration::from_secs(15);

/// Temporary faults of one request. A 404 is not among them: for a Janus client it means that the
/// session is lost.
fn passing() -> Vec<(&'static str, Fault)> {
    vec![
        ("500", Fault::Status(500)),
        ("503", Fault::Status(503)),
        ("429", Fault::RetryAfter(1)),
        ("502 with HTML", Fault::Html502),
        ("empty body", Fault::Empty),
        ("half a JSON", Fault::Body(r#"[{"janus":"#.to_owned())),
        ("another JSON", Fault::Body(r#"{"ok":true}"#.to_owned())),
        ("garbage", Fault::Garbage),
        ("64 MiB", Fault::Huge(64 << 20)),
        ("connection closed", Fault::CloseConnection),
        ("half a body", Fault::HalfBody),
        ("late", Fault::Delay(SECOND)),
        ("slow drip", Fault::Drip(Duration::from_millis(5))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn poll_fails_while_idle() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in passing() {
        next_poll(&faults, &tom, fault).await?;
        let healing = Healing::starts(format!("poll, idle, {name}"));
        let peers = tom.run("return (await action.getPeers()).join()").await?;
        healing.done();
        ensure!(peers == "Jack" || peers == "Jack,Tom", "{name}: the peers are {peers}");
        is_whole(&tom).await.context(name)?;
    }
    stays_small(&tom).await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn poll_of_the_callee_fails_while_ringing() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in passing() {
        ring_when_free(&tom, &jack).await?;
        next_poll(&faults, &jack, fault).await?;
        let healing = Healing::starts(format!("poll, ringing here, {name}"));
        accept(&tom, &jack).await.context(name)?;
        healing.done();
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        hang_up(&jack, &tom).await?;
        is_whole(&jack).await.context(name)?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn poll_of_the_caller_fails_while_ringing() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in passing() {
        ring_when_free(&tom, &jack).await?;
        next_poll(&faults, &tom, fault.clone()).await?;
        let healing = Healing::starts(format!("poll, ringing there, {name}"));
        // The caller receives only a part of the callee's answer, so the call may also have ended.
        let is_lossy = fault == Fault::HalfBody;
        up_or_over(&tom, &jack, "await action.acceptCall()", is_lossy).await.context(name)?;
        healing.done();
        is_whole(&tom).await.context(name)?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn poll_fails_during_a_call() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    call(&tom, &jack).await?;
    for (name, fault) in passing() {
        next_poll(&faults, &tom, fault).await?;
        let healing = Healing::starts(format!("poll, in a call, {name}"));
        tom.run("await action.getPeers()").await.context(name)?;
        healing.done();
        is_whole(&tom).await.context(name)?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        tom.run("await action.sendData('text/plain', 'still there')").await.context(name)?;
        jack.expect("onDataReceived", json!(["text/plain", "still there", null, "Tom"])).await?;
    }
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn poll_with_a_hang_up_is_truncated() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair_without_data(&rig).await?;
    call(&jack, &tom).await?;
    next_poll(&faults, &tom, Fault::HalfBody).await?;
    let healing = Healing::starts("poll with the hang-up, in a call, half a body");
    jack.run("await action.hangUp()").await?;
    jack.ended("Tom", "Hung up").await?;
    healing.ends_the_call(&tom, "Jack", &[]).await?;
    is_whole(&tom).await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn poll_with_an_incoming_call_is_truncated() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    next_poll(&faults, &jack, Fault::HalfBody).await?;
    rings_or_is_over(&tom, &jack, "incoming call, half a body").await?;
    is_whole(&jack).await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn request_fails_while_idle() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in passing().into_iter().chain([("no answer", Fault::Hang)]) {
        faults.of("Tom").next_post(fault);
        let healing = Healing::starts(format!("request, idle, {name}"));
        // Repeating it is harmless.
        tom.run("await action.getPeers()").await.context(name)?;
        healing.done();
        ensure!(faults.are_met(), "{name}: no request came");
        is_whole(&tom).await.context(name)?;
    }
    stays_small(&tom).await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn call_request_fails() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in passing().into_iter().chain([("no answer", Fault::Hang)]) {
        let name = format!("call, {name}");
        until_listed(&tom, &jack).await?;
        faults.of("Tom").next_post(fault);
        rings_or_is_over(&tom, &jack, &name).await?;
        ensure!(faults.are_met(), "{name}: no request came");
        is_whole(&tom).await.context(name)?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_request_fails() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in passing().into_iter().chain([("no answer", Fault::Hang)]) {
        let name = format!("acceptCall, {name}");
        ring_when_free(&tom, &jack).await?;
        faults.of("Jack").next_post(fault);
        let healing = Healing::starts(&name);
        up_or_over(&tom, &jack, "await action.acceptCall()", true).await.context(name.clone())?;
        healing.done();
        ensure!(faults.are_met(), "{name}: no request came");
        is_whole(&jack).await.context(name)?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hang_up_request_fails() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair_without_data(&rig).await?;
    for (name, fault) in passing().into_iter().chain([("no answer", Fault::Hang)]) {
        ring_when_free(&tom, &jack).await?;
        accept(&tom, &jack).await?;
        faults.of("Tom").next_post(fault);
        let healing = Healing::starts(format!("hangUp, {name}"));
        tom.run("await action.hangUp()").await.context(name)?;
        tom.ended("Jack", "Hung up").await?;
        healing.ends_the_call(&jack, "Tom", &[]).await?;
        ensure!(faults.are_met(), "{name}: no request came");
        tokio::try_join!(tom.released(2), jack.released(2))?;
        is_whole(&tom).await.context(name)?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn register_request_fails() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let jack = rig.register_as("Jack", patient()).await?;
    for (at, (name, fault)) in passing().into_iter().chain([("no answer", Fault::Hang)]).enumerate()
    {
        let tom = rig.attach("Tom", patient()).await?;
        faults.next_post(fault);
        let healing = Healing::starts(format!("register, {name}"));
        let user = format!("Tom {at}");
        tom.run(format!("await action.register({})", json!(user))).await.context(name)?;
        healing.done();
        ensure!(faults.are_met(), "{name}: no request came");
        tom.expect("onRegistered", json!([user, true])).await?;
        is_whole(&tom).await.context(name)?;
        tom.run("await rtc.disconnect()").await?;
        rig.close(tom).await?;
    }
    jack.run("await action.getPeers()").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_repeat_immediately() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair_without_data(&rig).await?;
    faults.all(Fault::RepeatEvents);
    for hanger in [&tom, &jack] {
        ring_when_free(&tom, &jack).await?;
        accept(&tom, &jack).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        let other = if hanger.name() == "Tom" { &jack } else { &tom };
        hang_up(hanger, other).await?;
        tokio::try_join!(tom.run("await action.getPeers()"), jack.run("await action.getPeers()"))?;
    }
    for page in [&tom, &jack] {
        told_once(page, 2).await?;
    }
    rig.finish().await
}

/// The relevant events repeat in the next poll, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn events_repeat_later() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair_without_data(&rig).await?;
    let again = Fault::RepeatEventsLater;
    for (hanger, other) in [(&tom, &jack), (&jack, &tom)] {
        // Three polls are repeated: the callee's with the call, the caller's with the answer, and
        // the one with the end.
        next_poll(&faults, &jack, again.clone()).await?;
        ring_when_free(&tom, &jack).await?;
        next_poll(&faults, &tom, again.clone()).await?;
        accept(&tom, &jack).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        next_poll(&faults, other, again.clone()).await?;
        hang_up(hanger, other).await?;
        tokio::try_join!(tom.run("await action.getPeers()"), jack.run("await action.getPeers()"))?;
    }
    for page in [&tom, &jack] {
        told_once(page, 2).await?;
    }
    rig.finish().await
}

/// Each event was reported once per call.
async fn told_once(page: &Page, calls: usize) -> Result {
    is_whole(page).await?;
    for event in ["onAccepted", "onRemoteStreamReady"] {
        let count = page.count(event).await?;
        ensure!(count == calls, "{count} {event}: {}", page.history().await);
    }
    // A caller that is too early gets "User busy", which ends a separate call.
    let mut ends = page.events("onHangUp").await?;
    ends.retain(|args| args[1] == "Hung up");
    ensure!(ends.len() == calls, "{}", page.history().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_out_of_order() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair_without_data(&rig).await?;
    for turned in ["Tom", "Jack"] {
        ring_when_free(&tom, &jack).await?;
        let page = if turned == "Tom" { &tom } else { &jack };
        next_poll(&faults, page, Fault::ReverseEvents).await?;
        up_or_over(&tom, &jack, "await action.acceptCall()", false).await.context(turned)?;
        for hanger in [&tom, &jack] {
            ring_when_free(&tom, &jack).await?;
            accept(&tom, &jack).await?;
            next_poll(&faults, page, Fault::ReverseEvents).await?;
            hanger.run("await action.hangUp()").await?;
            for (page, peer) in [(&tom, "Jack"), (&jack, "Tom")] {
                let healing = Healing::starts(format!("hang-up in another order for {turned}"));
                healing.ends_the_call(page, peer, &[]).await?;
            }
        }
        faults.clear();
    }
    for page in [&tom, &jack] {
        is_whole(page).await?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn incoming_call_event_is_lost() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    faults.of("Jack").lose_event("incomingcall");
    rings_or_is_over(&tom, &jack, "incoming call, lost without a word").await?;
    ensure!(faults.are_met(), "nothing was lost");
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_event_is_lost() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for who in ["Tom", "Jack"] {
        ring_when_free(&tom, &jack).await?;
        faults.of(who).lose_event("accepted");
        let healing = Healing::starts(format!("accepted, lost for {who} without a word"));
        up_or_over(&tom, &jack, "await action.acceptCall()", true).await.context(who)?;
        healing.done();
        ensure!(faults.are_met(), "nothing was lost");
        is_whole(&tom).await?;
        is_whole(&jack).await?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn calling_event_is_lost() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    faults.of("Tom").lose_event("calling");
    rings_or_is_over(&tom, &jack, "calling, lost without a word").await?;
    ensure!(faults.are_met(), "nothing was lost");
    works(&tom, &jack).await?;
    rig.finish().await
}

/// The gateway reports it three times: plugin, core, plugin. The first, the first two, or all are
/// lost.
#[tokio::test(flavor = "multi_thread")]
async fn hang_up_event_is_lost() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair_without_data(&rig).await?;
    for (who, lost) in [("Jack", 1), ("Jack", 2), ("Jack", 3), ("Tom", 1), ("Tom", 3)] {
        ring_when_free(&tom, &jack).await?;
        accept(&tom, &jack).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        for _ in 0..lost {
            faults.of(who).lose_event("hangup");
        }
        let name = format!("{lost} events of Tom's hang-up, lost for {who} without a word");
        let healing = Healing::starts(&name);
        tom.run("await action.hangUp()").await.context(name.clone())?;
        tom.ended("Jack", "Hung up").await?;
        healing.ends_the_call(&jack, "Tom", &[]).await?;
        tokio::try_join!(tom.released(2), jack.released(2))?;
        faults.clear();
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

/// As above, while ringing: there is no media connection that could show the end.
#[tokio::test(flavor = "multi_thread")]
async fn end_event_of_a_cancelled_call_is_lost() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    ring(&tom, &jack).await?;
    for _ in 0..3 {
        faults.of("Jack").lose_event("hangup");
    }
    let healing = Healing::starts("hang-up while it rings, lost without a word");
    tom.run("await action.hangUp()").await?;
    tom.event("onHangUp").await?;
    healing.ends_the_call(&jack, "Tom", &[]).await?;
    faults.clear();
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn session_is_lost_while_idle() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in lost_sessions() {
        faults.of("Tom").next_post(fault);
        let healing = Healing::starts(format!("{name}, idle"));
        // Whether it is repeated in the new session or refused, it settles.
        settles(&tom, "await action.getPeers()").await?;
        healing.brings_a_new_session(&tom).await?;
        if name == "all forgotten" {
            healing.brings_a_new_session(&jack).await?;
        }
        works(&tom, &jack).await.context(name)?;
    }
    for page in [&tom, &jack] {
        is_whole(page).await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn session_is_lost_while_ringing() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in lost_sessions() {
        for (caller, callee) in [(&tom, &jack), (&jack, &tom)] {
            until_listed(caller, callee).await?;
            ring_when_free(caller, callee).await?;
            faults.of("Tom").next_post(fault.clone());
            let healing = Healing::starts(format!("{name}, {} rings", callee.name()));
            settles(&tom, "await action.getPeers()").await?;
            healing.ends_the_call(&tom, "Jack", &["Session lost"]).await?;
            healing.ends_the_call(&jack, "Tom", &[]).await?;
            healing.brings_a_new_session(&tom).await?;
            if name == "all forgotten" {
                healing.brings_a_new_session(&jack).await?;
            }
        }
    }
    works(&tom, &jack).await?;
    for page in [&tom, &jack] {
        is_whole(page).await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn session_is_lost_during_a_call() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for (name, fault) in lost_sessions() {
        until_listed(&tom, &jack).await?;
        ring_when_free(&tom, &jack).await?;
        accept(&tom, &jack).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        faults.of("Tom").next_post(fault);
        let healing = Healing::starts(format!("{name}, in a call"));
        settles(&tom, "await action.getPeers()").await?;
        healing.ends_the_call(&tom, "Jack", &["Session lost"]).await?;
        healing.ends_the_call(&jack, "Tom", &[]).await?;
        healing.brings_a_new_session(&tom).await?;
        if name == "all forgotten" {
            healing.brings_a_new_session(&jack).await?;
        }
        tokio::try_join!(tom.released(2), jack.released(2))?;
    }
    works(&tom, &jack).await?;
    for page in [&tom, &jack] {
        is_whole(page).await?;
    }
    rig.finish().await
}

/// For a Janus client it means that the session is lost. The page may trust it or ask again; the
/// session exists afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn poll_is_not_found() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    next_poll(&faults, &tom, Fault::Status(404)).await?;
    let healing = Healing::starts("poll, idle, 404");
    settles(&tom, "await action.getPeers()").await?;
    healing.done();
    is_whole(&tom).await?;
    tom.skip("onRegistered").await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_pauses_and_resumes() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for stage in ["idle", "ringing", "in a call"] {
        if stage != "idle" {
            ring_when_free(&tom, &jack).await?;
        }
        if stage == "in a call" {
            accept(&tom, &jack).await?;
        }
        faults.all(Fault::Stall);
        // The fault lasts until the page gives the request up or resumes it.
        tom.run("window.asked = action.getPeers().then(() => 'answered', (error) => error.code)")
            .await?;
        tokio::time::sleep(REQUEST_TIMEOUT + SECOND).await;
        faults.clear();
        let healing = Healing::starts(format!("stopped for 4 s, {stage}"));
        tom.run("return await asked").await?;
        is_whole(&tom).await?;
        is_whole(&jack).await?;
        if stage == "ringing" {
            accept(&tom, &jack).await?;
        }
        if stage != "idle" {
            tokio::try_join!(tom.sees_both(), jack.sees_both())?;
            hang_up(&jack, &tom).await?;
        }
        healing.done();
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_up_on_a_gateway_that_never_returns() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let visitor = || {
        Visitor::default()
            .rtc(json!({ "options": { "requestTimeout": 2000, "retryLimit": 3000 } }))
            .call(json!({ "options": { "ringTimeout": 20000, "connectTimeout": 10000 } }))
    };
    // Each takes the minute that the gateway needs to expire Tom's session. A gateway that answers
    // nothing but executes everything never expires it, and the call continues.
    for (name, fault) in lasting().into_iter().take(1) {
        let (tom, jack) =
            tokio::try_join!(rig.register_as("Tom", visitor()), rig.register("Jack"))?;
        call(&tom, &jack).await?;
        faults.of("Tom").all(fault);
        let healing = Healing::starts(format!("{name} for ever, in a call: given up"));
        settles(&tom, "await action.getPeers()").await?;
        // First in a call whose media still flows.
        healing.ends_the_call(&tom, "Jack", &["Session lost", "Connection lost"]).await?;
        let error = tom.event_within("onError", Duration::from_secs(60)).await?;
        ensure!(error[0]["code"] == "SESSION_LOST", "{name}: {error:?}");
        ensure!(tom.count("onReconnecting").await? <= 1, "{}", tom.history().await);
        ensure!(tom.count("onReconnected").await? == 0, "{}", tom.history().await);
        tom.released(2).await?;
        tom.refused("await action.getPeers()", "CLOSED").await?;
        faults.clear();
        healing.ends_the_call(&jack, "Tom", &[]).await?;
        for page in [tom, jack] {
            page.run("await rtc.disconnect()").await?;
            rig.close(page).await?;
        }
    }
    rig.finish().await
}

/// For every failure of the gateway and every state of the page.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_settles_with_any_gateway() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    for leave in ["await rtc.disconnect()", "await action.closeUsecase()"] {
        for (name, fault) in lasting() {
            for stage in ["idle", "ringing", "in a call"] {
                let (tom, jack) = pair(&rig).await?;
                if stage != "idle" {
                    ring(&tom, &jack).await?;
                }
                if stage == "in a call" {
                    accept(&tom, &jack).await?;
                }
                faults.of("Tom").all(fault.clone());
                let healing = Healing::starts(format!("{leave}, {name}, {stage}"));
                // A transfer is in flight, too.
                tom.run("window.asked = action.getPeers().then(() => 'answered', (e) => e.code)")
                    .await?;
                settles(&tom, leave).await.with_context(|| format!("{name}, {stage}"))?;
                settles(&tom, "await asked").await.with_context(|| format!("{name}, {stage}"))?;
                healing.done();
                tom.released(0).await?;
                tom.skip("onHangUp").await?;
                ensure!(tom.count("onHangUp").await? <= 1, "{}", tom.history().await);
                faults.clear();
                // Tom's session, which could not be ended, would hold his name for a minute.
                faults.of("Jack").next_post(Fault::ForgetAll);
                jack.run("await action.getPeers()").await?;
                for page in [tom, jack] {
                    page.run("await rtc.disconnect()").await?;
                    rig.close(page).await?;
                }
            }
        }
    }
    rig.finish().await
}

/// An endless body neither fills the memory nor blocks the page.
#[tokio::test(flavor = "multi_thread")]
async fn body_is_endless() -> Result {
    let Some((rig, faults)) = faulty().await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    next_poll(&faults, &tom, Fault::Huge(u64::MAX)).await?;
    let healing = Healing::starts("poll, idle, a body without an end");
    tom.run("await action.getPeers()").await?;
    healing.done();
    faults.of("Tom").next_post(Fault::Huge(u64::MAX));
    let healing = Healing::starts("request, idle, a body without an end");
    tom.run("await action.getPeers()").await?;
    healing.done();
    is_whole(&tom).await?;
    stays_small(&tom).await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

fn lost_sessions() -> [(&'static str, Fault); 2] {
    [("one session forgotten", Fault::ForgetSession), ("all forgotten", Fault::ForgetAll)]
}

/// Faults that a gateway may have for any time.
fn lasting() -> [(&'static str, Fault); 4] {
    [
        ("500", Fault::Status(500)),
        ("no answer", Fault::Hang),
        ("stopped", Fault::Stall),
        ("connection closed", Fault::CloseConnection),
    ]
}

/// A rig with the embedded gateway; `None` if another one is requested.
async fn faulty() -> Result<Option<(Rig, Faults)>> {
    if GatewayKind::asked_for()? != GatewayKind::Embedded {
        skips("only the embedded gateway fails on demand");
        return Ok(None);
    }
    let rig = Rig::start().await?;
    let faults = rig.faults()?;
    Ok(Some((rig, faults)))
}

/// A page with a short request timeout and a log for failures.
fn patient() -> Visitor {
    let timeout = REQUEST_TIMEOUT.as_millis() as u64;
    Visitor::default()
        .rtc(json!({
            "level": "trace",
            "options": { "requestTimeout": timeout, "retryLimit": 20000 },
        }))
        .call(json!({ "options": { "ringTimeout": 20000, "connectTimeout": 10000 } }))
}

/// A pair that learns of a hang-up from the gateway only.
async fn pair_without_data(rig: &Rig) -> Result<(Arc<Page>, Arc<Page>)> {
    let mute = || {
        let off = json!({ "dataEnabled": false });
        patient().call(json!({ "options": { "dataChannel": off, "connectTimeout": 10000 } }))
    };
    tokio::try_join!(rig.register_as("Tom", mute()), rig.register_as("Jack", mute()))
}

async fn pair(rig: &Rig) -> Result<(Arc<Page>, Arc<Page>)> {
    tokio::try_join!(rig.register_as("Tom", patient()), rig.register_as("Jack", patient()))
}

/// The current poll of the page is answered, and the next one meets the fault. The next one is open
/// when this returns.
async fn next_poll(faults: &Faults, page: &Page, fault: Fault) -> Result {
    faults.of(page.name()).next_poll(fault);
    page.run("await action.getPeers()").await?;
    let met = async {
        while !faults.are_met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, met).await.context("the page polls no more")
}

/// It settles in time, in any case.
async fn settles(page: &Page, body: &str) -> Result<Value> {
    let (body, limit) = (body.replace('`', ""), SETTLE_LIMIT.as_millis());
    page.run(format!(
        "const late = new Promise((_, no) => setTimeout(no, {limit}, new Error('it never settled')));
         const work = (async () => {{ {body} }})().then(() => 'done', (error) => error.code ?? `${{error}}`);
         return await Promise.race([work, late]);"
    ))
    .await
}

/// A call with a fault rings at the callee and then works; or it ends at the caller with a reason,
/// and was reported to the callee once or not at all.
async fn rings_or_is_over(caller: &Page, callee: &Page, name: &str) -> Result {
    let healing = Healing::starts(name);
    let (from, to) = (caller.name(), callee.name());
    let before = (caller.count("onHangUp").await?, callee.count("onIncomingCall").await?);
    let outcome = settles(caller, &format!("await action.call('{to}')")).await?;
    // One of the two happens; the test polls both pages in turn.
    let limit = tokio::time::Instant::now() + Duration::from_secs(40);
    let rings = loop {
        if callee.count("onIncomingCall").await? > before.1 {
            break true;
        }
        if caller.count("onHangUp").await? > before.0 {
            break false;
        }
        ensure!(
            tokio::time::Instant::now() < limit,
            "{name}: half open after {outcome}\n{}\n{}",
            caller.history().await,
            callee.history().await
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    healing.done();
    if rings {
        callee.skip("onIncomingCall").await?;
        // The caller may not know yet that it rings, or may have given up just now.
        up_or_over(caller, callee, "await action.acceptCall()", true).await.context(name.to_owned())
    } else {
        let args = caller.event("onHangUp").await?;
        ensure!(args[0] == to, "{name}: it ended as {args:?}");
        callee.skip("onHangUp").await?;
        let told = callee.events("onHangUp").await?;
        ensure!(told.iter().all(|args| args[0] == from), "{name}: {told:?}");
        caller.released(0).await?;
        callee.released(0).await
    }
}

/// After this step of the callee, the call is up on both sides, with video, and is then hung up;
/// or, if allowed, it ends once on both sides.
async fn up_or_over(caller: &Page, callee: &Page, step: &str, may_end: bool) -> Result {
    let before = (caller.count("onHangUp").await?, callee.count("onHangUp").await?);
    let outcome = settles(callee, step).await?;
    let look = async {
        loop {
            let ends = (caller.count("onHangUp").await?, callee.count("onHangUp").await?);
            if ends.0 > before.0 && ends.1 > before.1 {
                return Ok(false);
            }
            let is_up = "return harness.events.filter(({ name }) =>
                           ['onAccepted', 'onHangUp'].includes(name)).at(-1)?.name === 'onAccepted'";
            if caller.run(is_up).await? == json!(true) && callee.run(is_up).await? == json!(true) {
                return anyhow::Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let Ok(is_up) = tokio::time::timeout(Duration::from_secs(60), look).await else {
        anyhow::bail!(
            "half open after {outcome}:\n{}\n{}",
            caller.history().await,
            callee.history().await
        );
    };
    for page in [caller, callee] {
        page.skip("onAccepted").await?;
    }
    if is_up? {
        tokio::try_join!(caller.sees_both(), callee.sees_both())?;
        return hang_up(caller, callee).await;
    }
    ensure!(
        may_end,
        "it ended after {outcome}:\n{}\n{}",
        caller.history().await,
        callee.history().await
    );
    for (page, peer) in [(caller, callee), (callee, caller)] {
        let args = page.event("onHangUp").await?;
        ensure!(args[0] == peer.name(), "{} ended as {args:?}", page.name());
        page.released(0).await?;
    }
    Ok(())
}

/// The module's memory has not grown.
async fn stays_small(page: &Page) -> Result {
    const MOST: u64 = 16 << 20;
    let size = page.run("return harness.memory.buffer.byteLength").await?;
    ensure!(size.as_u64().is_some_and(|size| size < MOST), "the module has {size} bytes");
    Ok(())
}
