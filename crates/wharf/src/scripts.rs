//! The names of upstream's scripts: what a call by such a name, with these arguments, asks for.
//!
//! A link named like a script must take what the script takes, and fail as it fails, so these are not clap commands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::{DistributedArgs, PluginSources, StandaloneArgs};
use crate::output::complain;

const STANDALONE_USAGE: &str =
    "[-daemon] connect-standalone.properties [connector1.properties connector2.json ...]";

const DISTRIBUTED_USAGE: &str = "[-daemon] connect-distributed.properties";

const PLUGIN_PATH_USAGE: &str = "\
{list|sync-manifests} [options]
  --plugin-location PLACE  one plugin library, or the folder of one plugin
  --plugin-path P,P        folders with plugins, as in plugin.path
  --worker-config FILE     worker file whose plugin.path counts
  --dry-run                (sync-manifests) change nothing
  --keep-not-found         (sync-manifests) keep manifests of plugins that are gone
At least one place is needed; options may be repeated.";

/// What a call asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The ordinary command line.
    Wharf,
    /// Run a standalone worker.
    Standalone(StandaloneArgs),
    /// Run a distributed worker.
    Distributed {
        /// Its arguments.
        args: DistributedArgs,
        /// What the script takes without looking at it.
        ignored: Vec<OsString>,
    },
    /// List plugins.
    ListPlugins(PluginSources),
    /// Upstream's service manifests, which native plugins do not have: nothing to do.
    SyncManifests {
        /// The places, which must exist.
        sources: PluginSources,
        /// Say so.
        dry_run: bool,
    },
    /// Print this and end with code 1.
    Usage(String),
}

/// Reads a command line, program name first.
pub(crate) fn read(args: &[OsString]) -> Request {
    let program = args
        .first()
        .map(Path::new)
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    let rest = args.get(1..).unwrap_or_default();
    match program.strip_suffix(".sh").unwrap_or(&program) {
        "connect-standalone" => standalone(&program, rest),
        "connect-distributed" => distributed(&program, rest),
        "connect-plugin-path" => plugin_path(&program, rest),
        _ => Request::Wharf,
    }
}

fn standalone(program: &str, args: &[OsString]) -> Request {
    match worker_script(program, STANDALONE_USAGE, args) {
        Ok((worker_file, connectors)) => Request::Standalone(StandaloneArgs {
            worker_file,
            connector_files: connectors.iter().map(PathBuf::from).collect(),
        }),
        Err(text) => Request::Usage(text),
    }
}

fn distributed(program: &str, args: &[OsString]) -> Request {
    match worker_script(program, DISTRIBUTED_USAGE, args) {
        Ok((worker_file, ignored)) => Request::Distributed {
            args: DistributedArgs { worker_file },
            ignored: ignored.to_vec(),
        },
        Err(text) => Request::Usage(text),
    }
}

/// What the scripts of both kinds of worker have in common: the worker file, and what follows it.
fn worker_script<'a>(
    program: &str,
    usage: &str,
    args: &'a [OsString],
) -> Result<(PathBuf, &'a [OsString]), String> {
    if args.first().is_some_and(|arg| arg == "-daemon") {
        return Err(format!(
            "{program}: -daemon is not supported: run the worker under systemd or another supervisor, or in the \
             background with `nohup {program} … > connect.log 2>&1 &`"
        ));
    }
    match args.split_first() {
        Some((worker, others)) if args.iter().all(|arg| arg != "--help") => Ok((worker.into(), others)),
        _ => Err(format!("USAGE: {program} {usage}")),
    }
}

/// Upstream's script of a distributed worker takes connector files too, and does nothing with them.
pub(crate) fn complain_of_ignored(arguments: &[OsString]) {
    if !arguments.is_empty() {
        let list: Vec<_> = arguments
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect();
        complain(format_args!(
            "a distributed worker takes a worker file only, these arguments have no effect: {}; create connectors by POST \
             /connectors",
            list.join(" ")
        ));
    }
}

fn plugin_path(program: &str, args: &[OsString]) -> Request {
    read_plugin_path(args).unwrap_or_else(|mistake| {
        let mistake = mistake.map_or_else(String::new, |mistake| format!("{program}: {mistake}\n"));
        Request::Usage(format!("{mistake}USAGE: {program} {PLUGIN_PATH_USAGE}"))
    })
}

