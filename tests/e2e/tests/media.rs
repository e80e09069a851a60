//! Sent and received media: muting, the camera switch, quality, and the requests of a call.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;

use anyhow::ensure;
use serde_json::{Value, json};
use videortc_e2e::{GatewayKind, Page, Result, Rig, Tap, Visitor, call};

#[tokio::test(flavor = "multi_thread")]
async fn the_camera_can_be_switched_off_and_on() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = in_a_call(&rig).await?;

    let on = tom.run("return await action.toggleVideo()").await?;
    ensure!(on == false, "after switching off, toggleVideo() gave {on}");
    contrast(&jack, "< 20").await?;
    let on = tom.run("return await action.toggleVideo()").await?;
    ensure!(on == true, "after switching on, toggleVideo() gave {on}");
    contrast(&jack, "> 60").await?;
    jack.sees(".is-remote-video").await?;

    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_microphone_can_be_muted_and_unmuted() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = in_a_call(&rig).await?;
    jack.hears().await?;

    let on = tom.run("return await action.toggleAudio()").await?;
    ensure!(on == false, "after muting, toggleAudio() gave {on}");
    energy(&jack, "< 1e-6").await?;
    let on = tom.run("return await action.toggleAudio()").await?;
    ensure!(on == true, "after unmuting, toggleAudio() gave {on}");
    energy(&jack, "> 1e-4").await?;

    hang_up(&tom, &jack).await?;
    rig.finish().await
}

/// A camera that sends no frames yet: Chromium then plays nothing of its stream.
#[tokio::test(flavor = "multi_thread")]
async fn audio_does_not_wait_for_video() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;
    jack.run(
        "const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
         const canvas = document.createElement('canvas');
         canvas.width = canvas.height = 64;
         const brush = canvas.getContext('2d');
         window.draw = () => { for (const [i, c] of ['red', 'lime', 'blue', 'white'].entries()) { brush.fillStyle = c; brush.fillRect(16 * i, 0, 16, 64); } };
         navigator.mediaDevices.getUserMedia = async () => {
             const stream = await open({ audio: true });
             stream.addTrack(canvas.captureStream(10).getVideoTracks()[0]);
             return stream;
         };",
    )
    .await?;
    for (caller, callee) in [(&tom, &jack), (&jack, &tom)] {
        call(caller, callee).await?;
        tom.hears().await?;
        let pictures = tom.run("return (await harness.received('video')).frames").await?;
        ensure!(pictures == 0, "{pictures} pictures of a camera that gives none");
        jack.run("window.drawing = setInterval(draw, 50)").await?;
        tom.sees(".is-remote-video").await?;
        jack.run("clearInterval(window.drawing)").await?;
        hang_up(caller, callee).await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn muting_ends_with_the_call() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = in_a_call(&rig).await?;
    tom.run("await action.toggleAudio(); await action.toggleVideo()").await?;
    hang_up(&tom, &jack).await?;

    // The next call starts with audio and video again.
    call(&tom, &jack).await?;
    jack.sees(".is-remote-video").await?;
    jack.hears().await?;
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_applies_set_call() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = in_a_call(&rig).await?;

    for quality in ["'low'", "'medium'", "'high'", "'max'", "256000"] {
        tom.run(&format!("await action.setCall(true, true, {quality})")).await?;
        tom.event("onSetCall").await?;
    }
    for wrong in ["'excellent'", "-1", "NaN", "{}"] {
        tom.refused(&format!("await action.setCall(true, true, {wrong})"), "INVALID_ARGUMENT")
            .await?;
    }
    tom.refused("await action.setCall('yes', true, 'low')", "INVALID_ARGUMENT").await?;

    // Only a media server can stop relaying; with the embedded gateway, media flows directly.
    if GatewayKind::asked_for()? == GatewayKind::Janus {
        tom.run("await action.setCall(true, false, 'max')").await?;
        tom.event("onSetCall").await?;
        let stopped = "
            await harness.until('Tom\\'s picture still arrives', async () => {
              const before = (await harness.received('video')).packets;
              await new Promise((resume) => setTimeout(resume, 1000));
              return (await harness.received('video')).packets === before;
            })";
        jack.run(stopped).await?;
        tom.sees(".is-remote-video").await?;
        tom.run("await action.setCall(true, true, 'max')").await?;
        tom.event("onSetCall").await?;
        jack.sees(".is-remote-video").await?;
    }

    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn opens_the_requested_devices() -> Result {
    let rig = Rig::start().await?;
    let stream = json!({ "stream": { "frameRate": 10, "resolution": "320x240" } });
    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", Visitor::default().call(json!({ "options": stream }))),
        rig.register("Jack")
    )?;

    call(&tom, &jack).await?;
    let settings = tom
        .run("return harness.tracks.find((track) => track.kind === 'video').getSettings()")
        .await?;
    ensure!(settings["width"] == 320 && settings["height"] == 240, "the camera gives {settings}");
    ensure!(settings["frameRate"].as_f64() <= Some(15.0), "the camera gives {settings}");
    jack.sees(".is-remote-video").await?;
    hang_up(&tom, &jack).await?;

    let devices = tom.run("return await VideoRTC.getDevices()").await?;
    for kind in ["audioinput", "videoinput"] {
        let is_meant = |device: &Value| device["kind"] == kind && device["label"] != "";
        let mut all = devices.as_array().into_iter().flatten();
        ensure!(all.any(is_meant), "no {kind} with a label among {devices}");
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_causes_a_preflight() -> Result {
    let rig = Rig::start().await?;
    let tap = Tap::start(&rig.gateway_url()).await?;
    let through = Visitor::default().rtc(json!({ "servers": tap.url() }));
    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", through.clone()),
        rig.register_as("Jack", through)
    )?;

    let before = tap.seen();
    ensure!(before.post > 0 && before.get > 0, "the tap counts nothing: {before:?}");
    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    let call = tap.seen().since(before);
    report(&format!(
        "from call() to both pictures: {} requests ({} POST, {} GET, {} OPTIONS); janus.js: 46",
        call.all(),
        call.post,
        call.get,
        call.options
    ));
    ensure!(tap.seen().options == 0, "there were preflights: {:?}", tap.seen());
    ensure!(call.all() < 46, "janus.js needs less than {call:?}");

    hang_up(&tom, &jack).await?;
    rig.finish().await
}

