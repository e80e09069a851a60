//! From `new VideoRTC()` to `disconnect()`: in every state, twice, and repeatedly.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;

use anyhow::ensure;
use serde_json::json;
use videortc_e2e::{Devices, Page, Result, Rig, Visitor, call, ring};

#[tokio::test(flavor = "multi_thread")]
async fn class_is_defined_on_the_next_line() -> Result {
    let rig = Rig::start().await?;
    let page = rig.open("page", Devices::default()).await?;

    let made = page
        .run(
            "const frame = document.createElement('iframe');
             const script = (text) => `<script ${text}<\\/script>`;
             frame.srcdoc = script('src=/videortc.js>') + script(`>
               let said;
               try {
                 said = typeof new VideoRTC('https://example.com/janus').connect;
               } catch (error) {
                 said = String(error);
               }
               document.title = said;`);
             document.body.append(frame);
             await new Promise((loaded) => frame.addEventListener('load', loaded));
             return frame.contentDocument.title;",
        )
        .await?;
    ensure!(made == "function", "new VideoRTC() on the next line: {made}");

    let statics = page.run("return [typeof VideoRTC.version, VideoRTC.isSupported()]").await?;
    ensure!(statics == json!(["string", true]), "version and isSupported() are {statics}");
    let requests = page.run("return harness.requests").await?;
    ensure!(requests == json!([]), "loading the library made requests: {requests}");
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_servers_throw_and_other_arguments_reject_connect() -> Result {
    let rig = Rig::start().await?;
    let page = rig.open("page", Devices::default()).await?;

    for (arguments, named) in [
        ("", ""),
        ("undefined", ""),
        ("null", "null"),
        ("42", "42"),
        ("''", ""),
        ("[]", ""),
        ("['']", ""),
        ("['http://127.0.0.1:1/janus', 7]", "7"),
        ("'ftp://example.com'", "ftp://example.com"),
        ("'example.com/janus'", "example.com/janus"),
        ("'http://'", "http://"),
        ("'http://exa mple.com/'", "exa mple"),
        ("'http://example.com:99999/janus'", "99999"),
    ] {
        // No await: the constructor itself throws.
        let making = format!("new VideoRTC({arguments})");
        let refusal = page.refused(&making, "INVALID_ARGUMENT").await?;
        ensure!(
            refusal.message.contains(named),
            "{making} does not name {named}: {}",
            refusal.message
        );
    }
    for (arguments, named) in [
        ("'stun:example.com'", "stun:example.com"),
        ("[{}]", ""),
        ("[], 'loud'", "loud"),
        ("[], 'error', 42", "42"),
        ("[], 'error', { requestTimeout: 'soon' }", "requestTimeout"),
    ] {
        let making = format!("new VideoRTC('http://127.0.0.1:1/janus', {arguments})");
        page.run(&making).await?;
        let connecting = format!("await {making}.connect()");
        let refusal = page.refused(&connecting, "INVALID_ARGUMENT").await?;
        ensure!(
            refusal.message.contains(named),
            "{connecting} does not name {named}: {}",
            refusal.message
        );
    }
    let reads_well = page
        .run("try { new VideoRTC('') } catch (error) { return [String(error), error instanceof Error] }")
        .await?;
    let text = reads_well[0].as_str().unwrap_or_default();
    ensure!(text.len() > 30 && !text.contains("[object"), "the error reads {text}");
    ensure!(reads_well[1] == true, "a VideoRTCError is no Error");

    page.run("await harness.connect()").await?;
    for arguments in
        ["42", "{ onAccepted: 'yes' }", "{}, 42", "{}, { videos: 'videos' }", "{}, {}, 42"]
    {
        page.refused(&format!("await usecases.videoCall({arguments})"), "INVALID_ARGUMENT").await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn warns_about_unknown_options_and_events() -> Result {
    let rig = Rig::start().await?;
    let page = rig.open("page", Devices::default()).await?;

    page.run(
        "window.rtc = new VideoRTC(VIDEORTC_GATEWAY, [], 'warn', { requestTimeOut: 5 });
         window.usecases = await rtc.connect();
         window.action = await usecases.videoCall(
           { onRinging() {} }, { vidoes: null }, { streams: {}, stream: { videoEnable: false } });",
    )
    .await?;
    let said = page.run("return harness.console.join('\\n')").await?;
    let said = said.as_str().unwrap_or_default();
    for name in ["requestTimeOut", "onRinging", "vidoes", "streams", "videoEnable"] {
        ensure!(said.contains(name), "nobody warned about {name}: {said}");
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_twice_returns_the_same_use_cases() -> Result {
    let rig = Rig::start().await?;
    let page = rig.attach("page", Visitor::default()).await?;

    let same = page.run("return (await rtc.connect()) === usecases").await?;
    ensure!(same == true, "a second connect() gave other use cases");
    let same = page
        .run(
            "const other = new VideoRTC(VIDEORTC_GATEWAY);
             const [one, two] = await Promise.all([other.connect(), other.connect()]);
             await other.disconnect();
             return one === two;",
        )
        .await?;
    ensure!(same == true, "two connect() at once gave different use cases");
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnects_after_disconnect() -> Result {
    let rig = Rig::start().await?;
    let page = rig.register("Tom").await?;

    page.run("window.old = action; window.oldUsecases = usecases").await?;
    page.run("await rtc.disconnect(); await rtc.disconnect()").await?;
    for command in [
        "register('Tom')",
        "getPeers()",
        "call('Jack')",
        "acceptCall()",
        "hangUp()",
        "setCall(true, true, 'low')",
        "toggleAudio()",
        "toggleVideo()",
    ] {
        page.refused(&format!("await old.{command}"), "CLOSED").await?;
    }
    let refusal = page.refusal("await oldUsecases.videoCall()").await?;
    ensure!(["CLOSED", "NOT_CONNECTED"].contains(&&*refusal.code), "{refusal:?}");
    page.run("await old.closeUsecase()").await?;

    page.run("window.usecases = await rtc.connect(); await harness.videoCall()").await?;
    page.run("await action.register('Tom')").await?;
    page.expect("onRegistered", json!(["Tom", true])).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnects_without_a_call() -> Result {
    let rig = Rig::start().await?;
    let page = rig.open("page", Devices::default()).await?;

    page.run("window.rtc = new VideoRTC(VIDEORTC_GATEWAY); await rtc.disconnect()").await?;
    // During connect(): it settles either way, and the next one works.
    page.run("const c = rtc.connect().catch(() => null); await rtc.disconnect(); await c").await?;
    // During videoCall().
    page.run(
        "window.usecases = await rtc.connect();
         const attaching = harness.videoCall().catch(() => null);
         await rtc.disconnect();
         await attaching;",
    )
    .await?;
    // During register().
    page.run(
        "window.usecases = await rtc.connect();
         await harness.videoCall();
         const registering = action.register('Tom').catch(() => null);
         await rtc.disconnect();
         await registering;",
    )
    .await?;
    page.run("await harness.connect(); await harness.videoCall(); await action.register('Tim')")
        .await?;
    // Tom's answer may come before the end or not; Tim's comes.
    page.wait_event("onRegistered", |args| args == [json!("Tim"), json!(true)]).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnects_while_devices_open() -> Result {
    leave_and_return("Tom", |tom, _| async move {
        tom.run("const calling = action.call('Jack').catch(() => null); await rtc.disconnect(); await calling")
            .await?;
        tom.skip("onCalling").await?;
        Ok(Ringing::Perhaps)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnects_while_an_outgoing_call_rings() -> Result {
    leave_and_return("Tom", |tom, jack| async move {
        ring(&tom, &jack).await?;
        tom.run("await rtc.disconnect()").await?;
        Ok(Ringing::Yes)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnects_while_an_incoming_call_rings() -> Result {
    leave_and_return("Jack", |tom, jack| async move {
        ring(&tom, &jack).await?;
        jack.run("await rtc.disconnect()").await?;
        Ok(Ringing::Yes)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnects_while_accepting() -> Result {
    leave_and_return("Jack", |tom, jack| async move {
        ring(&tom, &jack).await?;
        jack.run(
            "const accepting = action.acceptCall().catch(() => null);
             await rtc.disconnect();
             await accepting;",
        )
        .await?;
        Ok(Ringing::Yes)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnects_during_a_call() -> Result {
    leave_and_return("Tom", |tom, jack| async move {
        call(&tom, &jack).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        tom.run("await rtc.disconnect()").await?;
        Ok(Ringing::Yes)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn closes_the_use_case_during_a_call() -> Result {
    leave_and_return("Tom", |tom, jack| async move {
        call(&tom, &jack).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        tom.run("await action.closeUsecase(); await action.closeUsecase()").await?;
        tom.refused("await action.call('Jack')", "CLOSED").await?;
        Ok(Ringing::Yes)
    })
    .await
}

/// Whether the other side saw a call before the first one left.
enum Ringing {
    Yes,
    Perhaps,
}

/// The common part of those tests: after one side left, both saw one end of the call, nothing is
/// open, the name is free, and the returning user can be called under it.
async fn leave_and_return<F, L>(leaver: &str, leave: L) -> Result
where
    L: FnOnce(Arc<Page>, Arc<Page>) -> F,
    F: Future<Output = Result<Ringing>>,
{
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;
    let ringing = leave(Arc::clone(&tom), Arc::clone(&jack)).await?;
    let (gone, left) = if leaver == "Tom" { (&tom, &jack) } else { (&jack, &tom) };

    let args = gone.event("onHangUp").await?;
    ensure!(args[0] == left.name() && args[1].is_string(), "it ended as {args:?}");
    gone.released(0).await?;
    if matches!(ringing, Ringing::Yes) {
        let args = left.event("onHangUp").await?;
        ensure!(args[0] == gone.name() && args[1].is_string(), "it ended as {args:?}");
    }
    left.released(0).await?;
    left.run(&format!(
        "await harness.until('{leaver} is still listed', async () =>
           !(await action.getPeers()).includes('{leaver}'))"
    ))
    .await?;

    gone.run("await rtc.connect().then((all) => { window.usecases = all })").await?;
    gone.run("await harness.videoCall()").await?;
    gone.run(&format!("await action.register('{leaver}')")).await?;
    gone.wait_event("onRegistered", |args| args[1] == true).await?;
    for event in ["onCalling", "onIncomingCall", "onAccepted", "onHangUp"] {
        if matches!(ringing, Ringing::Perhaps) {
            left.skip(event).await?;
        }
        gone.skip(event).await?;
        left.skip(if event == "onHangUp" { "onGotPeers" } else { event }).await?;
    }
    call(left, gone).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    left.run("await action.hangUp()").await?;
    left.ended(gone.name(), "Hung up").await?;
    gone.ended(left.name(), "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_use_case_frees_the_name() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;

    for _ in 0..3 {
        tom.run("await action.closeUsecase(); await harness.videoCall()").await?;
        tom.run("await action.register('Tom')").await?;
        tom.expect("onRegistered", json!(["Tom", true])).await?;
    }
    call(&jack, &tom).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    tom.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn throwing_listeners_break_nothing() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(
        rig.attach("Tom", Visitor::default()),
        rig.attach("Jack", Visitor::default())
    )?;

    for page in [&tom, &jack] {
        page.run(&format!(
            "for (const name of EVENTS) {{
               harness.reactions[name] = () => {{ throw new Error(`thrown in ${{name}}`) }};
             }}
             await action.register('{}');
             await action.getPeers();",
            page.name()
        ))
        .await?;
    }
    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    tom.run("await action.setCall(true, true, 'max')").await?;
    tom.event("onSetCall").await?;
    jack.run("await action.hangUp()").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    tokio::try_join!(tom.released(2), jack.released(2))?;

    for (page, told) in [
        (&tom, &["onRegistered", "onGotPeers", "onCalling", "onAccepted", "onSetCall"][..]),
        (&jack, &["onIncomingCall", "onReadyLocalStream", "onRemoteStreamReady", "onHangUp"]),
    ] {
        let said = page.run("return [...harness.console, ...harness.faults].join('\\n')").await?;
        for name in told {
            let thrown = format!("thrown in {name}");
            ensure!(said.to_string().contains(&thrown), "the console has no {thrown}: {said}");
        }
        // Browsers count the output of reportError() as a window error, which is expected here.
        page.pardon("thrown in").await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ignored_promises_cause_no_unhandled_rejection() -> Result {
    let rig = Rig::start().await?;
    let tom = rig.register("Tom").await?;

    tom.run(
        "action.hangUp(); action.acceptCall(); action.call(); action.register(''); action.register('Tim');
         action.getPeers(42); action.setCall('x'); action.toggleAudio(); action.toggleVideo();
         action.call('Nobody');",
    )
    .await?;
    let args = tom.event("onHangUp").await?;
    ensure!(args[0] == "Nobody", "it ended as {args:?}");

    tom.run(
        "action.closeUsecase(); action.call('Nobody'); action.getPeers();
         new VideoRTC('http://127.0.0.1:1/janus').connect();
         await new VideoRTC('http://127.0.0.1:1/janus').connect().catch(() => null);
         await rtc.disconnect();",
    )
    .await?;
    rig.finish().await
}
