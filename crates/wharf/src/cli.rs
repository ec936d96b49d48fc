//! The command line of `wharf`: what may be said, and the texts of `--help`.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::dlq::DlqCommand;

const EXIT_CODES: &str = "\
Exit codes:
  0    done (all commands but those that run a worker)
  1    a plugin was refused or does not exist; a distributed worker can no longer be a member of its group;
       cluster: something does not run as it should; migrate check: something cannot move;
       dlq: not all was sent, or some failed again, or there is no such record
  2    the command line, the worker file or a setting is wrong, Kafka cannot be reached, an address is taken;
       cluster, migrate check, dlq: what was to be looked at is not there, or nothing was begun
  3    the worker could not start, or a connector file could not be read or its connector not be created
  130  stopped by SIGINT, after an orderly stop
  143  stopped by SIGTERM, after an orderly stop";

const ENVIRONMENT: &str = "\
Environment:
  WHARF_LOG  levels of the log, by default `info`. A list of `level` (for everything) and `logger=level`, where a logger
             is one of Connect's or a module of Wharf: WHARF_LOG=info,org.apache.kafka.connect=debug
             While the worker runs, levels are changed at PUT /admin/loggers/{logger}.";

const STANDALONE_HELP: &str = "\
Examples:
  wharf standalone config/connect-standalone.properties
  wharf standalone config/connect-standalone.properties source.properties sink.json
  curl localhost:8083/connectors

Connector files may be Java properties, a JSON object of settings (both with a `name`), or the JSON of
POST /connectors. They are created one after another; the first that fails ends the worker with exit code 3.
Connectors that are created over REST are forgotten when a standalone worker ends, offsets are not.

Signals:
  SIGTERM and SIGINT stop tasks and connectors, commit their offsets, and end the worker. That takes at most
  `task.shutdown.graceful.timeout.ms` and a few seconds. A second signal ends it at once.";

const DISTRIBUTED_HELP: &str = "\
Example:
  wharf distributed config/connect-distributed.properties

Workers whose files name the same `group.id` share the work; configurations, source offsets and states are in three topics
of the Kafka cluster. Connectors are created over REST, on any worker of the group:
  curl -X POST -H 'Content-Type: application/json' localhost:8083/connectors -d @connector.json

Signals:
  SIGTERM and SIGINT stop this worker's tasks and connectors, commit their offsets, and leave the group, which gives the
  work to the others. A second signal ends it at once; the others then wait for `session.timeout.ms`.";

const CLUSTER_HELP: &str = "\
Examples:
  wharf cluster config/connect-distributed.properties
  wharf cluster config/connect-distributed.properties --json | jq '.findings[] | select(.is_problem)'

The workers may be JVM workers, Wharf workers or both. The file is that of any of them; what counts are the brokers with
their security settings, `group.id` and the three topics. The command is no member of the group and writes nothing. It
asks the workers at the URLs by which they know each other.

Exits with 0 when everything runs as it should, with 1 when something does not (runs twice or nowhere, has failed, a status
contradicts the assignment), with 2 when Kafka cannot be asked or there is no such group.";

const MIGRATE_CHECK_HELP: &str = "\
Examples:
  wharf migrate check config/connect-distributed.properties
  wharf migrate check config/connect-distributed.properties --json | jq '.connectors[] | select(.can_move | not)'

The file is the one that a native worker would get: that of the JVM workers, with the folders of native plugins in
`plugin.path`. The command reads the group's three topics, whether or not its workers run; it is no member of the group
and writes nothing. Values of secret keys are not shown.

Exits with 0 when everything can move, with 1 when something cannot, with 2 when Kafka cannot be asked or the config topic
is not there.";

/// Kafka Connect as one native binary.
#[derive(Debug, Parser)]
#[command(
    name = "wharf",
    version,
    about = "Kafka Connect as one native binary",
    long_about = "Kafka Connect as one native binary: the same worker files, connector files and REST API, with plugins \
                  as shared libraries.\n\nUnder the names connect-standalone, connect-distributed and \
                  connect-plugin-path (with or without .sh) it takes the arguments of these scripts.",
    after_help = EXIT_CODES,
    after_long_help = format!("{ENVIRONMENT}\n\n{EXIT_CODES}"),
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a worker that keeps everything on this machine.
    #[command(after_long_help = format!("{STANDALONE_HELP}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}"), after_help = STANDALONE_HELP)]
    Standalone(StandaloneArgs),
    /// Run a worker of a group that keeps everything in Kafka.
    #[command(after_long_help = format!("{DISTRIBUTED_HELP}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}"), after_help = DISTRIBUTED_HELP)]
    Distributed(DistributedArgs),
    /// Show a group of workers: its members, who runs what, and what is wrong.
    #[command(after_help = CLUSTER_HELP)]
    Cluster(LookArgs),
    /// Move a group of JVM workers to this worker.
    #[command(subcommand, arg_required_else_help = true)]
    Migrate(MigrateCommand),
    /// Look at dead letters, and send them again.
    #[command(subcommand, arg_required_else_help = true)]
    Dlq(Box<DlqCommand>),
    /// List, check and describe plugins.
    #[command(subcommand, arg_required_else_help = true)]
    Plugin(PluginCommand),
    /// Print the reference of a worker's settings.
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),
    /// Print a completion script for a shell.
    #[command(after_help = "\
Examples:
  wharf completion bash > /etc/bash_completion.d/wharf
  wharf completion zsh > \"${fpath[1]}/_wharf\"
  wharf completion fish > ~/.config/fish/completions/wharf.fish")]
    Completion {
        /// The shell.
        shell: Shell,
    },
}

