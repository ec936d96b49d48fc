//! What may be typed after `cargo xtask`, as types. Nothing else in this crate looks at the command line.

use std::ffi::OsString;

use anyhow::{Result, bail};
use lexopt::prelude::{Long, Short, Value};
use lexopt::{Parser, ValueExt as _};

use crate::new_plugin::{self, NewPlugin};

/// Shown for `help` and after a mistake.
pub(crate) const HELP: &str = "\
cargo xtask VERB

  build [--release]            build the worker and all plugins; plugin libraries go to target/<profile>/plugins
  demo [--release] [--keep]    run a worker against an embedded broker, move a file through a topic, check the result;
                               --keep leaves it running and prints how to reach and stop it
  demo jdbc                    move a table of a real PostgreSQL server through a topic into one of SQLite, check it
  test [--require-services] [-- ARGS]
                               run all tests, with a real Kafka broker where this machine can have one;
                               ARGS go to `cargo test`: a part of a test's name, or -p CRATE
  conformance [OPTIONS]        run the conformance scenarios against JVM Kafka Connect and this worker; --help says more
  oracle [OPTIONS]             ask the JVM classes for the answers that converters are compared with; --help says more
  chaos [--minutes N] [--seed N] [OPTIONS]
                               kill, freeze and stop workers of a group and restart their broker at random, count lost
                               records; --help says more
  bench [--quick] [OPTIONS]    measure this worker beside bare librdkafka and JVM Kafka Connect; --help says more
  new-plugin NAME [--source|--sink|--both] [--path DIR]
                               write a plugin crate that works, in plugins/NAME or, outside this workspace, in DIR
  services start kafka [--port N]
                               start a real Kafka broker in the background, on a free port unless told
  services stop [kafka]        stop it
  services status              say what is running and what is fetched
  services fetch [NAME ...]    fetch the jars of kafka, connect, connect-file, connect-mirror; all when none is named
  tidy                         check the tree against the rules of the house
  help                         this text
";

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print [`HELP`].
    Help,
    /// Build worker and plugins.
    Build(Build),
    /// Show the whole flow and check it.
    Demo(Demo),
    /// A verb with a program of its own, which reads its own arguments.
    Program(Program),
    /// Write a new plugin crate.
    NewPlugin(NewPlugin),
    /// Manage real services.
    Services(Services),
    /// Run all tests.
    Test(Test),
    /// Check the tree.
    Tidy,
}

/// Cargo's two profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Profile {
    /// Quick to build.
    #[default]
    Dev,
    /// What is shipped.
    Release,
}

/// `build`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Build {
    /// What to build with.
    pub(crate) profile: Profile,
}

/// `demo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Demo {
    /// What to build with.
    pub(crate) profile: Profile,
    /// Leave broker and worker running at the end.
    pub(crate) keep: bool,
}

/// A program of this workspace below `tests/` that is a verb here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// The package, which is also the name of its binary.
    pub(crate) package: &'static str,
    /// What worker and plugins are built with before it runs.
    pub(crate) profile: Profile,
    /// Handed on as they are.
    pub(crate) args: Vec<OsString>,
}

/// `services`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Services {
    /// Start the one service that can be started by hand, Kafka.
    Start {
        /// Port for clients; a free one when `None`.
        port: Option<u16>,
    },
    /// Stop it.
    Stop,
    /// Say what there is.
    Status,
    /// Fetch bundles by name; all when empty.
    Fetch(Vec<String>),
}

/// `test`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Test {
    /// A service that cannot be had is a failure.
    pub(crate) require_services: bool,
    /// Handed to `cargo test`.
    pub(crate) args: Vec<OsString>,
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut parser = Parser::from_args(args);
    let verb = match parser.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(Command::Help),
        Some(Value(verb)) => verb.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    match verb.as_str() {
        "help" => Ok(Command::Help),
        "build" => {
            let mut build = Build::default();
            while let Some(arg) = parser.next()? {
                match arg {
                    Long("release") => build.profile = Profile::Release,
                    other => return Err(other.unexpected().into()),
                }
            }
            Ok(Command::Build(build))
        }
        "demo" => {
            let mut demo = Demo::default();
            while let Some(arg) = parser.next()? {
                match arg {
                    Long("release") => demo.profile = Profile::Release,
                    Long("keep") => demo.keep = true,
                    Value(name) if name == "jdbc" && demo == Demo::default() => {
                        return program("wharf-demo-jdbc", Profile::Dev, parser);
                    }
                    other => return Err(other.unexpected().into()),
                }
            }
            Ok(Command::Demo(demo))
        }
        "conformance" => program("wharf-conformance", Profile::Dev, parser),
        "oracle" => program("wharf-oracle", Profile::Dev, parser),
        "chaos" => program("wharf-chaos", Profile::Dev, parser),
        "bench" => program("wharf-bench", Profile::Release, parser),
        "new-plugin" => new_plugin::parse(parser).map(Command::NewPlugin),
        "services" => services(parser).map(Command::Services),
        "test" => test(parser).map(Command::Test),
        "tidy" => match parser.next()? {
            None => Ok(Command::Tidy),
            Some(other) => Err(other.unexpected().into()),
        },
        other => bail!("unknown verb `{other}`"),
    }
}

