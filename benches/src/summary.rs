//! The latest results of all benches, as one page with charts: `target/bench/index.html`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::svg::{escaped, page};
use crate::table::{folder, median, percentile, write};

/// The benches in page order, with their titles.
const SECTIONS: [(&str, &str); 5] = [
    ("load", "Loading"),
    ("calls", "Calls, by the round trip of the line"),
    ("data", "Messages and files, compared with a bare data channel"),
    ("idle", "Idle"),
    ("many", "A hundred clients in one page"),
];

const WIDTH: f64 = 900.0;
/// The start of the bars, and the space for numbers behind them.
const LEFT: f64 = 90.0;
const RIGHT: f64 = 260.0;
const BAR: f64 = 14.0;

/// Writes the page from the JSON of every bench that has run.
pub(crate) fn run() -> Result<()> {
    let folder = folder()?;
    let mut body = String::from(
        "<p>Medians; lines from the least to the most. Blue: videortc. Orange: what it is compared with, \
         janus.js unless it says otherwise. Green: the aim. Only the ratio counts: how long \
         things take depends on the machine.</p>",
    );
    for (name, title) in SECTIONS {
        let rows = read(&folder, name).with_context(|| format!("{name}.json is not as written"))?;
        if !rows.is_empty() {
            let _ = write!(body, "<h2>{title}</h2>\n{}{}", table(&rows), charts(&rows));
        }
    }
    for file in ["trace-videortc.html", "trace-janus.js.html"] {
        if folder.join(file).is_file() {
            let _ = write!(body, "<p><a href=\"{file}\">{file}</a>: one call, step by step</p>");
        }
    }
    write("index.html", &page("videortc: the benches", &body))
}

/// One row of a bench, as in its JSON.
struct Row {
    what: String,
    unit: String,
    ours: Vec<f64>,
    other: Vec<f64>,
    aim: String,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        let ratio = median(&self.ours) / median(&self.other);
        ratio.is_finite().then_some(ratio)
    }

    /// The bound of the ratio, and whether the result is within it.
    fn bound(&self) -> Option<(f64, bool)> {
        let (sign, number) = self.aim.strip_prefix("ratio ")?.split_once(' ')?;
        let (bound, ratio) = (number.parse().ok()?, self.ratio()?);
        Some((bound, if sign == "<=" { ratio <= bound } else { ratio >= bound }))
    }

    /// The common metric of several rows with different round-trip times, and the round-trip time.
    fn split(&self) -> (&str, &str) {
        let parts = self.what.rsplit_once(", ").filter(|(_, last)| last.ends_with(" ms"));
        parts.unwrap_or((&self.what, ""))
    }
}

fn read(folder: &Path, name: &str) -> Result<Vec<Row>> {
    let Ok(text) = fs::read_to_string(folder.join(format!("{name}.json"))) else {
        return Ok(Vec::new());
    };
    let value: Value = serde_json::from_str(&text)?;
    let rows = match &value {
        Value::Array(rows) => rows.clone(),
        load => load_rows(load)?,
    };
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |row: &Value| Row {
        what: text(&row["what"]),
        unit: text(&row["unit"]),
        ours: numbers(&row["ours"]),
        other: numbers(&row["other"]),
        aim: text(&row["aim"]),
    };
    Ok(rows.iter().map(row).collect())
}

/// `bench load` is a script of the package's tests and has its own format.
fn load_rows(load: &Value) -> Result<Vec<Value>> {
    let runs = load["runs"].as_array().context("no runs")?;
    let of = |side: &str, what: &str| -> Vec<&Value> {
        runs.iter().map(|run| &run[side][what]).collect()
    };
    let time = |name: &str, what: &str, aim: &str| {
        json!({ "what": name, "unit": "ms", "aim": aim,
                "ours": of("videortc", what), "other": of("janus", what) })
    };
    let bytes = &load["bytes"];
    let size = |name: &str, file: &str| {
        json!({ "what": name, "unit": "bytes", "aim": "", "ours": [bytes[file]["brotli"]],
                "other": [bytes["janus.js + webrtc-adapter"]["brotli"]] })
    };
    Ok(vec![
        time("ready: the class is usable", "usable", "ratio <= 1.5"),
        time("main thread of loading", "mainThread", "ratio <= 1.5"),
        time("devices are listed", "listed", ""),
        size("script tag, brotli", "videortc.min.js"),
        size("module, brotli", "index.js + videortc.wasm"),
    ])
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "<table><tr><th>what</th><th>videortc</th><th>compared with</th><th>ratio</th><th>aim</th></tr>",
    );
    for row in rows {
        let (class, ratio) = match (row.ratio(), row.bound()) {
            (Some(ratio), Some((_, true))) => ("good", format!("{ratio:.2}")),
            (Some(ratio), Some((_, false))) => ("poor", format!("{ratio:.2}")),
            (Some(ratio), None) => ("", format!("{ratio:.2}")),
            (None, _) => ("", String::new()),
        };
        let _ = writeln!(
            table,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{ratio}</td><td>{}</td></tr>",
            escaped(&row.what),
            spread(&row.ours, &row.unit),
            spread(&row.other, &row.unit),
            escaped(&row.aim),
        );
    }
    table + "</table>\n"
}

