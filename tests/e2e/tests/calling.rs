//! From `call()` to video on both sides, and every way in which a call fails.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;

use anyhow::ensure;
use serde_json::json;
use videortc_e2e::{Devices, Page, Result, Rig, Visitor, accept, call, ring, ring_when_free};

#[tokio::test(flavor = "multi_thread")]
async fn two_pages_exchange_audio_and_video() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    let closed = tom.run("return harness.tracks.length").await?;
    ensure!(closed == 0, "{closed} devices are open before there is a call");

    call(&tom, &jack).await?;
    for (page, peer) in [(&tom, &jack), (&jack, &tom)] {
        let streams = json!({ "stream": ["audio", "video"] });
        page.expect("onReadyLocalStream", json!([streams])).await?;
        page.expect("onRemoteStreamReady", json!([streams, peer.name()])).await?;

        let local = page.sees(".is-local-video").await?;
        ensure!(local["muted"] == true, "one hears oneself: {local}");
        let remote = page.sees(".is-remote-video").await?;
        ensure!(remote["muted"] == false, "the peer is muted: {remote}");
        for (picture, place) in [(&local, "is-local-video"), (&remote, "is-remote-video")] {
            ensure!(picture["classes"] == json!([place, "videortc-video"]), "{picture}");
            ensure!(picture["autoplay"] == true && picture["playsInline"] == true, "{picture}");
        }
        page.hears().await?;
    }

    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    for page in [&tom, &jack] {
        page.released(2).await?;
        for event in ["onAccepted", "onReadyLocalStream", "onRemoteStreamReady", "onHangUp"] {
            ensure!(page.count(event).await? == 1, "{event}: {}", page.history().await);
        }
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn call_inside_on_incoming_call_accepts() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    for (reaction, expected) in
        [("() => action.call()", "call()"), ("(name) => action.call(name)", "call(name)")]
    {
        jack.run(&format!("harness.reactions.onIncomingCall = {reaction}")).await?;
        tom.run("await action.call('Jack')").await?;
        tom.expect("onAccepted", json!(["Jack"])).await?;
        jack.expect("onAccepted", json!(["Tom"])).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        ensure!(jack.count("onCalling").await? == 0, "{expected} placed a call of its own");

        jack.run("await action.hangUp()").await?;
        jack.ended("Tom", "Hung up").await?;
        tom.ended("Jack", "Hung up").await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn videos_use_the_given_elements() -> Result {
    let rig = Rig::start().await?;
    let named = Visitor::default().call(json!({ "dom": "elements" }));
    let (tom, jack) = tokio::try_join!(rig.register_as("Tom", named), rig.register("Jack"))?;

    call(&tom, &jack).await?;
    let mine = tom.sees("#mine").await?;
    ensure!(mine["muted"] == true, "one hears oneself: {mine}");
    tom.sees("#theirs").await?;
    tom.sees_both().await?;

    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    tom.released(2).await?;
    let elements = tom.run("return document.querySelectorAll('#mine, #theirs').length").await?;
    ensure!(elements == 2, "the page's own elements are gone");
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn call_works_without_elements_and_listeners() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.open("Tom", Devices::default()), rig.register("Jack"))?;

    tom.run(
        "await harness.connect();
         window.action = await usecases.videoCall();
         await action.register('Tom');
         await action.call('Jack');",
    )
    .await?;
    jack.expect("onIncomingCall", json!(["Tom"])).await?;
    jack.run("await action.acceptCall()").await?;
    jack.expect("onAccepted", json!(["Tom"])).await?;
    jack.sees_both().await?;

    tom.run("await action.hangUp()").await?;
    jack.ended("Tom", "Hung up").await?;
    tom.released(2).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_only_opens_no_camera() -> Result {
    let rig = Rig::start().await?;
    let audio =
        Visitor::default().call(json!({ "options": { "stream": { "videoEnabled": false } } }));
    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", audio.clone().devices(Devices::MicrophoneOnly)),
        rig.register_as("Jack", audio)
    )?;

    call(&tom, &jack).await?;
    for (page, peer) in [(&tom, "Jack"), (&jack, "Tom")] {
        let stream = json!({ "stream": ["audio"] });
        page.expect("onReadyLocalStream", json!([stream])).await?;
        page.expect("onRemoteStreamReady", json!([stream, peer])).await?;
        page.hears().await?;
        let kinds = page.run("return harness.tracks.map((track) => track.kind)").await?;
        ensure!(kinds == json!(["audio"]), "{} opened {kinds}", page.name());
    }

    jack.run("await action.hangUp()").await?;
    jack.ended("Tom", "Hung up").await?;
    tom.ended("Jack", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_page_and_video_page_exchange_audio() -> Result {
    let rig = Rig::start().await?;
    let audio =
        Visitor::default().call(json!({ "options": { "stream": { "videoEnabled": false } } }));
    let (tom, jack) = tokio::try_join!(rig.register_as("Tom", audio), rig.register("Jack"))?;

    for (caller, callee) in [(&tom, &jack), (&jack, &tom)] {
        call(caller, callee).await?;
        tokio::try_join!(caller.hears(), callee.hears())?;
        caller.run("await action.hangUp()").await?;
        caller.ended(callee.name(), "Hung up").await?;
        callee.ended(caller.name(), "Hung up").await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_a_declined_call_and_the_next_one_works() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    ring(&tom, &jack).await?;
    jack.run("await action.hangUp()").await?;
    tom.ended("Jack", "Call declined").await?;
    jack.ended("Tom", "Call declined").await?;
    let opened = jack.run("return harness.tracks.length").await?;
    ensure!(opened == 0, "declining opened {opened} devices");
    tom.released(2).await?;

    ring(&tom, &jack).await?;
    jack.run("await action.hangUp('In a meeting')").await?;
    tom.ended("Jack", "In a meeting").await?;
    jack.event("onHangUp").await?;

    // Immediately in the other direction.
    call(&jack, &tom).await?;
    jack.run("await action.hangUp()").await?;
    jack.ended("Tom", "Hung up").await?;
    tom.ended("Jack", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn cancels_a_ringing_call() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    ring(&tom, &jack).await?;
    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Cancelled").await?;
    jack.ended("Tom", "Cancelled").await?;
    tom.released(2).await?;
    jack.refused("await action.acceptCall()", "NO_CALL").await?;

    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_before_ringing_leaves_nothing_open() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    // No await between the two: the devices are still being opened.
    let refusal = tom
        .refusal("const calling = action.call('Jack'); await action.hangUp(); await calling;")
        .await?;
    ensure!(refusal.code == "CALL_ENDED", "{refusal:?}");
    tom.ended("Jack", "Cancelled").await?;
    tom.released(0).await?;

    // It may have rung briefly, but then it also ended.
    call(&tom, &jack).await?;
    let (rung, ended) = (jack.count("onIncomingCall").await?, jack.count("onHangUp").await?);
    ensure!(rung == ended + 1, "{}", jack.history().await);
    jack.skip("onHangUp").await?;
    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_busy_during_a_call() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack, ann) =
        tokio::try_join!(rig.register("Tom"), rig.register("Jack"), rig.register("Ann"))?;

    ring(&tom, &jack).await?;
    busy(&ann, "Jack").await?;
    busy(&ann, "Tom").await?;

    accept(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    busy(&ann, "Jack").await?;
    busy(&ann, "Tom").await?;
    ann.released(2).await?;

    // The first call is not affected.
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    for page in [&tom, &jack] {
        ensure!(page.count("onHangUp").await? == 0, "{}", page.history().await);
    }
    ensure!(jack.count("onIncomingCall").await? == 1, "{}", jack.history().await);

    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    ring_when_free(&ann, &jack).await?;
    accept(&ann, &jack).await?;
    ann.run("await action.hangUp()").await?;
    ann.ended("Jack", "Hung up").await?;
    jack.ended("Ann", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_call_to_an_unknown_user() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;

    let refusal = tom.refused("await action.call('Nobody')", "NO_SUCH_USER").await?;
    ensure!(refusal.message.contains("Nobody"), "no name in {}", refusal.message);
    let args = tom.event("onHangUp").await?;
    ensure!(args[0] == "Nobody" && args[1].is_string(), "it ended as {args:?}");
    tom.released(2).await?;

    call(&tom, &jack).await?;
    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_call_to_oneself() -> Result {
    let rig = Rig::start().await?;
    let tom = rig.register("Tom").await?;

    tom.refused("await action.call('Tom')", "CALLING_SELF").await?;
    ensure!(tom.count("onIncomingCall").await? == 0, "{}", tom.history().await);
    ensure!(tom.count("onHangUp").await? <= 1, "{}", tom.history().await);
    tom.skip("onHangUp").await?;
    tom.released(0).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_second_call_and_keeps_the_first() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack, ann) =
        tokio::try_join!(rig.register("Tom"), rig.register("Jack"), rig.register("Ann"))?;

    ring(&tom, &jack).await?;
    tom.refused("await action.call('Ann')", "ALREADY_IN_CALL").await?;
    jack.refused("await action.call('Ann')", "ALREADY_IN_CALL").await?;
    jack.run("await action.acceptCall()").await?;
    tom.event("onAccepted").await?;
    jack.event("onAccepted").await?;
    tom.refused("await action.call('Ann')", "ALREADY_IN_CALL").await?;
    tom.refused("await action.call('Jack')", "ALREADY_IN_CALL").await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    ensure!(ann.count("onIncomingCall").await? == 0, "{}", ann.history().await);

    jack.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_call_ends() -> Result {
    let rig = Rig::start().await?;
    let hasty = Visitor::default().call(json!({ "options": { "ringTimeout": 1500 } }));
    let (tom, jack) = tokio::try_join!(rig.register_as("Tom", hasty), rig.register("Jack"))?;

    ring(&tom, &jack).await?;
    tom.ended("Jack", "No answer").await?;
    let args = jack.event("onHangUp").await?;
    ensure!(args[0] == "Tom", "it ended as {args:?}");
    tom.released(2).await?;
    jack.refused("await action.acceptCall()", "NO_CALL").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_commands_without_a_call() -> Result {
    let rig = Rig::start().await?;
    let tom = rig.register("Tom").await?;

    tom.refused("await action.hangUp()", "NO_CALL").await?;
    tom.refused("await action.acceptCall()", "NO_CALL").await?;
    tom.refused("await action.call()", "INVALID_ARGUMENT").await?;
    ensure!(tom.count("onHangUp").await? == 0, "{}", tom.history().await);
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_without_permission_does_not_ring() -> Result {
    caller_without(Devices::Refused, "PERMISSION_DENIED").await
}

#[tokio::test(flavor = "multi_thread")]
async fn caller_without_a_camera_does_not_ring() -> Result {
    caller_without(Devices::MicrophoneOnly, "DEVICE_NOT_FOUND").await
}

async fn caller_without(devices: Devices, code: &str) -> Result {
    let rig = Rig::start().await?;
    let poor = Visitor::default().devices(devices);
    let (tom, jack) = tokio::try_join!(rig.register_as("Tom", poor), rig.register("Jack"))?;

    tom.refused("await action.call('Jack')", code).await?;
    let args = tom.event("onHangUp").await?;
    ensure!(args[0] == "Jack" && args[1].is_string(), "it ended as {args:?}");
    tom.released(0).await?;
    ensure!(jack.count("onIncomingCall").await? == 0, "{}", jack.history().await);

    // Neither side is stuck: Jack can still call Tom.
    ring(&jack, &tom).await?;
    jack.run("await action.hangUp()").await?;
    jack.ended("Tom", "Cancelled").await?;
    tom.ended("Jack", "Cancelled").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn callee_without_permission_declines() -> Result {
    callee_without(Devices::Refused, "PERMISSION_DENIED").await
}

#[tokio::test(flavor = "multi_thread")]
async fn callee_without_a_camera_declines() -> Result {
    callee_without(Devices::MicrophoneOnly, "DEVICE_NOT_FOUND").await
}

async fn callee_without(devices: Devices, code: &str) -> Result {
    let rig = Rig::start().await?;
    let poor = Visitor::default().devices(devices);
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register_as("Jack", poor))?;

    for _ in 0..2 {
        ring(&tom, &jack).await?;
        jack.refused("await action.acceptCall()", code).await?;
        tom.ended("Jack", "The other side could not open its camera or microphone").await?;
        let args = jack.event("onHangUp").await?;
        ensure!(args[0] == "Tom" && args[1].is_string(), "it ended as {args:?}");
        tokio::try_join!(tom.released(2), jack.released(0))?;
    }
    for page in [&tom, &jack] {
        ensure!(page.count("onAccepted").await? == 0, "{}", page.history().await);
    }
    rig.finish().await
}

async fn pair(rig: &Rig) -> Result<(Arc<Page>, Arc<Page>)> {
    tokio::try_join!(rig.register("Tom"), rig.register("Jack"))
}

async fn busy(caller: &Page, callee: &str) -> Result {
    caller.refused(&format!("await action.call('{callee}')"), "USER_BUSY").await?;
    caller.ended(callee, "User busy").await
}
