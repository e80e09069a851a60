//! Many clients in one page, registered and polling: the cost of each, compared with janus.js.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::line::{Cost, Line};
use crate::memory::renderers;
use crate::pair::{Browsers, Side};
use crate::settings;
use crate::table::{Row, report};

const CLIENTS: usize = 100;
/// The number of clients that start in parallel.
const GROUP: usize = 10;

pub(crate) async fn run() -> Result<()> {
    let rounds = settings::rounds(3)?;
    let seconds = settings::seconds(60)?;
    let mut rows = [
        Row::new("memory of a client, one of 100", "kB", "ratio <= 1"),
        Row::new("requests to register, each", "", "ratio <= 1"),
        Row::new("requests a minute, each", "", "ratio <= 1"),
        Row::new("main thread a minute, all", "ms", ""),
    ];
    for round in 1..=rounds {
        for side in Side::in_turn(round) {
            println!("round {round} of {rounds}, {}", side.name());
            let numbers = measure(side, seconds).await?;
            for (row, number) in rows.iter_mut().zip(numbers) {
                row.add(side, number);
            }
        }
        rows.iter().for_each(Row::tell);
    }
    report("many", &rows)
}

async fn measure(side: Side, seconds: u64) -> Result<[f64; 4]> {
    // Fresh browsers, so that memory that another turn has freed is not reused.
    let mut browsers = Browsers::fresh().await?;
    let turn = browsers.turn(side, Duration::ZERO).await?;
    let page = &turn.tom;
    // Browsers limit connections to six per address, so each client has its own address.
    let mut lines = Vec::new();
    for _ in 0..CLIENTS {
        lines.push(Line::start(&browsers.gateway_url(), Duration::ZERO).await?);
    }
    // The first one loads the shared parts.
    page.register().await?;
    page.collect_garbage().await?;
    let empty = renderers()?;
    for (group, some) in lines.chunks(GROUP).enumerate() {
        let clients: Vec<_> = some
            .iter()
            .enumerate()
            .map(|(number, line)| json!([line.url(), format!("{}_{group}_{number}", page.name)]))
            .collect();
        let start = "Promise.all(clients.map((client_) => client.another(...client_)))";
        page.run(format!("const clients = {}; await {start}", json!(clients))).await?;
    }
    page.collect_garbage().await?;
    let memory = renderers()? - empty;
    let all =
        || lines.iter().map(|line| line.log().all()).fold(Cost::default(), |sum, one| sum + one);
    let registered = all().requests;
    let tasks = page.busy().await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let tasks_then = page.busy().await?;
    let polls = all().requests - registered;
    page.run("await client.leave(); await client.disconnect()").await?;
    let (clients, minutes) = (CLIENTS as f64, seconds as f64 / 60.0);
    Ok([
        memory * 1024.0 / clients,
        registered as f64 / clients,
        polls as f64 / clients / minutes,
        (tasks_then - tasks) / minutes,
    ])
}