/// `wharf standalone`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct StandaloneArgs {
    /// Worker file, Java properties. An empty text stands for no properties.
    // clap's own parser of paths refuses an empty one, which upstream's script takes
    #[arg(value_name = "WORKER.properties", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) worker_file: PathBuf,
    /// Files of connectors to create at start.
    #[arg(value_name = "CONNECTOR.properties|.json")]
    pub(crate) connector_files: Vec<PathBuf>,
}

/// `wharf distributed`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct DistributedArgs {
    /// Worker file, Java properties. An empty text stands for no properties.
    #[arg(value_name = "WORKER.properties", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) worker_file: PathBuf,
}

/// `wharf cluster` and `wharf migrate check`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct LookArgs {
    /// Worker file of the group, Java properties.
    #[arg(value_name = "WORKER.properties")]
    pub(crate) worker_file: PathBuf,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Say of every connector of a group whether it can run on native workers, and what would change.
    #[command(after_help = MIGRATE_CHECK_HELP)]
    Check(LookArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List all plugins as a tab-separated table. Libraries that are refused are named on standard error.
    #[command(after_help = "\
Examples:
  wharf plugin list --worker-config config/connect-standalone.properties
  wharf plugin list --plugin-path target/release/plugins | column -t -s \"$(printf '\\t')\"")]
    List(PluginSources),
    /// Check whether a worker would load a plugin library, by loading it in a process of its own.
    #[command(
        after_help = "Exits with 1 and one line that says why when the library is refused. Made for a plugin's CI:\n  \
                            wharf plugin verify target/release/libmy_plugin.so"
    )]
    Verify {
        /// The shared library.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Describe a plugin: its versions, location and settings.
    #[command(
        after_help = "Example:\n  wharf plugin info FileStreamSource --plugin-path target/release/plugins"
    )]
    Info {
        /// Class name or alias.
        class: String,
        /// Where to look for plugins.
        #[command(flatten)]
        sources: PluginSources,
    },
}

/// Where plugins are; all given places count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct PluginSources {
    /// Folders with plugins, comma-separated, as in `plugin.path`; may be repeated.
    #[arg(long, value_name = "FOLDER,…", value_delimiter = ',')]
    pub(crate) plugin_path: Vec<PathBuf>,
    /// One plugin library, or the folder of one plugin; may be repeated.
    #[arg(long, value_name = "PLACE")]
    pub(crate) plugin_location: Vec<PathBuf>,
    /// Worker file whose `plugin.path` counts; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) worker_config: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// All keys of a standalone worker, and what this build does with them, as a Markdown table.
    Standalone,
    /// All keys of a distributed worker, and what this build does with them, as a Markdown table.
    Distributed,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_worker_file_and_connector_files_are_read() {
        let cli =
            Cli::try_parse_from(["wharf", "standalone", "w.properties", "a.json", "b.properties"]).unwrap();
        let Command::Standalone(args) = cli.command else {
            panic!("another command")
        };
        assert_eq!(args.worker_file, PathBuf::from("w.properties"));
        assert_eq!(
            args.connector_files,
            [PathBuf::from("a.json"), PathBuf::from("b.properties")]
        );
    }

    #[test]
    fn a_distributed_worker_takes_its_file_and_nothing_else() {
        let read = |line: &[&str]| Cli::try_parse_from(line);
        let cli = read(&["wharf", "distributed", "w.properties"]).unwrap();
        let Command::Distributed(args) = cli.command else {
            panic!("another command")
        };
        assert_eq!(args.worker_file, PathBuf::from("w.properties"));
        assert!(read(&["wharf", "distributed"]).is_err());
        assert!(read(&["wharf", "distributed", "w.properties", "c.json"]).is_err());
    }

    #[test]
    fn commands_that_look_take_a_worker_file_and_perhaps_json() {
        let read = |line: &[&str]| Cli::try_parse_from(line);
        let Command::Cluster(args) = read(&["wharf", "cluster", "w.properties"]).unwrap().command else {
            panic!("another command")
        };
        let (worker_file, json) = (PathBuf::from("w.properties"), false);
        assert_eq!(args, LookArgs { worker_file, json });
        let line = ["wharf", "migrate", "check", "--json", "w.properties"];
        let Command::Migrate(MigrateCommand::Check(args)) = read(&line).unwrap().command else {
            panic!("another command")
        };
        assert!(args.json);
        for line in [
            &["wharf", "cluster"][..],
            &["wharf", "migrate"],
            &["wharf", "cluster", "w", "x"],
        ] {
            assert!(read(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn plugin_places_are_gathered() {
        let line = [
            "wharf",
            "plugin",
            "list",
            "--plugin-path",
            "a,b",
            "--plugin-path",
            "c",
            "--worker-config",
            "w",
        ];
        let Command::Plugin(PluginCommand::List(sources)) = Cli::try_parse_from(line).unwrap().command else {
            panic!("another command")
        };
        assert_eq!(sources.plugin_path, ["a", "b", "c"].map(PathBuf::from));
        assert_eq!(sources.worker_config, [PathBuf::from("w")]);
    }

    #[test]
    fn help_names_signals_environment_and_exit_codes() {
        let help = Cli::command()
            .find_subcommand_mut("standalone")
            .unwrap()
            .render_long_help()
            .to_string();
        for part in ["SIGTERM", "A second signal", "WHARF_LOG=info", "143", "Examples:"] {
            assert!(help.contains(part), "{part}");
        }
    }
}
