//! Groups whose workers log in with tokens of an identity provider: over many short tokens, with the provider away, and refused.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wharf_e2e::security::{Settings, to, trust, worker_settings};
use wharf_e2e::{Stage, Worker, has_state};
use wharf_test_services::{
    CertificateFile, IdentityProvider, KafkaBroker, KafkaOptions, SecuredListener, TokenAnswer, ports,
};

use crate::group::{Group, eventually, file_sink, file_source, workers_of};

/// What a failed start may take, the client's own waits included.
const ANSWER: Duration = Duration::from_secs(60);
/// Of the tokens that do not last.
const LIFETIME: Duration = Duration::from_secs(8);
/// The broker ends sessions after this time, or with their tokens.
const SESSION: Duration = Duration::from_secs(6);
/// So many tokens must come one after another in each worker.
const LIVES: usize = 4;
const CLASSES: &str = "org.apache.kafka.common.security.oauthbearer";

/// A provider and a broker that lets its clients in.
struct Scene {
    provider: IdentityProvider,
    broker: KafkaBroker,
    jmx: u16,
}

/// One test at a time may turn the provider.
static TURN: Mutex<()> = Mutex::new(());

fn scene() -> Option<(&'static Scene, MutexGuard<'static, ()>)> {
    static SCENE: OnceLock<Option<Scene>> = OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let scene = SCENE.get_or_init(|| {
        let provider = IdentityProvider::for_test()?;
        let [jmx] = ports::free().unwrap();
        let mut options: KafkaOptions = provider.broker(SESSION);
        let of_jmx = [
            ("port", jmx.to_string()),
            ("authenticate", "false".to_owned()),
            ("ssl", "false".to_owned()),
        ];
        let of_jmx = of_jmx.map(|(name, value)| format!("-Dcom.sun.management.jmxremote.{name}={value}"));
        options.java.extend(of_jmx);
        options
            .java
            .push("-Djava.rmi.server.hostname=127.0.0.1".to_owned());
        let broker = KafkaBroker::for_test_with(&options)?;
        Some(Scene {
            provider,
            broker,
            jmx,
        })
    });
    let scene = scene.as_ref()?;
    // As the test before may have left it.
    scene.provider.leave();
    scene.provider.come_back();
    scene.provider.set_answer(TokenAnswer::Token);
    scene.provider.set_audience(IdentityProvider::AUDIENCE);
    scene.provider.set_lifetime(Duration::from_secs(3_600));
    Some((scene, turn))
}

impl Scene {
    fn group(&self, name: &str) -> Option<Group> {
        let stage = Stage::on(name, &self.broker.bootstrap())?;
        Some(Group { stage })
    }

    fn settings(&self, secret: &str) -> Settings {
        let security = self.broker.security().unwrap();
        let own = |key: &'static str, value: &str| (key, value.to_owned());
        [
            to(security, SecuredListener::SaslSsl, "SASL_SSL"),
            trust(security, CertificateFile::Authority),
            vec![
                own("sasl.mechanism", "OAUTHBEARER"),
                own(
                    "sasl.jaas.config",
                    &format!("{CLASSES}.OAuthBearerLoginModule required;"),
                ),
                own(
                    "sasl.login.callback.handler.class",
                    &format!("{CLASSES}.OAuthBearerLoginCallbackHandler"),
                ),
                own("sasl.oauthbearer.token.endpoint.url", &self.provider.token_url()),
                own(
                    "sasl.oauthbearer.client.credentials.client.id",
                    IdentityProvider::CLIENT_ID,
                ),
                own("sasl.oauthbearer.client.credentials.client.secret", secret),
                own("sasl.login.retry.backoff.max.ms", "500"),
            ],
        ]
        .concat()
    }

    fn launch(&self, group: &Group, name: &str, secret: &str) -> Worker {
        launch(group, name, &self.settings(secret))
    }

    fn start(&self, group: &Group, name: &str) -> Worker {
        let worker = self.launch(group, name, IdentityProvider::CLIENT_SECRET);
        worker.wait_ready();
        worker
    }

