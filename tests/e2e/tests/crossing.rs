//! Crossing calls: they become one call, whichever was first.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use serde_json::json;
use videortc_e2e::{Page, Result, Rig, accept, ring_when_free};

#[tokio::test(flavor = "multi_thread")]
async fn crossing_calls_become_one_call() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;

    // Jack's delay after Tom, in milliseconds.
    for lead in [0, 0, 0, 10, 30, 60, 120, -10, -30, -60, -120] {
        let start = now() + 400;
        let lag = |late: i64| start + u64::try_from(late.max(0)).unwrap_or(0);
        tokio::try_join!(
            tom.run(call_at(lag(-lead), "Jack")),
            jack.run(call_at(lag(lead), "Tom"))
        )?;
        // With a long delay, the incoming call rings already and call() accepts it: also one call.
        tom.expect("onAccepted", json!(["Jack"])).await?;
        jack.expect("onAccepted", json!(["Tom"])).await?;
        tokio::try_join!(tom.sees_both(), jack.sees_both())?;

        tom.run("await action.hangUp()").await?;
        tom.ended("Jack", "Hung up").await?;
        jack.ended("Tom", "Hung up").await?;
        tokio::try_join!(tom.released(2), jack.released(2))?;
    }
    for page in [&tom, &jack] {
        for event in ["onAccepted", "onHangUp"] {
            ensure!(page.count(event).await? == 11, "{event}: {}", page.history().await);
        }
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_users_calling_in_a_circle_do_not_deadlock() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack, ann) =
        tokio::try_join!(rig.register("Tom"), rig.register("Jack"), rig.register("Ann"))?;

    let start = now() + 400;
    let settled = |peer: &str| format!("{}.catch(() => null)", call_at(start, peer));
    tokio::try_join!(tom.run(settled("Jack")), jack.run(settled("Ann")), ann.run(settled("Tom")))?;
    for page in [&tom, &jack, &ann] {
        page.run("await action.hangUp().catch((e) => { if (e.code !== 'NO_CALL') throw e; })")
            .await?;
    }
    let pages: [&Arc<Page>; 3] = [&tom, &jack, &ann];
    for page in pages {
        page.run(
            "await harness.until('a call is still on', () => {
               const count = (name) => harness.events.filter((e) => e.name === name).length;
               return count('onHangUp') >= count('onIncomingCall') + 1;
             })",
        )
        .await?;
    }
    for page in pages {
        page.skip("onHangUp").await?;
        page.skip("onCalling").await?;
        page.skip("onIncomingCall").await?;
        page.released(0).await?;
    }

    for (caller, callee) in [(&tom, &jack), (&jack, &ann), (&ann, &tom)] {
        ring_when_free(caller, callee).await?;
        accept(caller, callee).await?;
        callee.run("await action.hangUp()").await?;
        caller.ended(callee.name(), "Hung up").await?;
        callee.ended(caller.name(), "Hung up").await?;
    }
    rig.finish().await
}

/// Starts a call at a set time; both pages share a clock.
fn call_at(time: u64, peer: &str) -> String {
    format!(
        "await new Promise((go) => setTimeout(go, {time} - Date.now()));
         await action.call('{peer}')"
    )
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
