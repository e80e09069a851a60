//! Builds the package: compile, bind, optimize, assemble.
//!
//! A script consists of the bindings that wasm-bindgen generates, of `pkg-template/*.js`, and of a
//! loader for the module: as text in the script (`videortc.js`, `videortc.min.js`, `inline.js`), or
//! from a separate file (`index.js`). The parts are ES modules; they are joined to one function
//! here, so that the example pages need no Node. esbuild minifies the shipped files.
//!
//! The build is reproducible: the output contains no local path and no date.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wasm_bindgen_cli_support::Bindgen;
use xshell::cmd;

use crate::licences;
use crate::process;
use crate::size::{self, Entry};
use crate::tools;
use crate::workspace::{WASM_TARGET, Workspace};

/// The file name of the compiled library in the package.
const MODULE: &str = "videortc.wasm";

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The syntax of minified scripts. Browsers with less support also lack a usable
/// `RTCPeerConnection`.
const SYNTAX: &str = "es2020";

/// The features that `rustc` enables for browsers. wasm-opt needs them as options, since the module
/// does not declare them.
const WASM_FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Minimizes the compressed size of the module. Large functions with one caller are not inlined,
/// since merged functions need more local variables and compress worse. Functions are sorted by
/// name, since a compressor looks back at most 32 KiB. Control flow is flattened and rebuilt, which
/// makes it more uniform. A light pass before that and another one after it save a little more. The
/// lowest kilobyte of memory is unused: it is the far end of the stack, which is placed before the
/// data.
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

/// The JavaScript parts in `pkg-template/` that every form of the package contains. Each part
/// follows its imports.
const PARTS: &[&str] = &["errors", "servers", "loading", "guard", "facade"];

/// How the library is compiled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// Writes `target/web/videortc.js` and the example pages beside it, without Node: without
/// `wasm-opt` and not minified. Returns the folder.
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

/// The `config.js` of the example pages, with the address of their gateway.
pub(crate) fn config(gateway: Option<&str>) -> String {
    let address = match gateway {
        // A JSON string is a valid JavaScript string.
        Some(url) => serde_json::Value::from(url).to_string(),
        None => "location.origin + \"/janus\"".to_owned(),
    };
    format!("window.VIDEORTC_GATEWAY = {address};\n")
}

/// Writes the npm package to `pkg/` and prints the file sizes; fails if it is too large.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let folder = emptied(workspace.path("pkg"))?;
    let sizes = assemble(workspace, &folder, &workspace.target(""))?;
    check_loading(workspace, &folder)?;
    println!("\n{}\n\nThe package is in {}", size::table(&sizes), folder.display());
    size::check(&sizes)
}

/// Builds the package of `pkg/` again in another folder, and compares the bytes.
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

