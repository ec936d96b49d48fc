//! Registries that ask who one is, that speak TLS with an authority of their own, and of which the first one is gone: records move
//! through converters of every format, and what is refused says why without a secret.

use serde_json::{Value, json};
use wharf_e2e::{Stage, Worker};
use wharf_schema_registry::testing::TestRegistry;
use wharf_test_services::{Front, Identity, acceptor};

use crate::record_errors::{
    recorded_in, recording, tolerant, trace_of_failed, until_committed, until_position, with,
};
use crate::registry_converters::{FLAVOURS, Flavour};

/// `alice:s3cr3t-w0rd`, as a password and as the registry gets it.
const BASIC: [&str; 2] = ["s3cr3t-w0rd", "YWxpY2U6czNjcjN0LXcwcmQ="];
/// `alice:wr0ng-w0rd`, likewise.
const WRONG: [&str; 2] = ["wr0ng-w0rd", "YWxpY2U6d3IwbmctdzByZA=="];
/// `bob:p@ss:w0rd`, as it stands in a URL and as the registry gets it.
const OF_URL: [&str; 2] = ["p%40ss:w0rd", "Ym9iOnBAc3M6dzByZA=="];
const TOKEN: &str = "t0ken-of-carol";
/// What must be read nowhere.
const SECRETS: [&str; 8] = [
    BASIC[0],
    BASIC[1],
    WRONG[0],
    WRONG[1],
    OF_URL[0],
    "p@ss:w0rd",
    OF_URL[1],
    TOKEN,
];
const LINES: [&str; 2] = ["one", "two"];

/// A converter's settings without its prefix.
type Settings = Vec<(&'static str, String)>;

fn user_info(password: &str) -> Settings {
    vec![
        ("basic.auth.credentials.source", "USER_INFO".to_owned()),
        ("basic.auth.user.info", format!("alice:{password}")),
    ]
}

fn token(token: &str) -> Settings {
    vec![
        ("bearer.auth.credentials.source", "STATIC_TOKEN".to_owned()),
        ("bearer.auth.token", token.to_owned()),
    ]
}

fn converter(flavour: &Flavour, url: &str, settings: &Settings) -> Value {
    let mut config = json!({
        "value.converter": flavour.converter, "value.converter.schema.registry.url": url,
        // What cannot be had is asked for once more only.
        "value.converter.max.retries": "1", "value.converter.retries.wait.ms": "10"
    });
    for (key, value) in settings {
        config[format!("value.converter.{key}")] = json!(value);
    }
    config
}

fn source(stage: &Stage, topic: &str, converter: Value) -> Value {
    let config = json!({"connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input")});
    with(config, converter)
}

fn no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

fn start(stage: &Stage) -> Worker {
    stage.write("input", LINES.map(|line| format!("{line}\n")).concat());
    stage.start(&[("offset.flush.interval.ms", "300")], &[])
}

/// Lines go through a topic by the converters of every format, which reach the registry like this.
fn lines_travel(stage: &Stage, worker: &Worker, what: &str, url: &str, settings: &Settings) {
    let kafka = stage.kafka();
    let names = FLAVOURS.each_ref().map(|flavour| {
        let name = format!("{what}-{}", flavour.format.name());
        let topic = stage.named(&name);
        kafka.create_topic(&topic, 1, &[]);
        let converter = converter(flavour, url, settings);
        worker.create(
            &format!("{topic}-source"),
            source(stage, &topic, converter.clone()),
        );
        let file = json!({"record.file": stage.file(&name)});
        worker.create(
            &format!("{topic}-sink"),
            recording(stage, &topic, with(file, converter)),
        );
        (name, topic)
    });
    for (name, topic) in &names {
        assert_eq!(recorded_in(stage, name, 2), LINES, "{name}");
        until_committed(stage, &format!("{topic}-sink"), topic, 2);
        // Both name their schema by an id of this registry.
        let ids: Vec<_> = kafka
            .reader(topic)
            .read(2)
            .iter()
            .map(|seen| seen.value.as_deref().unwrap()[..4].to_vec())
            .collect();
        assert_eq!(ids, [[0; 4]; 2], "{name}");
    }
}