    /// How often clients of the broker have authenticated again within a session.
    fn reauthentications(&self) -> f64 {
        let output = Command::new("java")
            .args(["-cp", &format!("{}/*", self.broker.jars().display())])
            .args([
                "org.apache.kafka.tools.JmxTool",
                "--one-time",
                "--report-format",
                "csv",
            ])
            .args([
                "--jmx-url",
                &format!("service:jmx:rmi:///jndi/rmi://127.0.0.1:{}/jmxrmi", self.jmx),
            ])
            .args([
                "--object-name",
                "kafka.server:type=socket-server-metrics,listener=SASL_SSL,networkProcessor=*",
            ])
            .args(["--attributes", "successful-reauthentication-total"])
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let values = printed
            .lines()
            .filter_map(|line| line.split_once("successful-reauthentication-total,"));
        let total: Option<f64> = values
            .map(|(_, value)| value.trim().trim_matches('"').parse::<f64>().ok())
            .sum();
        let said = String::from_utf8_lossy(&output.stderr);
        total.unwrap_or_else(|| panic!("{printed}{said}"))
    }

    /// Neither secrets nor tokens are there.
    fn assert_discreet(&self, text: &str) {
        assert!(!text.contains("s3cret"), "{text}");
        for token in self.provider.tokens() {
            assert!(!text.contains(&token), "a token is in {text}");
        }
    }
}

fn launch(group: &Group, name: &str, settings: &Settings) -> Worker {
    let all = worker_settings(settings);
    let pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    group.launch_with(name, &pairs)
}

/// A file source and a file sink with a topic between them, and what goes through.
struct Flow<'a> {
    stage: &'a Stage,
    source: String,
    sink: String,
    lines: String,
}

impl<'a> Flow<'a> {
    fn create(group: &'a Group, worker: &Worker) -> Self {
        let stage = &group.stage;
        let (source, sink, topic) = (stage.named("source"), stage.named("sink"), stage.named("topic"));
        stage.write("in.txt", "");
        worker.create(&source, file_source(&stage.file("in.txt"), &topic));
        worker.create(&sink, file_sink(&stage.file("out.txt"), &topic));
        let flow = Self {
            stage,
            source,
            sink,
            lines: String::new(),
        };
        flow.owners(worker);
        flow
    }

    /// One more line arrives, and none twice.
    fn passes(&mut self) {
        let number = self.lines.lines().count();
        self.lines.push_str(&format!("line {number}\n"));
        self.stage.write("in.txt", &self.lines);
        eventually("the next line has arrived, once", || {
            self.stage.read("out.txt") == self.lines.as_bytes()
        });
    }

    /// Who runs what; all of it runs.
    fn owners(&self, worker: &Worker) -> Vec<Vec<String>> {
        [&self.source, &self.sink]
            .map(|name| {
                let path = format!("/connectors/{name}/status");
                workers_of(&worker.until(&path, "it runs", |status| has_state(status, "RUNNING")))
            })
            .into()
    }
}

#[test]
fn one_token_serves_all_clients_of_a_worker() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    let Some(group) = scene.group("tokens-shared") else {
        return;
    };
    let before = scene.provider.issued();
    let worker = scene.start(&group, "one");
    let mut flow = Flow::create(&group, &worker);
    flow.passes();
    assert_eq!(scene.provider.issued(), before + 1);
    let config = worker.get(&format!("/connectors/{}", flow.source)).to_string();
    scene.assert_discreet(&config);
    scene.assert_discreet(&worker.log());
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_group_goes_on_over_many_tokens_and_sessions() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    let Some(group) = scene.group("tokens-short") else {
        return;
    };
    scene.provider.set_lifetime(LIFETIME);
    let workers = ["one", "two"].map(|name| scene.start(&group, name));
    let mut flow = Flow::create(&group, &workers[0]);
    eventually("both workers have work", || {
        let mut owners = flow.owners(&workers[0]).concat();
        owners.sort();
        owners.dedup();
        owners.len() == workers.len()
    });
    // A rebalance may still follow on what was created; it is over when each worker has its next token.
    let first = scene.provider.issued();
    while scene.provider.issued() < first + workers.len() {
        flow.passes();
    }
    let owners = flow.owners(&workers[0]);
    let before = rebalances(&workers[0]);
    let (issued, renewed) = (scene.provider.issued(), scene.reauthentications());
    while scene.provider.issued() < issued + LIVES * workers.len() {
        flow.passes();
    }
    flow.passes();
    assert_eq!(flow.owners(&workers[1]), owners);
    assert_eq!(rebalances(&workers[0]), before);
    // Each worker's membership, its consumer and its producer at least, once for each token.
    let again = scene.reauthentications() - renewed;
    assert!(again >= (3 * (LIVES - 1)) as f64, "{again} logins again");
    for worker in workers {
        scene.assert_discreet(&worker.log());
        assert_eq!(worker.terminate(), Some(143));
    }
}

