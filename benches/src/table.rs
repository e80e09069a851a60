//! The numbers of a run: medians, spreads, percentiles, and their output.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::pair::Side;

/// One row: the metric, the values of both sides, and the target.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    /// Our values, one per turn.
    pub(crate) ours: Vec<f64>,
    /// The values of the competitor.
    pub(crate) other: Vec<f64>,
    pub(crate) aim: &'static str,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, unit: &'static str, aim: &'static str) -> Self {
        Self { what: what.into(), unit, ours: Vec::new(), other: Vec::new(), aim }
    }

    pub(crate) fn add(&mut self, side: Side, number: f64) {
        match side {
            Side::Ours => self.ours.push(number),
            Side::Theirs => self.other.push(number),
        }
    }

    fn ratio(&self) -> Option<f64> {
        (!self.other.is_empty()).then(|| median(&self.ours) / median(&self.other))
    }

    fn show(&self) -> String {
        let ratio = self.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        format!(
            "{:50} {:>22} {:>22} {:>6}   {}",
            format!("{} ({})", self.what, self.unit),
            spread(&self.ours),
            spread(&self.other),
            ratio,
            self.aim
        )
    }

    /// The newest turn, as progress output.
    pub(crate) fn tell(&self) {
        let newest = |numbers: &[f64]| numbers.last().copied().unwrap_or(f64::NAN);
        let (ours, other) = (newest(&self.ours), newest(&self.other));
        println!("  {} ({}): {ours:.2}, compared with {other:.2}", self.what, self.unit);
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what, "unit": self.unit, "ours": self.ours, "other": self.other,
            "ratio": self.ratio(), "aim": self.aim,
        })
    }
}

/// Prints the rows and writes them to `target/bench/NAME.json`.
pub(crate) fn report(name: &str, rows: &[Row]) -> Result<()> {
    println!("\n{:50} {:>22} {:>22} {:>6}   aim", "what", "ours", "compared with", "ratio");
    for row in rows {
        println!("{}", row.show());
    }
    println!("\nmedians, in brackets the least and the most");
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    write(&format!("{name}.json"), &serde_json::to_string_pretty(&rows)?)
}

/// Writes a file of `target/bench/`.
pub(crate) fn write(name: &str, text: &str) -> Result<()> {
    let folder = folder()?;
    fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    fs::write(&file, text)?;
    println!("written to {}", file.display());
    Ok(())
}

/// The folder of the results.
pub(crate) fn folder() -> Result<PathBuf> {
    Ok(PathBuf::from(std::env::var("VIDEORTC_BENCH").context("run cargo xtask bench")?))
}

pub(crate) fn median(numbers: &[f64]) -> f64 {
    percentile(numbers, 0.5)
}

/// The smallest value that the share `part` of all values does not exceed.
pub(crate) fn percentile(numbers: &[f64], part: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn spread(numbers: &[f64]) -> String {
    if numbers.is_empty() {
        return String::new();
    }
    let (least, most) = (percentile(numbers, 0.0), percentile(numbers, 1.0));
    format!("{:.2} [{least:.2} {most:.2}]", median(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_numbers_themselves() {
        let numbers = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&numbers), 3.0);
        assert_eq!(percentile(&numbers, 0.0), 1.0);
        assert_eq!(percentile(&numbers, 0.95), 5.0);
        assert!(median(&[]).is_nan());
    }
}