fn spread(numbers: &[f64], unit: &str) -> String {
    match numbers {
        [] => String::new(),
        [one] => format!("{} {unit}", short(*one)),
        all => {
            let [least, middle, most] = [0.0, 0.5, 1.0].map(|part| short(percentile(all, part)));
            format!("{middle} {unit} [{least}, {most}]")
        }
    }
}

fn short(number: f64) -> String {
    if number.abs() < 10.0 { format!("{number:.2}") } else { format!("{number:.0}") }
}

/// One chart per metric, with all its round-trip times.
fn charts(rows: &[Row]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        let (name, _) = row.split();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of = |name: &str| rows.iter().filter(|row| row.split().0 == name).collect::<Vec<_>>();
    names.into_iter().map(|name| chart(name, &of(name))).collect()
}

fn chart(name: &str, rows: &[&Row]) -> String {
    // One slow turn must not shrink all other bars.
    let usual = |numbers: &[f64]| percentile(numbers, 0.8);
    let most = rows.iter().flat_map(|row| [usual(&row.ours), usual(&row.other)]);
    let most = most.filter(|number| number.is_finite()).fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let scale = (WIDTH - LEFT - RIGHT) / most;
    let height = 20.0 + rows.len() as f64 * (2.0 * BAR + 8.0);
    let mut svg = format!(
        "<h3>{}</h3>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">",
        escaped(&name_with_unit(name, rows))
    );
    for (number, row) in rows.iter().enumerate() {
        let y = 6.0 + number as f64 * (2.0 * BAR + 8.0);
        let _ = write!(svg, "<text x=\"0\" y=\"{:.1}\">{}</text>", y + BAR + 4.0, row.split().1);
        svg += &bar("ours", &row.ours, scale, y);
        svg += &bar("theirs", &row.other, scale, y + BAR);
        if let Some((bound, _)) = row.bound() {
            let x = LEFT + (median(&row.other) * bound * scale).min(WIDTH - LEFT - RIGHT);
            let _ = write!(
                svg,
                "<line class=\"aim\" stroke-width=\"2\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
                y - 2.0,
                y + 2.0 * BAR
            );
        }
    }
    svg + "</svg>\n"
}

fn name_with_unit(name: &str, rows: &[&Row]) -> String {
    match rows.first().map(|row| row.unit.as_str()) {
        Some("") | None => name.to_owned(),
        Some(unit) => format!("{name}, {unit}"),
    }
}

fn bar(class: &str, numbers: &[f64], scale: f64, y: f64) -> String {
    if numbers.is_empty() {
        return String::new();
    }
    let longest = WIDTH - LEFT - RIGHT;
    let [least, middle, most] =
        [0.0, 0.5, 1.0].map(|part| (percentile(numbers, part) * scale).clamp(0.0, longest));
    let line = y + BAR / 2.0;
    format!(
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{middle:.1}\" height=\"{:.1}\"/>\
         <line stroke=\"currentColor\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{line:.1}\" y2=\"{line:.1}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        BAR - 2.0,
        LEFT + least,
        LEFT + most,
        LEFT + most + 6.0,
        y + BAR - 3.0,
        spread(numbers, "")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_met_in_its_own_direction() {
        let row = |aim: &str| Row {
            what: "registered, 100 ms".into(),
            unit: "ms".into(),
            ours: vec![90.0],
            other: vec![100.0],
            aim: aim.into(),
        };
        assert_eq!(row("ratio <= 0.95").bound(), Some((0.95, true)));
        assert_eq!(row("ratio >= 0.95").bound(), Some((0.95, false)));
        assert_eq!(row("ours < 16").bound(), None);
        assert_eq!(row("").split(), ("registered", "100 ms"));
    }
}
