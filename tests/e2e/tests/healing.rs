//! Recovery with the real Janus: killed, stopped, behind a failing connection; and pages that
//! leave.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::json;
use videortc_e2e::{
    Devices, GatewayKind, Healing, Page, Proxy, Result, Rig, Turns, Visitor, accept, call, hang_up,
    is_whole, ring_when_free, skips, until_listed, works,
};

const SECOND: Duration = Duration::from_secs(1);

/// Sessions end soon, if a test waits for that. So soon that a session expires during a poll
/// without other requests.
const SHORT: Duration = Duration::from_secs(6);

/// The limit for "immediately": Janus itself takes up to a second; its session timeout would be 60.
const AT_ONCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    /// Tom calls, and Jack's side rings.
    RingsThere,
    /// Jack calls, and Tom's side rings.
    RingsHere,
    InACall,
}

const STAGES: [Stage; 4] = [Stage::Idle, Stage::RingsThere, Stage::RingsHere, Stage::InACall];

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_brief_disconnection() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (proxy, tom, jack) = behind_a_proxy(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        proxy.cut();
        let healing = Healing::starts(format!("line cut once, {stage:?}"));
        // Whatever was lost, recovery starts after this request.
        tom.run("await action.getPeers()").await?;
        healing.done();
        is_whole(&tom).await?;
        goes_on(stage, &tom, &jack).await.with_context(|| format!("{stage:?}"))?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

/// Browsers repeat a cut poll by themselves on a new connection, so no poll fails. The gateway then
/// has two polls, and gives the next event to the dead one.
#[tokio::test(flavor = "multi_thread")]
async fn call_lost_in_an_abandoned_poll_rings() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let proxy = Proxy::start(&rig.gateway_url()).await?;
    let rtc = json!({ "servers": proxy.url(), "level": "trace" });
    let through = Visitor::default().rtc(rtc).call(call_options());
    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", Visitor::default().call(call_options())),
        rig.register_as("Jack", through)
    )?;
    let mut repeated = 0;
    for number in 0..8 {
        until_listed(&tom, &jack).await?;
        let is_repeated = proxy.cut_unnoticed().await?;
        repeated += usize::from(is_repeated);
        let rings = async {
            tom.run("await action.call('Jack')").await?;
            jack.event_within("onIncomingCall", 20 * SECOND).await
        };
        rings.await.with_context(|| format!("call {number}, poll repeated: {is_repeated}"))?;
        tom.skip("onCalling").await?;
        jack.run("await action.hangUp()").await?;
        tom.ended("Jack", "Call declined").await?;
        jack.ended("Tom", "Call declined").await?;
        for page in [&tom, &jack] {
            is_whole(page).await?;
        }
    }
    ensure!(repeated > 0, "the browser repeated no poll");
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_two_gateways_behind_one_address_without_a_storm() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let other = Rig::start().await?;
    let turns = Turns::start(&[rig.gateway_url(), other.gateway_url()]).await?;
    let page = rig.open("page", Devices::default()).await?;
    let said = page
        .run(format!(
            "const app = new VideoRTC({}, [], 'none', {{ retryLimit: 5000 }});
             try {{
               const action = await (await app.connect()).videoCall();
               return await action.register('Tom');
             }} catch (error) {{
               return `${{error}} ${{error.cause}}`;
             }} finally {{
               await app.disconnect();
             }}",
            json!(turns.url())
        ))
        .await?;
    let said = said.as_str().unwrap_or_default().to_owned();
    ensure!(said.contains("sticky"), "{said}");
    // With delays from 250 ms to 4 s, these are a few dozen requests.
    ensure!(turns.requests() < 100, "{} requests: {said}", turns.requests());
    other.finish().await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_disconnection_of_seconds() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (proxy, tom, jack) = behind_a_proxy(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        proxy.refuse();
        tokio::time::sleep(3 * SECOND).await;
        if stage == Stage::InACall {
            tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        }
        proxy.forward();
        let healing = Healing::starts(format!("line refused for 3 s, {stage:?}"));
        healing.is_seen(&tom).await?;
        goes_on(stage, &tom, &jack).await.with_context(|| format!("{stage:?}"))?;
        ensure!(jack.count("onReconnecting").await? == 0, "{}", jack.history().await);
    }
    is_whole(&tom).await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

