//! One call of each client as a timeline: requests, devices, ICE, DTLS, channel and video on both
//! sides, on one clock.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::line::Log;
use crate::pair::{Browsers, End, Side};
use crate::settings;
use crate::table::write;
use crate::waterfall;

/// How long to record after the video is up, and after the hang-up, in ms.
const AFTERWARDS: u64 = 1000;

/// An interval or an event.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) who: &'static str,
    pub(crate) what: String,
    pub(crate) is_http: bool,
    /// Milliseconds since 1970, like the end.
    pub(crate) start: f64,
    pub(crate) end: Option<f64>,
}

/// A part of the timeline with its own clock.
#[derive(Clone, Debug)]
pub(crate) struct Chapter {
    pub(crate) title: String,
    pub(crate) start: f64,
    pub(crate) steps: Vec<Step>,
}

pub(crate) async fn run() -> Result<()> {
    let round_trip = settings::round_trip(100)?;
    let mut browsers = Browsers::open().await?;
    for side in Side::BOTH {
        let chapters = tell(&mut browsers, side, round_trip).await?;
        let title = format!("{}, round trip {} ms", side.name(), round_trip.as_millis());
        println!("{title}");
        chapters.iter().for_each(print);
        let file = format!("trace-{}.html", side.name());
        write(&file, &waterfall::page(&title, &chapters))?;
    }
    Ok(())
}

async fn tell(browsers: &mut Browsers, side: Side, round_trip: Duration) -> Result<Vec<Chapter>> {
    let turn = browsers.watched_turn(side, round_trip).await?;
    let (tom, jack) = (&turn.tom, &turn.jack);
    jack.register().await?;
    let registering = tom.number("return clock()").await?;
    tom.register().await?;
    tokio::try_join!(tom.run("await client.settled()"), jack.run("await client.settled()"))?;
    let called = tom.number(format!("return client.call('{}')", jack.name)).await?;
    tokio::try_join!(tom.reached("picture"), jack.reached("picture"), jack.reached("data"))?;
    tom.run(format!("await pause({AFTERWARDS})")).await?;
    let hung_up = tom.number("const start = clock(); client.hangUp(); return start").await?;
    jack.reached("ended").await?;
    tom.run(format!("await pause({AFTERWARDS})")).await?;
    let mut steps = Vec::new();
    for (who, end) in [("Tom", tom), ("Jack", jack)] {
        steps.extend(exchanges(who, &end.line.log()));
        steps.extend(page_steps(who, end).await?);
    }
    steps.sort_by(|one, other| one.start.total_cmp(&other.start));
    let chapter = |title: &str, start: f64, end: f64| Chapter {
        title: title.to_owned(),
        start,
        steps: steps.iter().filter(|step| (start..end).contains(&step.start)).cloned().collect(),
    };
    let chapters = vec![
        chapter("Tom registers", registering, called),
        chapter("Tom calls Jack, who accepts", called, hung_up),
        chapter("Tom hangs up", hung_up, f64::INFINITY),
    ];
    turn.end().await?;
    Ok(chapters)
}

/// Each request with its response, which is the next one on its connection.
fn exchanges(who: &'static str, log: &Log) -> Vec<Step> {
    let mut steps = Vec::new();
    for connection in 1..=log.connections {
        let mut open: Option<Step> = None;
        for passed in log.messages.iter().filter(|passed| passed.connection == connection) {
            let kind = passed.message.kind();
            if passed.message.is_request() {
                let what = format!("{kind} ({connection})");
                let step = Step { who, what, is_http: true, start: passed.at, end: None };
                steps.extend(open.replace(step));
            } else if let Some(step) = open.take() {
                let what = format!("{} -> {kind}", step.what);
                steps.push(Step { what, end: Some(passed.at), ..step });
            }
        }
        steps.extend(open);
    }
    steps
}

async fn page_steps(who: &'static str, end: &End) -> Result<Vec<Step>> {
    let Value::Array(all) = end.run("return steps").await? else { return Ok(Vec::new()) };
    let step = |step: &Value| Step {
        who,
        what: step[0].as_str().unwrap_or_default().to_owned(),
        is_http: false,
        start: step[1].as_f64().unwrap_or(f64::NAN),
        end: step[2].as_f64(),
    };
    Ok(all.iter().map(step).collect())
}

/// Starts and ends in order, each side in its own column.
fn print(chapter: &Chapter) {
    println!("\n{}\n", chapter.title);
    let mut lines = Vec::new();
    for step in &chapter.steps {
        let sign = if step.is_http { ">" } else { " " };
        lines.push((step.start, step.who, format!("{sign} {}", step.what)));
        if let Some(end) = step.end {
            let sign = if step.is_http { "<" } else { "." };
            let took = end - step.start;
            lines.push((end, step.who, format!("{sign} {} [{took:.1}]", step.what)));
        }
    }
    lines.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (at, who, what) in lines {
        println!("{:8.1}  {who:4}  {what}", at - chapter.start);
    }
}
