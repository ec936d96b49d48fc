//! Groups on a broker that asks who they are: membership, internal topics and the clients of connectors all log in, and what
//! a user reads when that fails.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use wharf_e2e::security::{
    Settings, assert_no_secret, convert_as_told, file, login, to, token, trust, trust_store, worker_settings,
};
use wharf_e2e::{PATIENCE, Stage, Worker, has_state};
use wharf_test_services::{
    CertificateFile, Certificates, KafkaBroker, KafkaOptions, SecuredListener, Security,
};

use crate::group::{Group, eventually, file_sink, file_source, workers_of};

/// What a failed start may take, the client's own waits included.
const ANSWER: Duration = Duration::from_secs(20);
/// How long a session lasts on the strict broker; no client may authenticate again within a second.
const LIFETIME: Duration = Duration::from_secs(2);

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

/// Two workers with these settings share a source and a sink; requests of the follower reach the leader; when one of them
/// leaves, the other one goes on with its work.
fn a_group_works(name: &str, settings: impl FnOnce(&Group, &Security) -> Settings) {
    let Some((group, security)) = secured(name) else {
        return;
    };
    let settings = settings(&group, security);
    let stage = &group.stage;
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
    a_group_works("group-plain", |_, security| {
        [
            tls(security, CertificateFile::Authority),
            login("PLAIN", Security::PASSWORD),
        ]
        .concat()
    });
}

#[test]
fn a_group_works_through_tls_and_scram_512_with_a_pkcs12_trust_store() {
    a_group_works("group-scram", |_, security| {
        [
            to(security, SecuredListener::SaslSsl, "SASL_SSL"),
            trust_store(file(security, CertificateFile::TrustPkcs12)),
            vec![("ssl.truststore.type", "PKCS12".to_owned())],
            login("SCRAM-SHA-512", Security::PASSWORD),
        ]
        .concat()
    });
}

#[test]
fn a_group_works_through_tls_and_tokens() {
    a_group_works("group-token", |_, security| {
        [tls(security, CertificateFile::Authority), token()].concat()
    });
}

#[test]
fn a_group_works_with_client_certificates_once_its_jks_stores_are_converted_as_it_says() {
    a_group_works("group-jks", |group, security| {
        let copy = |store: CertificateFile, name: &str| {
            let to = group.stage.file(name);
            std::fs::copy(file(security, store), &to).unwrap();
            to
        };
        let trusted = copy(CertificateFile::TrustJks, "trust.jks");
        let own = copy(CertificateFile::ClientJks, "client.jks");
        let settings = |trusted: String, own: String| {
            [
                to(security, SecuredListener::Ssl, "SSL"),
                trust_store(trusted),
                vec![
                    ("ssl.keystore.location", own),
                    ("ssl.keystore.password", Certificates::PASSWORD.to_owned()),
                ],
            ]
            .concat()
        };
        let mut worker = launch(group, "jks", &settings(trusted.clone(), own.clone()));
        let code = worker.end(ANSWER);
        let log = worker.log();
        assert_eq!(code, Some(2), "{log}");
        assert_no_secret(&log);
        for key in ["ssl.truststore.location", "ssl.keystore.location"] {
            let told = log
                .lines()
                .find(|line| line.contains(key) && line.contains("convert it with"));
            convert_as_told(told.unwrap_or_else(|| panic!("{key}: {log}")));
        }
        settings(format!("{trusted}.p12"), format!("{own}.p12"))
    });
}

/// A group on a broker that ends sessions so soon.
fn strict(name: &str) -> Option<(Group, &'static KafkaBroker)> {
    static SHARED: OnceLock<Option<KafkaBroker>> = OnceLock::new();
    let broker = SHARED.get_or_init(|| {
        let lifetime = LIFETIME.as_millis().to_string();
        KafkaBroker::for_test_with(&KafkaOptions {
            properties: vec![("connections.max.reauth.ms".to_owned(), lifetime)],
            secured: true,
            ..KafkaOptions::default()
        })
    });
    let broker = broker.as_ref()?;
    let stage = Stage::on(name, &broker.bootstrap())?;
    Some((Group { stage }, broker))
}