fn program(package: &'static str, profile: Profile, mut parser: Parser) -> Result<Command> {
    Ok(Command::Program(Program {
        package,
        profile,
        args: parser.raw_args()?.collect(),
    }))
}

fn services(mut parser: Parser) -> Result<Services> {
    let mut words = Vec::new();
    let mut port = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Long("port") => port = Some(parser.value()?.parse()?),
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    if port.is_some() && words.first() != Some(&"start") {
        bail!("--port belongs to `services start kafka`");
    }
    match words.as_slice() {
        ["start", "kafka"] => Ok(Services::Start { port }),
        ["stop"] | ["stop", "kafka"] => Ok(Services::Stop),
        ["status"] => Ok(Services::Status),
        ["fetch", names @ ..] => Ok(Services::Fetch(names.iter().map(|n| (*n).to_owned()).collect())),
        ["start"] => bail!("say what to start: `services start kafka`"),
        ["start" | "stop", other, ..] => bail!("unknown service `{other}`; there is kafka"),
        _ => bail!("say what to do with services: start, stop, status or fetch"),
    }
}

fn test(mut parser: Parser) -> Result<Test> {
    let mut test = Test::default();
    // Everything after `--` is cargo's; asked for before each argument because lexopt swallows the dashes.
    loop {
        if let Some(mut raw) = parser.try_raw_args()
            && raw.peek().is_some_and(|arg| arg == "--")
        {
            raw.next();
            test.args = raw.collect();
            return Ok(test);
        }
        match parser.next()? {
            None => return Ok(test),
            Some(Long("require-services")) => test.require_services = true,
            Some(Value(word)) => bail!("`{}`: arguments for cargo test go after `--`", word.display()),
            Some(other) => return Err(other.unexpected().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn every_verb_becomes_its_own_type() {
        let release = Profile::Release;
        let cases = [
            ("", Command::Help),
            ("--help", Command::Help),
            ("build", Command::Build(Build::default())),
            ("build --release", Command::Build(Build { profile: release })),
            (
                "demo --keep",
                Command::Demo(Demo {
                    keep: true,
                    ..Demo::default()
                }),
            ),
            (
                "demo --release",
                Command::Demo(Demo {
                    profile: release,
                    keep: false,
                }),
            ),
            (
                "demo jdbc",
                Command::Program(Program {
                    package: "wharf-demo-jdbc",
                    profile: Profile::Dev,
                    args: Vec::new(),
                }),
            ),
            (
                "conformance --engine ours",
                Command::Program(Program {
                    package: "wharf-conformance",
                    profile: Profile::Dev,
                    args: vec!["--engine".into(), "ours".into()],
                }),
            ),
            (
                "chaos --minutes 30",
                Command::Program(Program {
                    package: "wharf-chaos",
                    profile: Profile::Dev,
                    args: vec!["--minutes".into(), "30".into()],
                }),
            ),
            (
                "bench",
                Command::Program(Program {
                    package: "wharf-bench",
                    profile: release,
                    args: Vec::new(),
                }),
            ),
            (
                "services start kafka",
                Command::Services(Services::Start { port: None }),
            ),
            (
                "services start kafka --port 9092",
                Command::Services(Services::Start { port: Some(9092) }),
            ),
            ("services stop", Command::Services(Services::Stop)),
            ("services status", Command::Services(Services::Status)),
            (
                "services fetch connect",
                Command::Services(Services::Fetch(vec!["connect".into()])),
            ),
            ("test", Command::Test(Test::default())),
            (
                "test --require-services -- -p wharf-kafka --lib",
                Command::Test(Test {
                    require_services: true,
                    args: ["-p", "wharf-kafka", "--lib"].map(OsString::from).to_vec(),
                }),
            ),
            ("tidy", Command::Tidy),
        ];
        for (line, expected) in cases {
            assert_eq!(parsed(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let cases = [
            ("dance", "unknown verb `dance`"),
            ("build --fast", "--fast"),
            ("demo --keep jdbc", "jdbc"),
            ("services start mysql", "unknown service `mysql`"),
            ("services status --port 1", "--port belongs to"),
            ("services start kafka --port x", "x"),
            ("test filter", "after `--`"),
        ];
        for (line, part) in cases {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