/// One line of the suite's output, which `cargo test` shows with `--nocapture`.
#[allow(clippy::print_stdout, reason = "the count is a result that a person reads")]
fn report(line: &str) {
    println!("{line}");
}

async fn in_a_call(rig: &Rig) -> Result<(Arc<Page>, Arc<Page>)> {
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;
    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    Ok((tom, jack))
}

async fn hang_up(who: &Page, other: &Page) -> Result {
    who.run("await action.hangUp()").await?;
    who.ended(other.name(), "Hung up").await?;
    other.ended(who.name(), "Hung up").await
}

/// Waits until the brightness of the remote video satisfies `compare`.
async fn contrast(page: &Page, compare: &str) -> Result {
    page.run(&format!(
        "let last;
         await harness.until(() => `the picture's contrast is ${{last}}, not {compare}`, async () => {{
           last = (await harness.picture('.is-remote-video', 1)).contrast;
           return last {compare};
         }})"
    ))
    .await
    .map(|_| ())
}

/// Waits until the volume of the audio within a second and a half satisfies `compare`; the fake
/// microphone beeps once a second.
async fn energy(page: &Page, compare: &str) -> Result {
    page.run(&format!(
        "let last;
         await harness.until(() => `the sound's energy is ${{last}}, not {compare}`, async () => {{
           const before = (await harness.received('audio')).energy;
           await new Promise((resume) => setTimeout(resume, 1500));
           last = (await harness.received('audio')).energy - before;
           return last {compare};
         }})"
    ))
    .await
    .map(|_| ())
}
