//! From Rust to files that a page can load: compile, bind, optimise, assemble.
//!
//! Each script is put together from the glue that wasm-bindgen writes, the public classes (`pkg-template/*.js`)
//! and a way to the module: as text inside the script (`videortc.js`, `videortc.min.js`, `inline.js`), or in
//! a file beside it (`index.js`). Either way it is compiled when it is first needed and not before.
//!
//! The same sources give the same bytes: no path of this machine and no date gets into them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;
use xshell::cmd;

use crate::encoding;
use crate::licences;
use crate::names;
use crate::process;
use crate::size::{self, Entry};
use crate::tools;
use crate::workspace::{WASM_TARGET, Workspace};

/// The file of the compiled library, in the package.
const MODULE: &str = "videortc.wasm";

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The syntax that the minified script may use. Browsers that know less have no `RTCPeerConnection` that
/// we could work with either.
const SYNTAX: &str = "2020";

/// What `rustc` takes for granted in a browser, said anew since the module no longer says it itself.
const WASM_FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// What makes the module small as a web server sends it, compressed. A large function that is called once
/// stays on its own, since merged ones need more local variables and repeat each other less. Functions of
/// one name stand together, since a compressor looks back no further than 32 KiB. Control flow is taken
/// apart first and built anew: it then repeats itself more. A light round before that and another one after it
/// save a little more. The lowest kilobyte of memory holds nothing: it is the far end of the stack, which comes
/// before the data.
const OPTIMISATIONS: &[&str] = &[
    "--low-memory-unused",
    "-O2",
    "--flatten",
    "--rereloop",
    "-Oz",
    "--one-caller-inline-max-function-size=24",
    "--converge",
    "-Oz",
    "--optimize-instructions",
    "--simplify-locals-nostructure",
    "--vacuum",
    "--reorder-functions-by-name",
];

/// The parts of the JavaScript, in `pkg-template/`, that every form of the package has.
const CLASSES: &[&str] = &[
    "errors",
    "arguments",
    "call-arguments",
    "http",
    "media",
    "view",
    "channels",
    "peer",
    "transfers",
    "call",
    "presence",
    "driver",
    "loading",
    "facade",
];

/// How the library is compiled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Profile {
    Dev,
    Release,
    /// What is shipped: with a standard library that is compiled anew, to be small.
    Package,
}

/// How the standard library is compiled into what is shipped.
const SMALL_STD: &[&str] =
    &["-Zbuild-std=core,alloc,std,panic_abort", "-Zbuild-std-features=optimize_for_size"];

/// A panic ends at once in a trap: nobody could read its words, and they would be 4 kB.
const WORDLESS: &[&str] = &[
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zlocation-detail=none",
    "-Zfmt-debug=none",
];

/// Writes `target/web/videortc.js` and the example pages beside it, without Node: no `wasm-opt`, not
/// minified. Returns the folder.
pub(crate) fn assemble_web(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    tools::ensure_wasm_target(workspace)?;
    let parts = Parts::compile(workspace, profile, &workspace.target(""))?;
    let folder = emptied(workspace.target("web"))?;
    fs::write(folder.join("videortc.js"), parts.script())?;
    for page in ["videocall", "quickstart", "files"] {
        copy_folder(&workspace.path("examples").join(page), &folder.join(page))?;
    }
    fs::write(folder.join("index.html"), include_str!("index.html"))?;
    fs::write(folder.join("config.js"), config(None))?;
    Ok(folder)
}

/// The `config.js` of the example pages: the gateway that they use.
pub(crate) fn config(gateway: Option<&str>) -> String {
    let address = match gateway {
        // A JSON string is a JavaScript string.
        Some(url) => serde_json::Value::from(url).to_string(),
        None => "location.origin + \"/janus\"".to_owned(),
    };
    format!("window.VIDEORTC_GATEWAY = {address};\n")
}

/// Writes the npm package to `pkg/` and prints the size of each file; fails where it is too heavy.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let folder = emptied(workspace.path("pkg"))?;
    let sizes = assemble(workspace, &folder, &workspace.target(""))?;
    check_loading(workspace, &folder)?;
    println!("\n{}\n\nThe package is in {}", size::table(&sizes), folder.display());
    size::check(&sizes)
}

/// Builds the package of `pkg/` a second time, compiled in another folder, and compares each byte.
pub(crate) fn check_reproducible(workspace: &Workspace) -> Result<()> {
    let again = emptied(workspace.target("xtask/again/pkg"))?;
    assemble(workspace, &again, &workspace.target("xtask/again"))?;
    for entry in fs::read_dir(&again)? {
        let file = entry?.file_name();
        let (first, second) = (workspace.path("pkg").join(&file), again.join(&file));
        ensure!(
            fs::read(&first)? == fs::read(&second)?,
            "two builds of one commit differ: see {} and {}",
            first.display(),
            second.display()
        );
    }
    Ok(())
}