#[test]
fn records_move_by_registries_that_ask_who_one_is() {
    let Some(stage) = Stage::set_up("registry-login") else {
        return;
    };
    let worker = start(&stage);
    let [user, of_url, bearer] = [(); 3].map(|()| TestRegistry::start());
    user.require_authorization(&format!("Basic {}", BASIC[1]));
    of_url.require_authorization(&format!("Basic {}", OF_URL[1]));
    bearer.require_authorization(&format!("Bearer {TOKEN}"));
    let with_login = of_url.url().replace("//", &format!("//bob:{}@", OF_URL[0]));
    let in_url = vec![("basic.auth.credentials.source", "URL".to_owned())];
    lines_travel(&stage, &worker, "user", &user.url(), &user_info(BASIC[0]));
    lines_travel(&stage, &worker, "url", &with_login, &in_url);
    lines_travel(&stage, &worker, "bearer", &bearer.url(), &token(TOKEN));
    for registry in [&user, &of_url, &bearer] {
        assert_eq!(registry.subjects().len(), FLAVOURS.len());
    }
    no_secret(&worker.log());
    no_secret(&worker.get("/connectors?expand=status").to_string());
    assert_eq!(worker.terminate(), Some(143));
}

/// Trust in an authority, by a file or by the text itself.
fn trust(key: &'static str, value: String) -> Settings {
    vec![
        ("schema.registry.ssl.truststore.type", "PEM".to_owned()),
        (key, value),
    ]
}

/// TLS before a registry, whose certificate is of this authority.
fn secured(registry: &TestRegistry, authority: &Identity) -> (Front, String) {
    let address = registry.url()["http://".len()..].parse().unwrap();
    let front = Front::before(address, acceptor(&authority.issue("registry"), None));
    let url = format!("https://{}", front.address);
    (front, url)
}

#[test]
fn records_move_by_a_registry_behind_tls_whose_other_addresses_are_gone() {
    let Some(stage) = Stage::set_up("registry-tls") else {
        return;
    };
    let worker = start(&stage);
    let (authority, registry) = (Identity::authority("own"), TestRegistry::start());
    registry.require_authorization(&format!("Basic {}", BASIC[1]));
    let (front, url) = secured(&registry, &authority);
    let pem = authority.certificate_pem();
    stage.write("ca.pem", &pem);
    let by_file = trust("schema.registry.ssl.truststore.location", stage.file("ca.pem"));
    let by_text = trust("schema.registry.ssl.truststore.certificates", pem);
    // Nobody listens there.
    let gone = Front::before(front.address, acceptor(&authority.issue("gone"), None)).address;
    let several = format!("https://{gone},http://{gone}, {url}");
    let login = user_info(BASIC[0]);
    lines_travel(
        &stage,
        &worker,
        "file",
        &url,
        &[by_file.clone(), login.clone()].concat(),
    );
    lines_travel(&stage, &worker, "text", &url, &[by_text, login.clone()].concat());
    lines_travel(&stage, &worker, "several", &several, &[by_file, login].concat());
    assert_eq!(registry.subjects().len(), 3 * FLAVOURS.len());
    // All of it came through the front, with the secret.
    assert_eq!(front.seen().len(), registry.requests().len());
    no_secret(&worker.log());
    assert_eq!(worker.terminate(), Some(143));
}

/// What a wrong setting is, and what the task says of it.
struct Mistake<'m> {
    what: &'static str,
    url: &'m str,
    settings: Settings,
    /// Of the error, and why.
    words: [String; 2],
}

