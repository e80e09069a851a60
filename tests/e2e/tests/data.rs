//! Messages and files: they arrive unchanged, or the sender gets one error.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that counts or looks up wrongly may panic: that fails it"
)]

use std::sync::Arc;

use anyhow::ensure;
use serde_json::{Value, json};
use videortc_e2e::{Page, Result, Rig, Visitor, accept, call, ring, ring_when_free};

/// The limit for the growth of the module's memory during a file of any size: 1 MiB.
const GROWTH: i64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn delivers_all_content_unchanged() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;
    call(&tom, &jack).await?;

    // The sent content and the expected result.
    let contents = "
        const bytes = Uint8Array.from({ length: 100 }, (_, at) => at);
        const long = (length) => 'x'.repeat(length - 3) + 'end';
        const blob = (data, type) => new Blob([data], { type });
        const octets = 'application/octet-stream';
        const contents = [
          ['text/plain', '', ''],
          ['text/plain', '!', '!'],
          ...[63999, 64000, 64001, 65535, 65536, 1000000].map((n) => ['text/plain', long(n), long(n)]),
          // The same around the limit, in bytes.
          ...[31999, 32000, 32001].map((n) => ['text/x-umlauts', 'ä'.repeat(n), 'ä'.repeat(n)]),
          ['text/plain', 'Grüße 👩‍👩‍👧‍👦 e\\u0301 \\u0000 \\u202e שלום', 'Grüße 👩‍👩‍👧‍👦 e\\u0301 \\u0000 \\u202e שלום'],
          ['text/plain', 'half \\ud83d a pair', 'half \\ufffd a pair'],
          ['text/plain', long(70000) + '\\udc00', long(70000) + '\\ufffd'],
          ['a command of our own', '{\"move\":\"e4\"}', '{\"move\":\"e4\"}'],
          [octets, new Blob([]), blob('', octets)],
          [octets, new Blob(['?']), blob('?', octets)],
          ['image/png', blob(bytes, 'text/html'), blob(bytes, 'image/png')],
          [octets, bytes.buffer.slice(0), blob(bytes, octets)],
          [octets, new ArrayBuffer(0), blob('', octets)],
          [octets, bytes.subarray(10, 20), blob(bytes.slice(10, 20), octets)],
          [octets, new DataView(bytes.buffer, 90), blob(bytes.slice(90), octets)],
          [octets, new Uint16Array(bytes.buffer, 2, 3), blob(bytes.slice(2, 8), octets)],
          [octets, new BigInt64Array(bytes.buffer, 8, 1), blob(bytes.slice(8, 16), octets)],
          ...[63999, 64000, 64001, 65535, 65536, 2 ** 20 - 1, 2 ** 20 + 1].map((size) => {
            const noise = harness.noise(size, size, octets);
            return [octets, noise, noise];
          }),
        ];";
    for (from, to) in [(&tom, &jack), (&jack, &tom)] {
        let expected = from
            .run(format!(
                "{contents}
                 for (const [type, data] of contents) await harness.send(type, data);
                 return Promise.all(contents.map(async ([type, _, data]) => {{
                   return [type, await harness.content(data), null, '{}'];
                 }}));",
                from.name()
            ))
            .await?;
        arrives(to, expected).await?;
    }

    // The page may change a buffer after the call.
    let expected = tom
        .run(
            "const bytes = new Uint8Array(100000).fill(1);
             const whole = await harness.content(new Blob([bytes], { type: 'a' }));
             const part = await harness.content(new Blob([bytes.subarray(9, 99)], { type: 'b' }));
             const sending = [harness.send('a', bytes), harness.send('b', bytes.subarray(9, 99))];
             bytes.fill(2);
             structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
             await sending[0];
             await sending[1];
             return [['a', whole, null, 'Tom'], ['b', part, null, 'Tom']];",
        )
        .await?;
    let mut arrived = jack.run("return await harness.take(2)").await?;
    arrived.as_array_mut().into_iter().for_each(|all| all.sort_by_key(|one| one[0].to_string()));
    ensure!(arrived == expected, "expected {expected}, and {arrived} arrived");
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn cleans_file_names() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = data_call(&rig, Value::Null, Value::Null).await?;

    let names = json!([
        ["photo.jpg", "photo.jpg"],
        ["Grüße an 👩\u{200d}👧.txt", "Grüße an 👩👧.txt"],
        ["../../etc/passwd", "passwd"],
        ["C:\\fakepath\\photo.jpg", "photo.jpg"],
        ["/", null],
        ["..", null],
        ["", null],
        [".htaccess", "htaccess"],
        ["a\u{0}b\nc\u{7f}.txt", "abc.txt"],
        ["photo\u{202e}gpj.exe", "photogpj.exe"],
        ["half \u{fffd}", "half \u{fffd}"],
        ["é".repeat(300), "é".repeat(127)],
    ]);
    // The name comes from the file or from the page; the page's name takes precedence.
    for send in [
        "harness.send('a/b', new File(['x'], name))",
        "harness.send('a/b', 'x', name)",
        "harness.send('a/b', new File(['x'], 'other'), { filename: name })",
    ] {
        tom.run(format!("for (const [name] of {names}) await {send}")).await?;
        let arrived = jack.run("return (await harness.take(12)).map((one) => one[2])").await?;
        let all = names.as_array().into_iter().flatten();
        let expected: Value = all.map(|name| name[1].clone()).collect();
        ensure!(arrived == expected, "{send}: expected {expected}, and {arrived} arrived");
    }
    let own =
        jack.run("return harness.events.filter((e) => e.name === 'onDataReceived').length").await?;
    ensure!(own == 36, "{own} things arrived");
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn delivers_a_file_of_256_mib_exactly() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = data_call(&rig, Value::Null, Value::Null).await?;

    let pages = [&tom, &jack];
    let size = "return harness.memory.buffer.byteLength";
    let before = [tom.run(size).await?, jack.run(size).await?];
    let sent = tom
        .run(
            "const file = new File([harness.noise(256, 2 ** 28)], 'large.bin');
             harness.send('a/b', file);
             return await harness.content(file.slice(0, file.size, 'a/b'));",
        )
        .await?;
    ensure!(sent["size"] == 1 << 28, "{sent}");
    all_the_way(&tom, "outgoing").await?;
    tom.event("onFileTransferOk").await?;
    let arrived = jack.run("return await harness.take(1)").await?;
    ensure!(arrived == json!([["a/b", sent, "large.bin", "Tom"]]), "{sent} became {arrived}");

    for (page, before) in pages.iter().zip(before) {
        let grown = page.run(size).await?.as_i64().zip(before.as_i64()).map(|(now, was)| now - was);
        ensure!(grown < Some(GROWTH), "{}'s memory has grown by {grown:?} bytes", page.name());
    }
    for (page, direction) in [(&tom, "outgoing"), (&jack, "incoming")] {
        progresses(page, direction, 1 << 28).await?;
    }
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn delivers_a_hundred_files_in_both_directions() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = data_call(&rig, Value::Null, Value::Null).await?;

    // Half of the files fit into one message. A large one goes first, with messages in between.
    let send = "
        const files = [harness.noise(7, 2 ** 23)];
        for (let at = 0; at < 100; at += 1) files.push(harness.noise(at, at % 2 ? 500 + at : 80000 + at));
        const sending = [];
        files.forEach((file, at) => {
          sending.push(harness.send('a/b', file, `${at}`));
          if (at % 10 === 0) sending.push(harness.send('text/plain', `message ${at}`));
        });
        await Promise.all(sending);
        return Promise.all(files.map((file) => harness.content(file.slice(0, file.size, 'a/b'))));";
    let (from_tom, from_jack) = tokio::try_join!(tom.run(send), jack.run(send))?;
    for (to, from, files) in [(&jack, "Tom", from_tom), (&tom, "Jack", from_jack)] {
        let arrived = to.run("return await harness.take(112)").await?;
        let all = arrived.as_array().cloned().unwrap_or_default();
        ensure!(all.len() == 112, "{} things arrived", all.len());
        let (texts, mut blobs): (Vec<Value>, Vec<Value>) =
            all.into_iter().partition(|one| one[0] == "text/plain");
        // Messages keep their order. So do files, but a short one does not wait for a long one.
        for (at, text) in texts.iter().enumerate() {
            let expected = json!(["text/plain", format!("message {}", at * 10), null, from]);
            ensure!(*text == expected, "{text} came for {expected}");
        }
        blobs.sort_by_key(|blob| blob[2].as_str().and_then(|name| name.parse::<usize>().ok()));
        let files = files.as_array().cloned().unwrap_or_default();
        ensure!(blobs.len() == files.len(), "{} files for {}", blobs.len(), files.len());
        for (at, (blob, file)) in blobs.iter().zip(files).enumerate() {
            let expected = json!(["a/b", file, at.to_string(), from]);
            ensure!(*blob == expected, "{blob} came for {expected}");
        }
        for event in ["onFileTransferOk", "onFileTransferKo"] {
            let expected = if event == "onFileTransferOk" { 101 } else { 0 };
            let count = to.count(event).await?;
            ensure!(count == expected, "{count} times {event} at {}", to.name());
        }
    }
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn message_overtakes_a_file() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;
    call(&tom, &jack).await?;

    let begin = "harness.send('a/b', harness.noise(3, 2 ** 24))";
    tokio::try_join!(tom.run(begin), jack.run(begin))?;
    tokio::try_join!(moves(&tom, "incoming"), moves(&jack, "incoming"))?;
    let quick = "await harness.send('text/plain', 'quick')";
    tokio::try_join!(tom.run(quick), jack.run(quick))?;
    for page in [&tom, &jack] {
        let arrived = page.run("return (await harness.take(2)).map((one) => one[0])").await?;
        ensure!(arrived == json!(["text/plain", "a/b"]), "at {}: {arrived}", page.name());
        page.event("onFileTransferOk").await?;
        progresses(page, "incoming", 1 << 24).await?;
        progresses(page, "outgoing", 1 << 24).await?;
    }
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hang_up_ends_every_transfer() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = data_call(&rig, Value::Null, Value::Null).await?;

    let begin = "harness.send('a/b', harness.noise(5, 2 ** 26));
                 for (let more = 0; more < 40; more += 1) {
                   harness.send('a/b', harness.noise(more, 2 ** 20));
                 }";
    for (who, other) in [(&tom, &jack), (&jack, &tom)] {
        tokio::try_join!(tom.run(begin), jack.run(begin))?;
        tokio::try_join!(moves(&tom, "incoming"), moves(&jack, "incoming"))?;
        hang_up(who, other).await?;
        for page in [&tom, &jack] {
            // Some of the small ones may have completed first.
            let outgoing = fails(page, "outgoing", "CALL_ENDED").await?;
            ensure!(outgoing > 0, "nothing was on its way from {}", page.name());
            let incoming = fails(page, "incoming", "CALL_ENDED").await?;
            ensure!(incoming > 0, "nothing was on its way to {}", page.name());
            let told = page.count("onFileTransferKo").await?;
            ensure!(told == outgoing, "{told} times onFileTransferKo for {outgoing}");
            page.refused("await harness.send('text/plain', 'gone')", "NO_CALL").await?;
            let settled =
                page.run("return harness.sent.every(({ told }) => told.length === 2)").await?;
            ensure!(settled == true, "something is pending at {}", page.name());
            page.forget().await?;
        }
        // The next call starts clean.
        call(other, who).await?;
        who.run("await harness.send('text/plain', 'hello again')").await?;
        arrives(other, json!([["text/plain", "hello again", null, who.name()]])).await?;
        other.run("await harness.send('a/b', harness.noise(1, 2 ** 20), 'name')").await?;
        who.run("await harness.take(1)").await?;
    }
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_channel_fails_running_transfers() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", quiet_with(Value::Null)),
        rig.register_as("Jack", quiet_with(Value::Null))
    )?;
    tom.run(
        "const { createDataChannel } = RTCPeerConnection.prototype;
         RTCPeerConnection.prototype.createDataChannel = function (...args) {
           channels.push(createDataChannel.apply(this, args));
           return channels.at(-1);
         };",
    )
    .await?;
    for lane in [0, 1] {
        tom.run("window.channels = []").await?;
        call(&tom, &jack).await?;
        tom.run("harness.send('a/b', harness.noise(1, 2 ** 26))").await?;
        moves(&tom, "outgoing").await?;
        tom.run(format!("channels[{lane}].close()")).await?;
        tom.event("onFileTransferKo").await?;
        let told = fails(&tom, "outgoing", "TRANSFER_FAILED").await?;
        ensure!(told == 1, "{told} transfers failed");
        let refusal =
            tom.refused("await action.sendData('text/plain', 'x')", "TRANSFER_FAILED").await?;
        ensure!(refusal.message.contains("data channel was closed"), "{}", refusal.message);
        hang_up(&tom, &jack).await?;
        tom.forget().await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_unwanted_content() -> Result {
    let rig = Rig::start().await?;
    let wanted = json!({ "allowedTypes": ["text-plain", "image/*"], "maxSize": 100_000 });
    let (tom, jack) = data_call(&rig, Value::Null, json!({ "dataChannel": wanted })).await?;

    for (kind, data) in [
        ("text/plain", "'hi'"),
        ("Text/Plain; charset=utf-8", "'hi'"),
        ("image/png", "new Blob(['x'])"),
        ("IMAGE/svg+xml", "harness.noise(1, 100000)"),
        ("text/plain", "'x'.repeat(100000)"),
    ] {
        tom.run(format!("await harness.send('{kind}', {data})")).await?;
        let arrived = jack.run("return (await harness.take(1))[0][0]").await?;
        ensure!(arrived == kind, "{kind} arrived as {arrived}");
    }
    let (kind, size) = ("TYPE_NOT_ALLOWED", "TOO_LARGE");
    for (sent, data, code) in [
        ("text/html", "'hi'", kind),
        ("text/html", "new Blob([])", kind),
        ("text", "'hi'", kind),
        ("image", "'hi'", kind),
        ("imagery/png", "'hi'", kind),
        ("text-html", "'hi'", kind),
        ("video/mp4", "harness.noise(1, 2 ** 24)", kind),
        ("image/png", "harness.noise(1, 100001)", size),
        ("image/png", "harness.noise(1, 2 ** 27)", size),
        ("text/plain", "'x'.repeat(100001)", size),
    ] {
        let sending = format!("await harness.send('{sent}', {data})");
        let refusal = tom.refused(&sending, code).await?;
        ensure!(refusal.message.contains("other side"), "{refusal:?}");
        let told = jack.event("onError").await?;
        ensure!(told[0]["code"] == code, "{sending}: Jack was told {told:?}");
        let is_named = told[0]["message"].as_str().is_some_and(|told| told.contains(sent));
        ensure!(is_named, "{sending}: Jack was told {told:?}");
    }
    let arrived = jack.run("return [harness.arrived.length, harness.transfers.length]").await?;
    // All transfers that arrived, except short texts, have transfer objects.
    ensure!(arrived == json!([0, 3]), "there are {arrived}");
    let said =
        jack.run("return harness.console.filter((line) => line.includes('text-plain'))").await?;
    ensure!(said.as_array().is_some_and(|said| said.len() == 1), "the console says {said}");

    // A page may send content that it would not accept.
    jack.run("await harness.send('text/html', '<b>hi</b>')").await?;
    arrives(&tom, json!([["text/html", "<b>hi</b>", null, "Jack"]])).await?;
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_can_cancel() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = data_call(&rig, Value::Null, Value::Null).await?;

    let file = "harness.noise(9, 2 ** 26)";
    let transfer = |direction: &str| {
        format!("harness.transfers.findLast((it) => it.object.direction === '{direction}').object")
    };
    for (begin, who, cancel) in [
        (
            "{ signal: (window.aborter = new AbortController()).signal }",
            &tom,
            "aborter.abort()".to_owned(),
        ),
        ("{ onProgress: (it) => it.transferred > 2 ** 20 && it.cancel() }", &tom, String::new()),
        ("undefined", &tom, format!("{}.cancel()", transfer("outgoing"))),
        ("undefined", &jack, format!("{}.cancel()", transfer("incoming"))),
    ] {
        tom.run(format!("harness.send('a/b', {file}, {begin})")).await?;
        moves(&jack, "incoming").await?;
        who.run(&cancel).await?;
        let told = tom.event("onFileTransferKo").await?;
        ensure!(told[1]["code"] == "TRANSFER_CANCELLED", "{begin} {cancel}: Tom was told {told:?}");
        let lost =
            jack.wait_event("onTransferProgress", |args| args[0]["state"] != "active").await?;
        ensure!(lost[0]["error"]["code"] == "TRANSFER_CANCELLED", "Jack was told {lost:?}");
        // Cancelling too late does no harm.
        tom.run(format!("{}.cancel(); window.aborter.abort()", transfer("outgoing"))).await?;
        jack.run(format!("{}.cancel()", transfer("incoming"))).await?;
        jack.run("harness.transfers = []").await?;
    }

    let aborted = "await harness.send('a/b', new Blob(['x']), { signal: AbortSignal.abort() })";
    tom.refused(aborted, "TRANSFER_CANCELLED").await?;
    let queued = tom
        .run(
            "const aborter = new AbortController();
             const one = harness.send('a/b', new Blob(['x']), { signal: aborter.signal });
             aborter.abort();
             const two = harness.send('text/plain', 'y', { signal: aborter.signal });
             return (await Promise.allSettled([one, two])).map(({ reason }) => reason?.code);",
        )
        .await?;
    // Content that fits into the first message may arrive before it can be cancelled.
    ensure!(queued[1] == "TRANSFER_CANCELLED", "{queued}");

    tom.run("await harness.send('a/b', harness.noise(2, 2 ** 20), 'last')").await?;
    let arrived = jack.run("return (await harness.take(1)).at(-1)[2]").await?;
    ensure!(arrived == "last", "{arrived} arrived");
    hang_up(&tom, &jack).await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_transfers_while_ringing() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) =
        tokio::try_join!(rig.register_as("Tom", quiet()), rig.register_as("Jack", quiet()))?;

    let begin = "
        harness.send('text/plain', 'first');
        harness.send('a/b', harness.noise(1, 2 ** 18), 'a file');
        harness.send('a/b', new Blob(['?']), { signal: (window.aborter = new AbortController()).signal });
        harness.send('text/plain', 'second');";
    // From inside call(), before it rings, and while it rings on either side.
    tom.run(format!("const calling = action.call('Jack'); {begin} await calling")).await?;
    tom.expect("onCalling", json!(["Jack"])).await?;
    jack.expect("onIncomingCall", json!(["Tom"])).await?;
    jack.run(begin).await?;
    for page in [&tom, &jack] {
        page.run(
            "aborter.abort(); await harness.until('', () => harness.sent[2].told.length === 2)",
        )
        .await?;
        page.event("onFileTransferKo").await?;
        let told = page.run("return harness.sent.map(({ told }) => told.length)").await?;
        ensure!(told == json!([0, 0, 2, 0]), "{}: {told}", page.name());
    }
    accept(&tom, &jack).await?;
    for page in [&tom, &jack] {
        let mut arrived =
            page.run("return (await harness.take(3)).map((one) => one[2] ?? one[1])").await?;
        arrived.as_array_mut().into_iter().for_each(|all| all.retain(|one| one != "a file"));
        ensure!(arrived == json!(["first", "second"]), "{arrived} arrived at {}", page.name());
        page.event("onFileTransferOk").await?;
    }
    hang_up(&tom, &jack).await?;

    // A call that never connects.
    ring(&jack, &tom).await?;
    for page in [&tom, &jack] {
        page.run("window.early = [harness.send('text/plain', '?'), harness.send('a/b', harness.noise(1, 2 ** 18))]")
            .await?;
    }
    tom.run("await action.hangUp()").await?;
    for (page, peer) in [(&tom, "Jack"), (&jack, "Tom")] {
        page.ended(peer, "Call declined").await?;
        for at in 0..2 {
            page.refused(&format!("await early[{at}]"), "CALL_ENDED").await?;
        }
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn crossing_calls_deliver_queued_transfers() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) =
        tokio::try_join!(rig.register_as("Tom", quiet()), rig.register_as("Jack", quiet()))?;

    for _ in 0..3 {
        let call = |peer: &str| {
            format!(
                "const calling = action.call('{peer}');
                 window.early = [
                   harness.send('text/plain', 'hello'),
                   harness.send('a/b', harness.noise(1, 2 ** 18), 'file'),
                 ];
                 await calling;
                 await Promise.all(early);
                 return (await harness.take(2)).map((one) => one[2] ?? one[1]).sort();"
            )
        };
        let (at_tom, at_jack) = tokio::try_join!(tom.run(call("Jack")), jack.run(call("Tom")))?;
        let expected = json!(["file", "hello"]);
        ensure!(at_tom == expected && at_jack == expected, "{at_tom} and {at_jack} arrived");
        hang_up(&tom, &jack).await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_data_switched_off() -> Result {
    let rig = Rig::start().await?;
    let off = json!({ "dataChannel": { "dataEnabled": false } });
    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", quiet_with(off)),
        rig.register_as("Jack", quiet())
    )?;
    let none = json!({ "stream": { "audioEnabled": false, "dataEnabled": false } });
    let tim = rig.register_as("Tim", Visitor::default().call(json!({ "options": none }))).await?;

    for off in [&tom, &tim] {
        for caller_is_off in [true, false] {
            let (caller, callee) = if caller_is_off { (off, &jack) } else { (&jack, off) };
            ring_when_free(caller, callee).await?;
            let both =
                "[harness.send('text/plain', '!'), harness.send('a/b', harness.noise(1, 100000))]";
            // Immediately, also while ringing; the other side fails once the call is up.
            off.refused(&format!("await {both}[0]"), "DATA_DISABLED").await?;
            jack.run(format!("window.early = {both}")).await?;
            accept(caller, callee).await?;
            for at in 0..2 {
                off.refused(&format!("await {both}[{at}]"), "DATA_DISABLED").await?;
                jack.refused(&format!("await {both}[{at}]"), "DATA_DISABLED").await?;
                jack.refused(&format!("await early[{at}]"), "DATA_DISABLED").await?;
            }
            let offered = caller.run("return harness.peers.at(-1).localDescription.sdp").await?;
            let has_data = offered.as_str().is_some_and(|sdp| sdp.contains("m=application"));
            ensure!(has_data != caller_is_off, "{} offers {offered}", caller.name());
            hang_up(caller, callee).await?;
        }
    }
    for page in [&tom, &jack, &tim] {
        let arrived = page.run("return harness.arrived.length").await?;
        ensure!(arrived == 0, "{arrived} things arrived at {}", page.name());
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_bad_arguments() -> Result {
    let rig = Rig::start().await?;
    let (tom, jack) = data_call(&rig, Value::Null, Value::Null).await?;

    let cases = [
        ("", "undefined"),
        ("undefined, 'x'", "undefined"),
        ("null, 'x'", "null"),
        ("42, 'x'", "42"),
        ("'', 'x'", "type"),
        ("' ', 'x'", "type"),
        ("'a\\nb', 'x'", "type"),
        ("'x'.repeat(256), 'x'", "type"),
        ("'\\u202egnp/egami', 'x'", "type"),
        ("'a/b'", "undefined"),
        ("'a/b', null", "null"),
        ("'a/b', 42", "42"),
        ("'a/b', true", "true"),
        ("'a/b', {}", "object"),
        ("'a/b', [1, 2]", "array"),
        ("'a/b', Symbol('x')", "symbol"),
        ("'a/b', () => 1", "function"),
        ("'a/b', 'x'.repeat(2 ** 24 + 1)", "16777217"),
        ("'a/b', 'x', 'yes'", "cOk"),
        ("'a/b', 'x', null, 7", "7"),
        ("'a/b', 'x', null, null, 42", "optional"),
        ("'a/b', 'x', null, null, ['a']", "optional"),
        ("'a/b', 'x', null, null, { filename: 42 }", "42"),
        ("'a/b', 'x', null, null, { onProgress: 'a' }", "onProgress"),
        ("'a/b', 'x', null, null, { signal: 'a' }", "signal"),
        ("'a/b', 'x', null, null, { signal: new AbortController() }", "signal"),
        ("'a/b', 'x', null, null, { get signal() { throw 1 } }", "signal"),
        ("'a/b', 'x', null, null, new Proxy({}, { ownKeys() { throw 1 } })", "optional"),
        ("'a/b', Object.create(Blob.prototype)", "data"),
        ("'a/b', 'x', null, null, { signal: Object.create(AbortSignal.prototype) }", "signal"),
    ];
    for (arguments, named) in cases {
        let sending = format!("await action.sendData({arguments})");
        let refusal = tom.refused(&sending, "INVALID_ARGUMENT").await?;
        ensure!(refusal.message.contains(named), "{sending} does not name {named}: {refusal:?}");
    }
    // By callback too, if a callable one was given.
    let told = tom
        .run(
            "const told = [];
             const tell = (by) => (value) => void told.push([by, value.code]);
             const sending = [
               action.sendData('', 'x', tell('cOk'), tell('cKo')),
               action.sendData('a/b', 42, undefined, tell('cKo')),
               action.sendData('a/b', 'x', 42, tell('cKo')),
             ];
             await Promise.allSettled(sending);
             return told;",
        )
        .await?;
    let ko = json!(["cKo", "INVALID_ARGUMENT"]);
    ensure!(told == json!([ko, ko, ko]), "told was {told}");

    tom.run("await harness.send('text/plain', 'good')").await?;
    arrives(&jack, json!([["text/plain", "good", null, "Tom"]])).await?;
    hang_up(&tom, &jack).await?;
    tom.refused("await harness.send('text/plain', 'x')", "NO_CALL").await?;
    tom.refused("await harness.send('a/b', harness.noise(1, 2 ** 20))", "NO_CALL").await?;
    tom.refused("await harness.send('', 'x')", "INVALID_ARGUMENT").await?;
    tom.run("await action.closeUsecase()").await?;
    tom.refused("await harness.send('text/plain', 'x')", "CLOSED").await?;
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn throwing_listeners_break_no_transfer() -> Result {
    let rig = Rig::start().await?;
    let only = json!({ "dataChannel": { "allowedTypes": ["text/plain", "a/b"] } });
    let (tom, jack) = data_call(&rig, Value::Null, only).await?;

    for page in [&tom, &jack] {
        page.run(
            "for (const name of EVENTS) {
               harness.reactions[name] = () => { throw new Error(`thrown in ${name}`) };
             }",
        )
        .await?;
    }
    let told = tom
        .run(
            "const told = [];
             const tell = (name) => () => {
               told.push(name);
               throw new Error(`thrown in ${name}`);
             };
             const onProgress = () => { throw new Error('thrown in onProgress') };
             const send = (type, data) => {
               return action.sendData(type, data, tell('cOk'), tell('cKo'), { onProgress });
             };
             await send('text/plain', 'x');
             await send('a/b', harness.noise(1, 2 ** 22));
             await send('c/d', new Blob(['x'])).catch(() => null);
             await send('text/plain', 'y');
             return told;",
        )
        .await?;
    ensure!(told == json!(["cOk", "cOk", "cKo", "cOk"]), "told was {told}");
    let refused = jack.event("onError").await?;
    ensure!(refused[0]["code"] == "TYPE_NOT_ALLOWED", "{refused:?}");
    let arrived = jack.run("return (await harness.take(3)).map((one) => one[0])").await?;
    ensure!(arrived == json!(["text/plain", "a/b", "text/plain"]), "{arrived} arrived");

    // Sends and hangs up inside a listener.
    jack.run("harness.reactions = { onDataReceived: (type, data) => harness.send(type, `${data} back`) }")
        .await?;
    tom.run("harness.reactions = { onDataReceived: () => action.hangUp() }").await?;
    // It does not matter here whether the end comes before the acknowledgement.
    tom.run("action.sendData('text/plain', 'there and')").await?;
    tom.ended("Jack", "Hung up").await?;
    jack.ended("Tom", "Hung up").await?;
    arrives(&tom, json!([["text/plain", "there and back", null, "Jack"]])).await?;

    for (page, names) in [
        (
            &tom,
            &[
                "onTransferProgress",
                "onFileTransferOk",
                "onFileTransferKo",
                "onProgress",
                "cOk",
                "cKo",
            ][..],
        ),
        (&jack, &["onDataReceived", "onTransferProgress", "onError"]),
    ] {
        let said =
            page.run("return [...harness.console, ...harness.faults].join()").await?.to_string();
        for name in names {
            ensure!(said.contains(&format!("thrown in {name}")), "{name} threw unseen: {said}");
        }
        page.pardon("thrown in").await?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanges_text_and_bytes_with_a_janus_js_page() -> Result {
    let rig = Rig::start().await?;
    let (tom, stock) = tokio::try_join!(rig.register("Tom"), rig.janus_js("Stock", false))?;

    // The gateway may report the other page as busy briefly after a call; only the library redials.
    for tom_calls in [false, true] {
        let (caller, callee) = if tom_calls { (&tom, &stock) } else { (&stock, &tom) };
        ring(caller, callee).await?;
        tom.run("window.early = [harness.send('text/plain', 'early'), harness.send('a/b', new Blob(['x']))]")
            .await?;
        accept(caller, callee).await?;

        // The gateway silently drops messages before the other page is ready.
        tom.run("await early[0]").await?;
        stock.wait_event("onDataOpen", |args| args[0] == "JanusDataChannel").await?;
        let long = "'ä'.repeat(32000)";
        tom.run(format!(
            "await harness.send('a command', 'Grüße 👋'); await harness.send('text/plain', {long})"
        ))
        .await?;
        let long = stock
            .run(format!(
                "await harness.until('no text comes', () => harness.arrived.length > 1);
                 harness.arrived = harness.arrived.filter(({{ data }}) => data !== 'early');
                 return harness.content({long})"
            ))
            .await?;
        let label = "JanusDataChannel";
        arrives(&stock, json!([[label, "Grüße 👋", null, null], [label, long, null, null]]))
            .await?;
        for data in [
            "''",
            "'x'.repeat(64001)",
            "new Blob(['x'])",
            "new Blob([])",
            "new Uint8Array(9)",
            "harness.noise(1, 2 ** 20)",
        ] {
            let sending = format!("await harness.send('text/plain', {data})");
            let refusal = tom.refused(&sending, "NOT_SUPPORTED_BY_PEER").await?;
            ensure!(refusal.message.contains("videortc"), "{refusal:?}");
        }
        tom.refused("await early[1]", "NOT_SUPPORTED_BY_PEER").await?;

        let expected = stock
            .run(
                "await action.send('Grüße 👋');
                 await action.send('x'.repeat(65000));
                 await action.send(new Uint8Array([1, 2, 3]).buffer);
                 await action.send(new Uint8Array(65000), 'a label of its own');
                 await action.send('text there', 'a label of its own');
                 const octets = (data) => harness.content(new Blob([data], { type: 'application/octet-stream' }));
                 return [
                   ['text/plain', 'Grüße 👋', null, 'Stock'],
                   ['text/plain', await harness.content('x'.repeat(65000)), null, 'Stock'],
                   ['application/octet-stream', await octets(new Uint8Array([1, 2, 3])), null, 'Stock'],
                   ['application/octet-stream', await octets(new Uint8Array(65000)), null, 'Stock'],
                   ['text/plain', 'text there', null, 'Stock'],
                 ];",
            )
            .await?;
        arrives(&tom, expected).await?;
        let extra = stock.run("return harness.arrived.length").await?;
        ensure!(extra == 0, "the other page was sent {extra} more things");
        tokio::try_join!(tom.sees_both(), stock.sees(".is-remote-video"))?;

        let (who, other) = if tom_calls { (&tom, &stock) } else { (&stock, &tom) };
        who.run("await action.hangUp()").await?;
        who.event("onHangUp").await?;
        other.event("onHangUp").await?;
        tokio::try_join!(tom.released(2), stock.released(2))?;
    }
    rig.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_a_peer_does_no_harm() -> Result {
    let rig = Rig::start().await?;
    let careful = Visitor::default().rtc(json!({ "level": "warn" }));
    let (tom, stranger) =
        tokio::try_join!(rig.register_as("Tom", careful), rig.janus_js("Stranger", true))?;
    call(&stranger, &tom).await?;
    let size = "return harness.memory.buffer.byteLength";
    let before = tom.run(size).await?.as_i64();

    // Frames before the HELLO, and a HELLO of a later version with more fields.
    stranger.run(FRAMES).await?;
    stranger
        .run(
            "await ready();
             await put(offer(0, 1, 4, 'text/plain', ''), chunk(0, 0, [1]), ack(0, 1), [0], [9, 9]);
             // Repeatedly, since the first may arrive before the other side listens.
             await harness.until('no HELLO came back', async () => {
               await put(hello(77, 0, 65536, [1, 2, 3]));
               return harness.arrived.some(({ data }) => new Uint8Array(data)[6] === 1);
             });",
        )
        .await?;
    // All answers to Tom's file are false.
    tom.run(
        "harness.send('a/b', harness.noise(1, 2 ** 20)); harness.send('text/plain', 'unanswered')",
    )
    .await?;
    stranger
        .run(
            "await put(ack(0, 2 ** 53 - 1), ack(0, 2 ** 52), ack(9, 1), ack(2 ** 32 - 1, 0), unknown(7), result(40, 0));
             await put(result(0, 0), result(0, 1), result(0, 0));",
        )
        .await?;
    tom.event("onFileTransferKo").await?;

    stranger
        .run(
            "// Truncated, too long, of impossible values, of later kinds.
             const whole = [hello(1, 1, 1), offer(1, 1, 2, 'a', 'b', [65, 66]), chunk(1, 0, [1]), ack(1, 1),
                            result(1, 0), unknown(1), ask(1, 1), cancel(1)];
             for (const frame of whole) {
               for (let cut = 1; cut < frame.length; cut += 3) await put(frame.slice(0, cut));
               await put([...frame, 0]);
             }
             await put([9], [9, 5, 65], [9, 2, 255, 254], [9, 1, 65, 66]);
             for (let kind = 10; kind < 256; kind += 1) await put([kind, ...u32(1), 1, 2, 3]);
             // False sizes, checksums, texts and names; unknown transfers; repeated frames.
             await put(offer(2, 0, 2 ** 53 - 1, 'a/b', ''), offer(3, 0, 2 ** 53, 'a/b', ''));
             await put(offer(4, 0, 5, 'a/b', '', [1, 2]));
             await putRaw([...offer(5, 0, 2, 'a/b', '', [1, 2]), 0, 0, 0, 0]);
             await put(offer(6, 1, 2, 'a/b', '', [255, 254]), offer(7, 0, 1, '\\u202e', '', [1]));
             await put(offer(8, 0, 10, 'a/b', ''), chunk(8, 8, [1, 2, 3]), offer(9, 0, 10, 'a/b', ''));
             await put(chunk(9, 5, [1]), chunk(9, 2 ** 52, [1]), cancel(9), chunk(9, 0, [1]));
             await put(chunk(4000000063, 0, [1]), ask(4000000063, 2 ** 40), cancel(4000000063));
             // Two valid ones, the first of them three times, between many that stay open forever.
             const good = offer(64 + 40, 3, 10, 'text/plain', '../a\\u202e.txt', utf8('still here'));
             await put(good, good, good);
             for (let id = 128; id < 2128; id += 1) await put(offer(id, 0, 2 ** 29, 'a/b', ''));
             await put(offer(64 * 40, 2, 3, 'a/b', 'C:\\\\b.bin', [1, 2, 3]));",
        )
        .await?;
    let bytes = tom
        .run("return harness.content(new Blob([new Uint8Array([1, 2, 3])], { type: 'a/b' }))")
        .await?;
    let good = json!([
        ["text/plain", "still here", "a.txt", "Stranger"],
        ["a/b", bytes, "b.bin", "Stranger"]
    ]);
    arrives(&tom, good).await?;

    // Random bytes on every channel.
    stranger
        .run(
            "for (let at = 0; at < 300; at += 1) {
               const noise = new Uint8Array(await harness.noise(at, at % 2 ? 60000 : 1 + at).arrayBuffer());
               noise[0] %= 10;
               for (const label of [undefined, 'videortc-bulk', 'other']) await putRaw(noise, label);
             }
             await drained();
             await put(offer(64 * 41, 0, 3, 'a/b', '', [1, 2, 3]));",
        )
        .await?;
    arrives(&tom, json!([["a/b", bytes, null, "Stranger"]])).await?;
    let grown = tom.run(size).await?.as_i64().zip(before).map(|(now, was)| now - was);
    ensure!(grown < Some(GROWTH), "the memory has grown by {grown:?} bytes");
    tokio::try_join!(tom.sees_both(), stranger.sees(".is-remote-video"))?;
    let said = tom.run("return harness.console.join()").await?.to_string();
    for dropped in
        ["unknown kind 10 ", "damaged on its way", "too short or too long", "an impossible value"]
    {
        ensure!(said.contains(dropped), "the log does not say {dropped}: {said}");
    }
    for told in tom.events("onError").await? {
        let code = told[0]["code"].as_str().unwrap_or_default();
        ensure!(["TOO_LARGE", "TRANSFER_FAILED"].contains(&code), "Tom was told {told}");
    }
    tom.skip("onError").await?;

    // It sends BYE without hanging up: Tom's closing connection notifies the gateway.
    stranger.run("await put([9, 7, ...utf8('so long')], [9, 5, ...utf8('again')])").await?;
    tom.ended("Stranger", "so long").await?;
    stranger.event("onHangUp").await?;
    let codes = tom
        .run("return harness.sent.map(({ told }) => told.find(({ by }) => by === 'rejected')?.value.code)")
        .await?;
    ensure!(codes == json!(["TRANSFER_FAILED", "CALL_ENDED"]), "{codes}");
    rig.finish().await
}

/// A peer's own encoder for frames of the data protocol, valid and invalid ones.
const FRAMES: &str = "
    window.utf8 = (text) => [...new TextEncoder().encode(text)];
    window.u32 = (n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
    const u64 = (n) => [...u32(Math.floor(n / 2 ** 32)), ...u32(n)];
    const crc = (bytes) => {
      let sum = ~0;
      for (const byte of bytes) {
        sum ^= byte;
        for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
      }
      return ~sum >>> 0;
    };
    const text = (text) => [utf8(text).length, ...utf8(text)];
    window.hello = (version, seen, size, more = []) => {
      return [1, ...utf8('VRTC'), version, seen, ...u32(size), ...more];
    };
    window.offer = (id, flags, size, type, name, content = []) => {
      return [2, ...u32(id), flags, ...u64(size), ...text(type), ...text(name), ...content];
    };
    window.chunk = (id, offset, content) => [3, ...u32(id), ...u64(offset), ...content];
    window.ask = (id, sent) => [4, ...u32(id), ...u64(sent)];
    window.cancel = (id) => [5, ...u32(id)];
    window.ack = (id, received) => [6, ...u32(id), ...u64(received), 0];
    window.result = (id, verdict) => [7, ...u32(id), verdict];
    window.unknown = (id) => [8, ...u32(id)];
    const channels = () => Object.values(handle.webrtcStuff.dataChannel);
    const buffered = () => channels().reduce((sum, channel) => sum + (channel.bufferedAmount || 0), 0);
    window.ready = () => harness.until('no channel opens', () => {
      return channels().some(({ readyState }) => readyState === 'open');
    });
    window.drained = () => harness.until('the channels stay full', () => buffered() === 0, 60000);
    window.put = (...frames) => putRaw(...frames.map((frame) => [...frame, ...u32(crc(frame))]));
    window.putRaw = async (...frames) => {
      const label = typeof frames.at(-1) === 'object' ? undefined : frames.pop();
      for (const frame of frames) {
        if (buffered() > 2 ** 20) await drained();
        await action.send(Uint8Array.from(frame), label);
      }
    };";

/// A visitor without camera and microphone, which leaves the CPU to the data.
fn quiet() -> Visitor {
    quiet_with(Value::Null)
}

fn quiet_with(mut options: Value) -> Visitor {
    options["stream"] = json!({ "audioEnabled": false, "videoEnabled": false });
    Visitor::default().call(json!({ "options": options }))
}

/// Tom and Jack in a call without audio and video, with these options.
async fn data_call(rig: &Rig, tom: Value, jack: Value) -> Result<(Arc<Page>, Arc<Page>)> {
    let (tom, jack) = tokio::try_join!(
        rig.register_as("Tom", quiet_with(tom)),
        rig.register_as("Jack", quiet_with(jack))
    )?;
    call(&tom, &jack).await?;
    Ok((tom, jack))
}

async fn hang_up(who: &Page, other: &Page) -> Result {
    who.run("await action.hangUp()").await?;
    who.ended(other.name(), "Hung up").await?;
    other.ended(who.name(), "Hung up").await
}

/// Exactly this content has arrived since the last check, as `[type, content, file name, user
/// name]`.
async fn arrives(page: &Page, expected: Value) -> Result {
    let count = expected.as_array().map_or(0, Vec::len);
    let arrived = page.run(format!("return await harness.take({count})")).await?;
    let pairs =
        expected.as_array().into_iter().flatten().zip(arrived.as_array().into_iter().flatten());
    for (expected, arrived) in pairs {
        ensure!(
            expected == arrived,
            "expected {expected}, and {arrived} arrived at {}",
            page.name()
        );
    }
    ensure!(expected == arrived, "expected {expected}, and {arrived} arrived at {}", page.name());
    Ok(())
}

/// Waits until a transfer in this direction has begun.
async fn moves(page: &Page, direction: &str) -> Result {
    page.run(format!(
        "await harness.until('no {direction} transfer moves', () => harness.transfers.some(({{ object }}) =>
           object.direction === '{direction}' && object.transferred > 0))"
    ))
    .await
    .map(|_| ())
}

/// Waits until the only transfer in this direction has ended, without a time limit while it
/// progresses.
async fn all_the_way(page: &Page, direction: &str) -> Result {
    moves(page, direction).await?;
    let step = format!(
        "const {{ object }} = harness.transfers.find((it) => it.object.direction === '{direction}');
         const before = object.transferred;
         await harness.until('nothing moves any more', () => object.transferred > before + 2 ** 24
           || object.state !== 'active');
         return object.state"
    );
    while page.run(&step).await? == "active" {}
    Ok(())
}

/// The number of failed transfers in this direction, all with this code.
async fn fails(page: &Page, direction: &str, code: &str) -> Result<usize> {
    let found = page
        .run(format!(
            "return harness.transfers.map(({{ object }}) => object)
               .filter((it) => it.direction === '{direction}' && it.state === 'failed')
               .map((it) => it.error.code)"
        ))
        .await?;
    let found = found.as_array().cloned().unwrap_or_default();
    ensure!(found.iter().all(|it| it == code), "{direction} transfers failed with {found:?}");
    Ok(found.len())
}

/// The progress of the only transfer in this direction was reported repeatedly, with one object.
async fn progresses(page: &Page, direction: &str, size: u64) -> Result {
    let told = page.events("onTransferProgress").await?;
    let told: Vec<&Value> =
        told.iter().map(|args| &args[0]).filter(|it| it["direction"] == direction).collect();
    let (Some(first), Some(last)) = (told.first(), told.last()) else {
        anyhow::bail!("no progress of the {direction} transfer")
    };
    ensure!(told.len() > 3, "progress was told {} times", told.len());
    ensure!(first["transferred"].as_u64() < Some(size), "the first progress is {first}");
    ensure!(last["transferred"] == size && last["state"] == "done", "the last progress is {last}");
    ensure!(
        told.iter().all(|it| it["number"] == first["number"]),
        "there are two objects: {told:?}"
    );
    Ok(())
}