/// Writes the files of the npm package and returns their sizes. Cargo compiles in `target`.
fn assemble(workspace: &Workspace, folder: &Path, target: &Path) -> Result<Vec<Entry>> {
    tools::ensure_wasm_target(workspace)?;
    let programs = tools::npm_tools(workspace)?;
    let mut parts = Parts::compile(workspace, Profile::Release, target)?;
    parts.wasm = optimised(workspace, &programs, &parts.wasm)?;
    let script = parts.script();
    let shrink = |name, source, text: &str| minified(workspace, &programs, name, source, text);
    let (script_min, script_map) = shrink("videortc.min.js", "videortc.js", &script)?;
    let (inline, inline_map) = shrink("inline.js", "videortc.js", &parts.inline_module())?;
    let (beside, beside_map) = shrink("index.js", "index.source.js", &parts.module())?;

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

/// The sources of the shipped files.
#[derive(Debug)]
struct Parts {
    version: String,
    /// The common part of all forms: the bindings, and the parts of `pkg-template/`.
    shared: String,
    /// The loader that fetches the module from the file beside the script.
    beside: String,
    /// The loader that decodes the module from the script itself.
    inside: String,
    wasm: Vec<u8>,
}

impl Parts {
    fn compile(workspace: &Workspace, profile: Profile, target: &Path) -> Result<Self> {
        let wasm = compile(workspace, profile, target)?;
        let folder = emptied(workspace.target("xtask/bindgen"))?;
        let (bindings, wasm) = bindgen(&wasm, &folder).context("wasm-bindgen failed")?;
        let part = |name: &str| Ok(joinable(&read(workspace, &format!("pkg-template/{name}.js"))?));
        let parts: Result<Vec<String>> = PARTS.iter().map(|name| part(name)).collect();
        Ok(Self {
            version: workspace.version_of("videortc")?.to_owned(),
            shared: format!("{bindings}\n{}", parts?.join("\n")),
            beside: part("beside")?,
            inside: part("inside")?,
            wasm,
        })
    }

    /// For a script tag: defines two globals.
    fn script(&self) -> String {
        let Self { version, .. } = self;
        let api = self.expression(&self.inside());
        format!("{}var {{ VideoRTC, VideoRTCError }} = {api};\n", banner(version))
    }

    /// For `import`, in one file. It has the same lines as [`Self::script`], which its source map
    /// names.
    fn inline_module(&self) -> String {
        self.exporting(&self.inside())
    }

    /// For `import`, with the module in a separate file.
    fn module(&self) -> String {
        let Self { beside, wasm, .. } = self;
        // Bundlers detect exactly this expression, and bundle the file.
        let locate = format!("() => new URL(\"./{MODULE}\", import.meta.url)");
        let size = wasm.len();
        self.exporting(&format!(
            "{beside}\nconst getBytes = () => fetchModule({locate}, {size});\n"
        ))
    }

    fn inside(&self) -> String {
        let Self { inside, wasm, .. } = self;
        let text = BASE64_STANDARD.encode(wasm);
        format!("{inside}\nconst getBytes = () => decoded(\"{text}\");\n")
    }

    fn exporting(&self, bytes: &str) -> String {
        let Self { version, .. } = self;
        let api = self.expression(bytes);
        format!(
            "{}const {{ VideoRTC, VideoRTCError }} = /* @__PURE__ */ {api};\n\n\
             export {{ VideoRTC, VideoRTCError }};\nexport default VideoRTC;\n",
            banner(version),
        )
    }

    /// A function that is called immediately and returns the public classes; everything else is
    /// private.
    fn expression(&self, bytes: &str) -> String {
        let Self { version, shared, .. } = self;
        format!(
            "(function () {{\n\"use strict\";\n\n{shared}\n{bytes}\n\
             return createApi(\"{version}\", createLoad(getBytes, instantiate));\n}})()"
        )
    }
}

fn banner(version: &str) -> String {
    format!("/*! videortc {version} | MIT License */\n")
}

/// A part of `pkg-template/` without its `import` and `export` keywords.
fn joinable(part: &str) -> String {
    part.lines()
        .filter(|line| !line.starts_with("import "))
        .map(|line| format!("{}\n", line.strip_prefix("export ").unwrap_or(line)))
        .collect()
}

/// Compiles the library in cargo's folder `target` and returns the path of the module.
fn compile(workspace: &Workspace, profile: Profile, target: &Path) -> Result<PathBuf> {
    let mut build = workspace.cargo("build").args(["--package", "videortc", "--lib"]);
    build = build.args(["--target", WASM_TARGET, "--config", &flags(workspace)?]);
    build = build.arg("--target-dir").arg(target);
    // They would replace our flags.
    build = build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            build = build.arg("--release");
            "release"
        }
    };
    process::run(build, limit())?;
    Ok(target.join(WASM_TARGET).join(folder).join(MODULE))
}

/// The flags that remove local paths from the module, which panic messages would contain.
fn flags(workspace: &Workspace) -> Result<String> {
    let shell = &workspace.shell;
    // If the sources of the standard library are installed, messages contain their local path;
    // otherwise this one.
    let sysroot = cmd!(shell, "rustc --print sysroot").quiet().read()?;
    let version = cmd!(shell, "rustc --version --verbose").quiet().read()?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let standard = format!(
        "{}=/rustc/{}",
        Path::new(&sysroot).join("lib/rustlib/src/rust").display(),
        commit.context("rustc told no commit")?
    );
    let folders = workspace.source_folders();
    let folders = folders.iter().map(|folder| format!("{}=", folder.display()));
    let flags: Vec<String> = folders
        .chain([standard])
        .map(|replacement| format!("--remap-path-prefix={replacement}"))
        .collect();
    // A JSON array of strings is a valid TOML array.
    Ok(format!("target.{WASM_TARGET}.rustflags={}", serde_json::to_string(&flags)?))
}

