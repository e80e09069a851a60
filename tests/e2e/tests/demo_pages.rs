//! The example pages, operated like a user would, by keyboard and mouse.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use fantoccini::Locator;
use serde_json::json;
use videortc_e2e::{Devices, Page, Result, Rig, Visitor};

/// The time limit for something to be shown.
const LIMIT: Duration = Duration::from_secs(20);

const HOSTILE: &str = "<img src=x onerror=window.hurt=1>";

/// RIGHT-TO-LEFT OVERRIDE: unless it is isolated, it reverses the rest of a sentence.
const TURNING: &str = "Ann\u{202e}gnp";

#[tokio::test(flavor = "multi_thread")]
async fn two_users_use_the_video_call_page() -> Result {
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
async fn video_call_page_shows_hostile_names_as_text() -> Result {
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
async fn video_call_page_explains_errors() -> Result {
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
async fn users_in_a_call_exchange_messages_and_files() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(enter(&rig, "Tom"), enter(&rig, "Jack"))?;
    // Chat is disabled without a call.
    ensure!(
        tom.run("return document.querySelector('#message').matches(':disabled')").await? == true
    );
    meet(&tom, &jack).await?;

    write(&tom, HOSTILE).await?;
    seen(&jack, "#log", HOSTILE).await?;
    write(&jack, "¿Qué tal? 你好").await?;
    seen(&tom, "#log", "¿Qué tal? 你好").await?;
    gone(&tom, "#log .state:not(:empty)").await?;

    let folder = empty_folder("people_in_a_call")?;
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n ^ (n >> 9)) as u8).collect();
    let path = folder.join("a report.html");
    fs::write(&path, &content)?;
    record_object_urls(&jack).await?;
    let field = tom.client().find(Locator::Css("#files")).await?;
    field.send_keys(&path.to_string_lossy()).await?;
    seen(&tom, "#log", "Sent.").await?;
    seen(&jack, "#log", "Received.").await?;

    let saved = empty_folder("people_in_a_call_saved")?;
    jack.download_to(&saved).await?;
    let link = jack.run(
        "const link = document.querySelector('#log a');
         return [link.download, link.target, document.querySelectorAll('#log img').length, objectTypes]",
    );
    // HTML from the peer is saved as bytes, which no browser opens as a page.
    let link = link.await?;
    ensure!(link == json!(["a report.html", "", 0, ["application/octet-stream"]]), "{link}");
    click(&jack, "//*[@id='log']//a[contains(., 'Save')]").await?;
    ensure!(
        downloaded(&saved.join("a report.html")).await? == content,
        "another content was saved"
    );
    ensure!(jack.run("return window.hurt ?? 0").await? == 0, "a message ran");

    // Received content stays after the call until it is removed.
    click(&tom, "//*[@id='call']//button[contains(., 'Hang up')]").await?;
    seen(&jack, "#lobby", "Tom").await?;
    seen(&jack, "#talk", "a report.html").await?;
    ensure!(
        jack.run("return document.querySelector('#message').matches(':disabled')").await? == true
    );
    click(&jack, "//*[@id='log']//button[contains(., 'Remove')]").await?;
    gone(&jack, "#log .file").await?;
    let revoked = jack.run("return revokedUrls.includes(objectUrls[0])").await?;
    ensure!(revoked == true, "the address of a removed file holds its memory");
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_can_be_dropped_cancelled_and_interrupted() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(enter(&rig, "Tom"), enter(&rig, "Jack"))?;
    meet(&tom, &jack).await?;

    let hostile = format!("{HOSTILE}\u{202e}gpj.exe");
    drop_file(&tom, &hostile, "image/svg+xml", 1000).await?;
    // The library removes the character from the name, so the hidden part is visible.
    seen(&jack, "#log", &format!("{HOSTILE}gpj.exe")).await?;
    seen(&jack, "#log", "Received.").await?;
    for page in [&tom, &jack] {
        let hurt =
            page.run("return [window.hurt ?? 0, document.querySelectorAll('img').length]").await?;
        ensure!(hurt == json!([0, 0]), "{}'s page ran a file name: {hurt}", page.name());
    }

    drop_file(&tom, "first.bin", "application/x-test", LARGE).await?;
    click(&jack, "//li[contains(., 'first.bin')]//button[contains(., 'Cancel')]").await?;
    seen(&jack, "#log", "You cancelled it.").await?;
    seen(&tom, "#log", "Jack cancelled it.").await?;

    drop_file(&tom, "second.bin", "application/x-test", LARGE).await?;
    seen(&jack, "#log", "second.bin").await?;
    click(&tom, "//li[contains(., 'second.bin')]//button[contains(., 'Cancel')]").await?;
    seen(&tom, "#log", "You cancelled it.").await?;
    seen(&jack, "#log", "Tom cancelled it.").await?;

    drop_file(&jack, "third.bin", "application/x-test", LARGE).await?;
    seen(&tom, "#log", "third.bin").await?;
    click(&jack, "//*[@id='call']//button[contains(., 'Hang up')]").await?;
    seen(&tom, "#talk", "The call ended before it arrived.").await?;
    seen(&jack, "#talk", "The call ended before its arrival was confirmed.").await?;
    for page in [&tom, &jack] {
        gone(page, "#log progress").await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn sender_sees_that_the_peer_refused_content() -> Result {
    let rig = Rig::start().await?;
    let tom = enter(&rig, "Tom").await?;
    let accepts = json!({ "allowedTypes": ["image/*"], "maxSize": 1000 });
    let visitor = Visitor::default().call(json!({ "options": { "dataChannel": accepts } }));
    let jack = rig.register_as("Jack", visitor).await?;

    click(&tom, "//li[contains(., 'Jack')]//button").await?;
    jack.expect("onIncomingCall", json!(["Tom"])).await?;
    jack.run("await action.acceptCall()").await?;
    open_chat(&tom).await?;

    write(&tom, "Hello").await?;
    seen(&tom, "#entries > :last-child", "Jack accepts nothing of this kind.").await?;
    drop_file(&tom, "notes.txt", "text/plain", 10).await?;
    seen(&tom, "#entries > :last-child", "Jack accepts nothing of this kind.").await?;
    drop_file(&tom, "large.png", "image/png", 1001).await?;
    seen(&tom, "#entries > :last-child", "It is larger than Jack accepts.").await?;

    for code in ["TYPE_NOT_ALLOWED", "TYPE_NOT_ALLOWED", "TOO_LARGE"] {
        let error = jack.event("onError").await?;
        ensure!(error[0]["code"] == code, "the receiver was told {error:?}, not {code}");
    }

    // In the other direction: texts of any type, and an image.
    jack.run("await action.sendData('application/x-command', 'wave')").await?;
    seen(&tom, "#entries > :last-child", "wave").await?;
    seen(&tom, "#entries > :last-child", "application/x-command").await?;
    for (kind, name, previews) in [("image/png", "dot.png", 1), ("image/svg+xml", "dot.svg", 0)] {
        jack.run(format!(
            "const canvas = new OffscreenCanvas(8, 8);
             canvas.getContext('2d').fillRect(0, 0, 8, 8);
             const dot = await canvas.convertToBlob();
             await action.sendData('{kind}', dot, null, null, '{name}')"
        ))
        .await?;
        seen(&tom, "#entries > :last-child", "Received.").await?;
        if previews > 0 {
            seen(&tom, "#entries > :last-child .preview", "").await?;
        }
        let shown = tom
            .run("return document.querySelectorAll('#entries > :last-child img').length")
            .await?;
        ensure!(shown == previews, "{shown} pictures are shown of {name}");
    }

    click(&tom, "//*[@id='call']//button[contains(., 'Hang up')]").await?;
    jack.ended("Tom", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn isolates_text_direction_of_names_and_reports_a_muted_camera() -> Result {
    let rig = Rig::start().await?;
    let (tom, ann) = tokio::try_join!(enter(&rig, "Tom"), enter(&rig, TURNING))?;
    let focus = tom.run("return document.activeElement.textContent").await?;
    ensure!(focus == "Who is here", "after joining the focus is at {focus}");

    click(&ann, "//li[contains(., 'Tom')]//button").await?;
    seen(&tom, "#incoming", "calls you").await?;
    stands_after_the_name(&tom, "#incoming-text").await?;
    click(&tom, "//*[@id='incoming']//button[contains(., 'Accept')]").await?;
    for page in [&tom, &ann] {
        seen(page, "#call", "0:").await?;
        page.sees_both().await?;
    }

    click(&ann, "//*[@id='call']//button[contains(., 'Camera off')]").await?;
    seen(&tom, "#waiting", "camera is off").await?;
    stands_after_the_name(&tom, "#waiting-text").await?;
    click(&ann, "//*[@id='call']//button[contains(., 'Camera on')]").await?;
    gone(&tom, "#waiting:not([hidden])").await?;

    click(&ann, "//*[@id='call']//button[contains(., 'Hang up')]").await?;
    seen(&tom, "#status", "hung up").await?;
    stands_after_the_name(&tom, "#status").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_page_sends_messages_and_files() -> Result {
    let rig = Rig::start().await?;
    let path = "/files/index.html";
    let one = rig.browse("one", path, Devices::default()).await?;
    seen(&one, "body", "You are").await?;
    let two = rig.browse("two", path, Devices::default()).await?;
    seen(&two, "body", "You are").await?;
    click(&two, "//button[contains(., 'Call')]").await?;
    for page in [&one, &two] {
        seen(page, "#me", "talking to").await?;
    }

    let field = one.client().find(Locator::Css("#text")).await?;
    field.send_keys("Hello\u{e007}").await?;
    seen(&one, "#log", "I: Hello").await?;
    seen(&two, "#log", "Hello").await?;

    let folder = empty_folder("the_files_page")?;
    let content: Vec<u8> = (0..200_000_u32).map(|n| (n ^ (n >> 7)) as u8).collect();
    let path = folder.join("data.bin");
    fs::write(&path, &content)?;
    let field = two.client().find(Locator::Css("#file")).await?;
    field.send_keys(&path.to_string_lossy()).await?;
    seen(&two, "#log", "data.bin: sent").await?;
    let saved = empty_folder("the_files_page_saved")?;
    one.download_to(&saved).await?;
    click(&one, "//a[contains(., 'data.bin')]").await?;
    ensure!(downloaded(&saved.join("data.bin")).await? == content, "another content was saved");
    let devices = one.run("return harness.tracks.length").await?;
    ensure!(devices == 0, "{devices} devices were opened for it");
    one.run("await action.hangUp()").await?;
    seen(&two, "#log", "Hung up").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_start_page_calls() -> Result {
    let rig = Rig::start().await?;
    let path = "/quickstart/index.html";
    let one = rig.browse("one", path, Devices::default()).await?;
    seen(&one, "body", "You are").await?;
    let two = rig.browse("two", path, Devices::default()).await?;
    seen(&two, "body", "You are").await?;

    // The page that joined second sees the first one and calls it.
    click(&two, "//button[contains(., 'Call')]").await?;
    tokio::try_join!(one.sees_both(), two.sees_both())?;
    one.run("await action.hangUp()").await?;
    seen(&two, "#me", "Hung up").await?;
    rig.finish().await
}

/// Opens the page and registers a name.
async fn enter(rig: &Rig, name: &str) -> Result<Arc<Page>> {
    let page = rig.browse(name, "/videocall/index.html", Devices::default()).await?;
    take_name(&page, name).await?;
    // Firefox's innerText omits direction controls.
    let (begin, _) = name.split_once('\u{202e}').unwrap_or((name, ""));
    seen(&page, "#lobby", begin).await?;
    Ok(page)
}

/// Calls, accepts, and opens the chat on both sides.
async fn meet(caller: &Page, callee: &Page) -> Result {
    click(caller, &format!("//li[contains(., '{}')]//button", callee.name())).await?;
    seen(callee, "#incoming", caller.name()).await?;
    click(callee, "//*[@id='incoming']//button[contains(., 'Accept')]").await?;
    open_chat(caller).await?;
    open_chat(callee).await
}

async fn open_chat(page: &Page) -> Result {
    seen(page, "#call", "0:").await?;
    // It opens by itself if there is space beside the video.
    if page.run("return document.querySelector('#talk').hidden").await? == true {
        click(page, "//*[@id='call']//button[contains(., 'Chat')]").await?;
    }
    seen(page, "#talk", "Chat and files").await
}

/// Types a message and sends it with the Enter key.
async fn write(page: &Page, text: &str) -> Result {
    let field = page.client().find(Locator::Css("#message")).await?;
    field.send_keys(text).await?;
    field.send_keys("\u{e007}").await?;
    Ok(())
}

/// Large enough that it takes longer than pressing a button.
const LARGE: u32 = 400_000_000;

/// Drops a file on the video, as far as a script can.
async fn drop_file(page: &Page, name: &str, kind: &str, size: u32) -> Result {
    let (name, kind) = (json!(name), json!(kind));
    page.run(format!(
        "const parts = [];
         for (let left = {size}; left > 0; left -= 1e6) parts.push(new Uint8Array(Math.min(left, 1e6)));
         const dataTransfer = new DataTransfer();
         dataTransfer.items.add(new File(parts, {name}, {{ type: {kind} }}));
         const drop = new DragEvent('drop', {{ dataTransfer, bubbles: true, cancelable: true }});
         if (document.querySelector('#stage').dispatchEvent(drop)) throw new Error('nobody took the drop')"
    ))
    .await
    .map(|_| ())
}

/// Records the created and revoked object URLs of the page: `objectUrls`, `objectTypes`,
/// `revokedUrls`.
async fn record_object_urls(page: &Page) -> Result {
    page.run(
        "window.objectUrls = [];
         window.objectTypes = [];
         const make = URL.createObjectURL;
         URL.createObjectURL = (blob) => {
           objectTypes.push(blob.type);
           objectUrls.push(make.call(URL, blob));
           return objectUrls.at(-1);
         };
         window.revokedUrls = [];
         const revoke = URL.revokeObjectURL;
         URL.revokeObjectURL = (url) => {
           revokedUrls.push(url);
           revoke.call(URL, url);
         };",
    )
    .await
    .map(|_| ())
}

/// An empty folder for this test.
fn empty_folder(name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The content of a download. A browser may create an empty file before it is complete.
async fn downloaded(path: &Path) -> Result<Vec<u8>> {
    let arrival = async {
        while fs::metadata(path).map_or(0, |file| file.len()) == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, arrival)
        .await
        .with_context(|| format!("{} was not saved", path.display()))?;
    Ok(fs::read(path)?)
}

/// The words after a name are rendered behind it, from left to right.
async fn stands_after_the_name(page: &Page, selector: &str) -> Result {
    let places = page
        .run(format!(
            "const name = document.querySelector('{selector} bdi');
             const words = document.createRange();
             words.selectNodeContents(name.nextSibling);
             return [name.getBoundingClientRect().right, words.getBoundingClientRect().left]"
        ))
        .await?;
    let [name, words] = [0, 1].map(|index| places[index].as_f64().unwrap_or(f64::NAN));
    ensure!(words >= name - 1.0, "{selector}: the name ends at {name}, the words begin at {words}");
    Ok(())
}

/// Waits until the page has no such element.
async fn gone(page: &Page, selector: &str) -> Result {
    let selector = json!(selector);
    page.run(format!(
        "await harness.until({selector} + ' is still there', () => !document.querySelector({selector}))"
    ))
    .await
    .map(|_| ())
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

/// Waits until this element is visible and contains this text.
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