#[test]
fn a_registry_that_refuses_or_is_not_trusted_fails_the_task_and_no_secret_is_told() {
    let Some(stage) = Stage::set_up("registry-refused") else {
        return;
    };
    let worker = start(&stage);
    let (kafka, authority) = (stage.kafka(), Identity::authority("own"));
    let registry = TestRegistry::start();
    let known = stage.named("known");
    for flavour in &FLAVOURS {
        let id = flavour.register(
            &registry,
            &format!("{known}-{}-value", flavour.format.name()),
            flavour.text,
        );
        let topic = format!("{known}-{}", flavour.format.name());
        kafka.create_topic(&topic, 1, &[]);
        kafka.produce(&topic, [(None, flavour.message(id, "there").as_slice())]);
    }
    registry.require_authorization(&format!("Basic {}", BASIC[1]));
    let (_front, tls) = secured(&registry, &authority);
    let url = registry.url();
    let with_login = url.replace("//", &format!("//bob:{}@", OF_URL[0]));
    let stranger = Identity::authority("stranger").certificate_pem();
    let unauthorized = || {
        [
            "org.apache.kafka.common.errors.AuthenticationException: Error re".to_owned(),
            "Unauthorized; error code: 401".to_owned(),
        ]
    };
    let untrusted = || {
        [
            format!("cannot reach the schema registry at {tls}/"),
            "the server's certificate is not accepted: ".to_owned(),
        ]
    };
    let mistake = |what, url, settings, words| Mistake {
        what,
        url,
        settings,
        words,
    };
    let trusted = |pem: String| trust("schema.registry.ssl.truststore.certificates", pem);
    let mistakes = [
        mistake("none", &url, Vec::new(), unauthorized()),
        mistake("password", &url, user_info(WRONG[0]), unauthorized()),
        mistake("of-url", &with_login, Vec::new(), unauthorized()),
        mistake("token", &url, token(TOKEN), unauthorized()),
        mistake("system", &tls, user_info(BASIC[0]), untrusted()),
        mistake(
            "stranger",
            &tls,
            [trusted(stranger), user_info(BASIC[0])].concat(),
            untrusted(),
        ),
    ];
    for Mistake {
        what,
        url,
        settings,
        words,
    } in &mistakes
    {
        let cases = FLAVOURS.each_ref().map(|flavour| {
            let name = stage.named(&format!("{what}-{}", flavour.format.name()));
            kafka.create_topic(&name, 1, &[]);
            let converter = converter(flavour, url, settings);
            worker.create(
                &format!("{name}-source"),
                source(&stage, &name, converter.clone()),
            );
            let topic = format!("{known}-{}", flavour.format.name());
            worker.create(&format!("{name}-sink"), recording(&stage, &topic, converter));
            (name, topic)
        });
        for (name, topic) in &cases {
            for (task, place) in [
                (format!("{name}-source"), format!("for topic {name}")),
                (
                    format!("{name}-sink"),
                    format!("at topic {topic}, partition 0, offset 0"),
                ),
            ] {
                let trace = trace_of_failed(&worker, &task);
                for part in words.iter().chain([&place]) {
                    assert!(trace.contains(part), "{task}: no '{part}' in {trace}");
                }
                no_secret(&trace);
            }
            assert_eq!(kafka.count(name), 0, "{name}");
        }
    }

    // With the right one the tasks go on with the same records.
    let right = user_info(BASIC[0]);
    let dead = stage.named("dead");
    for flavour in &FLAVOURS {
        let name = stage.named(&format!("password-{}", flavour.format.name()));
        let converter = converter(flavour, &url, &right);
        let file = json!({"record.file": stage.file(&name)});
        let topic = format!("{known}-{}", flavour.format.name());
        let sink = recording(
            &stage,
            &topic,
            with(with(file, converter.clone()), tolerant(&dead)),
        );
        for (kind, config) in [("source", source(&stage, &name, converter)), ("sink", sink)] {
            let path = format!("/connectors/{name}-{kind}/config");
            worker.call("PUT", &path, Some(&config), 200);
        }
        until_position(&worker, &format!("{name}-source"), 8);
        assert_eq!(kafka.count(&name), 2, "{name}");
        assert_eq!(recorded_in(&stage, &name, 1), [(flavour.recorded)("there")]);
        until_committed(&stage, &format!("{name}-sink"), &topic, 1);
    }
    assert_eq!(kafka.count(&dead), 0);
    no_secret(&worker.log());
    no_secret(&worker.get("/connectors?expand=status").to_string());
    assert_eq!(worker.terminate(), Some(143));
}
