//! Two browsers in which both clients take turns, each with fresh pages, relays and names.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use videortc_e2e::{Devices, Page, Rig};

use crate::line::Line;
use crate::settings;

/// The client of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    /// janus.js, or another build of this library: see [`settings::baseline`].
    Theirs,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Ours, Self::Theirs];

    /// Both, in the order of this round, which alternates to cancel effects of the order.
    pub(crate) fn in_turn(round: usize) -> [Self; 2] {
        let mut sides = Self::BOTH;
        sides.rotate_left(round.saturating_sub(1) % 2);
        sides
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "videortc",
            Self::Theirs if settings::baseline().is_some() => "baseline",
            Self::Theirs => "janus.js",
        }
    }

    fn page(self) -> &'static str {
        match self {
            Self::Ours => "/bench/ours.html",
            Self::Theirs if settings::baseline().is_some() => "/bench/baseline.html",
            Self::Theirs => "/bench/theirs.html",
        }
    }
}

/// The browsers, which stay open between turns.
#[derive(Debug)]
pub(crate) struct Browsers {
    rig: Rig,
    tom: Arc<Page>,
    jack: Arc<Page>,
    turns: usize,
}

impl Browsers {
    /// Opens both, and lets each client make one call.
    pub(crate) async fn open() -> Result<Self> {
        let mut browsers = Self::fresh().await?;
        browsers.warm_up().await?;
        Ok(browsers)
    }

    /// Opens both, without any call.
    pub(crate) async fn fresh() -> Result<Self> {
        let rig = Rig::start().await?;
        let blank = |name| rig.browse(name, Side::Ours.page(), Devices::default());
        let (tom, jack) = tokio::try_join!(blank("Tom"), blank("Jack"))?;
        Ok(Self { rig, tom, jack, turns: 0 })
    }

    /// The first call of a browser starts its media engine, so each client makes one call before
    /// the measurements.
    async fn warm_up(&mut self) -> Result<()> {
        for side in Side::BOTH {
            let turn = self.turn(side, Duration::ZERO).await?;
            let Turn { tom, jack } = &turn;
            for end in [tom, jack] {
                end.register().await?;
                end.run("await client.settled()").await?;
            }
            tom.run(format!("client.call('{}')", jack.name)).await?;
            tokio::try_join!(tom.reached("picture"), jack.reached("picture"))?;
            turn.end().await?;
        }
        Ok(())
    }

    pub(crate) fn gateway_url(&self) -> String {
        self.rig.gateway_url()
    }

    /// Two fresh pages, each behind a new relay: no connection is open yet.
    pub(crate) async fn turn(&mut self, side: Side, round_trip: Duration) -> Result<Turn> {
        self.turn_at(side.page(), round_trip).await
    }

    /// As [`turn`](Self::turn), with pages that record all their `steps`.
    pub(crate) async fn watched_turn(&mut self, side: Side, round_trip: Duration) -> Result<Turn> {
        self.turn_at(&format!("{}?trace", side.page()), round_trip).await
    }

    async fn turn_at(&mut self, path: &str, round_trip: Duration) -> Result<Turn> {
        self.turns += 1;
        let (tom, jack) = tokio::try_join!(
            self.end("Tom", &self.tom, path, round_trip),
            self.end("Jack", &self.jack, path, round_trip),
        )?;
        Ok(Turn { tom, jack })
    }

    async fn end(
        &self,
        name: &str,
        page: &Arc<Page>,
        path: &str,
        round_trip: Duration,
    ) -> Result<End> {
        page.client().goto(&self.rig.site_url(path)).await?;
        let line = Line::start(&self.rig.gateway_url(), round_trip).await?;
        let name = format!("{name}{}", self.turns);
        Ok(End { name, page: Arc::clone(page), line })
    }
}

/// One turn of one client.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Calls.
    pub(crate) tom: End,
    /// Accepts immediately.
    pub(crate) jack: End,
}

impl Turn {
    /// Both disconnect from the gateway.
    pub(crate) async fn end(self) -> Result<()> {
        tokio::try_join!(
            self.tom.page.run("await client.disconnect()"),
            self.jack.page.run("await client.disconnect()")
        )?;
        Ok(())
    }
}

/// A page with its relay.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) name: String,
    pub(crate) page: Arc<Page>,
    pub(crate) line: Line,
}

impl End {
    /// Registers; returns the milliseconds that it took.
    pub(crate) async fn register(&self) -> Result<f64> {
        let arguments = format!("{}, {}", json!(self.line.url()), json!(self.name));
        self.number(format!("return await client.register({arguments})")).await
    }

    /// The main-thread time so far, in ms.
    pub(crate) async fn busy(&self) -> Result<f64> {
        self.page.devtools("Performance.enable", json!({})).await?;
        let metrics = self.page.devtools("Performance.getMetrics", json!({})).await?;
        let mut all = metrics["metrics"].as_array().into_iter().flatten();
        let found = all.find(|metric| metric["name"] == "TaskDuration");
        let seconds = found.and_then(|metric| metric["value"].as_f64());
        Ok(seconds.context("Chromium tells no TaskDuration")? * 1000.0)
    }

    /// Collects garbage, so that unreachable objects do not count.
    pub(crate) async fn collect_garbage(&self) -> Result<()> {
        self.page.devtools("HeapProfiler.enable", json!({})).await?;
        self.page.devtools("HeapProfiler.collectGarbage", json!({})).await?;
        Ok(())
    }

    /// From now on, the browser samples the allocations of JavaScript.
    pub(crate) async fn watch_allocations(&self) -> Result<()> {
        self.page.devtools("HeapProfiler.enable", json!({})).await?;
        let params = json!({
            "samplingInterval": 1024,
            "includeObjectsCollectedByMajorGC": true,
            "includeObjectsCollectedByMinorGC": true,
        });
        self.page.devtools("HeapProfiler.startSampling", params).await?;
        Ok(())
    }

    /// The bytes that JavaScript has allocated since, collected or not: an estimate from samples,
    /// one about every KiB. Allocations of a module in its linear memory do not count.
    pub(crate) async fn allocated(&self) -> Result<f64> {
        let profile = self.page.devtools("HeapProfiler.stopSampling", json!({})).await?;
        let samples = profile["profile"]["samples"].as_array().context("no samples")?;
        Ok(samples.iter().filter_map(|sample| sample["size"].as_f64()).sum())
    }

    /// Waits for a mark and returns its time in milliseconds since 1970.
    pub(crate) async fn reached(&self, mark: &str) -> Result<f64> {
        self.number(format!("return await reached({})", json!(mark))).await
    }

    pub(crate) async fn number(&self, body: impl AsRef<str>) -> Result<f64> {
        self.run(body).await?.as_f64().context("not a number")
    }

    pub(crate) async fn run(&self, body: impl AsRef<str>) -> Result<Value> {
        self.page.run(body).await
    }
}