/// Rebalances that this worker has been through, as it tells at `GET /metrics`.
fn rebalances(worker: &Worker) -> String {
    let metrics = worker.request("GET", "/metrics", None).body;
    let name = "kafka_connect_worker_rebalance_completed_rebalances_total";
    let line = metrics.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("{name} is not in {metrics}"))
        .to_owned()
}

#[test]
fn a_provider_that_is_away_at_the_start_or_later_is_waited_for() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    let Some(group) = scene.group("tokens-away") else {
        return;
    };
    scene.provider.set_lifetime(LIFETIME);
    scene.provider.leave();
    let worker = scene.launch(&group, "one", IdentityProvider::CLIENT_SECRET);
    let missed = format!("no OAuth token from {}", scene.provider.token_url());
    worker.wait_log(&missed);
    scene.provider.come_back();
    worker.wait_ready();
    let mut flow = Flow::create(&group, &worker);
    flow.passes();
    scene.provider.leave();
    // The membership says so when it would log in again and no token holds any more.
    worker.wait_log(&format!("group {}: {missed}", group.stage.named("workers")));
    scene.provider.come_back();
    flow.passes();
    flow.owners(&worker);
    flow.passes();
    scene.assert_discreet(&worker.log());
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_worker_that_is_refused_says_by_whom_and_what_helps() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    let Some(group) = scene.group("tokens-refused") else {
        return;
    };
    let refused = |name: &str, secret: &str, words: &[&str]| {
        let mut worker = scene.launch(&group, name, secret);
        let code = worker.end(ANSWER);
        let log = worker.log();
        assert_eq!(code, Some(2), "{name}: {log}");
        for word in words {
            assert!(log.contains(word), "{name}: {word} is not in {log}");
        }
        scene.assert_discreet(&log);
    };
    refused(
        "secret",
        "wr0ng-s3cret",
        &[
            &scene.provider.token_url(),
            "401",
            "unknown client or wrong secret",
            "sasl.oauthbearer.client.credentials.client.secret",
        ],
    );
    // The broker has the last word.
    scene.provider.set_audience("somebody-else");
    refused(
        "audience",
        IdentityProvider::CLIENT_SECRET,
        &["invalid_token", "sasl.oauthbearer.scope"],
    );
}

#[test]
fn tokens_of_a_file_that_something_keeps_fresh_do_as_well() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    let Some(group) = scene.group("tokens-file") else {
        return;
    };
    scene.provider.set_lifetime(LIFETIME);
    let stage = &group.stage;
    let replace = || {
        stage.write("token.new", scene.provider.give_out());
        std::fs::rename(stage.path("token.new"), stage.path("token")).unwrap();
    };
    replace();
    let mut settings = scene.settings("");
    settings.retain(|(key, _)| !key.contains("credentials"));
    for (key, value) in &mut settings {
        match *key {
            "sasl.oauthbearer.token.endpoint.url" => *value = format!("file://{}", stage.file("token")),
            // As it was called before Kafka 4.
            "sasl.login.callback.handler.class" => {
                *value = format!("{CLASSES}.secured.OAuthBearerLoginCallbackHandler");
            }
            _ => {}
        }
    }
    let worker = launch(&group, "one", &settings);
    worker.wait_ready();
    let mut flow = Flow::create(&group, &worker);
    let begun = Instant::now();
    while begun.elapsed() < LIFETIME * 2 {
        replace();
        flow.passes();
    }
    flow.owners(&worker);
    scene.assert_discreet(&worker.log());
    assert_eq!(worker.terminate(), Some(143));
}