/// Writes every file of the npm package and returns their sizes. Cargo compiles in `target`.
fn assemble(workspace: &Workspace, folder: &Path, target: &Path) -> Result<Vec<Entry>> {
    tools::ensure_wasm_target(workspace)?;
    let programs = tools::npm_tools(workspace)?;
    tools::ensure_std_sources(workspace)?;
    let mut parts = Parts::compile(workspace, Profile::Package, target)?;
    parts.wasm = optimised(workspace, &programs, &parts.wasm)?;
    let script = parts.script();
    let shrink = |name: &str, text: &str| minified(workspace, &programs, name, text);
    let (script_min, script_map) = shrink("videortc.min.js", &script)?;
    let (beside, beside_map) = shrink("index.js", &parts.module())?;
    let (inline, inline_map) = shrink("inline.js", &parts.inline_module())?;

    let files = [
        (MODULE, parts.wasm.clone()),
        ("index.js", beside),
        ("inline.js", inline),
        ("videortc.js", script.into_bytes()),
        ("videortc.min.js", script_min),
        ("index.js.map", beside_map),
        ("inline.js.map", inline_map),
        ("videortc.min.js.map", script_map),
        ("index.d.ts", read(workspace, "pkg-template/index.d.ts")?.into_bytes()),
        ("package.json", package_json(workspace, &parts.version)?.into_bytes()),
        ("README.md", read(workspace, "README.md")?.into_bytes()),
        ("LICENSE", read(workspace, "LICENSE")?.into_bytes()),
        ("THIRD-PARTY.txt", licences::notice(workspace)?.into_bytes()),
    ];
    let mut sizes = Vec::new();
    for (name, content) in &files {
        fs::write(folder.join(name), content)?;
        sizes.push(Entry::new(*name, content)?);
    }
    Ok(sizes)
}

/// What the shipped files are put together from.
#[derive(Debug)]
struct Parts {
    version: String,
    glue: String,
    /// The public classes and all that they stand on, but for the way to the module.
    classes: String,
    /// How the module comes from the file beside the script.
    beside: String,
    wasm: Vec<u8>,
}

impl Parts {
    fn compile(workspace: &Workspace, profile: Profile, target: &Path) -> Result<Self> {
        let wasm = compile(workspace, profile, target)?;
        let folder = emptied(workspace.target("xtask/bindgen"))?;
        let (glue, wasm) = bindgen(&wasm, &folder).context("wasm-bindgen cannot make the glue")?;
        let classes: Result<Vec<String>> = CLASSES
            .iter()
            .map(|part| read(workspace, &format!("pkg-template/{part}.js")))
            .collect();
        Ok(Self {
            version: workspace.version_of("videortc")?.to_owned(),
            glue: trimmed(&glue)?,
            classes: classes?.join("\n"),
            beside: read(workspace, "pkg-template/beside.js")?,
            wasm,
        })
    }

    /// For a script tag: two globals and nothing else.
    fn script(&self) -> String {
        format!(
            "{}var {{ VideoRTC, VideoRTCError }} = {};\n",
            self.banner(),
            self.expression(&self.inside())
        )
    }

    /// For `import`, in one file. Line by line it is [`Self::script`], which its source map names.
    fn inline_module(&self) -> String {
        self.exporting(&self.inside())
    }

    /// For `import`, with the module in a file of its own.
    fn module(&self) -> String {
        // Bundlers look for just this expression, and take the file along.
        let locate = format!("() => new URL(\"./{MODULE}\", import.meta.url)");
        let size = self.wasm.len();
        let beside = &self.beside;
        self.exporting(&format!(
            "{beside}\nconst getBytes = () => fetchModule({locate}, {size});\n"
        ))
    }

    fn exporting(&self, module: &str) -> String {
        format!(
            "{}const {{ VideoRTC, VideoRTCError }} = /* @__PURE__ */ {};\n\n\
             export {{ VideoRTC, VideoRTCError }};\nexport default VideoRTC;\n",
            self.banner(),
            self.expression(module),
        )
    }

    fn banner(&self) -> String {
        format!("/*! videortc {} | MIT License */\n", self.version)
    }

    /// The module inside the script.
    fn inside(&self) -> String {
        format!("function getBytes() {{\n{}    return module;\n}}\n", encoding::decoder(&self.wasm))
    }

    /// A function that is called at once and returns the public classes; nothing else of it is seen.
    fn expression(&self, module: &str) -> String {
        let Self { version, glue, classes, .. } = self;
        format!(
            r#"(function () {{
"use strict";

// The glue between JavaScript and WebAssembly, written by wasm-bindgen.

{glue}
{classes}
// The WebAssembly module.

{module}
return createApi("{version}", createLoad(getBytes, instantiate));
}})()"#
        )
    }
}

