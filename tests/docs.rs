//! Rust samples of the documents must match code that is compiled for the browser, in the example
//! or in its tests. Features that the documents list must be declared, and missing ones must not.

#![cfg(not(target_family = "wasm"))]
// A test may panic: that is how it fails.
#![allow(missing_docs, clippy::arithmetic_side_effects, clippy::panic, clippy::unwrap_used)]

use std::fs;

use videortc::table::{
    Field, Kind, call, data_channel, devices, elements, events, options, sending, stream,
};

/// The files that contain the Rust samples.
const SOURCES: [&str; 2] = ["examples/rust-app/src/lib.rs", "tests/web/rust_docs.rs"];

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The lines of every sample in a language, with the line number in the document.
fn samples(document: &str, language: &str) -> Vec<(usize, Vec<String>)> {
    let mut samples = Vec::new();
    let mut lines = document.lines().enumerate();
    let fence = format!("```{language}");
    while let Some((at, line)) = lines.next() {
        if line == fence {
            let code = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            samples.push((at + 1, code.map(|line| line.trim().to_owned()).collect()));
        }
    }
    samples
}

/// Whether the source contains these lines, with any indentation.
fn holds(source: &str, sample: &[String]) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    lines.windows(sample.len()).any(|window| window == sample)
}

/// README.md and all of `docs/`, with their paths.
fn documents() -> Vec<(String, String)> {
    let folder = fs::read_dir(format!("{}/docs", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let paths = names.map(|name| format!("docs/{name}"));
    paths.chain(["README.md".to_owned()]).map(|path| (path.clone(), read(&path))).collect()
}

#[test]
fn rust_samples_match_compiled_code() {
    let sources = SOURCES.map(read);
    let mut found = 0;
    for (path, text) in documents() {
        for (line, sample) in samples(&text, "rust") {
            let is_there = sources.iter().any(|source| holds(source, &sample));
            assert!(is_there, "{path}:{line}: not in {SOURCES:?}:\n{}", sample.join("\n"));
            found += 1;
        }
    }
    assert!(found > 5, "no samples are found");
}

#[test]
fn manifest_samples_match_the_example() {
    let manifest = read("examples/rust-app/Cargo.toml");
    let all = documents();
    let samples: Vec<_> = all.iter().flat_map(|(_, text)| samples(text, "toml")).collect();
    assert!(!samples.is_empty(), "no samples are found");
    for (at, sample) in samples {
        // An app's own dependencies need no target section.
        for line in sample.iter().filter(|line| *line != "[dependencies]") {
            let line = line.replace("../videortc", "../..");
            assert!(manifest.lines().any(|one| one.trim() == line), "line {at}: {line}");
        }
    }
}

const TABLES: [&[Field]; 8] = [
    options::TABLE.fields,
    devices::TABLE.fields,
    events::TABLE.fields,
    elements::TABLE.fields,
    call::TABLE.fields,
    data_channel::TABLE.fields,
    stream::TABLE.fields,
    sending::TABLE.fields,
];

/// The rows below a heading, up to the next one: the code names of the first cell, and the second
/// cell.
fn rows<'a>(document: &'a str, heading: &str) -> Vec<(Vec<&'a str>, &'a str)> {
    let (_, text) = document.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = text.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(2);
    let cells = rows.map(|row| row.trim_matches(['|', ' ']).split_once(" | ").unwrap());
    cells.map(|(names, here)| (names.split('`').skip(1).step_by(2).collect(), here)).collect()
}

/// Whether a page can use a name: it is declared, and it is not a key without effect.
fn is_there(name: &str) -> bool {
    let declarations = read("pkg-template/index.d.ts");
    let code = declarations.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
    let declarations = code.collect::<Vec<_>>().join("\n");
    let word = |c: char| c.is_alphanumeric();
    let name = name.trim_start_matches("new ").split(|c| !word(c)).next().unwrap();
    let mut found = declarations.match_indices(name).map(|(at, _)| declarations.split_at(at));
    let is_declared = found.any(|(before, after)| {
        let after = after.strip_prefix(name).unwrap();
        !before.ends_with(word) && after.starts_with(['(', '?', ':', ' '])
    });
    let later = |field: &Field| field.name == name && matches!(field.kind, Kind::Later(_));
    is_declared && !TABLES.iter().copied().flatten().any(later)
}

#[test]
fn migration_tables_match_the_declarations() {
    let document = read("docs/migrating.md");
    for heading in ["By use case", "By name"] {
        let rows = rows(&document, heading);
        assert!(rows.len() > 5, "no rows are found");
        for (names, here) in rows {
            for name in names {
                assert_eq!(is_there(name), here.starts_with("yes"), "{heading}: {name}: {here}");
            }
        }
    }
}

#[test]
fn missing_features_are_not_declared() {
    let document = read("docs/reference.md");
    let rows = rows(&document, "Not there yet");
    let names: Vec<_> = rows.into_iter().flat_map(|(names, _)| names).collect();
    assert!(names.len() > 10, "no names are found");
    // `domElements` is only the object that contains the elements of a row.
    for name in names.into_iter().filter(|name| *name != "domElements") {
        assert!(!is_there(name), "{name} is there");
    }
}

/// The paths that a pattern such as `src/{time,timer}.rs` or `src/js/*` stands for.
fn paths(pattern: &str) -> Vec<String> {
    let pattern = pattern.trim_end_matches('*');
    match pattern.split_once('{').zip(pattern.split_once('}')) {
        Some(((before, rest), (_, after))) => {
            let inside = rest.split_once('}').unwrap().0;
            inside.split(',').map(|name| format!("{before}{name}{after}")).collect()
        }
        None => vec![pattern.to_owned()],
    }
}

#[test]
fn files_that_the_architecture_names_exist() {
    let document = read("ARCHITECTURE.md");
    let quoted = document.split('`').skip(1).step_by(2);
    let named: Vec<_> = quoted.filter(|text| text.starts_with("src/")).flat_map(paths).collect();
    assert!(named.len() > 40, "no files are found");
    for path in named {
        let file = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&file).exists(), "{path} does not exist");
    }
}
