//! The example pages, used as a person uses them: with the keyboard and the mouse.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use fantoccini::Locator;
use serde_json::json;
use videortc_e2e::{Devices, Page, Result, Rig};

/// How long something may take to be shown.
const LIMIT: Duration = Duration::from_secs(20);

const HOSTILE: &str = "<img src=x onerror=window.hurt=1>";

#[tokio::test(flavor = "multi_thread")]
async fn two_people_use_the_video_call_page() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(enter(&rig, "Tom"), enter(&rig, "Jack"))?;

    click(&tom, "//li[contains(., 'Jack')]//button").await?;
    seen(&tom, "#ringing", "Jack").await?;
    seen(&jack, "#incoming", "Tom").await?;
    click(&jack, "//*[@id='incoming']//button[contains(., 'Accept')]").await?;
    for (page, peer) in [(&tom, "Jack"), (&jack, "Tom")] {
        seen(page, "#call", peer).await?;
        page.sees_both().await?;
    }

    click(&tom, "//*[@id='call']//button[contains(., 'Mute')]").await?;
    seen(&tom, "#call", "Unmute").await?;
    click(&jack, "//*[@id='call']//button[contains(., 'Hang up')]").await?;
    seen(&tom, "#lobby", "Jack").await?;
    seen(&jack, "#lobby", "Tom").await?;
    seen(&tom, "#status", "Jack hung up").await?;
    tokio::try_join!(tom.released(2), jack.released(2))?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_video_call_page_shows_hostile_names_as_text() -> Result {
    let rig = Rig::start().await?;
    let (tom, evil) = tokio::try_join!(enter(&rig, "Tom"), enter(&rig, HOSTILE))?;

    seen(&tom, "#lobby", HOSTILE).await?;
    click(&evil, "//li[contains(., 'Tom')]//button").await?;
    seen(&tom, "#incoming", HOSTILE).await?;
    click(&tom, "//*[@id='incoming']//button[contains(., 'Decline')]").await?;
    seen(&tom, "#lobby", HOSTILE).await?;
    seen(&evil, "body", "declined").await?;
    for page in [&tom, &evil] {
        let hurt =
            page.run("return [window.hurt ?? 0, document.querySelectorAll('img').length]").await?;
        ensure!(hurt == json!([0, 0]), "{}'s page ran a name: {hurt}", page.name());
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_video_call_page_says_in_words_what_went_wrong() -> Result {
    let rig = Rig::start().await?;
    let _tom = enter(&rig, "Tom").await?;
    let page = rig.browse("somebody", "/videocall/index.html", Devices::Refused).await?;

    take_name(&page, "Tom").await?;
    seen(&page, "body", "taken").await?;
    take_name(&page, "Tim").await?;
    seen(&page, "#lobby", "Tom").await?;
    click(&page, "//li[contains(., 'Tom')]//button").await?;
    seen(&page, "#status", "not allowed").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_page_calls() -> Result {
    let rig = Rig::start().await?;
    let path = "/quickstart/index.html";
    let one = rig.browse("one", path, Devices::default()).await?;
    seen(&one, "body", "You are").await?;
    let two = rig.browse("two", path, Devices::default()).await?;
    seen(&two, "body", "You are").await?;

    // The one who came second sees the first and calls.
    click(&two, "//button[contains(., 'Call')]").await?;
    tokio::try_join!(one.sees_both(), two.sees_both())?;
    one.run("await action.hangUp()").await?;
    seen(&two, "#me", "Hung up").await?;
    rig.finish().await
}

/// Opens the page and takes a name.
async fn enter(rig: &Rig, name: &str) -> Result<Arc<Page>> {
    let page = rig.browse(name, "/videocall/index.html", Devices::default()).await?;
    take_name(&page, name).await?;
    seen(&page, "#lobby", name).await?;
    Ok(page)
}

async fn take_name(page: &Page, name: &str) -> Result {
    let field = page.client().wait().for_element(Locator::Css("#name")).await?;
    field.clear().await?;
    field.send_keys(name).await?;
    field.send_keys("\u{e007}").await?;
    Ok(())
}

async fn click(page: &Page, path: &str) -> Result {
    let found = page
        .client()
        .wait()
        .at_most(LIMIT)
        .for_element(Locator::XPath(path))
        .await
        .with_context(|| format!("{} has no {path}", page.name()))?;
    found.click().await.with_context(|| format!("{}: {path}", page.name()))
}

/// Waits until this part of the page is shown and holds this text.
async fn seen(page: &Page, selector: &str, text: &str) -> Result {
    let (selector, text) = (json!(selector), json!(text));
    page.run(format!(
        "await harness.until('{selector} does not show ' + {text}, () => {{
           const part = document.querySelector({selector});
           return part?.checkVisibility() && part.innerText.includes({text});
         }})"
    ))
    .await
    .map(|_| ())
}
