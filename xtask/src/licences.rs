//! The crates in the compiled module and their licences.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::workspace::{Crate, Workspace};

/// The accepted licences. Each only requires that its text is included.
const ACCEPTED: &[&str] = &["MIT", "Apache-2.0", "Unicode-3.0", "Unlicense"];

/// The file names of licence texts, in order of preference: MIT, if there is a choice.
const FILES: &[&str] =
    &["LICENSE-MIT", "LICENSE_MIT", "LICENSE-MIT.md", "LICENSE", "LICENSE.md", "LICENSE.txt"];

/// A line for each crate in the module: name, version, licence. Fails if a licence is not accepted.
pub(crate) fn list(crates: &[Crate<'_>]) -> Result<Vec<String>> {
    crates
        .iter()
        .map(|Crate { name, version, licence, .. }| {
            ensure!(
                licence.split(" AND ").all(is_accepted),
                "{name} {version} is under `{licence}`, which is not accepted here"
            );
            Ok(format!("{name} {version}: {licence}"))
        })
        .collect()
}

/// For "MIT OR Apache-2.0", one accepted licence is sufficient. Old crates write a slash.
fn is_accepted(alternatives: &str) -> bool {
    let mut each = alternatives.split('/').flat_map(|part| part.split(" OR "));
    each.any(|one| ACCEPTED.contains(&one.trim_matches(['(', ')', ' '])))
}

/// Writes the file of the package that lists all crates with the texts of their licences.
pub(crate) fn notice(workspace: &Workspace) -> Result<String> {
    let crates = workspace.shipped_crates()?;
    let mut text = String::from(
        "videortc.wasm holds parts of the Rust standard library (MIT OR Apache-2.0, https://www.rust-lang.org) and of\n\
         these packages. Where there is a choice, they are used under the MIT licence.\n\n",
    );
    for line in list(&crates)? {
        text.push_str(&line);
        text.push('\n');
    }
    let mut users: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for Crate { name, folder, .. } in &crates {
        users.entry(licence_text(folder)?).or_default().push(name);
    }
    for (licence, names) in users {
        text.push_str(&format!("\n\n---- {}\n\n{}\n", names.join(", "), licence.trim()));
    }
    Ok(text)
}

fn licence_text(folder: &Path) -> Result<String> {
    let Some(file) = FILES.iter().map(|file| folder.join(file)).find(|file| file.is_file()) else {
        return Ok(
            "These packages bring no text of their licence. MIT's stands in the file LICENSE."
                .into(),
        );
    };
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(licence: &'static str) -> [Crate<'static>; 1] {
        [Crate { name: "one", version: "1.0.0", licence, folder: Path::new("") }]
    }

    #[test]
    fn one_accepted_licence_of_several_will_do() {
        for licence in
            ["MIT", "Apache-2.0 OR MIT", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"]
        {
            assert_eq!(list(&under(licence)).expect(licence), [format!("one 1.0.0: {licence}")]);
        }
        for licence in ["", "GPL-3.0", "LGPL-2.1 OR MPL-2.0", "(MIT OR Apache-2.0) AND GPL-3.0"] {
            assert!(list(&under(licence)).is_err(), "{licence} was accepted");
        }
    }
}
