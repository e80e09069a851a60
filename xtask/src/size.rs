//! The download sizes of the package, raw and compressed.

use std::io::Write;

use anyhow::{Result, ensure};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The size limits of file sets, in bytes after gzip -9: the entry with the module beside it, and
/// the file for a script tag.
const CEILINGS: &[(&[&str], usize)] =
    &[(&["videortc.wasm", "index.js"], 195 * 1024), (&["videortc.min.js"], 290 * 1024)];

/// A row of the report.
#[derive(Debug)]
pub(crate) struct Entry {
    name: String,
    raw: usize,
    gzipped: usize,
    brotli: usize,
}

impl Entry {
    pub(crate) fn new(name: impl Into<String>, content: &[u8]) -> Result<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content)?;
        let gzipped = encoder.finish()?.len();
        let mut brotli = Vec::new();
        let best = BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
        brotli::BrotliCompress(&mut &*content, &mut brotli, &best)?;
        Ok(Self { name: name.into(), raw: content.len(), gzipped, brotli: brotli.len() })
    }
}

/// Fails if files exceed their limit.
pub(crate) fn check(entries: &[Entry]) -> Result<()> {
    for (names, ceiling) in CEILINGS {
        let weighed = entries.iter().filter(|entry| names.contains(&entry.name.as_str()));
        let bytes: usize = weighed.map(|entry| entry.gzipped).sum();
        ensure!(
            bytes <= *ceiling,
            "{} weigh {} bytes gzipped, and may weigh {}: see what they are with twiggy",
            names.join(" and "),
            grouped(bytes),
            grouped(*ceiling)
        );
    }
    Ok(())
}

/// The report as a table, in bytes.
pub(crate) fn table(entries: &[Entry]) -> String {
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
    let head = format!("{:width$}  {:>9}  {:>9}  {:>9}", "bytes", "raw", "gzip -9", "brotli -q 11");
    let mut lines = vec![head];
    lines.extend(entries.iter().map(|entry| {
        let Entry { name, raw, gzipped, brotli } = entry;
        let [raw, gzipped, brotli] = [raw, gzipped, brotli].map(|bytes| grouped(*bytes));
        format!("{name:width$}  {raw:>9}  {gzipped:>9}  {brotli:>12}")
    }));
    lines.join("\n")
}

/// `1234567` as `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_threes() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn a_package_that_is_too_heavy_is_refused_with_its_weight() {
        let entry = |name: &str, gzipped| Entry { name: name.into(), raw: 0, gzipped, brotli: 0 };
        let package = |module| {
            [entry("videortc.wasm", module), entry("index.js", 3_840), entry("README.md", 900_000)]
        };
        assert!(check(&package(195_840)).is_ok());
        let error = check(&package(195_841)).expect_err("a byte too much").to_string();
        assert!(error.contains("videortc.wasm and index.js weigh 199,681"), "{error}");
        assert!(check(&[entry("videortc.min.js", 296_961)]).is_err());
    }

    #[test]
    fn what_repeats_gets_smaller() -> Result<()> {
        let entry = Entry::new("zeros", &[0; 10_000])?;
        assert_eq!(entry.raw, 10_000);
        assert!(entry.gzipped < 100 && entry.brotli < entry.gzipped, "{entry:?}");
        Ok(())
    }
}
