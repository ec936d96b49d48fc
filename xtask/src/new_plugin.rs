//! `cargo xtask new-plugin`: a plugin crate that compiles, passes the suites of wharf-testkit and moves records at once.
//!
//! What it writes are the files of `templates/new-plugin`, which are Rust that is compiled by a test, with the name put in
//! place of `example`. `docs/plugin-authoring.md` shows the same files; a test compares them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::prelude::{Long, Value};
use lexopt::{Parser, ValueExt as _};

use crate::project;

const SOURCE: &str = include_str!("../templates/new-plugin/src/source.rs");
const SINK: &str = include_str!("../templates/new-plugin/src/sink.rs");
const SOURCE_TEST: &str = include_str!("../templates/new-plugin/tests/source.rs");
const SINK_TEST: &str = include_str!("../templates/new-plugin/tests/sink.rs");
const SOURCE_PROPERTIES: &str = include_str!("../templates/new-plugin/source.properties");
const SINK_PROPERTIES: &str = include_str!("../templates/new-plugin/sink.properties");

/// Which connectors the new plugin has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// A source.
    #[default]
    Source,
    /// A sink.
    Sink,
    /// One of each.
    Both,
}

impl Kind {
    fn source(self) -> bool {
        self != Self::Sink
    }

    fn sink(self) -> bool {
        self != Self::Source
    }
}

/// `new-plugin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewPlugin {
    /// The plugin's name, as in `plugins/NAME`.
    name: String,
    kind: Kind,
    /// The folder to make, for a crate outside this workspace.
    path: Option<PathBuf>,
}

/// Reads the arguments after the verb.
pub(crate) fn parse(mut parser: Parser) -> Result<NewPlugin> {
    let (mut name, mut kind, mut path) = (None, None, None);
    while let Some(arg) = parser.next()? {
        let chosen = match arg {
            Long("source") => Kind::Source,
            Long("sink") => Kind::Sink,
            Long("both") => Kind::Both,
            Long("path") => {
                path = Some(PathBuf::from(parser.value()?));
                continue;
            }
            Value(word) if name.is_none() => {
                name = Some(word.string()?);
                continue;
            }
            other => return Err(other.unexpected().into()),
        };
        if kind.replace(chosen).is_some_and(|before| before != chosen) {
            bail!("choose one of --source, --sink and --both");
        }
    }
    let name = name.context("give the new plugin a name: `new-plugin NAME`")?;
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    ensure!(
        name.starts_with(|letter: char| letter.is_ascii_lowercase())
            && name.chars().all(fits)
            && !name.ends_with('-')
            && !name.contains("--"),
        "`{name}` cannot be a plugin's name: use small letters, digits and single dashes, such as `redis-stream`"
    );
    Ok(NewPlugin {
        name,
        kind: kind.unwrap_or_default(),
        path,
    })
}

/// The verb.
pub(crate) fn run(options: &NewPlugin) -> Result<()> {
    let inside = project::root().join("plugins").join(&options.name);
    let folder = options.path.as_ref().unwrap_or(&inside);
    ensure!(
        !folder.exists(),
        "{} exists already; choose another name, or --path DIR",
        folder.display()
    );
    let made = files(options, &project::root());
    for (file, text) in &made {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("wrote {}:", folder.display());
    made.iter().for_each(|(file, _)| println!("  {file}"));
    match &options.path {
        None => println!(
            "next: cargo test -p wharf-{}, then cargo xtask build",
            options.name
        ),
        Some(path) => println!(
            "next: cd {} && cargo test && cargo build --release",
            path.display()
        ),
    }
    Ok(())
}

/// The files of the new crate.
fn files(options: &NewPlugin, workspace: &Path) -> Vec<(String, String)> {
    let named = |text: &str| renamed(text, options);
    let mut files = vec![
        ("Cargo.toml".to_owned(), manifest(options, workspace)),
        ("src/lib.rs".to_owned(), named(&library(options.kind))),
    ];
    let mut add = |file: String, text: &str| files.push((file, named(text)));
    if options.kind.source() {
        add("src/source.rs".to_owned(), SOURCE);
        add("tests/source.rs".to_owned(), SOURCE_TEST);
        add(
            format!("config/{}-source.properties", options.name),
            SOURCE_PROPERTIES,
        );
    }
    if options.kind.sink() {
        add("src/sink.rs".to_owned(), SINK);
        add("tests/sink.rs".to_owned(), SINK_TEST);
        add(
            format!("config/{}-sink.properties", options.name),
            SINK_PROPERTIES,
        );
    }
    files
}

fn crate_name(options: &NewPlugin) -> String {
    match options.path {
        None => format!("wharf-{}", options.name),
        Some(_) => options.name.clone(),
    }
}

fn renamed(text: &str, options: &NewPlugin) -> String {
    let camel: String = options
        .name
        .split('-')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        })
        .collect();
    let library = crate_name(options).replace('-', "_");
    text.replace("example::wharf_plugin", &format!("{library}::wharf_plugin"))
        .replace("Example", &camel)
        .replace("example", &options.name)
}