/// Compiles the library in cargo's folder `target` and returns the path of the module.
fn compile(workspace: &Workspace, profile: Profile, target: &Path) -> Result<PathBuf> {
    let mut build = workspace.cargo("build").args(["--package", "videortc", "--lib"]);
    build = build.args(["--target", WASM_TARGET, "--config", &flags(workspace, profile)?]);
    build = build.arg("--target-dir").arg(target);
    // They would take the place of ours.
    build = build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            build = build.arg("--release");
            "release"
        }
        Profile::Package => {
            // A stable compiler takes these only from who says that he knows: it is the same compiler.
            build = build.arg("--release").args(SMALL_STD).env("RUSTC_BOOTSTRAP", "1");
            "release"
        }
    };
    process::run(build, limit())?;
    Ok(target.join(WASM_TARGET).join(folder).join("videortc.wasm"))
}

/// The setting that keeps this machine's paths out of the module, where panic messages would name them, and
/// the panic messages out of what is shipped.
fn flags(workspace: &Workspace, profile: Profile) -> Result<String> {
    let mut flags: Vec<String> = workspace
        .source_folders()
        .into_iter()
        .chain([tools::std_sources(workspace)?])
        .map(|folder| format!("--remap-path-prefix={}=", folder.display()))
        .collect();
    if matches!(profile, Profile::Package) {
        flags.extend(WORDLESS.iter().map(|&flag| flag.to_owned()));
    }
    // A JSON array of strings is a TOML array of strings.
    Ok(format!("target.{WASM_TARGET}.rustflags={}", serde_json::to_string(&flags)?))
}

/// The glue and the module.
fn bindgen(wasm: &Path, folder: &Path) -> Result<(String, Vec<u8>)> {
    let mut output = Bindgen::new()
        .input_path(wasm)
        .out_name("videortc")
        .no_modules(true)?
        .typescript(false)
        .remove_producers_section(true)
        .generate_output()?;
    // Only here is the glue laid out in lines.
    output.emit(folder)?;
    let glue = fs::read_to_string(folder.join("videortc.js"))?;
    let module = output.wasm_mut();
    let imports = module.imports.iter_mut().map(|import| (&mut import.module, &mut import.name));
    let glue = names::shorten(glue, imports)?;
    Ok((glue, module.emit_wasm()))
}

/// The glue as a function from the compiled module to the exports of a fresh instance, in place of one instance
/// for all and several ways to start it from the network. They would also look at the document while the script
/// loads, and fail where it is not what they expect. Starting is asynchronous: Chromium before version 115
/// refuses to compile more than 4 kB otherwise.
fn trimmed(glue: &str) -> Result<String> {
    let mut glue = glue.to_owned();
    for (start, end) in [
        ("    let script_src;\n", "\n    }\n"),
        // Where there is no memory left, nothing is freed any more.
        ("        } catch (e) {\n", "throw e;\n        }\n"),
        ("    async function __wbg_load(", "\n    }\n"),
        ("    function initSync(", "\n    }\n"),
        ("    let __wbg_init_promise;\n", "\n"),
        ("    async function __wbg_init(", "\n    }\n"),
        ("    async function __wbg_init_once(", "\n    }\n"),
    ] {
        glue = without(&glue, start, end)
            .with_context(|| format!("wasm-bindgen's glue has changed: no `{}`", start.trim()))?;
    }
    for (old, new) in [
        (
            "let wasm_bindgen = (function(exports) {\n",
            "async function instantiate(compiled) {\n    const exports = { __proto__: null };\n",
        ),
        ("        try {\n            ptr0 = ", "            ptr0 = "),
        (
            "    return Object.assign(__wbg_init, { initSync }, exports);\n})({ __proto__: null });\n",
            "    const instance = await WebAssembly.instantiate(compiled, __wbg_get_imports());
    __wbg_finalize_init(instance, compiled);
    return exports;\n}\n",
        ),
    ] {
        ensure!(glue.contains(old), "wasm-bindgen's glue has changed: no `{}`", old.trim());
        glue = glue.replace(old, new);
    }
    Ok(glue)
}

/// The text without the part that begins with `start` and ends with the first `end` from there.
fn without(text: &str, start: &str, end: &str) -> Option<String> {
    let from = text.find(start)?;
    let (before, rest) = text.split_at_checked(from)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{after}"))
}

fn optimised(workspace: &Workspace, programs: &Path, wasm: &[u8]) -> Result<Vec<u8>> {
    let folder = emptied(workspace.target("xtask/optimise"))?;
    let (input, output) = (folder.join("input.wasm"), folder.join("output.wasm"));
    fs::write(&input, wasm)?;
    let shell = &workspace.shell;
    let wasm_opt = programs.join("wasm-opt");
    let features = WASM_FEATURES;
    let strip = ["--strip-debug", "--strip-producers", "--strip-target-features"];
    let command =
        cmd!(shell, "{wasm_opt} {features...} {OPTIMISATIONS...} {strip...} {input} -o {output}");
    process::run(command, limit())?;
    Ok(fs::read(output)?)
}