/// The page detects it by an unanswered request; its poll is expected to be silent.
#[tokio::test(flavor = "multi_thread")]
async fn survives_a_stalled_connection() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (proxy, tom, jack) = behind_a_proxy(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        proxy.stall();
        tom.run("window.asked = action.getPeers().then(() => 'answered', (error) => error.code)")
            .await?;
        tokio::time::sleep(5 * SECOND).await;
        proxy.forward();
        let healing = Healing::starts(format!("line stalled for 5 s, {stage:?}"));
        let told = tom.run("return await asked").await?;
        ensure!(told == "answered" || told == "GATEWAY_TIMEOUT", "{stage:?}: {told}");
        is_whole(&tom).await?;
        goes_on(stage, &tom, &jack).await.with_context(|| format!("{stage:?}"))?;
        healing.done();
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_a_hang_up_from_a_truncated_poll() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    // Otherwise the data channel would report it.
    let mute = json!({ "options": { "dataChannel": { "dataEnabled": false } } });
    let (proxy, tom, jack) = behind_a_proxy_with(&rig, mute).await?;
    // In its head, at the start of its body, and in the middle.
    for bytes in [0, 20, 200, 300] {
        ring_when_free(&jack, &tom).await?;
        accept(&jack, &tom).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        proxy.break_next_poll(bytes);
        let healing = Healing::starts(format!("poll with a hang-up cut after {bytes} bytes"));
        jack.run("await action.hangUp()").await?;
        jack.ended("Tom", "Hung up").await?;
        healing.ends_the_call(&tom, "Jack", &[]).await?;
        proxy.poll_broken().await?;
        is_whole(&tom).await?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_an_incoming_call_from_a_truncated_poll() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (proxy, tom, jack) = behind_a_proxy(&rig).await?;
    for bytes in [1000, 0] {
        until_listed(&jack, &tom).await?;
        let calls = tom.count("onIncomingCall").await?;
        let ends = jack.count("onHangUp").await?;
        proxy.break_next_poll(bytes);
        let healing =
            Healing::starts(format!("poll with an incoming call cut after {bytes} bytes"));
        jack.run("await action.call('Tom').catch((error) => error.code)").await?;
        proxy.poll_broken().await?;
        let end = Instant::now() + Duration::from_secs(40);
        let rings = loop {
            if tom.count("onIncomingCall").await? > calls {
                break true;
            }
            if jack.count("onHangUp").await? > ends {
                break false;
            }
            if Instant::now() > end {
                bail!("half open:\n{}\n{}", tom.history().await, jack.history().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        healing.done();
        if rings {
            tom.skip("onIncomingCall").await?;
            jack.skip("onCalling").await?;
            accept(&jack, &tom).await?;
            tokio::try_join!(tom.sees_both(), jack.sees_both())?;
            hang_up(&tom, &jack).await?;
        } else {
            jack.skip("onHangUp").await?;
            jack.skip("onCalling").await?;
        }
        is_whole(&tom).await?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_an_answer_from_a_truncated_poll() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (proxy, tom, jack) = behind_a_proxy(&rig).await?;
    // Before the first byte, the browser repeats the request itself, and nobody notices a loss.
    for bytes in [1000, 0] {
        ring_when_free(&tom, &jack).await?;
        let (ends, rung) = (tom.count("onHangUp").await?, jack.count("onIncomingCall").await?);
        proxy.break_next_poll(bytes);
        let healing = Healing::starts(format!("poll with the answer cut after {bytes} bytes"));
        jack.run("await action.acceptCall().catch((error) => error.code)").await?;
        proxy.poll_broken().await?;
        // It connects, or it ends on both sides. If nobody accepts it again, a redialed call rings
        // in vain.
        let end = Instant::now() + Duration::from_secs(90);
        let last = "return harness.events.filter(({ name }) =>
                      ['onCalling', 'onAccepted', 'onHangUp', 'onIncomingCall'].includes(name)).at(-1).name";
        let told = loop {
            let told = (tom.run(last).await?, jack.run(last).await?);
            if told.0 == told.1 {
                break told.0;
            }
            if Instant::now() > end {
                bail!("half open:\n{}\n{}", tom.history().await, jack.history().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        healing.done();
        for page in [&tom, &jack] {
            page.skip("onAccepted").await?;
        }
        if told == "onAccepted" {
            tokio::try_join!(tom.sees_both(), jack.sees_both())?;
            hang_up(&tom, &jack).await?;
        }
        let ends = tom.count("onHangUp").await? - ends;
        ensure!(ends == 1, "{ends} ends: {}\n{}", tom.history().await, jack.history().await);
        let rung = jack.count("onIncomingCall").await? - rung;
        ensure!(
            rung == 0,
            "{rung} calls more rang: {}\n{}",
            tom.history().await,
            jack.history().await
        );
        for page in [&tom, &jack] {
            page.skip("onHangUp").await?;
        }
        is_whole(&tom).await?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_restart_of_janus() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        rig.kill_gateway()?;
        if stage == Stage::Idle {
            // Long enough to be noticed by a page that retries.
            tokio::time::sleep(2 * SECOND).await;
        }
        rig.restart_gateway()?;
        let healing = Healing::starts(format!("Janus killed and restarted, {stage:?}"));
        // Media through Janus may fail before the session does.
        let reasons = ["Session lost", "Connection lost", "Media connection failed"];
        for (page, peer) in [(&tom, "Jack"), (&jack, "Tom")] {
            if stage != Stage::Idle {
                healing.ends_the_call(page, peer, &reasons).await?;
            }
            healing.brings_a_new_session(page).await?;
            page.released(0).await?;
        }
        works(&tom, &jack).await.with_context(|| format!("{stage:?}"))?;
    }
    for page in [&tom, &jack] {
        is_whole(page).await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_brief_pause_of_janus() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        rig.pause_gateway()?;
        tom.run("window.asked = action.getPeers().then(() => 'answered', (error) => error.code)")
            .await?;
        // The media goes through Janus too: it stops, and ICE reports `disconnected`.
        tokio::time::sleep(6 * SECOND).await;
        rig.resume_gateway()?;
        let healing = Healing::starts(format!("Janus stopped for 6 s, {stage:?}"));
        tom.run("return await asked").await?;
        is_whole(&tom).await?;
        is_whole(&jack).await?;
        goes_on(stage, &tom, &jack).await.with_context(|| format!("{stage:?}"))?;
        healing.done();
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_a_pause_of_janus_beyond_the_session_timeout() -> Result {
    let Some(rig) = real(Some(SHORT)).await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        rig.pause_gateway()?;
        tokio::time::sleep(2 * SHORT).await;
        rig.resume_gateway()?;
        let healing =
            Healing::starts(format!("Janus stopped for 12 s, sessions of 6 s, {stage:?}"));
        // Janus checks for expired sessions every two seconds; a poll before that keeps the
        // session, and with it the call.
        still_or_again(&healing, &tom, &jack).await.with_context(|| format!("{stage:?}"))?;
    }
    works(&tom, &jack).await?;
    rig.finish().await
}

/// A poll lasts 30 s, so it is always open.
#[tokio::test(flavor = "multi_thread")]
async fn survives_a_pause_of_janus_beyond_a_poll() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let patient = || visitor(json!({ "requestTimeout": 3000, "retryLimit": 120_000 }));
    let (tom, jack) =
        tokio::try_join!(rig.register_as("Tom", patient()), rig.register_as("Jack", patient()))?;
    rig.pause_gateway()?;
    tokio::time::sleep(45 * SECOND).await;
    rig.resume_gateway()?;
    let healing = Healing::starts("Janus stopped for 45 s, idle");
    still_or_again(&healing, &tom, &jack).await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

/// Browsers throttle the timers of background tabs to once a minute.
#[tokio::test(flavor = "multi_thread")]
async fn background_tab_keeps_its_session() -> Result {
    // Longer than a poll, and shorter than the test.
    let Some(rig) = real(Some(35 * SECOND)).await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    tom.run("harness.throttle = 60_000").await?;
    tokio::time::sleep(45 * SECOND).await;
    works(&jack, &tom).await?;
    for page in [&tom, &jack] {
        ensure!(page.count("onReconnecting").await? == 0, "{}", page.history().await);
    }
    rig.finish().await
}

/// The page cannot reach its session on the first of two servers and switches to the second. That
/// is the same Janus, which keeps the name for the old session until it expires.
#[tokio::test(flavor = "multi_thread")]
async fn registers_a_name_that_a_dead_session_still_holds() -> Result {
    let Some(rig) = real(Some(SHORT)).await? else { return Ok(()) };
    let gateway = rig.gateway_url();
    let (first, second) = (Proxy::start(&gateway).await?, Proxy::start(&gateway).await?);
    let rtc = json!({
        "servers": [first.url(), second.url()],
        "level": "trace",
        "options": { "requestTimeout": 3000, "retryLimit": 60000 },
    });
    let tom = rig.register_as("Tom", Visitor::default().rtc(rtc)).await?;
    first.refuse();
    let healing = Healing::starts("one of two servers gone for good, idle");
    healing.brings_a_new_session(&tom).await?;
    // Not earlier: a session with such a short timeout would expire during its poll.
    let jack = rig.register_as("Jack", visitor(json!({}))).await?;
    ring_and_hang_up(&jack, &tom).await?;
    is_whole(&tom).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_up_on_a_permanent_disconnection() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    for how in ["refused", "stalled"] {
        let proxy = Proxy::start(&rig.gateway_url()).await?;
        let rtc = json!({
            "servers": proxy.url(),
            "level": "trace",
            "options": { "requestTimeout": 2000, "retryLimit": 4000 },
        });
        let (tom, jack) = tokio::try_join!(
            rig.register_as("Tom", Visitor::default().rtc(rtc)),
            rig.register_as("Jack", visitor(json!({})))
        )?;
        call(&tom, &jack).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        if how == "refused" {
            proxy.refuse();
        } else {
            proxy.stall();
        }
        let healing = Healing::starts(format!("line {how} for ever, in a call: given up"));
        tom.run("action.getPeers().catch(() => {})").await?;
        healing.ends_the_call(&tom, "Jack", &["Session lost", "Connection lost"]).await?;
        let error = tom.event_within("onError", Duration::from_secs(60)).await?;
        ensure!(error[0]["code"] == "SESSION_LOST", "{how}: {error:?}");
        ensure!(tom.count("onReconnecting").await? <= 1, "{}", tom.history().await);
        ensure!(tom.count("onReconnected").await? == 0, "{}", tom.history().await);
        tom.released(2).await?;
        tom.refused("await action.getPeers()", "CLOSED").await?;
        healing.ends_the_call(&jack, "Tom", &[]).await?;
        for page in [tom, jack] {
            page.run("await rtc.disconnect()").await?;
            rig.close(page).await?;
        }
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hang_up_reaches_the_peer_without_the_gateway() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (proxy, tom, jack) = behind_a_proxy(&rig).await?;
    reach(Stage::InACall, &tom, &jack).await?;
    // The channel is open on both sides.
    tom.run("await action.sendData('text/plain', 'dinner?')").await?;

    proxy.stall();
    let hung_up = tom.run("await action.hangUp('Dinner is ready')");
    let heard = async {
        jack.ended("Tom", "Dinner is ready").await?;
        // Nothing was sent over that stalled connection.
        proxy.forward();
        Ok(())
    };
    tokio::try_join!(hung_up, heard)?;
    tom.ended("Jack", "Dinner is ready").await?;
    tokio::try_join!(tom.released(2), jack.released(2))?;
    call(&jack, &tom).await?;
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnect_settles_without_a_gateway() -> Result {
    leaving_settles_without_a_gateway("await rtc.disconnect()").await
}

#[tokio::test(flavor = "multi_thread")]
async fn close_settles_without_a_gateway() -> Result {
    leaving_settles_without_a_gateway("await action.closeUsecase()").await
}

async fn leaving_settles_without_a_gateway(leave: &str) -> Result {
    let Some(rig) = real(Some(SHORT)).await? else { return Ok(()) };
    for how in ["refused", "stalled"] {
        for stage in STAGES {
            let what = format!("{leave}, line {how}, {stage:?}");
            let (proxy, tom, jack) = behind_a_proxy(&rig).await?;
            reach(stage, &tom, &jack).await?;
            if how == "refused" {
                proxy.refuse();
            } else {
                proxy.stall();
            }
            let healing = Healing::starts(&what);
            let told = tom
                .run(format!(
                    "const asked = action.getPeers().catch((error) => error.code);
                     const late = new Promise((done) => setTimeout(done, 15000, 'late'));
                     const left = (async () => {{ {leave}; await asked; return 'left'; }})();
                     return await Promise.race([left, late])"
                ))
                .await
                .with_context(|| what.clone())?;
            ensure!(told == "left", "{what}: {told}\n{}", tom.history().await);
            healing.done();
            tom.released(0).await?;
            ensure!(tom.count("onHangUp").await? <= 1, "{}", tom.history().await);
            if stage != Stage::Idle {
                healing.ends_the_call(&jack, "Tom", &[]).await.with_context(|| what.clone())?;
            }
            // The gateway detects by itself what it was not told.
            jack.run(
                "while ((await action.getPeers()).includes('Tom')) await new Promise((done) => setTimeout(done, 200))",
            )
            .await
            .with_context(|| what.clone())?;
            for page in [tom, jack] {
                page.run("await rtc.disconnect()").await?;
                rig.close(page).await?;
            }
        }
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_frees_the_name_and_ends_the_call() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        let begun = Instant::now();
        tom.reload().await?;
        if stage != Stage::Idle {
            let healing = Healing::starts(format!("reload, {stage:?}: the call's end"));
            healing.ends_the_call(&jack, "Tom", &[]).await?;
            ensure!(begun.elapsed() < AT_ONCE, "{stage:?}: Jack heard after {:?}", begun.elapsed());
        }
        let healing = Healing::starts(format!("reload, {stage:?}: the name"));
        // A single attempt: there are no retries here.
        enter(&tom).await.with_context(|| format!("{stage:?}"))?;
        healing.done();
        works(&tom, &jack).await.with_context(|| format!("{stage:?}"))?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_tab_ends_the_call_immediately() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let jack = rig.register_as("Jack", visitor(json!({}))).await?;
    for stage in STAGES {
        let tom = rig.register_as("Tom", visitor(json!({}))).await?;
        reach(stage, &tom, &jack).await?;
        let begun = Instant::now();
        tom.close_tab().await?;
        rig.forget(&tom);
        if stage == Stage::Idle {
            jack.gone_from_the_list("Tom", AT_ONCE).await?;
        } else {
            let healing = Healing::starts(format!("tab closed, {stage:?}"));
            healing.ends_the_call(&jack, "Tom", &[]).await?;
        }
        ensure!(begun.elapsed() < AT_ONCE, "{stage:?}: Jack heard after {:?}", begun.elapsed());
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn page_is_left_and_restored() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        tom.leave_for(&rig.site_url("/janus-js.html")).await?;
        if stage != Stage::Idle {
            let healing = Healing::starts(format!("page left, {stage:?}: the call's end"));
            healing.ends_the_call(&jack, "Tom", &[]).await?;
        }
        let is_alive = tom.come_back().await?;
        let healing = Healing::starts(format!("page back, {stage:?}, alive: {is_alive}"));
        if is_alive {
            if stage != Stage::Idle {
                healing.ends_the_call(&tom, "Jack", &[]).await?;
            }
            healing.brings_a_new_session(&tom).await?;
            is_whole(&tom).await?;
        } else {
            enter(&tom).await?;
            healing.done();
        }
        works(&tom, &jack).await.with_context(|| format!("{stage:?}"))?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_an_offline_browser() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    for stage in STAGES {
        reach(stage, &tom, &jack).await?;
        tom.offline(true).await?;
        // The open poll may survive; this one cannot.
        tom.run("window.asked = action.getPeers().then(() => 'answered', (error) => error.code)")
            .await?;
        // Long enough that the delay between retries has grown.
        tokio::time::sleep(5 * SECOND).await;
        tom.offline(false).await?;
        let healing = Healing::starts(format!("offline for 5 s, {stage:?}"));
        tom.run("return await asked").await?;
        is_whole(&tom).await?;
        healing.done();
        goes_on(stage, &tom, &jack).await.with_context(|| format!("{stage:?}"))?;
    }
    is_whole(&tom).await?;
    works(&tom, &jack).await?;
    rig.finish().await
}

/// Another network: the connection gets new ICE credentials, restarted by one side and by both at
/// once, and a file in flight arrives completely.
#[tokio::test(flavor = "multi_thread")]
async fn restarts_ice() -> Result {
    let Some(rig) = real(None).await? else { return Ok(()) };
    let (tom, jack) = pair(&rig).await?;
    reach(Stage::InACall, &tom, &jack).await?;
    // As the browser reports a lost path. A mere hint does not affect a working one.
    let says = "harness.peers.at(-1).dispatchEvent(new Event('connectionstatechange'))";
    let restart = format!(
        "const peer = harness.peers.at(-1);
         Object.defineProperty(peer, 'connectionState', {{ get: () => 'failed', configurable: true }});
         {says};
         delete peer.connectionState"
    );
    let remember =
        "window.before = harness.peers.at(-1).localDescription.sdp.match(/ice-ufrag:(\\S+)/)[1]";
    let is_anew = "const peer = harness.peers.at(-1);
         await harness.until('the connection has its old credentials', () =>
           peer.signalingState === 'stable' && peer.connectionState === 'connected' &&
           !peer.localDescription.sdp.includes(`ice-ufrag:${before}`), 20000)";
    let send = "const bytes = new Uint8Array(4_000_000).map((_, at) => at * at);
         window.sent = action.sendData('application/x-test', bytes)";
    for restarting in [vec![&tom], vec![&jack], vec![&tom, &jack]] {
        for page in [&tom, &jack] {
            page.run(remember).await?;
        }
        tom.run(send).await?;
        for page in &restarting {
            page.run(&restart).await?;
        }
        let asker = restarting.first().context("somebody asks")?;
        let healing = Healing::starts(format!("negotiated anew by {}", restarting.len()));
        asker.run(is_anew).await?;
        healing.done();
        for page in &restarting {
            page.run(says).await?;
        }
        tom.run("await sent").await?;
        jack.event("onDataReceived").await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;
        for page in [&tom, &jack] {
            page.skip("onTransferProgress").await?;
            page.skip("onFileTransferOk").await?;
            is_whole(page).await?;
        }
    }
    goes_on(Stage::InACall, &tom, &jack).await?;
    rig.finish().await
}

/// A rig with the real Janus, whose sessions may expire earlier than by default; `None` if the
/// embedded gateway is requested.
async fn real(session_timeout: Option<Duration>) -> Result<Option<Rig>> {
    if GatewayKind::asked_for()? != GatewayKind::Janus {
        skips("only the real Janus can be killed and stopped");
        return Ok(None);
    }
    Ok(Some(match session_timeout {
        Some(session_timeout) => Rig::start_with(session_timeout).await?,
        None => Rig::start().await?,
    }))
}

/// A page with these options and a log for failures.
fn visitor(options: serde_json::Value) -> Visitor {
    Visitor::default().rtc(json!({ "level": "trace", "options": options })).call(call_options())
}

fn call_options() -> serde_json::Value {
    json!({ "options": { "ringTimeout": 30000, "connectTimeout": 15000 } })
}

async fn pair(rig: &Rig) -> Result<(Arc<Page>, Arc<Page>)> {
    let hasty = || visitor(json!({ "requestTimeout": 3000 }));
    tokio::try_join!(rig.register_as("Tom", hasty()), rig.register_as("Jack", hasty()))
}

/// Tom reaches the gateway through a proxy, Jack directly.
async fn behind_a_proxy(rig: &Rig) -> Result<(Proxy, Arc<Page>, Arc<Page>)> {
    behind_a_proxy_with(rig, call_options()).await
}

async fn behind_a_proxy_with(
    rig: &Rig,
    tom: serde_json::Value,
) -> Result<(Proxy, Arc<Page>, Arc<Page>)> {
    let proxy = Proxy::start(&rig.gateway_url()).await?;
    let rtc = json!({
        "servers": proxy.url(),
        "level": "trace",
        "options": { "requestTimeout": 3000 },
    });
    let through = Visitor::default().rtc(rtc).call(tom);
    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", through),
        rig.register_as("Jack", visitor(json!({})))
    )?;
    Ok((proxy, tom, jack))
}

/// Brings both idle pages to this stage.
async fn reach(stage: Stage, tom: &Page, jack: &Page) -> Result {
    match stage {
        Stage::Idle => Ok(()),
        Stage::RingsThere => ring_when_free(tom, jack).await,
        Stage::RingsHere => ring_when_free(jack, tom).await,
        Stage::InACall => {
            ring_when_free(tom, jack).await?;
            accept(tom, jack).await?;
            tokio::try_join!(tom.sees_both(), jack.sees_both())?;
            Ok(())
        }
    }
}

/// Nothing was lost: a ringing call is accepted, and in the call video and messages continue until
/// the
async fn goes_on(stage: Stage, tom: &Page, jack: &Page) -> Result {
    match stage {
        Stage::Idle => return ring_and_hang_up(jack, tom).await,
        Stage::RingsThere => accept(tom, jack).await?,
        Stage::RingsHere => accept(jack, tom).await?,
        Stage::InACall => {}
    }
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    for (page, other) in [(tom, jack), (jack, tom)] {
        page.run("await action.sendData('text/plain', 'still there')").await?;
        let told = json!(["text/plain", "still there", null, page.name()]);
        other.expect("onDataReceived", told).await?;
    }
    hang_up(tom, jack).await
}

/// Whether a session survives is a race inside Janus. Either way it is restored, and a call
/// continues on both sides or ends once on both.
async fn still_or_again(healing: &Healing, tom: &Page, jack: &Page) -> Result {
    for (page, other) in [(tom, jack), (jack, tom)] {
        page.run(format!(
            "await harness.until('{0} is not in the list', async () =>
               (await action.getPeers().catch(() => [])).includes('{0}'), 60000)",
            other.name()
        ))
        .await?;
        page.skip("onGotPeers").await?;
        is_whole(page).await?;
    }
    healing.done();
    for page in [tom, jack] {
        page.skip("onRegistered").await?;
    }
    // Any remaining call ends here, on both sides.
    for page in [tom, jack] {
        page.run("await action.hangUp().catch((error) => { if (error.code !== 'NO_CALL') throw error; })")
            .await?;
    }
    let ends = "const all = harness.events.map(({ name }) => name);
                const calls = all.filter((name) => ['onCalling', 'onIncomingCall'].includes(name)).length;
                const ends = all.filter((name) => name === 'onHangUp').length;
                return ends >= calls";
    for page in [tom, jack] {
        page.run(format!("await harness.until('the call has no end', () => {{ {ends} }}, 30000)"))
            .await?;
        page.skip("onHangUp").await?;
        page.released(0).await?;
    }
    Ok(())
}

/// A reloaded page connects and registers.
async fn enter(page: &Page) -> Result {
    let name = json!(page.name());
    page.run(format!(
        "await harness.connect({{ level: 'trace', options: {{ requestTimeout: 3000 }} }});
         await harness.videoCall({}); await action.register({name})",
        call_options()
    ))
    .await?;
    page.expect("onRegistered", json!([page.name(), true])).await
}

async fn ring_and_hang_up(caller: &Page, callee: &Page) -> Result {
    ring_when_free(caller, callee).await?;
    caller.run("await action.hangUp()").await?;
    tokio::try_join!(caller.event("onHangUp"), callee.event("onHangUp"))?;
    Ok(())
}