fn library(kind: Kind) -> String {
    let mut text = String::from("//! The example plugin.\n\n");
    let mut classes = String::new();
    for (wanted, module, class) in [
        (kind.sink(), "sink", "ExampleSink"),
        (kind.source(), "source", "ExampleSource"),
    ] {
        if wanted {
            text.push_str(&format!("pub mod {module};\n"));
            classes.push_str(&format!(
                "    {module}_connector {module}::{class} {{ class: \"{class}\", task_class: \"{class}Task\" }}\n"
            ));
        }
    }
    text.push_str(&format!("\nwharf_abi::export_plugins! {{\n{classes}}}\n"));
    text
}

fn manifest(options: &NewPlugin, workspace: &Path) -> String {
    let inherited = [
        "version",
        "edition",
        "rust-version",
        "license",
        "authors",
        "publish",
    ];
    let (package, lints): (String, &str) = match options.path {
        None => (
            inherited.map(|key| format!("{key}.workspace = true\n")).concat(),
            "[lints]\nworkspace = true\n\n",
        ),
        Some(_) => ("version = \"0.1.0\"\nedition = \"2024\"\n".to_owned(), ""),
    };
    let dependency = |name: &str, version: &str| match options.path {
        None => format!("{name} = {{ workspace = true }}\n"),
        Some(_) if version.is_empty() => {
            let path = workspace.join("crates").join(name);
            format!("{name} = {{ path = {:?} }}\n", path.display().to_string())
        }
        Some(_) => format!("{name} = \"{version}\"\n"),
    };
    let mut text = format!(
        "[package]\nname = \"{}\"\ndescription = \"Connectors for {}\"\n{package}\n{lints}[lib]\n\
         # cdylib is what the worker loads; rlib is what the tests link.\ncrate-type = [\"cdylib\", \"rlib\"]\n\n\
         [dependencies]\n{}{}\n[dev-dependencies]\n{}{}",
        crate_name(options),
        options.name,
        dependency("wharf-abi", ""),
        dependency("wharf-api", ""),
        dependency("tempfile", "3"),
        dependency("wharf-testkit", ""),
    );
    if options.path.is_some() {
        text.push_str("\n# A workspace of its own, wherever it lies.\n[workspace]\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::OnceLock;

    use wharf_e2e::{PATIENCE, Seen, Stage};
    use wharf_test_services::process::wait_until;

    use super::*;

    fn parsed(line: &str) -> Result<NewPlugin> {
        parse(Parser::from_args(line.split_whitespace()))
    }

    fn outside(name: &str, kind: Kind) -> NewPlugin {
        NewPlugin {
            name: name.to_owned(),
            kind,
            path: Some(PathBuf::from("/somewhere")),
        }
    }

    #[test]
    fn a_source_inside_the_workspace_is_the_default() {
        let expected = NewPlugin {
            name: "redis-stream".into(),
            kind: Kind::Source,
            path: None,
        };
        assert_eq!(parsed("redis-stream").unwrap(), expected);
        assert_eq!(parsed("--both x --path /tmp/x").unwrap().kind, Kind::Both);
        assert_eq!(parsed("x --sink").unwrap().kind, Kind::Sink);
    }

    #[test]
    fn names_and_choices_that_cannot_be_are_refused() {
        for line in [
            "",
            "Redis",
            "9lives",
            "a--b",
            "a-",
            "a b",
            "a_b",
            "x --sink --source",
            "x --fast",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_name_takes_the_place_of_example_everywhere() {
        for kind in [Kind::Source, Kind::Sink, Kind::Both] {
            let inside = NewPlugin {
                name: "redis-stream".into(),
                kind,
                path: None,
            };
            for options in [inside, outside("redis-stream", kind)] {
                for (file, text) in files(&options, Path::new("/w")) {
                    assert!(
                        !text.to_lowercase().contains("example") && !file.contains("example"),
                        "{file}:\n{text}"
                    );
                    assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "{file}");
                }
            }
        }
        let files = files(&outside("redis-stream", Kind::Both), Path::new("/w"));
        let library = &files.iter().find(|(file, _)| file == "src/lib.rs").unwrap().1;
        assert!(
            library.contains("class: \"RedisStreamSource\"") && library.contains("sink::RedisStreamSink"),
            "{library}"
        );
        let test = &files.iter().find(|(file, _)| file == "tests/sink.rs").unwrap().1;
        assert!(test.contains("redis_stream::wharf_plugin"), "{test}");
    }

    #[test]
    fn a_minimal_source_needs_at_most_sixty_lines_of_code() {
        let counted = |text: &str| {
            let code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
            text.lines().filter(code).count()
        };
        let lines = counted(SOURCE) + counted(&library(Kind::Source));
        assert!(lines <= 60, "{lines} lines");
    }

    #[test]
    fn the_guide_shows_the_files_that_are_written() {
        let guide = fs::read_to_string(project::root().join("docs/plugin-authoring.md")).unwrap();
        let files = files(&outside("example", Kind::Both), &project::root());
        let mut shown = 0;
        for part in guide.split("<!-- file: ").skip(1) {
            let (name, rest) = part.split_once(" -->").unwrap();
            let (_, block) = rest.split_once("```").unwrap();
            let (_, block) = block.split_once('\n').unwrap();
            let (block, _) = block.split_once("```").unwrap();
            let expected = match name {
                "src/lib.rs" => library(Kind::Source),
                name => files
                    .iter()
                    .find(|(file, _)| file == name)
                    .unwrap_or_else(|| panic!("no file {name}"))
                    .1
                    .clone(),
            };
            assert_eq!(
                block, expected,
                "{name} in docs/plugin-authoring.md is not what new-plugin writes"
            );
            shown += 1;
        }
        assert!(shown >= 4, "the guide shows only {shown} files");
    }

    /// What a newcomer gets, built and tested by cargo.
    struct Built {
        /// The new crate.
        folder: PathBuf,
        /// What `cargo test` said in it.
        report: String,
        file: PathBuf,
    }

    /// Builds it once for all tests here, in a folder that later runs find again.
    fn built() -> &'static Built {
        static BUILT: OnceLock<Built> = OnceLock::new();
        BUILT.get_or_init(|| {
            let folder = wharf_test_services::target_dir().join("new-plugin-test");
            let crate_folder = folder.join("crate");
            let _ = fs::remove_dir_all(&crate_folder);
            let options = NewPlugin {
                name: "wood-pecker".into(),
                kind: Kind::Both,
                path: Some(crate_folder.clone()),
            };
            run(&options).unwrap();
            assert!(run(&options).unwrap_err().to_string().contains("exists already"));
            // The versions of this workspace are those that are there without a network.
            fs::copy(
                project::root().join("Cargo.lock"),
                crate_folder.join("Cargo.lock"),
            )
            .unwrap();
            let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["test", "--offline"])
                .current_dir(&crate_folder)
                .env("CARGO_TARGET_DIR", folder.join("target"))
                // The lints of this workspace too, for a plugin that lies in it.
                .env(
                    "RUSTFLAGS",
                    "-D warnings -D missing_docs -D unreachable_pub -D unused_qualifications",
                )
                .output()
                .unwrap();
            let report = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{report}");
            Built {
                folder: crate_folder,
                report: report.into_owned(),
                file: folder.join("target/debug/deps/libwood_pecker.so"),
            }
        })
    }

    #[test]
    fn a_new_plugin_outside_the_workspace_compiles_and_passes_the_suites() {
        let report = &built().report;
        for test in [
            "the_source_passes_the_suite ... ok",
            "the_sink_passes_the_suite ... ok",
        ] {
            assert!(report.contains(test), "{test}: {report}");
        }
    }

    #[test]
    fn a_worker_moves_records_both_ways_by_a_new_plugin_and_its_example_files() {
        let Some(stage) = Stage::set_up("new-plugin") else {
            return;
        };
        let built = built();
        fs::copy(&built.file, stage.path("plugins").join("libwood_pecker.so")).unwrap();
        // Topic and connectors get names that no other test has; nothing else is changed.
        let name = stage.named("wood-pecker");
        let examples = ["source", "sink"].map(|kind| {
            let file = format!("wood-pecker-{kind}.properties");
            let text = fs::read_to_string(built.folder.join("config").join(&file)).unwrap();
            stage.write(&file, text.replace("wood-pecker", &name))
        });
        let kafka = stage.kafka();
        kafka.create_topic(&name, 1, &[]);
        let lines: Vec<String> = (0..2000).map(|number| format!("line {number}, grüße")).collect();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        stage.write("in.txt", &text);

        let worker = stage.start(&[("offset.flush.interval.ms", "100")], &examples);
        let listed = worker.get("/connector-plugins").to_string();
        for class in ["WoodPeckerSource", "WoodPeckerSink"] {
            assert!(listed.contains(&format!("\"class\":\"{class}\"")), "{listed}");
        }
        for kind in ["source", "sink"] {
            worker.until_states(&format!("{name}-{kind}"), &["RUNNING", "RUNNING"]);
        }
        let moved = wait_until(PATIENCE, || stage.read("out.txt").len() >= text.len());
        assert!(moved, "only {} bytes arrived", stage.read("out.txt").len());
        assert_eq!(String::from_utf8(stage.read("out.txt")).unwrap(), text);
        let seen: Vec<String> = kafka.reader(&name).read_to_end().iter().map(Seen::text).collect();
        assert_eq!(seen, lines);
        worker.until(
            &format!("/connectors/{name}-source/offsets"),
            "the offset of the last line is stored",
            |answer| answer["offsets"][0]["offset"]["lines"] == lines.len(),
        );
        assert_eq!(worker.terminate(), Some(143));
    }
}