/// The bindings and the module. The bindings are those that wasm-bindgen generates for a script
/// tag, in a function that creates them for each instance. The function shadows `WebAssembly` with
/// the guard's, and `document` with nothing: otherwise the bindings would look for the address of
/// the running script.
fn bindgen(wasm: &Path, folder: &Path) -> Result<(String, Vec<u8>)> {
    Bindgen::new()
        .input_path(wasm)
        .out_name("videortc")
        .no_modules(true)?
        .typescript(false)
        .remove_producers_section(true)
        .generate(folder)?;
    let script = fs::read_to_string(folder.join("videortc.js"))?;
    let bindings = format!(
        "// The bindings between JavaScript and WebAssembly, written by wasm-bindgen.\n\
         function bindings(WebAssembly, document) {{\n{script}\nreturn wasm_bindgen;\n}}\n"
    );
    Ok((bindings, fs::read(folder.join("videortc_bg.wasm"))?))
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

/// The minified text and its source map, which refers to `source`: a shipped file, or embedded in
/// the map.
fn minified(
    workspace: &Workspace,
    programs: &Path,
    name: &str,
    source: &str,
    text: &str,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let folder = emptied(workspace.target("xtask/minify"))?;
    fs::write(folder.join(source), text)?;
    let shell = &workspace.shell;
    let _here = shell.push_dir(&folder);
    let esbuild = programs.join("esbuild");
    let is_shipped = source == "videortc.js";
    let options = [
        "--minify".to_owned(),
        format!("--target={SYNTAX}"),
        "--legal-comments=inline".to_owned(),
        "--sourcemap".to_owned(),
        format!("--sources-content={}", !is_shipped),
        format!("--outfile={name}"),
        "--log-level=warning".to_owned(),
    ];
    process::run(cmd!(shell, "{esbuild} {source} {options...}"), limit())?;
    Ok((fs::read(folder.join(name))?, fs::read(folder.join(format!("{name}.map")))?))
}

/// Loads each file under Node, which has no document and no window, as in server-side rendering.
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

/// Creates an empty folder.
pub(crate) fn emptied(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Copies a folder over another, except the files that npm installed.
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
    fn the_gateway_is_written_as_a_javascript_string() {
        assert_eq!(config(None), "window.VIDEORTC_GATEWAY = location.origin + \"/janus\";\n");
        let hostile = config(Some("https://a/\"+alert(1)+\"\\"));
        assert_eq!(hostile, "window.VIDEORTC_GATEWAY = \"https://a/\\\"+alert(1)+\\\"\\\\\";\n");
    }

    #[test]
    fn parts_are_joined_without_imports_and_exports() {
        let part = "// Why.\n\nimport { a } from \"./a.js\";\n\nexport function b() {\n  a();\n}\n";
        assert_eq!(joinable(part), "// Why.\n\n\nfunction b() {\n  a();\n}\n");
    }

    /// The joined parts share one scope: a part must find its imports, and no two parts may define
    /// the same name.
    #[test]
    fn parts_define_each_name_once_and_before_it_is_imported() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pkg-template");
        let mut defined = vec!["bindings".to_owned()];
        for part in PARTS.iter().chain(&["beside", "inside"]) {
            let text = fs::read_to_string(folder.join(format!("{part}.js"))).expect("a part");
            for line in text.lines().filter_map(|line| line.strip_prefix("import { ")) {
                let (names, _) = line.split_once(" }").expect("names");
                for name in names.split(", ") {
                    assert!(
                        defined.iter().any(|known| known == name),
                        "{part}: no {name} before it"
                    );
                }
            }
            for line in joinable(&text).lines() {
                let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                let words = words.by_ref().filter(|word| *word != "async");
                let words: Vec<&str> = words.take(2).collect();
                if let ["const" | "let" | "class" | "function", name] = words.as_slice() {
                    assert!(!defined.iter().any(|known| known == name), "{part}: a second {name}");
                    defined.push((*name).to_owned());
                }
            }
        }
    }

    #[test]
    fn every_form_has_the_same_names_and_its_own_way_to_the_module() {
        let parts = Parts {
            version: "1.2.3".into(),
            shared: "function createApi() {}\n".into(),
            beside: "function fetchModule() {}\n".into(),
            inside: "function decoded() {}\n".into(),
            wasm: b"\0asm".to_vec(),
        };
        let (script, inline, module) = (parts.script(), parts.inline_module(), parts.module());
        assert!(script.starts_with("/*! videortc 1.2.3 | MIT License */\nvar { VideoRTC, "));
        assert!(script.contains("decoded(\"AGFzbQ==\")") && !script.contains("import.meta"));
        assert!(inline.contains("decoded(\"AGFzbQ==\")") && !inline.contains("import.meta"));
        assert!(module.contains("new URL(\"./videortc.wasm\", import.meta.url), 4)"));
        assert!(!module.contains("AGFzbQ=="));
        for text in [&inline, &module] {
            assert!(text.ends_with("export default VideoRTC;\n"));
        }
        // The map of inline.js refers to videortc.js.
        assert!(
            inline.lines().zip(script.lines()).skip(2).take(9).all(|(one, other)| one == other)
        );
    }
}
