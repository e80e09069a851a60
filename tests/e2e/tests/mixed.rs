//! One page in Chromium and one in Firefox: each calls the other, with video, audio, texts and
//! files.

use std::sync::Arc;

use anyhow::ensure;
use serde_json::json;
use videortc_e2e::{Browser, Page, Result, Rig, Visitor, call};

#[tokio::test(flavor = "multi_thread")]
async fn chromium_calls_firefox() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;
    talk(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn firefox_calls_chromium() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = pair(&rig).await?;
    talk(&jack, &tom).await?;
    rig.finish().await
}

async fn pair(rig: &Rig) -> Result<(Arc<Page>, Arc<Page>)> {
    let visitor = |browser| Visitor::default().browser(browser);
    tokio::try_join!(
        rig.register_as("Tom", visitor(Browser::Chromium)),
        rig.register_as("Jack", visitor(Browser::Firefox))
    )
}

/// A call from the first ring to the hang-up; the two texts and the two files are sent in parallel.
async fn talk(caller: &Page, callee: &Page) -> Result {
    call(caller, callee).await?;
    for (page, peer) in [(caller, callee), (callee, caller)] {
        let streams = json!([{ "stream": ["audio", "video"] }, peer.name()]);
        page.expect("onRemoteStreamReady", streams).await?;
        page.sees_both().await?;
        page.hears().await?;
    }

    let give = |from: &Page, to: &Page| {
        let (from, to) = (from.name().to_owned(), to.name().to_owned());
        format!(
            "const text = 'Grüße von {from} an {to} 👩‍👧';
             const file = new File([harness.noise({}, 5_000_001)], '{from}.bin', {{ type: 'a/b' }});
             const sending = [harness.send('a/b', file), harness.send('text/plain', text)];
             const content = await harness.content(file);
             await Promise.all(sending);
             return [['a/b', content, '{from}.bin', '{from}'], ['text/plain', text, null, '{from}']];",
            from.len()
        )
    };
    let take = "return (await harness.take(2)).sort()";
    let there = give(caller, callee);
    let back = give(callee, caller);
    let (sent, received, returned, got_back) = tokio::try_join!(
        caller.run(&there),
        callee.run(take),
        callee.run(&back),
        caller.run(take)
    )?;
    ensure!(sent == received, "expected {sent}, and {received} arrived");
    ensure!(returned == got_back, "expected {returned}, and {got_back} arrived");

    callee.run("await action.hangUp()").await?;
    caller.ended(callee.name(), "Hung up").await?;
    callee.ended(caller.name(), "Hung up").await?;
    tokio::try_join!(caller.released(2), callee.released(2))?;
    Ok(())
}
