//! Names: registering, refusals, guest names, and the list of users.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use anyhow::ensure;
use serde_json::{Value, json};
use videortc_e2e::{Devices, Result, Rig, Visitor, ring};

type Test = Result;

#[tokio::test(flavor = "multi_thread")]
async fn rejects_a_taken_name_and_registers_another() -> Test {
    let rig = Rig::start().await?;
    let _tom = rig.register("Tom").await?;
    let other = rig.attach("Other", Visitor::default()).await?;

    let refusal = other.refused("await action.register('Tom')", "USERNAME_TAKEN").await?;
    other.expect("onRegistered", json!(["Tom", false])).await?;
    ensure!(refusal.message.contains("Tom"), "the error names no name: {}", refusal.message);

    other.run("await action.register('Tim')").await?;
    other.expect("onRegistered", json!(["Tim", true])).await?;
    ensure!(other.count("onRegistered").await? == 2, "{}", other.history().await);
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn generates_a_guest_name() -> Test {
    let rig = Rig::start().await?;
    let (guest, jack) =
        tokio::try_join!(rig.attach("a guest", Visitor::default()), rig.register("Jack"))?;

    guest.run("await action.register()").await?;
    let args = guest.event("onRegistered").await?;
    let name = args[0].as_str().unwrap_or_default();
    ensure!(args[1] == true && name.len() > 2, "a guest was registered as {args:?}");

    // The name is a real one: another user sees it and can call it.
    let peers = jack.run("return await action.getPeers()").await?;
    ensure!(has(&peers, name) && has(&peers, "Jack"), "{name} is not among {peers}");
    jack.run(&format!("await action.call({})", json!(name))).await?;
    guest.expect("onIncomingCall", json!(["Jack"])).await?;
    jack.run("await action.hangUp()").await?;
    jack.ended(name, "Cancelled").await?;
    guest.event("onHangUp").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_first_name_on_a_second_registration() -> Test {
    let rig = Rig::start().await?;
    let tom = rig.register("Tom").await?;

    tom.run("await action.register('Tom')").await?;
    tom.refused("await action.register('Tim')", "ALREADY_REGISTERED").await?;
    let peers = tom.run("return await action.getPeers()").await?;
    ensure!(peers == json!(["Tom"]), "registered once, but there are {peers}");
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_filters_and_orders_peers() -> Test {
    let rig = Rig::start().await?;
    let (tom, jack, _ann) =
        tokio::try_join!(rig.register("Tom"), rig.register("Jack"), rig.register("Ann"))?;

    let peers = tom.run("return await action.getPeers()").await?;
    let told = tom.event("onGotPeers").await?;
    ensure!(peers == told[0], "the promise says {peers}, the event {told:?}");
    ensure!(sorted(&peers) == ["Ann", "Jack", "Tom"], "the peers are {peers}");

    for (arguments, expected) in [
        ("undefined, 'asc'", json!(["Ann", "Jack", "Tom"])),
        ("undefined, 'desc'", json!(["Tom", "Jack", "Ann"])),
        ("'ac'", json!(["Jack"])),
        ("/^[AT]/, 'asc'", json!(["Ann", "Tom"])),
        ("(name) => name.length === 3, 'desc'", json!(["Tom", "Ann"])),
        ("'nobody'", json!([])),
    ] {
        let found = jack.run(&format!("return await action.getPeers({arguments})")).await?;
        ensure!(found == expected, "getPeers({arguments}) gave {found}");
        jack.expect("onGotPeers", json!([expected])).await?;
    }
    jack.refused("await action.getPeers('', 'sideways')", "INVALID_ARGUMENT").await?;
    jack.refused("await action.getPeers(42)", "INVALID_ARGUMENT").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_invalid_name() -> Test {
    let rig = Rig::start().await?;
    let page = rig.attach("page", Visitor::default()).await?;

    for name in ["''", "'x'.repeat(129)", "'line\\nbreak'", "'nul\\u0000'", "42", "{}", "['Tom']"] {
        for method in ["register", "call"] {
            page.refused(&format!("await action.{method}({name})"), "INVALID_ARGUMENT").await?;
        }
    }
    let refusal = page.refused("await action.register(42)", "INVALID_ARGUMENT").await?;
    ensure!(refusal.message.contains("42"), "the value is not named: {}", refusal.message);
    ensure!(page.count("onRegistered").await? == 0, "{}", page.history().await);
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_names_of_every_kind_unchanged() -> Test {
    let rig = Rig::start().await?;
    let (anyone, tom) =
        tokio::try_join!(rig.attach("anyone", Visitor::default()), rig.register("Tom"))?;

    let long = "x".repeat(128);
    for name in [
        "a",
        "Zoë Müller",
        "山田",
        "\u{1f98a}",
        "o'Neil \"the\" \\ one",
        "<img src=x onerror=alert(1)>",
        "__proto__",
        "undefined",
        &long,
    ] {
        anyone.run(&format!("await action.register({})", json!(name))).await?;
        anyone.expect("onRegistered", json!([name, true])).await?;
        let peers = tom.run("return await action.getPeers()").await?;
        ensure!(has(&peers, name), "{name} is not among {peers}");

        tom.run(format!("await action.call({})", json!(name))).await?;
        tom.expect("onCalling", json!([name])).await?;
        anyone.expect("onIncomingCall", json!(["Tom"])).await?;
        anyone.run("await action.hangUp()").await?;
        tom.ended(name, "Call declined").await?;
        anyone.event("onHangUp").await?;

        anyone.run("await harness.callWhenFree('Tom')").await?;
        anyone.skip("onHangUp").await?;
        tom.expect("onIncomingCall", json!([name])).await?;
        tom.run("await action.hangUp()").await?;
        anyone.ended("Tom", "Call declined").await?;
        let args = tom.event("onHangUp").await?;
        ensure!(args[0] == name, "the call of {name} ended as {args:?}");

        anyone.run("await action.closeUsecase(); await harness.videoCall()").await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_calls_before_registering() -> Test {
    let rig = Rig::start().await?;
    let (page, tom) = tokio::try_join!(
        rig.attach("page", Visitor::default().devices(Devices::CameraAndMicrophone)),
        rig.register("Tom")
    )?;

    page.refused("await action.call('Tom')", "NOT_REGISTERED").await?;
    ensure!(page.count("onHangUp").await? == 0, "{}", page.history().await);
    let tracks = page.run("return harness.tracks.length").await?;
    ensure!(tracks == 0, "a refused call opened {tracks} devices");

    page.run("await action.register('page')").await?;
    ring(&page, &tom).await?;
    ensure!(tom.count("onIncomingCall").await? == 1, "{}", tom.history().await);
    page.run("await action.hangUp()").await?;
    page.ended("Tom", "Cancelled").await?;
    tom.event("onHangUp").await?;
    rig.finish().await
}

fn has(peers: &Value, name: &str) -> bool {
    peers.as_array().is_some_and(|list| list.contains(&json!(name)))
}

fn sorted(peers: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        peers.as_array().into_iter().flatten().flat_map(Value::as_str).collect();
    names.sort_unstable();
    names
}