#[test]
fn a_group_goes_on_without_a_rebalance_while_the_broker_ends_one_session_after_the_other() {
    let Some((group, broker)) = strict("group-sessions") else {
        return;
    };
    let stage = &group.stage;
    let security = broker.security().unwrap();
    let settings = [
        tls(security, CertificateFile::Authority),
        login("SCRAM-SHA-512", Security::PASSWORD),
    ]
    .concat();
    let [one, two] = ["one", "two"].map(|worker| {
        let worker = launch(&group, worker, &settings);
        worker.wait_ready();
        worker
    });
    let (source, sink, topic) = (stage.named("source"), stage.named("sink"), stage.named("topic"));
    let mut lines = "one\n".to_owned();
    stage.write("in.txt", &lines);
    one.create(&source, file_source(&stage.file("in.txt"), &topic));
    runs(&one, &source);
    two.create(&sink, file_sink(&stage.file("out.txt"), &topic));
    let owners = [&source, &sink].map(|name| runs(&one, name));
    eventually("the first line has arrived", || {
        stage.read("out.txt") == lines.as_bytes()
    });
    let generations = || [&one, &two].map(|worker| worker.get("/admin/cluster")["generation"].clone());
    eventually("both know the same generation", || {
        let [one, two] = generations();
        one == two
    });
    let before = generations();
    let mut input = OpenOptions::new()
        .append(true)
        .open(stage.path("in.txt"))
        .unwrap();
    let begun = Instant::now();
    while begun.elapsed() < LIFETIME * 4 {
        let line = format!("{:?}\n", begun.elapsed());
        input.write_all(line.as_bytes()).unwrap();
        lines.push_str(&line);
        eventually("the next line has arrived, once", || {
            stage.read("out.txt") == lines.as_bytes()
        });
        assert_eq!(generations(), before);
    }
    assert_eq!([&source, &sink].map(|name| runs(&one, name)), owners);
    for worker in [one, two] {
        assert_no_secret(&worker.log());
        assert_eq!(worker.terminate(), Some(143));
    }
}

#[test]
fn a_worker_whose_user_is_removed_ends_and_says_why_and_what_helps() {
    const USER: &str = "carol";
    let Some((group, broker)) = strict("group-removed") else {
        return;
    };
    let change = |arguments: [&str; 2]| {
        let user = ["--alter", "--entity-type", "users", "--entity-name", USER];
        let all = [&user[..], &arguments].concat();
        broker.tool("kafka.admin.ConfigCommand", &all).unwrap();
    };
    change([
        "--add-config",
        &format!("SCRAM-SHA-512=[password={}]", Security::PASSWORD),
    ]);
    let mut credentials = login("SCRAM-SHA-512", Security::PASSWORD);
    for (_, value) in &mut credentials {
        *value = value.replace(Security::USER, USER);
    }
    let trusted = tls(broker.security().unwrap(), CertificateFile::Authority);
    let mut worker = launch(&group, "one", &[trusted, credentials].concat());
    worker.wait_ready();
    worker.wait_log("joined generation");
    change(["--delete-config", "SCRAM-SHA-512"]);
    let code = worker.end(PATIENCE);
    let log = worker.log();
    assert_eq!(code, Some(1), "{log}");
    for word in [
        "refused the authentication by SCRAM-SHA-512: Authentication failed",
        "check user and password in sasl.jaas.config",
    ] {
        assert!(log.contains(word), "{word} is not in {log}");
    }
    assert_no_secret(&log);
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
        (
            "host",
            [
                to(security, SecuredListener::Elsewhere, "SSL"),
                trust(security, CertificateFile::Authority),
            ]
            .concat(),
            ["IP address mismatch", "ssl.endpoint.identification.algorithm"],
        ),
        (
            "no-certificate",
            [
                to(security, SecuredListener::Ssl, "SSL"),
                trust(security, CertificateFile::Authority),
            ]
            .concat(),
            ["alert bad certificate", "ssl.keystore.location"],
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
