//! The binary as its users call it: names, exit codes, what goes to which stream.

use std::path::Path;
use std::process::{Command, Output};

fn wharf(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(args)
        .output()
        .unwrap()
}

/// Calls it by another name.
fn named(name: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join(name);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_wharf"), &link).unwrap();
    Command::new(link).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn check(output: &Output, code: i32, on_stdout: &str, on_stderr: &str) {
    let (out, err) = (stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    assert!(out.contains(on_stdout), "stdout: {out}");
    assert!(err.contains(on_stderr), "stderr: {err}");
}

#[test]
fn version_and_help_are_for_standard_output() {
    check(
        &wharf(&["--version"]),
        0,
        concat!("wharf ", env!("CARGO_PKG_VERSION")),
        "",
    );
    check(&wharf(&["--help"]), 0, "Exit codes:", "");
    check(&wharf(&["standalone", "--help"]), 0, "WHARF_LOG", "");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    check(&wharf(&[]), 2, "", "Usage: wharf");
    check(&wharf(&["standalone"]), 2, "", "WORKER.properties");
    check(&wharf(&["frobnicate"]), 2, "", "frobnicate");
}

#[test]
fn a_distributed_worker_takes_a_worker_file_and_nothing_else() {
    check(&wharf(&["distributed", "--help"]), 0, "group.id", "");
    check(&wharf(&["distributed"]), 2, "", "WORKER.properties");
    check(
        &wharf(&["distributed", "w.properties", "c.json"]),
        2,
        "",
        "'c.json'",
    );
    let missing = "/no/such.properties";
    check(&wharf(&["distributed", missing]), 2, missing, "");
    check(&named("connect-distributed.sh", &[missing]), 2, missing, "");
    // upstream's script passes over what follows
    let told = "these arguments have no effect: c.json";
    check(
        &named("connect-distributed", &[missing, "c.json"]),
        2,
        missing,
        told,
    );
}

#[test]
fn commands_that_look_at_a_group_tell_what_is_wrong_with_their_worker_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.properties");
    std::fs::write(&file, "bootstrap.servers=b:1\nsession.timeout.ms=soon\n").unwrap();
    let path = file.to_str().unwrap();
    for command in [&["cluster"][..], &["migrate", "check"]] {
        let with = |more: &[&str]| wharf(&[command, more].concat());
        check(&with(&["--help"]), 0, "Exits with 0 when", "");
        check(&with(&[]), 2, "", "WORKER.properties");
        check(&with(&["/no/such.properties"]), 2, "", "/no/such.properties");
        for part in ["\"group.id\"", "\"config.storage.topic\"", "session.timeout.ms"] {
            let output = with(&[path, "--json"]);
            check(&output, 2, "", part);
            assert_eq!(stdout(&output), "", "an answer that is none is no JSON");
        }
    }
    check(&wharf(&["migrate"]), 2, "", "check");
}

#[test]
fn all_mistakes_of_a_distributed_workers_file_are_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.properties");
    std::fs::write(
        &file,
        "session.timeout.ms=100\nproducer.acks=some\nkey.converter=no.Such\nsecurity.protocol=SASL_SSL\nsasl.mechanism=GSSAPI\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    for output in [
        wharf(&["distributed", path]),
        named("connect-distributed.sh", &[path]),
    ] {
        for part in [
            "\"group.id\"",
            "\"config.storage.topic\"",
            "\"offset.storage.topic\"",
            "\"status.storage.topic\"",
            "lower than the session timeout",
            "producer.acks",
            "sasl.mechanism GSSAPI is not built in",
            "no.Such",
        ] {
            check(&output, 2, part, "");
        }
    }
}

#[test]
fn a_client_that_no_distributed_worker_could_make_is_told_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.properties");
    let shipped = include_str!("../../../config/connect-distributed.properties");
    std::fs::write(
        &file,
        format!("{shipped}\nsecurity.protocol=SASL_SSL\nsasl.mechanism=GSSAPI\n"),
    )
    .unwrap();
    let output = wharf(&["distributed", file.to_str().unwrap()]);
    check(&output, 2, "sasl.mechanism GSSAPI is not built in", "");
}

#[test]
fn completion_is_written_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        check(&wharf(&["completion", shell]), 0, "standalone", "");
        check(&wharf(&["completion", shell]), 0, "distributed", "");
    }
}