fn read_plugin_path(args: &[OsString]) -> Result<Request, Option<String>> {
    let (command, options) = args.split_first().ok_or(None)?;
    let sync = match command.to_str() {
        Some("list") => false,
        Some("sync-manifests") => true,
        Some("--help" | "-h") => return Err(None),
        _ => return Err(Some(format!("unknown command '{}'", command.to_string_lossy()))),
    };
    let (mut sources, mut dry_run) = (PluginSources::default(), false);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let text = option.to_string_lossy();
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (&*text, None),
        };
        let mut value = || {
            inline
                .clone()
                .or_else(|| options.next().cloned())
                .ok_or_else(|| Some(format!("{name} needs a value")))
        };
        match name {
            "--plugin-location" => sources.plugin_location.push(value()?.into()),
            "--worker-config" => sources.worker_config.push(value()?.into()),
            "--plugin-path" => {
                let value = value()?;
                let folders = value.to_string_lossy();
                sources.plugin_path.extend(
                    folders
                        .split(',')
                        .map(str::trim)
                        .filter(|folder| !folder.is_empty())
                        .map(PathBuf::from),
                );
            }
            "--dry-run" if sync => dry_run = true,
            "--keep-not-found" if sync => {}
            "--help" | "-h" => return Err(None),
            _ => return Err(Some(format!("unknown option '{text}'"))),
        }
    }
    if sources == PluginSources::default() {
        return Err(Some(
            "at least one of --plugin-location, --plugin-path and --worker-config is needed".to_owned(),
        ));
    }
    Ok(if sync {
        Request::SyncManifests { sources, dry_run }
    } else {
        Request::ListPlugins(sources)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &[&str]) -> Request {
        read(&line.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn usage(line: &[&str]) -> String {
        match call(line) {
            Request::Usage(text) => text,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn the_name_of_the_program_decides() {
        assert_eq!(call(&["/opt/bin/wharf", "standalone", "w"]), Request::Wharf);
        assert_eq!(call(&[]), Request::Wharf);
        for name in ["connect-standalone", "/opt/kafka/bin/connect-standalone.sh"] {
            let expected = StandaloneArgs {
                worker_file: "w".into(),
                connector_files: vec!["a".into(), "b".into()],
            };
            assert_eq!(call(&[name, "w", "a", "b"]), Request::Standalone(expected));
        }
    }

    #[test]
    fn an_empty_first_argument_means_no_properties() {
        let expected = StandaloneArgs {
            worker_file: "".into(),
            connector_files: vec![],
        };
        assert_eq!(
            call(&["connect-standalone.sh", ""]),
            Request::Standalone(expected)
        );
    }

    #[test]
    fn usage_is_shown_without_arguments_and_for_help_anywhere() {
        for line in [
            &["connect-standalone.sh"][..],
            &["connect-standalone.sh", "--help"],
            &["connect-standalone.sh", "w", "--help"],
        ] {
            assert!(
                usage(line)
                    .starts_with("USAGE: connect-standalone.sh [-daemon] connect-standalone.properties")
            );
        }
    }

    #[test]
    fn the_distributed_script_takes_a_worker_file_and_passes_over_the_rest() {
        for name in ["connect-distributed", "/opt/kafka/bin/connect-distributed.sh"] {
            let expected = Request::Distributed {
                args: DistributedArgs {
                    worker_file: "w".into(),
                },
                ignored: vec!["a.json".into()],
            };
            assert_eq!(call(&[name, "w", "a.json"]), expected);
        }
        for line in [
            &["connect-distributed.sh"][..],
            &["connect-distributed.sh", "w", "--help"],
        ] {
            assert_eq!(
                usage(line),
                "USAGE: connect-distributed.sh [-daemon] connect-distributed.properties"
            );
        }
    }

    #[test]
    fn daemon_mode_is_refused_with_a_remedy() {
        for name in ["connect-standalone", "connect-distributed"] {
            let text = usage(&[name, "-daemon", "w"]);
            assert!(text.contains("systemd") && text.contains("nohup"), "{text}");
        }
    }

    #[test]
    fn plugin_path_commands_are_read() {
        let sources = PluginSources {
            plugin_path: vec!["a".into(), "b".into()],
            plugin_location: vec!["c.so".into()],
            worker_config: vec!["w".into()],
        };
        let places = [
            "--plugin-path",
            "a, b",
            "--plugin-location=c.so",
            "--worker-config",
            "w",
        ];
        let list = [&["connect-plugin-path.sh", "list"][..], &places].concat();
        assert_eq!(call(&list), Request::ListPlugins(sources.clone()));
        let sync = [
            &[
                "connect-plugin-path",
                "sync-manifests",
                "--dry-run",
                "--keep-not-found",
            ][..],
            &places,
        ]
        .concat();
        assert_eq!(
            call(&sync),
            Request::SyncManifests {
                sources,
                dry_run: true
            }
        );
    }

    #[test]
    fn mistakes_of_plugin_path_are_named_above_the_usage() {
        let cases: &[(&[&str], &str)] = &[
            (&[], "USAGE"),
            (&["--help"], "USAGE"),
            (&["remove"], "connect-plugin-path: unknown command 'remove'"),
            (&["list"], "connect-plugin-path: at least one of"),
            (
                &["list", "--dry-run"],
                "connect-plugin-path: unknown option '--dry-run'",
            ),
            (
                &["list", "--plugin-path"],
                "connect-plugin-path: --plugin-path needs a value",
            ),
        ];
        for (args, start) in cases {
            let text = usage(&[&["connect-plugin-path"], *args].concat());
            assert!(
                text.starts_with(start) && text.contains("sync-manifests"),
                "{args:?}: {text}"
            );
        }
    }
}
