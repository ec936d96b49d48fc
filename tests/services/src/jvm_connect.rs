//! How a worker of JVM Kafka Connect is started where tests set one beside ours.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ServiceError;

/// Console only, as the file that comes with Kafka: INFO for the root, nothing else named, so that the list of loggers starts alike.
const LOGGING: &str = "status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %X{connector.context}%m (%c:%L)%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
";

/// Options of a JVM for short runs, which are over before the second compiler pays. Errors name their classes and messages as
/// on any other machine.
pub const SHORT_RUN: [&str; 4] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Duser.language=en",
];

/// The command that runs `class` (`ConnectStandalone` or `ConnectDistributed`) with these files as its arguments. Writes the
/// file that configures its log into `folder`.
///
/// # Errors
/// When that cannot be written.
pub fn command(
    jars: &Path,
    options: &[&str],
    class: &str,
    files: &[&Path],
    folder: &Path,
) -> io::Result<Vec<String>> {
    let logging = folder.join("log4j2.properties");
    std::fs::write(&logging, LOGGING)?;
    let mut command = vec!["java".to_owned()];
    command.extend(options.iter().map(|&option| option.to_owned()));
    command.extend([
        format!("-Dlog4j2.configurationFile={}", logging.display()),
        "-cp".to_owned(),
        format!("{}/*", jars.display()),
        format!("org.apache.kafka.connect.cli.{class}"),
    ]);
    command.extend(files.iter().map(|file| file.to_string_lossy().into_owned()));
    Ok(command)
}

/// Compiles Java sources against these jars into the folder `classes`.
///
/// # Errors
/// When there is no compiler for Java 17, or it refuses them; its reason is on standard error then.
pub fn compile(jars: &Path, sources: &[PathBuf], classes: &Path) -> Result<(), ServiceError> {
    let cannot = |what: &str, error: io::Error| ServiceError::unavailable(format!("cannot {what}: {error}"));
    std::fs::create_dir_all(classes).map_err(|error| cannot("create the folder of classes", error))?;
    let status = Command::new("javac")
        .args(["-nowarn", "-proc:none", "-encoding", "UTF-8", "--release", "17"])
        .arg("-cp")
        .arg(format!("{}/*", jars.display()))
        .arg("-d")
        .arg(classes)
        .args(sources)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| cannot("run javac; install a JDK 17 or later", error))?;
    if status.success() {
        return Ok(());
    }
    Err(ServiceError::failed(format!(
        "javac ended with {status}; its reason is above"
    )))
}