#[test]
fn the_reference_of_worker_keys_is_printed() {
    check(
        &wharf(&["config", "standalone"]),
        0,
        "| `offset.storage.file.filename` |",
        "",
    );
    check(
        &wharf(&["config", "distributed"]),
        0,
        "| `config.storage.topic` |",
        "",
    );
}

#[test]
fn a_worker_file_that_cannot_be_read_ends_with_2() {
    check(
        &wharf(&["standalone", "/no/such.properties"]),
        2,
        "/no/such.properties",
        "",
    );
}

#[test]
fn all_mistakes_of_a_worker_file_are_named_at_once() {
    for output in [wharf(&["standalone", ""]), named("connect-standalone.sh", &[""])] {
        check(&output, 2, "\"key.converter\"", "");
        check(&output, 2, "\"offset.storage.file.filename\"", "");
    }
}

#[test]
fn a_wrong_log_level_is_named_before_anything_starts() {
    let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["standalone", ""])
        .env("WHARF_LOG", "loud")
        .output()
        .unwrap();
    check(&output, 2, "", "'loud' in WHARF_LOG");
}

#[test]
fn script_names_print_their_usage_and_end_with_1() {
    check(
        &named("connect-standalone", &[]),
        1,
        "USAGE: connect-standalone [-daemon]",
        "",
    );
    check(
        &named("connect-standalone.sh", &["--help"]),
        1,
        "USAGE: connect-standalone.sh",
        "",
    );
    check(&named("connect-standalone.sh", &["-daemon", "w"]), 1, "nohup", "");
    check(
        &named("connect-distributed.sh", &[]),
        1,
        "USAGE: connect-distributed.sh [-daemon] connect-distributed.properties",
        "",
    );
    check(&named("connect-distributed", &["-daemon", "w"]), 1, "nohup", "");
    check(&named("connect-plugin-path.sh", &[]), 1, "sync-manifests", "");
}

#[test]
fn plugins_are_listed_and_manifests_need_no_change() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    let header = "pluginName\tfirstAlias\tsecondAlias\tpluginVersion\tpluginType\tisLoadable\thasManifest\tpluginLocation\n\n\
                  Total plugins: \t0\n";
    check(&wharf(&["plugin", "list", "--plugin-path", path]), 0, header, "");
    check(
        &named("connect-plugin-path.sh", &["list", "--plugin-path", path]),
        0,
        header,
        "",
    );
    check(
        &named("connect-plugin-path", &["sync-manifests", "--plugin-path", path]),
        0,
        "No changes required.\n",
        "",
    );
    check(
        &wharf(&["plugin", "list", "--plugin-path", "/no/such"]),
        2,
        "",
        "/no/such does not exist",
    );
}

#[test]
fn a_file_that_is_no_plugin_is_refused_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libtext.so");
    std::fs::write(&file, "not a library").unwrap();
    let (file, folder): (&Path, &Path) = (&file, folder.path());
    let verified = wharf(&["plugin", "verify", file.to_str().unwrap()]);
    check(&verified, 1, "", "WHARF-PLUGIN-");
    assert_eq!(stderr(&verified).lines().count(), 1, "{}", stderr(&verified));
    check(
        &wharf(&["plugin", "list", "--plugin-path", folder.to_str().unwrap()]),
        0,
        "Total plugins: \t0",
        "libtext.so",
    );
}

#[test]
fn an_unknown_plugin_has_no_info() {
    check(
        &wharf(&["plugin", "info", "NoSuchConnector"]),
        1,
        "",
        "NoSuchConnector",
    );
    check(
        &wharf(&["plugin", "info", "FileStreamSource"]),
        1,
        "",
        "--plugin-path, --plugin-location or --worker-config",
    );
    let empty = tempfile::tempdir().unwrap();
    let place = empty.path().to_str().unwrap();
    let searched = wharf(&["plugin", "info", "FileStreamSource", "--plugin-path", place]);
    assert!(
        !stderr(&searched).contains("--worker-config"),
        "{}",
        stderr(&searched)
    );
    check(
        &wharf(&["plugin", "info", "JsonConverter"]),
        0,
        "schemas.enable",
        "",
    );
}
