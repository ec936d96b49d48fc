//! Settings by which clients and workers reach a broker that asks who they are.

use std::io::Write as _;
use std::process::{Command, Stdio};

use wharf_test_services::{CertificateFile, Certificates, SecuredListener, Security};

const MODULES: &str = "org.apache.kafka.common.security";

/// What must be read nowhere.
pub const SECRETS: [&str; 4] = [
    Security::PASSWORD,
    Certificates::PASSWORD,
    Certificates::KEY_PASSWORD,
    "PRIVATE KEY",
];

/// Client settings under Java's names.
pub type Settings = Vec<(&'static str, String)>;

/// The path of a certificate, key or store.
///
/// # Panics
/// When the path is not UTF-8.
pub fn file(security: &Security, file: CertificateFile) -> String {
    let path = security.certificates().path(file);
    path.to_str().unwrap().to_owned()
}

/// PEM text as people write it into a properties file: one line, with blanks for line ends.
pub fn one_line(security: &Security, file: CertificateFile) -> String {
    security.certificates().pem(file).replace('\n', " ")
}

/// The way to a listener.
pub fn to(security: &Security, listener: SecuredListener, protocol: &str) -> Settings {
    vec![
        ("bootstrap.servers", security.bootstrap(listener)),
        ("security.protocol", protocol.to_owned()),
    ]
}

/// Login of the one user that the broker knows.
pub fn login(mechanism: &str, password: &str) -> Settings {
    let module = if mechanism == "PLAIN" {
        "plain.PlainLoginModule"
    } else {
        "scram.ScramLoginModule"
    };
    vec![
        ("sasl.mechanism", mechanism.to_owned()),
        (
            "sasl.jaas.config",
            format!(
                "{MODULES}.{module} required username=\"{}\" password=\"{password}\";",
                Security::USER
            ),
        ),
    ]
}

/// Login by a token that nobody signed.
pub fn token() -> Settings {
    let module = format!(
        "{MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"bob\";"
    );
    vec![
        ("sasl.mechanism", "OAUTHBEARER".to_owned()),
        ("sasl.jaas.config", module),
    ]
}

/// Trust by a PEM file.
pub fn trust(security: &Security, authority: CertificateFile) -> Settings {
    vec![
        ("ssl.truststore.type", "PEM".to_owned()),
        ("ssl.truststore.location", file(security, authority)),
    ]
}

/// Trust by a PKCS12 store, of which Java does not need to know the type.
pub fn trust_store(path: String) -> Settings {
    vec![
        ("ssl.truststore.location", path),
        ("ssl.truststore.password", Certificates::PASSWORD.to_owned()),
    ]
}

/// The settings for a worker itself, and by prefix for its clients. Admin clients take the worker's.
pub fn worker_settings(settings: &Settings) -> Vec<(String, String)> {
    ["", "producer.", "consumer."]
        .iter()
        .flat_map(|prefix| {
            settings
                .iter()
                .map(move |(key, value)| (format!("{prefix}{key}"), value.clone()))
        })
        .collect()
}

/// Looks for secrets in what a worker wrote or answered.
///
/// # Panics
/// When there is one.
pub fn assert_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

/// Runs the command that the refusal of a JKS store gave, as a user would who types the password when asked.
///
/// # Panics
/// When there is none, or it fails.
pub fn convert_as_told(message: &str) {
    let command = message.split("convert it with: ").nth(1).unwrap();
    // A line of a log ends with the class that wrote it.
    let command = command.lines().next().unwrap().split(" (org.").next().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // New password, the same again, old password.
    let answers = format!("{0}\n{0}\n{0}\n", Certificates::PASSWORD);
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
