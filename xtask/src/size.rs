//! How many bytes a page downloads: raw, and as a web server sends them.

use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;

/// A line of the report.
#[derive(Debug)]
pub(crate) struct Entry {
    name: String,
    raw: usize,
    gzipped: usize,
}

impl Entry {
    pub(crate) fn new(name: impl Into<String>, content: &[u8]) -> Result<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content)?;
        let gzipped = encoder.finish()?.len();
        Ok(Self { name: name.into(), raw: content.len(), gzipped })
    }
}

/// The report as a table, in bytes.
pub(crate) fn table(entries: &[Entry]) -> String {
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
    let mut lines = vec![format!("{:width$}  {:>9}  {:>9}", "bytes", "raw", "gzip -9")];
    lines.extend(entries.iter().map(|entry| {
        let Entry { name, raw, gzipped } = entry;
        format!("{name:width$}  {:>9}  {:>9}", grouped(*raw), grouped(*gzipped))
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
    fn what_repeats_gets_smaller() -> Result<()> {
        let entry = Entry::new("zeros", &[0; 10_000])?;
        assert_eq!(entry.raw, 10_000);
        assert!(entry.gzipped < 100, "{entry:?}");
        Ok(())
    }
}
