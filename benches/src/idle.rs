//! The cost of an idle page, registered and in a call, compared with janus.js.

use std::time::Duration;

use anyhow::Result;

use crate::line::now;
use crate::pair::{Browsers, End, Side, Turn};
use crate::settings;
use crate::table::{Row, report};

pub(crate) async fn run() -> Result<()> {
    let rounds = settings::rounds(1)?;
    let seconds = settings::seconds(60)?;
    let mut browsers = Browsers::open().await?;
    let mut rows = [
        Row::new("requests a minute, waiting", "", "ratio <= 0.25"),
        Row::new("bytes a minute, waiting", "kB", "ratio <= 0.7"),
        Row::new("main thread a minute, waiting", "ms", ""),
        Row::new("garbage a minute, waiting", "kB", ""),
        Row::new("requests a minute, in a call", "", "ratio <= 0.25"),
        Row::new("main thread a minute, in a call", "ms", "ratio <= 1"),
        Row::new("garbage a minute, in a call", "kB", "ratio <= 1"),
    ];
    for round in 1..=rounds {
        for side in Side::in_turn(round) {
            println!("round {round} of {rounds}, {}", side.name());
            let turn = browsers.turn(side, Duration::ZERO).await?;
            let (waiting, in_call) = measure(&turn, seconds).await?;
            turn.end().await?;
            let numbers = [
                waiting.requests,
                waiting.kilobytes,
                waiting.tasks,
                waiting.garbage,
                in_call.requests,
                in_call.tasks,
                in_call.garbage,
            ];
            for (row, number) in rows.iter_mut().zip(numbers) {
                row.add(side, number);
            }
        }
        rows.iter().for_each(Row::tell);
    }
    report("idle", &rows)
}

/// The cost of one page per minute.
struct Minute {
    requests: f64,
    kilobytes: f64,
    tasks: f64,
    garbage: f64,
}

async fn measure(turn: &Turn, seconds: u64) -> Result<(Minute, Minute)> {
    let Turn { tom, jack } = turn;
    for end in [tom, jack] {
        end.register().await?;
        end.run("await client.settled(); await pause(1000)").await?;
    }
    let waiting = idle(tom, seconds).await?;
    tom.run(format!("client.call('{}')", jack.name)).await?;
    tokio::try_join!(tom.reached("picture"), jack.reached("picture"), jack.reached("data"))?;
    // The startup work is done by then.
    tom.run("await pause(3000)").await?;
    Ok((waiting, idle(tom, seconds).await?))
}

async fn idle(end: &End, seconds: u64) -> Result<Minute> {
    end.watch_allocations().await?;
    let tasks = end.busy().await?;
    let start = now();
    // Any script activity counts as work, including timers.
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let cost = end.line.log().between(start, now());
    let tasks_then = end.busy().await?;
    let garbage = end.allocated().await?;
    let minutes = seconds as f64 / 60.0;
    Ok(Minute {
        requests: cost.requests as f64 / minutes,
        kilobytes: cost.bytes as f64 / 1000.0 / minutes,
        tasks: (tasks_then - tasks) / minutes,
        garbage: garbage / 1000.0 / minutes,
    })
}
