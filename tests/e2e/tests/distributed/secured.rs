//! Groups on a broker that asks who they are: membership, internal topics and the clients of connectors all log in, and what
//! a user reads when that fails.

use std::collections::BTreeSet;
use std::time::Duration;

use wharf_e2e::security::{Settings, assert_no_secret, login, to, token, trust, worker_settings};
use wharf_e2e::{Stage, Worker, has_state};
use wharf_test_services::{CertificateFile, KafkaBroker, SecuredListener, Security};

use crate::group::{Group, eventually, file_sink, file_source, workers_of};

/// What a failed start may take, the client's own waits included.
const ANSWER: Duration = Duration::from_secs(20);

fn secured(name: &str) -> Option<(Group, &'static Security)> {
    let (broker, security) = KafkaBroker::shared_secured()?;
    let stage = Stage::on(name, &broker.bootstrap())?;
    Some((Group { stage }, security))
}

fn tls(security: &Security, authority: CertificateFile) -> Settings {
    [
        to(security, SecuredListener::SaslSsl, "SASL_SSL"),
        trust(security, authority),
    ]
    .concat()
}

fn launch(group: &Group, name: &str, settings: &Settings) -> Worker {
    let all = worker_settings(settings);
    let pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    group.launch_with(name, &pairs)
}

fn runs(worker: &Worker, name: &str) -> Vec<String> {
    let path = format!("/connectors/{name}/status");
    workers_of(&worker.until(&path, "it runs", |status| has_state(status, "RUNNING")))
}

/// Two workers that log in like this share a source and a sink; requests of the follower reach the leader; when one of them
/// leaves, the other one goes on with its work.
fn a_group_works(name: &str, credentials: Settings) {
    let Some((group, security)) = secured(name) else {
        return;
    };
    let stage = &group.stage;
    let settings = [tls(security, CertificateFile::Authority), credentials].concat();
    let [one, two] = ["one", "two"].map(|worker| {
        let worker = launch(&group, worker, &settings);
        worker.wait_ready();
        worker
    });
    let (source, sink, topic) = (stage.named("source"), stage.named("sink"), stage.named("topic"));
    stage.write("in.txt", "one\ntwo\n");
    two.create(&source, file_source(&stage.file("in.txt"), &topic));
    runs(&one, &source);
    one.create(&sink, file_sink(&stage.file("out.txt"), &topic));
    eventually("the lines have arrived", || {
        stage.read("out.txt") == b"one\ntwo\n"
    });
    eventually("both workers have work", || {
        let owners: BTreeSet<_> = [&source, &sink]
            .iter()
            .flat_map(|name| runs(&one, name))
            .collect();
        owners.len() == 2
    });
    two.call("PUT", &format!("/connectors/{source}/stop"), None, 204);
    one.until_states(&source, &["STOPPED"]);
    two.call("PUT", &format!("/connectors/{source}/resume"), None, 202);
    runs(&one, &source);
    for topic in ["configs", "offsets", "statuses"] {
        assert!(stage.kafka().count(&stage.named(topic)) > 0, "{topic}");
    }

    let config = two.get(&format!("/connectors/{source}")).to_string();
    assert_no_secret(&config);
    assert_no_secret(&one.log());
    assert_eq!(one.terminate(), Some(143));
    for name in [&source, &sink] {
        two.until(&format!("/connectors/{name}/status"), "it runs here", |status| {
            has_state(status, "RUNNING") && workers_of(status).iter().all(|owner| owner == two.address())
        });
    }
    stage.write("in.txt", "one\ntwo\nthree\n");
    eventually("the next line has arrived, once", || {
        stage.read("out.txt") == b"one\ntwo\nthree\n"
    });
    assert_no_secret(&two.log());
    assert_eq!(two.terminate(), Some(143));
}

#[test]
fn a_group_works_through_tls_and_plain() {
    a_group_works("group-plain", login("PLAIN", Security::PASSWORD));
}

#[test]
fn a_group_works_through_tls_and_scram_512() {
    a_group_works("group-scram", login("SCRAM-SHA-512", Security::PASSWORD));
}

#[test]
fn a_group_works_through_tls_and_tokens() {
    a_group_works("group-token", token());
}

#[test]
fn a_worker_that_is_refused_ends_and_says_why_and_what_helps() {
    let Some((group, security)) = secured("group-refused") else {
        return;
    };
    let trusted = || tls(security, CertificateFile::Authority);
    for (what, settings, words) in [
        (
            "plain-password",
            [trusted(), login("PLAIN", "wr0ng-s3cret")].concat(),
            ["Authentication failed", "sasl.jaas.config"],
        ),
        (
            "scram-password",
            [trusted(), login("SCRAM-SHA-512", "wr0ng-s3cret")].concat(),
            ["Authentication failed", "sasl.jaas.config"],
        ),
        (
            "authority",
            [
                tls(security, CertificateFile::Stranger),
                login("PLAIN", Security::PASSWORD),
            ]
            .concat(),
            [
                "unable to get local issuer certificate",
                "ssl.truststore.location",
            ],
        ),
    ] {
        let mut worker = launch(&group, what, &settings);
        let code = worker.end(ANSWER);
        let log = worker.log();
        assert_eq!(code, Some(2), "{what}: {log}");
        for word in words {
            assert!(log.contains(word), "{what}: {word} is not in {log}");
        }
        assert!(!log.contains("s3cret"), "{what}: {log}");
    }
}
