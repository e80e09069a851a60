//! Files and messages, compared with a bare data channel on the same peer connections.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use videortc_e2e::{Page, Rig, call};

use crate::memory::Watch;
use crate::table::{Row, percentile, report};

const MIB: u64 = 1 << 20;
const FILE: u64 = 64 * MIB;
const LARGE_FILE: u64 = 256 * MIB;
const ROUNDS: usize = 5;
/// The message sizes that the bare channel may use.
const RAW_SIZES: [u64; 4] = [16 * 1024, 32 * 1024, 60_000, 65_535];
/// The number of messages whose round trip is measured.
const MESSAGES: u64 = 200;

pub(crate) async fn run() -> Result<()> {
    let rig = Rig::start().await?;
    let (tom, jack) = tokio::try_join!(rig.register("Tom"), rig.register("Jack"))?;
    call(&tom, &jack).await?;
    tokio::try_join!(tom.sees_both(), jack.sees_both())?;
    for page in [&tom, &jack] {
        page.run(include_str!("../pages/data.js")).await?;
    }

    let before = linear(&tom).await?.max(linear(&jack).await?);
    println!("the bare channel's best size:");
    let mut best = (0.0, 0);
    for size in RAW_SIZES {
        let speed = raw(&tom, size, FILE / 4).await?;
        println!("  {size:6} bytes: {speed:.2} MB/s");
        if speed > best.0 {
            best = (speed, size);
        }
    }

    let mut throughput = Row::new("file throughput", "MB/s", "ratio >= 0.95");
    for _ in 0..ROUNDS {
        throughput.other.push(raw(&tom, best.1, FILE).await?);
        throughput.ours.push(number(&tom, format!("return await bench.file({FILE})")).await?);
        throughput.tell();
    }

    let mut latency = Row::new("message during a file, p95 of both ways", "ms", "ratio <= 2");
    for _ in 0..ROUNDS {
        latency.other.push(p95(&tom, format!("return await bench.messages({MESSAGES})")).await?);
        let during = format!("return await bench.messagesDuring({MESSAGES}, {LARGE_FILE})");
        latency.ours.push(p95(&tom, during).await?);
        latency.tell();
    }

    let pid = rig.gateway_pid().context("this bench needs the real Janus")?;
    let mut gateway =
        Row::new("gateway memory, slow receiver", "MiB grown", "ours < 16, 256 MiB file");
    let mut module = Row::new("module memory, the larger end, whole run", "MiB grown", "ours < 1");
    jack.run("bench.slow(30, 30)").await?;
    let watch = Watch::start(pid)?;
    tom.run(format!("bench.start({LARGE_FILE})")).await?;
    while tom.run("return await bench.isDone(60000)").await? != json!(true) {}
    gateway.ours.push(watch.growth());
    let after = linear(&tom).await?.max(linear(&jack).await?);
    module.ours.push((after - before) / MIB as f64);
    let watch = Watch::start(pid)?;
    raw(&tom, best.1, FILE / 2).await?;
    gateway.other.push(watch.growth());
    jack.run("bench.fast()").await?;

    tom.run("await action.hangUp()").await?;
    jack.ended("Tom", "Hung up").await?;
    tom.ended("Jack", "Hung up").await?;
    rig.finish().await?;
    report("data", &[throughput, latency, gateway, module])?;
    println!("compared with: a bare RTCDataChannel; messages: the same without a file on its way;");
    println!("gateway memory: a bare channel with {} MiB", FILE / 2 / MIB);
    Ok(())
}

async fn raw(page: &Page, size: u64, total: u64) -> Result<f64> {
    number(page, format!("return await bench.raw({size}, {total})")).await
}

/// The linear memory of the page's module, in bytes.
async fn linear(page: &Page) -> Result<f64> {
    number(page, "return harness.memory.buffer.byteLength").await
}

async fn number(page: &Page, body: impl AsRef<str>) -> Result<f64> {
    page.run(body).await?.as_f64().context("not a number")
}

async fn p95(page: &Page, body: impl AsRef<str>) -> Result<f64> {
    let times: Vec<f64> = match page.run(body).await? {
        Value::Array(times) => times.iter().filter_map(Value::as_f64).collect(),
        other => anyhow::bail!("not a list: {other}"),
    };
    Ok(percentile(&times, 0.95))
}
