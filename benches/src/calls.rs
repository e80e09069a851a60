//! Latencies of a call and its load on the gateway, compared with janus.js at several round-trip
//! times.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::pair::{Browsers, Side, Turn};
use crate::settings;
use crate::table::{Row, report};

/// The duration of a call before the hang-up, in ms.
const TALK: u64 = 1000;

pub(crate) async fn run() -> Result<()> {
    let rounds = settings::rounds(5)?;
    let mut browsers = Browsers::open().await?;
    let mut tables: Vec<(Duration, Vec<Row>)> =
        settings::round_trips()?.into_iter().map(|time| (time, rows(time))).collect();
    for round in 1..=rounds {
        for (round_trip, rows) in &mut tables {
            println!("round {round} of {rounds}, round trip {} ms", round_trip.as_millis());
            for side in Side::in_turn(round) {
                let turn = browsers.turn(side, *round_trip).await?;
                let sample = measure(&turn).await;
                let sample = sample.with_context(|| format!("in a turn of {side:?}"))?;
                turn.end().await?;
                for (row, number) in rows.iter_mut().zip(sample) {
                    row.add(side, number);
                }
            }
            rows.iter().for_each(Row::tell);
        }
    }
    let rows: Vec<Row> = tables.into_iter().flat_map(|(_, rows)| rows).collect();
    report("calls", &rows)
}

/// The rows of [`measure`], in order.
fn rows(round_trip: Duration) -> Vec<Row> {
    let round_trip = round_trip.as_millis();
    let aim = |at_0, at_100| match round_trip {
        0 => at_0,
        100 => at_100,
        _ => "",
    };
    let row = |what: &str, unit, aim| Row::new(format!("{what}, {round_trip} ms"), unit, aim);
    let picture = aim("ratio <= 0.75", "ratio <= 0.45");
    vec![
        row("registered", "ms", aim("ratio <= 0.8", "ratio <= 0.35")),
        row("picture at the caller", "ms", picture),
        row("picture at the callee", "ms", picture),
        row("data at the callee", "ms", aim("", "ratio <= 0.45")),
        row("the other end knows of the hang-up", "ms", "ratio <= 1"),
        row("hang-up to redial", "ms", "ratio <= 1"),
        row("requests to register", "", ""),
        row("requests of a call, both ends", "", "ratio <= 0.25"),
        row("of these, preflights", "", ""),
        row("bytes of a call, both ends", "kB", "ratio <= 0.7"),
    ]
}

async fn measure(turn: &Turn) -> Result<[f64; 10]> {
    let Turn { tom, jack } = turn;
    // One after the other, since each is a latency by itself.
    jack.register().await?;
    let registered = tom.register().await?;
    let registering = tom.line.log().all().requests;
    tokio::try_join!(tom.run("await client.settled()"), jack.run("await client.settled()"))?;

    let called = tom.number(format!("return client.call('{}')", jack.name)).await?;
    let (at_tom, at_jack, data) =
        tokio::try_join!(tom.reached("picture"), jack.reached("picture"), jack.reached("data"))?;
    tom.run(format!("await pause({TALK})")).await?;
    let redial = tom.run(format!("return await client.redial('{}')", jack.name)).await?;
    let time = |key: &str| redial[key].as_f64().context("the redial has no times");
    let (hung_up, over, rings) = (time("start")?, time("over")?, time("rings")?);
    let ended = jack.reached("ended").await?;
    // The requests of the redial do not belong to the call.
    let cost = tom.line.log().between(called, over) + jack.line.log().between(called, over);
    Ok([
        registered,
        at_tom - called,
        at_jack - called,
        data - called,
        ended - hung_up,
        rings - hung_up,
        registering as f64,
        cost.requests as f64,
        cost.preflights as f64,
        cost.bytes as f64 / 1000.0,
    ])
}
