//! The echo test, through a real gateway: what is sent comes back, and the report says how.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;

use anyhow::ensure;
use serde_json::{Value, json};
use videortc_e2e::{Devices, GatewayKind, Page, Result, Rig};

/// A page with an echo test object.
async fn attach(rig: &Rig, options: &Value) -> Result<Arc<Page>> {
    let page = rig.open("Tom", Devices::default()).await?;
    page.run("await harness.connect()").await?;
    page.run(format!("await harness.echoTest({options})")).await?;
    Ok(page)
}

/// Only a media server can send something back.
fn has_echo() -> Result<bool> {
    Ok(GatewayKind::asked_for()? == GatewayKind::Janus)
}

#[tokio::test(flavor = "multi_thread")]
async fn brings_media_and_data_back_and_reports_on_both() -> Result {
    if !has_echo()? {
        return Ok(());
    }
    let rig = Rig::start().await?;
    let page = attach(&rig, &json!({})).await?;
    for turn in 0..3 {
        page.run("await test.start()").await?;
        page.expect("onReadyLocalStream", json!([{ "stream": ["audio", "video"] }])).await?;
        page.expect("onRemoteStreamReady", json!([{ "stream": ["audio", "video"] }])).await?;
        page.sees(".is-local-video").await?;
        page.sees(".is-remote-video").await?;
        page.hears().await?;
        page.run("await new Promise((resume) => setTimeout(resume, 3000))").await?;
        let report = page.run("return await test.stop()").await?;
        check(&report, turn)?;
        page.run("await harness.released()").await?;
    }
    let requests = page.run("return harness.requests.length").await?;
    ensure!(requests.as_u64() < Some(60), "{requests} requests for three tests");
    page.run("await test.closeUsecase(); await test.closeUsecase()").await?;
    page.refused("await test.start()", "CLOSED").await?;
    rig.finish().await
}

fn check(report: &Value, turn: u32) -> Result {
    let number = |path: &str| report.pointer(path).and_then(Value::as_f64).unwrap_or(-1.0);
    let data = &report["data"];
    ensure!(number("/duration") > 2500.0, "turn {turn}: {report}");
    ensure!(number("/data/returned") > 5.0 && number("/data/changed") == 0.0, "{turn}: {data}");
    ensure!(number("/data/sent") - number("/data/returned") <= 1.0, "turn {turn}: {data}");
    for key in ["shortest", "roundTrip", "longest"] {
        let took = number(&format!("/data/{key}"));
        ensure!((0.0..2000.0).contains(&took), "turn {turn}: {key} in {data}");
    }
    for media in ["audio", "video"] {
        for direction in ["sent", "received"] {
            let at = format!("/{media}/{direction}");
            ensure!(number(&format!("{at}/packets")) > 20.0, "turn {turn}: {at} in {report}");
            ensure!(number(&format!("{at}/bitrate")) > 1000.0, "turn {turn}: {at} in {report}");
        }
        let loss = number(&format!("/{media}/received/loss"));
        ensure!((0.0..0.2).contains(&loss), "turn {turn}: {media} lost {loss}");
        let jitter = number(&format!("/{media}/received/jitter"));
        ensure!((0.0..1000.0).contains(&jitter), "turn {turn}: {media} has a jitter of {jitter}");
    }
    let network = &report["network"];
    ensure!(network["protocol"] == "udp", "turn {turn}: {network}");
    for key in ["localCandidate", "remoteCandidate"] {
        let is_direct = network[key] == "host" || network[key] == "prflx";
        ensure!(is_direct, "turn {turn}: {key} in {network}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_data_alone_where_nothing_else_is_sent() -> Result {
    if !has_echo()? {
        return Ok(());
    }
    let rig = Rig::start().await?;
    let stream = json!({ "stream": { "audioEnabled": false, "videoEnabled": false } });
    let page = attach(&rig, &stream).await?;
    page.run("await test.start()").await?;
    let report = page.run("return await test.stop()").await?;
    ensure!(report["data"]["returned"].as_u64() >= Some(1), "{report}");
    ensure!(report["data"]["changed"] == 0 && report["audio"].is_null(), "{report}");
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_cannot_be_done_now() -> Result {
    if !has_echo()? {
        return Ok(());
    }
    let rig = Rig::start().await?;
    let page = attach(&rig, &json!({})).await?;
    page.refused("await test.stop()", "NO_CALL").await?;
    page.run("window.starting = test.start(); starting.catch(() => {})").await?;
    page.refused("await test.start()", "ALREADY_IN_CALL").await?;
    // Stopped before the media is back: there is a report, of nothing.
    let report = page.run("return await test.stop()").await?;
    ensure!(report["duration"] == 0, "{report}");
    page.refused("await starting", "CALL_ENDED").await?;
    page.run("await test.start()").await?;
    page.run("await rtc.disconnect()").await?;
    page.released(2).await?;
    page.refused("await test.start()", "CLOSED").await?;
    rig.finish().await
}

/// A page may replace what the browser gives: no figures are no reason to break down.
#[tokio::test(flavor = "multi_thread")]
async fn reports_without_figures_if_the_browser_gives_none() -> Result {
    if !has_echo()? {
        return Ok(());
    }
    let rig = Rig::start().await?;
    let page = attach(&rig, &json!({})).await?;
    for counters in [
        "() => { throw new Error('no counters') }",
        "() => Promise.reject(new Error('no counters'))",
        "() => undefined",
        "() => ({})",
        "async () => ({ forEach() { throw new Error('no counters') } })",
        "async () => new Map([['a', null], ['b', 7], ['c', { kind: 'audio', type: 'inbound-rtp', bytesReceived: NaN, jitter: -1 }]])",
    ] {
        page.run(format!("RTCPeerConnection.prototype.getStats = {counters}")).await?;
        page.run("await test.start()").await?;
        let report = page.run("return await test.stop()").await?;
        ensure!(report["network"].is_null(), "{counters}: {report}");
        ensure!(report.pointer("/video/sent").is_none(), "{counters}: {report}");
        page.run("await harness.released()").await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_again_at_once() -> Result {
    if !has_echo()? {
        return Ok(());
    }
    let rig = Rig::start().await?;
    let page = attach(&rig, &json!({})).await?;
    page.run("for (let i = 0; i < 10; i += 1) { await test.start(); await test.stop(); }").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_after_the_gateway_was_restarted() -> Result {
    if !has_echo()? {
        return Ok(());
    }
    let rig = Rig::start().await?;
    let page = attach(&rig, &json!({})).await?;
    page.run("await test.start()").await?;
    rig.restart_gateway()?;
    page.event("onError").await?;
    page.released(2).await?;
    page.run(
        "await harness.until('no test starts', () => test.start().then(() => true, () => false))",
    )
    .await?;
    page.run("await test.stop()").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_the_plugin_is_reported() -> Result {
    if has_echo()? {
        return Ok(());
    }
    let rig = Rig::start().await?;
    let page = rig.open("Tom", Devices::default()).await?;
    page.run("await harness.connect()").await?;
    let refusal = page.refused("await usecases.echoTest()", "GATEWAY_ERROR").await?;
    ensure!(refusal.message.contains("janus.plugin.echotest"), "{}", refusal.message);
    rig.finish().await
}
