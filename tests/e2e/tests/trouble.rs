//! Gateways that are unreachable, that are other servers, or that disappear in the middle.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use tokio::net::TcpSocket;
use videortc_e2e::{Answer, Devices, Page, Result, Rig, StrangeGateway, Tap, Visitor, call, ring};

/// The time limit of `connect()` with a request timeout of 2 s, including retries.
const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn names_an_unreachable_gateway() -> Result {
    let rig = Rig::start().await?;
    let page = rig.open("page", Devices::default()).await?;
    let (nowhere, _port) = dead_address()?;

    let message = connect(&page, json!(nowhere), &["GATEWAY_UNREACHABLE"]).await?;
    ensure!(message.contains(&nowhere), "{nowhere} is not named: {message}");

    // An unresolvable host name, reserved for this by RFC 2606.
    let unknown = "http://gateway.invalid/janus";
    let message = connect(&page, json!(unknown), &["GATEWAY_UNREACHABLE"]).await?;
    ensure!(message.contains("gateway.invalid"), "{unknown} is not named: {message}");

    // The same page connects once the address is right.
    page.run("await harness.connect(); await harness.videoCall(); await action.register('Tom')")
        .await?;
    page.expect("onRegistered", json!(["Tom", true])).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_if_the_first_of_two_gateways_is_down() -> Result {
    let rig = Rig::start().await?;
    let gateway = rig.gateway_url();
    let (down, _port) = dead_address()?;
    let strange = StrangeGateway::start(Answer::Html).await?;

    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", Visitor::default().rtc(json!({ "servers": [down, gateway] }))),
        rig.register_as(
            "Jack",
            Visitor::default().rtc(json!({ "servers": [strange.url(), gateway] }))
        )
    )?;
    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn error_lists_all_unreachable_gateways() -> Result {
    let rig = Rig::start().await?;
    let page = rig.open("page", Devices::default()).await?;
    let (down, _port) = dead_address()?;
    let strange = StrangeGateway::start(Answer::Html).await?;

    let message = connect(&page, json!([down, strange.url()]), &["GATEWAY_UNREACHABLE"]).await?;
    for url in [&down, &strange.url()] {
        ensure!(message.contains(url), "{url} is not named: {message}");
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn distinguishes_other_servers_from_a_gateway() -> Result {
    let rig = Rig::start().await?;
    let page = rig.open("page", Devices::default()).await?;

    for (answer, codes) in [
        (Answer::Html, &["GATEWAY_PROTOCOL"][..]),
        (Answer::HalfJson, &["GATEWAY_PROTOCOL"]),
        (Answer::OtherJson, &["GATEWAY_PROTOCOL"]),
        (Answer::HugeId, &["GATEWAY_PROTOCOL"]),
        (Answer::ServerError, &["GATEWAY_PROTOCOL", "GATEWAY_ERROR", "GATEWAY_UNREACHABLE"]),
        (Answer::Nothing, &["GATEWAY_TIMEOUT"]),
    ] {
        let strange = StrangeGateway::start(answer).await?;
        let message = connect(&page, json!(strange.url()), codes).await?;
        ensure!(message.contains(&strange.url()), "{answer:?}: no address in {message}");
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_short_disconnection() -> Result {
    let rig = Rig::start().await?;
    let (tap, tom, jack) = tapped(&rig, json!({})).await?;

    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    cut_until_noticed(&tap, &tom).await?;
    tap.mend();

    // The media never stopped. A hang-up arrives, although the gateway may have delivered its first
    // event, the one with the reason, into the cut poll.
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    jack.run("await action.hangUp()").await?;
    jack.ended("Tom", "Hung up").await?;
    let args = tom.event("onHangUp").await?;
    let reasons = ["Hung up", "The other side left"];
    ensure!(args[0] == "Jack", "it ended as {args:?}");
    ensure!(reasons.iter().any(|reason| args[1] == **reason), "it ended as {args:?}");

    // From then on, nothing is lost in either direction.
    call(&jack, &tom).await?;
    hang_up(&tom, &jack).await?;
    for page in [&tom, &jack] {
        ensure!(page.count("onHangUp").await? == 2, "{}", page.history().await);
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_a_gateway_lost_for_good_and_ends_the_call() -> Result {
    let rig = Rig::start().await?;
    let (tap, tom, jack) =
        tapped(&rig, json!({ "retryLimit": 2000, "requestTimeout": 2000 })).await?;

    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    tap.cut();
    // The call continues while its media flows: until the gateway expires the session.
    let args = tom.event_within("onHangUp", Duration::from_secs(120)).await?;
    let reasons = ["Connection lost", "Session lost", "Media connection failed"];
    ensure!(args[0] == "Jack", "it ended as {args:?}");
    ensure!(reasons.iter().any(|reason| args[1] == **reason), "it ended as {args:?}");
    tom.released(2).await?;
    tom.skip("onError").await?;
    jack.event_within("onHangUp", Duration::from_secs(90)).await?;

    // Nothing hangs: commands are rejected, and a new connection works once the network is back.
    let begun = Instant::now();
    let refusal = tom.refusal("await action.getPeers()").await?;
    let codes = ["SESSION_LOST", "GATEWAY_UNREACHABLE", "CLOSED", "NOT_CONNECTED"];
    ensure!(codes.contains(&&*refusal.code), "{refusal:?}");
    ensure!(begun.elapsed() < DEADLINE, "getPeers() took {:?}", begun.elapsed());
    tap.mend();
    tom.run("await rtc.disconnect(); await harness.connect(); await harness.videoCall()").await?;
    tom.run("await action.register('Tom the second')").await?;
    tom.expect("onRegistered", json!(["Tom the second", true])).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_command_in_time_while_disconnected() -> Result {
    let rig = Rig::start().await?;
    let tap = Tap::start(&rig.gateway_url()).await?;
    let hasty = json!({ "requestTimeout": 2000, "retryLimit": 2000 });
    let through = Visitor::default().rtc(json!({ "servers": tap.url(), "options": hasty }));
    let page = rig.attach("page", through).await?;

    tap.cut();
    let begun = Instant::now();
    let refusal = page.refusal("await action.register('Tom')").await?;
    let codes = ["GATEWAY_UNREACHABLE", "GATEWAY_TIMEOUT", "SESSION_LOST"];
    ensure!(codes.contains(&&*refusal.code), "{refusal:?}");
    ensure!(begun.elapsed() < DEADLINE, "register() took {:?}", begun.elapsed());
    page.skip("onError").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_session_ends_the_call() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;

    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    rig.restart_gateway()?;
    for (page, peer) in [(&tom, "Jack"), (&jack, "Tom")] {
        let args = page.event_within("onHangUp", Duration::from_secs(60)).await?;
        // With a media server, the media may fail before the session does.
        let reasons = ["Session lost", "Connection lost", "Media connection failed"];
        ensure!(args[0] == peer, "it ended as {args:?}");
        ensure!(reasons.iter().any(|reason| args[1] == **reason), "it ended as {args:?}");
        page.released(2).await?;
    }

    tom.skip("onError").await?;
    jack.skip("onError").await?;
    for page in [&tom, &jack] {
        page.run("await rtc.disconnect(); await harness.connect(); await harness.videoCall()")
            .await?;
        page.run(&format!("await action.register({})", json!(page.name()))).await?;
        page.expect("onRegistered", json!([page.name(), true])).await?;
    }
    call(&jack, &tom).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    hang_up(&jack, &tom).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_session_while_ringing_ends_the_call() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;

    ring(&tom, &jack).await?;
    rig.restart_gateway()?;
    for (page, peer) in [(&tom, "Jack"), (&jack, "Tom")] {
        let args = page.event_within("onHangUp", Duration::from_secs(60)).await?;
        ensure!(args[0] == peer && args[1].is_string(), "it ended as {args:?}");
        page.skip("onError").await?;
        page.released(0).await?;
    }
    rig.finish().await
}

/// `connect()` must reject in time with one of these codes; returns the message.
async fn connect(page: &Page, servers: serde_json::Value, codes: &[&str]) -> Result<String> {
    let begun = Instant::now();
    let refusal = page
        .refusal(&format!(
            "await harness.connect({{ servers: {servers},
                                      options: {{ requestTimeout: 2000, retryLimit: 2000 }} }})"
        ))
        .await?;
    ensure!(
        codes.contains(&&*refusal.code) && refusal.name == "VideoRTCError",
        "{servers}: {refusal:?}, expected {codes:?}"
    );
    ensure!(begun.elapsed() < DEADLINE, "{servers}: connect() took {:?}", begun.elapsed());
    Ok(refusal.message)
}

/// An address without a listener; its port stays reserved.
fn dead_address() -> Result<(String, TcpSocket)> {
    let port = TcpSocket::new_v4()?;
    port.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    Ok((format!("http://{}/janus", port.local_addr()?), port))
}

/// Tom reaches the gateway through a tap, Jack directly.
async fn tapped(rig: &Rig, options: serde_json::Value) -> Result<(Tap, Arc<Page>, Arc<Page>)> {
    let tap = Tap::start(&rig.gateway_url()).await?;
    let through = Visitor::default().rtc(json!({ "servers": tap.url(), "options": options }));
    let (tom, jack) = tokio::try_join!(rig.register_as("Tom", through), rig.register("Jack"))?;
    Ok((tap, tom, jack))
}

/// Cuts the connection and waits until the page has retried, so that it knows.
async fn cut_until_noticed(tap: &Tap, page: &Page) -> Result {
    let before = page.run("return harness.requests.length").await?;
    tap.cut();
    page.run(&format!(
        "await harness.until('the cut was not noticed', () => harness.requests.length > {before})"
    ))
    .await
    .map(|_| ())
}

async fn hang_up(who: &Page, other: &Page) -> Result {
    who.run("await action.hangUp()").await?;
    who.ended(other.name(), "Hung up").await?;
    other.ended(who.name(), "Hung up").await
}