/// The minified text and its source map. The sources of `index.js` are in its map; the map of the others names
/// `videortc.js`, which is shipped beside them.
fn minified(
    workspace: &Workspace,
    programs: &Path,
    name: &str,
    text: &str,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let source = if name == "index.js" { "index.source.js" } else { "videortc.js" };
    let folder = emptied(workspace.target("xtask/minify"))?;
    fs::write(folder.join(source), text)?;
    let shell = &workspace.shell;
    let _here = shell.push_dir(&folder);
    let terser = programs.join("terser");
    let sources = if name == "index.js" { ",includeSources" } else { "" };
    let map = format!("url='{name}.map'{sources}");
    let is_module = (name != "videortc.min.js").then_some("--module");
    let command = cmd!(
        shell,
        "{terser} {source} {is_module...} --ecma {SYNTAX} --compress passes=5,sequences=false,hoist_funs,keep_fargs=false,unsafe_methods,conditionals=false --mangle
         --format ascii_only=true --comments /^!/ --source-map {map} --output {name}"
    );
    process::run(command, limit())?;
    let mut script = fs::read(folder.join(name))?;
    // Whatever is put behind it must not become part of the comment that names the map.
    script.push(b'\n');
    Ok((script, fs::read(folder.join(format!("{name}.map")))?))
}

/// Loads each file under Node, which has no document and no window, as a server that renders pages does.
fn check_loading(workspace: &Workspace, folder: &Path) -> Result<()> {
    let check = workspace.path("pkg-template/tools/check-loading.mjs");
    process::run(cmd!(workspace.shell, "node {check} {folder}"), limit())
}

fn package_json(workspace: &Workspace, version: &str) -> Result<String> {
    const PLACEHOLDER: &str = "\"version\": \"0.0.0\"";
    let template = read(workspace, "pkg-template/package.json")?;
    ensure!(template.contains(PLACEHOLDER), "pkg-template/package.json has no {PLACEHOLDER}");
    Ok(template.replace(PLACEHOLDER, &format!("\"version\": \"{version}\"")))
}

fn read(workspace: &Workspace, file: &str) -> Result<String> {
    fs::read_to_string(workspace.path(file)).with_context(|| format!("cannot read {file}"))
}

/// A folder with nothing in it.
fn emptied(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Copies a folder over another, but for what npm has put there.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        if entry.file_name() == "node_modules" {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn limit() -> Instant {
    let now = Instant::now();
    now.checked_add(LIMIT).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_cut_out_with_its_ends() {
        let text = "a\n    b {\n        c\n    }\nd\n    }\n";
        assert_eq!(without(text, "    b", "\n    }\n").as_deref(), Some("a\nd\n    }\n"));
        assert_eq!(without("a\n    let b;\nc\n", "    let b;\n", "\n").as_deref(), Some("a\nc\n"));
        assert_eq!(without(text, "    x", "\n    }\n"), None);
    }

    #[test]
    fn the_gateway_is_written_as_a_javascript_string() {
        assert_eq!(config(None), "window.VIDEORTC_GATEWAY = location.origin + \"/janus\";\n");
        let hostile = config(Some("https://a/\"+alert(1)+\"\\"));
        assert_eq!(hostile, "window.VIDEORTC_GATEWAY = \"https://a/\\\"+alert(1)+\\\"\\\\\";\n");
    }

    #[test]
    fn every_form_has_the_same_names_and_its_own_way_to_the_module() {
        let parts = Parts {
            version: "1.2.3".into(),
            glue: "function instantiate() {}\n".into(),
            classes: "function createApi(version, load) {}\n".into(),
            beside: "function fetchModule(locate, size) {}\n".into(),
            wasm: b"\0asm".to_vec(),
        };
        let (script, inline, module) = (parts.script(), parts.inline_module(), parts.module());
        assert!(script.starts_with("/*! videortc 1.2.3 | MIT License */\nvar { VideoRTC, "));
        assert!(script.contains("new Uint8Array(4)") && !script.contains("import.meta"));
        assert!(inline.contains("new Uint8Array(4)") && !inline.contains("import.meta"));
        assert!(module.contains("new URL(\"./videortc.wasm\", import.meta.url), 4)"));
        assert!(!module.contains("new Uint8Array(4)"));
        for text in [&inline, &module] {
            assert!(text.ends_with("export default VideoRTC;\n"));
        }
        // The map of inline.js names videortc.js.
        assert!(
            inline.lines().zip(script.lines()).skip(2).take(12).all(|(one, other)| one == other)
        );
    }
}
