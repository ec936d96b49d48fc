//! JVM workers and native ones: in one group, and one kind after the other on the same topics.
//!
//! The first member of a group leads, so the order in which workers start decides the kind of the leader.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use wharf_e2e::{Launch, PATIENCE, Stage, TopicReader, Worker, has_state, states};
use wharf_test_services::bundle::Bundle;
use wharf_test_services::{available, jvm_connect, target_dir};

use crate::group::{Group, eventually, file_sink, file_source, workers_of};
use crate::two_groups::STRANGER;

/// What a Wharf worker logs when it joins as leader.
pub(crate) const LEADS: &str = "as leader";
/// All there is in the file of a source at first.
pub(crate) const LINES: &str = "one\ntwo\n";

/// A group in which JVM workers can be started, too.
pub(crate) struct Mixed {
    pub(crate) group: Group,
    jars: PathBuf,
    pub(crate) plugins: PathBuf,
    /// One for each topic, for as long as the test runs: another one would wait until the group forgets the first. With what was
    /// read so far.
    readers: RefCell<HashMap<String, (TopicReader, String)>>,
    /// A JVM worker takes a core and half a gigabyte to start: one test at a time.
    _turn: MutexGuard<'static, ()>,
}

impl Mixed {
    pub(crate) fn set_up(name: &str) -> Option<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Self {
            group: Group::set_up(name)?,
            jars: available(Bundle::connect().fetch())?,
            plugins: available(Bundle::connect_file().fetch())?,
            readers: RefCell::default(),
            _turn: turn,
        })
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.group.stage
    }

    /// Starts a JVM worker, with the same properties but for the plugins, and waits for nothing.
    pub(crate) fn launch_jvm(&self, name: &str) -> Worker {
        self.launch_jvm_with(name, &[])
    }

    /// The same with further worker properties.
    pub(crate) fn launch_jvm_with(&self, name: &str, more: &[(&str, &str)]) -> Worker {
        self.launch_jvm_as(name, more, &[])
    }

    /// The same with options of Java's own.
    pub(crate) fn launch_jvm_as(&self, name: &str, more: &[(&str, &str)], java: &[String]) -> Worker {
        let stage = self.stage();
        let folder = stage.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        let plugins = self.plugins.to_string_lossy();
        let mut own = vec![
            ("plugin.path", &*plugins),
            // Its default of five minutes is longer than any test.
            ("scheduled.rebalance.max.delay.ms", "0"),
        ];
        own.extend(more);
        let text = self.group.properties(&own);
        let file = stage.write(&format!("{name}/worker.properties"), text);
        let options: Vec<&str> = jvm_connect::SHORT_RUN
            .into_iter()
            .chain(java.iter().map(String::as_str))
            .collect();
        let command =
            jvm_connect::command(&self.jars, &options, "ConnectDistributed", &[&file], &folder).unwrap();
        let arguments: Vec<OsString> = command[1..].iter().map(OsString::from).collect();
        Worker::spawn("java".as_ref(), &arguments, &folder, Launch::default())
    }

    pub(crate) fn start_jvm(&self, name: &str) -> Worker {
        let worker = self.launch_jvm(name);
        healthy(&worker);
        worker
    }

    /// A source whose file has [`LINES`].
    pub(crate) fn source(&self, name: &str) -> Value {
        let stage = self.stage();
        stage.write(&format!("{name}.txt"), LINES);
        file_source(&stage.file(&format!("{name}.txt")), &stage.named(name))
    }

    /// A sink of what a source gives; its file has its own name.
    pub(crate) fn sink(&self, name: &str, source: &str) -> Value {
        let stage = self.stage();
        let mut config = file_sink(&stage.file(&format!("{name}.txt")), &stage.named(source));
        config["consumer.override.auto.offset.reset"] = json!("earliest");
        config
    }

    /// Adds a line to what a source reads.
    pub(crate) fn add(&self, name: &str, line: &str) {
        let file = self.stage().path(&format!("{name}.txt"));
        let mut file = OpenOptions::new().append(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }

    /// What is in the topic of a source, in order.
    pub(crate) fn lines(&self, name: &str) -> String {
        let mut readers = self.readers.borrow_mut();
        let (reader, seen) = readers.entry(name.to_owned()).or_insert_with(|| {
            let reader = self.stage().kafka().reader(&self.stage().named(name));
            (reader, String::new())
        });
        for record in reader.read_to_end() {
            seen.push_str(&record.text());
            seen.push('\n');
        }
        seen.clone()
    }
}

/// Compiles classes of `java/wharf/test` into one plugin; the folder is for the `plugin.path` of JVM workers. Only with a [`Mixed`],
/// so that no other test runs with what is being written.
pub(crate) fn java_plugin(classes: &[&str]) -> Option<PathBuf> {
    let folder = target_dir().join("e2e-java").join(classes.join("-"));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("java/wharf/test");
    let sources: Vec<_> = classes
        .iter()
        .map(|class| sources.join(format!("{class}.java")))
        .collect();
    let compiled = Bundle::connect()
        .fetch()
        .and_then(|jars| jvm_connect::compile(&jars, &sources, &folder.join("classes")));
    available(compiled)?;
    Some(folder)
}

/// Waits until a worker of either kind is a member of the group.
pub(crate) fn healthy(worker: &Worker) {
    worker.until("/health", "it is healthy", |health| health["status"] == "healthy");
}

pub(crate) fn path(name: &str, rest: &str) -> String {
    format!("/connectors/{name}{rest}")
}

/// A request that has to succeed: at once on a native worker, whoever leads. To a JVM worker it is sent again, as upstream's clients
/// have to, when that answers 409 because of a rebalance.
pub(crate) fn ask(worker: &Worker, method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
    let mut answer = None;
    eventually(&format!("{method} {path} is not refused"), || {
        let response = worker.request(method, path, body);
        let refused = worker.is_jvm() && response.status == 409;
        assert!(
            refused || response.status == status,
            "{method} {path}: {} {}",
            response.status,
            response.body
        );
        answer = (!refused).then(|| serde_json::from_str(&response.body).unwrap_or(Value::Null));
        !refused
    });
    answer.unwrap()
}

pub(crate) fn create(worker: &Worker, name: &str, config: Value) {
    let body = json!({"name": name, "config": config});
    ask(worker, "POST", "/connectors", Some(&body), 201);
}

/// Waits until all workers say the same of a connector, and that it and its task are in this state.
pub(crate) fn all_say(workers: &[&Worker], name: &str, state: &str) -> Vec<String> {
    let mut owners = Vec::new();
    eventually(&format!("all workers say that {name} is {state}"), || {
        let said: BTreeSet<Vec<String>> = workers
            .iter()
            .map(|worker| {
                let status = worker.until(&path(name, "/status"), "there is a status", |_| true);
                if has_state(&status, state) {
                    workers_of(&status)
                } else {
                    Vec::new()
                }
            })
            .collect();
        owners = said.first().cloned().unwrap_or_default();
        said.len() == 1 && !owners.is_empty()
    });
    owners
}

pub(crate) fn addresses(workers: &[&Worker]) -> BTreeSet<String> {
    workers.iter().map(|worker| worker.address().to_owned()).collect()
}

/// Ends workers at the same time, in order.
pub(crate) fn terminate(workers: impl IntoIterator<Item = Worker>) {
    let mut workers: Vec<Worker> = workers.into_iter().collect();
    for worker in &workers {
        worker.signal("TERM");
    }
    for worker in &mut workers {
        assert_eq!(worker.end(PATIENCE), Some(143));
        assert!(
            !worker.log().contains(STRANGER),
            "members are taken for strangers"
        );
    }
}

/// What connectors have used, and levels of loggers, are known to all; a connector begins in the state that is asked for.
fn exercise_what_all_know(mixed: &Mixed, workers: &[&Worker], prefix: &str) {
    let used = |name: &str, topics: &Value| {
        let wanted = json!({name: {"topics": topics}});
        for worker in workers {
            worker.until(&path(name, "/topics"), "its topics are known", |found| {
                *found == wanted
            });
        }
    };
    for (n, worker) in workers.iter().enumerate() {
        let level = ["WARN", "ERROR"][n % 2];
        let logger = "/admin/loggers/org.apache.kafka.connect.file";
        let body = json!({"level": level});
        ask(
            worker,
            "PUT",
            &format!("{logger}?scope=cluster"),
            Some(&body),
            204,
        );
        for worker in workers {
            worker.until(logger, "the level is everywhere", |found| found["level"] == level);
        }

        let name = format!("{prefix}-later{n}");
        let state = ["STOPPED", "PAUSED"][n % 2];
        let body = json!({"name": name, "config": mixed.source(&name), "initial_state": state});
        ask(worker, "POST", "/connectors", Some(&body), 201);
        // One that never ran has no tasks yet.
        for worker in workers {
            worker.until_states(&name, &[state]);
        }
        used(&name, &json!([]));
        let next = workers[(n + 1) % workers.len()];
        ask(next, "PUT", &path(&name, "/resume"), None, 202);
        all_say(workers, &name, "RUNNING");
        used(&name, &json!([mixed.stage().named(&name)]));
        assert_eq!(mixed.lines(&name), LINES);
        ask(next, "PUT", &path(&name, "/topics/reset"), None, 202);
        used(&name, &json!([]));
        ask(worker, "DELETE", &path(&name, ""), None, 204);
    }
}

/// Sends every kind of request, for one source and one sink per worker, each time to another worker.
pub(crate) fn exercise(mixed: &Mixed, workers: &[&Worker], prefix: &str) {
    let stage = mixed.stage();
    let addresses = addresses(workers);
    let sources: Vec<String> = (0..workers.len()).map(|n| format!("{prefix}{n}")).collect();
    // Their consumer groups are named after them, and other tests share the broker.
    let sinks: Vec<String> = sources
        .iter()
        .map(|name| stage.named(&format!("{name}-sink")))
        .collect();
    let names = || sources.iter().chain(&sinks);
    let each = |round: usize, act: &dyn Fn(&Worker, &str)| {
        for (n, name) in names().enumerate() {
            act(workers[(n + round) % workers.len()], name);
        }
    };
    let wait = |state: &str| {
        for name in names() {
            all_say(workers, name, state);
        }
    };
    for (n, (source, sink)) in sources.iter().zip(&sinks).enumerate() {
        let next = workers[(n + 1) % workers.len()];
        create(workers[n], source, mixed.source(source));
        create(next, sink, mixed.sink(sink, source));
    }
    eventually("every worker has one", || {
        let owners = names().flat_map(|name| all_say(workers, name, "RUNNING"));
        owners.collect::<BTreeSet<_>>() == addresses
    });
    each(1, &|worker, name| {
        ask(worker, "PUT", &path(name, "/pause"), None, 202);
    });
    wait("PAUSED");
    each(2, &|worker, name| {
        ask(worker, "PUT", &path(name, "/resume"), None, 202);
    });
    wait("RUNNING");
    each(3, &|worker, name| {
        ask(worker, "POST", &path(name, "/restart"), None, 204);
    });
    each(1, &|worker, name| {
        ask(worker, "POST", &path(name, "/tasks/0/restart"), None, 204);
    });
    wait("RUNNING");
    each(2, &|worker, name| {
        let plan = ask(
            worker,
            "POST",
            &path(name, "/restart?includeTasks=true"),
            None,
            202,
        );
        assert_eq!(states(&plan), ["RESTARTING", "RESTARTING"]);
    });
    wait("RUNNING");
    // Nothing has failed, so nothing is restarted.
    each(1, &|worker, name| {
        let only_failed = path(name, "/restart?includeTasks=true&onlyFailed=true");
        let plan = ask(worker, "POST", &only_failed, None, 202);
        assert_eq!(states(&plan), ["RUNNING", "RUNNING"]);
    });
    // The worker that has the connector sends new task configurations to the leader, signed.
    each(3, &|worker, name| {
        let patch = json!({"batch.size": "10"});
        ask(worker, "PATCH", &path(name, "/config"), Some(&patch), 200);
    });
    for worker in workers {
        for name in &sources {
            worker.until(&path(name, "/tasks"), "the task has the change", |tasks| {
                tasks[0]["config"]["batch.size"] == "10"
            });
        }
    }
    wait("RUNNING");
    for (source, sink) in sources.iter().zip(&sinks) {
        workers[0].until(&path(source, "/offsets"), "the offset is stored", |offsets| {
            offsets["offsets"][0]["offset"]["position"] == LINES.len()
        });
        assert_eq!(mixed.lines(source), LINES, "{source}");
        workers[0].until(&path(sink, "/offsets"), "the offset is stored", |offsets| {
            offsets["offsets"][0]["offset"]["kafka_offset"] == 2
        });
        // A JVM worker forgets what it wrote of a sink that is paused while its consumer joins, and may write it once more.
        let written = String::from_utf8(stage.read(&format!("{sink}.txt"))).unwrap();
        let lines: BTreeSet<&str> = written.lines().collect();
        assert_eq!(lines, LINES.lines().collect(), "{sink}");
    }
    each(1, &|worker, name| {
        ask(worker, "PUT", &path(name, "/stop"), None, 204);
    });
    for worker in workers {
        for name in names() {
            worker.until_states(name, &["STOPPED"]);
        }
    }
    // All begin again after the first line; then with it.
    each(3, &|worker, name| {
        let offsets = worker.until(&path(name, "/offsets"), "there are offsets", |_| true);
        let mut first = offsets["offsets"][0].clone();
        first["offset"] = match sinks.iter().any(|sink| sink == name) {
            true => json!({"kafka_offset": 1}),
            false => json!({"position": LINES.find('\n').unwrap() + 1}),
        };
        let wanted = json!({"offsets": [first]});
        ask(worker, "PATCH", &path(name, "/offsets"), Some(&wanted), 200);
        for worker in workers {
            worker.until(
                &path(name, "/offsets"),
                "the offset is what was asked for",
                |offsets| *offsets == wanted,
            );
        }
    });
    each(2, &|worker, name| {
        ask(worker, "DELETE", &path(name, "/offsets"), None, 200);
    });
    each(3, &|worker, name| {
        worker.until(&path(name, "/offsets"), "no offsets are there", |offsets| {
            *offsets == json!({"offsets": []})
        });
    });
    each(0, &|worker, name| {
        ask(worker, "DELETE", &path(name, ""), None, 204);
    });
    for worker in workers {
        for name in names() {
            eventually("it is gone", || {
                worker.request("GET", &path(name, "/status"), None).status == 404
            });
        }
    }
    exercise_what_all_know(mixed, workers, prefix);
}

#[test]
fn connectors_states_and_offsets_go_from_jvm_workers_to_this_one_and_back() {
    let Some(mixed) = Mixed::set_up("take-over") else {
        return;
    };
    let stage = mixed.stage();
    let position = |worker: &Worker, name: &str, text: &str| {
        worker.until(&path(name, "/offsets"), "the offset is stored", |offsets| {
            offsets["offsets"][0]["offset"]["position"] == text.len()
        });
    };
    let texts = [LINES, "one\ntwo\nthree\n", "one\ntwo\nthree\nfour\n"];
    let jvm = mixed.start_jvm("jvm");
    for name in ["runs", "pauses", "stops"] {
        create(&jvm, name, mixed.source(name));
        position(&jvm, name, texts[0]);
    }
    // Its records come from either worker with the header that its transform adds.
    let mut headed = mixed.source("headed");
    headed["transforms"] = json!("head");
    headed["transforms.head.type"] = json!("org.apache.kafka.connect.transforms.InsertHeader");
    headed["transforms.head.header"] = json!("from");
    headed["transforms.head.value.literal"] = json!("here");
    create(&jvm, "headed", headed);
    position(&jvm, "headed", texts[0]);
    create(
        &jvm,
        "take-over-sink",
        file_sink(&stage.file("out.txt"), &stage.named("runs")),
    );
    eventually("the sink has them", || {
        stage.read("out.txt") == texts[0].as_bytes()
    });
    jvm.until(
        "/connectors/take-over-sink/offsets",
        "its offset is stored",
        |offsets| offsets["offsets"][0]["offset"]["kafka_offset"] == 2,
    );
    ask(&jvm, "PUT", "/connectors/pauses/pause", None, 202);
    ask(&jvm, "PUT", "/connectors/stops/stop", None, 204);
    jvm.until_states("pauses", &["PAUSED", "PAUSED"]);
    jvm.until_states("stops", &["STOPPED"]);
    terminate([jvm]);

    let add = |line: &str| {
        for name in ["runs", "pauses", "stops", "headed"] {
            mixed.add(name, line);
        }
    };
    let runs_on = |worker: &Worker, name: &str, wanted: &[&str]| {
        worker.until(&path(name, "/status"), "it is here", |status| {
            states(status) == wanted && workers_of(status).iter().all(|owner| owner == worker.address())
        });
    };
    add("three\n");
    let native = mixed.group.start("native");
    runs_on(&native, "runs", &["RUNNING", "RUNNING"]);
    runs_on(&native, "take-over-sink", &["RUNNING", "RUNNING"]);
    runs_on(&native, "pauses", &["PAUSED", "PAUSED"]);
    native.until_states("stops", &["STOPPED"]);
    runs_on(&native, "headed", &["RUNNING", "RUNNING"]);
    eventually("the line with a header comes, once", || {
        mixed.lines("headed") == texts[1]
    });
    position(&native, "headed", texts[1]);
    eventually("the next line comes, once", || mixed.lines("runs") == texts[1]);
    eventually("the sink goes on", || {
        stage.read("out.txt") == texts[1].as_bytes()
    });
    position(&native, "runs", texts[1]);
    position(&native, "stops", texts[0]);
    assert_eq!(mixed.lines("pauses"), texts[0], "it stayed paused");
    ask(&native, "PUT", "/connectors/runs/pause", None, 202);
    ask(&native, "PUT", "/connectors/pauses/resume", None, 202);
    native.until_states("runs", &["PAUSED", "PAUSED"]);
    position(&native, "pauses", texts[1]);
    native.until(
        "/connectors/take-over-sink/offsets",
        "its offset is stored",
        |offsets| offsets["offsets"][0]["offset"]["kafka_offset"] == 3,
    );
    terminate([native]);

    add("four\n");
    let jvm = mixed.start_jvm("jvm");
    runs_on(&jvm, "pauses", &["RUNNING", "RUNNING"]);
    runs_on(&jvm, "runs", &["PAUSED", "PAUSED"]);
    jvm.until_states("stops", &["STOPPED"]);
    eventually("its lines come, once", || mixed.lines("pauses") == texts[2]);
    assert_eq!(mixed.lines("runs"), texts[1], "it stayed paused");
    ask(&jvm, "PUT", "/connectors/stops/resume", None, 202);
    ask(&jvm, "PUT", "/connectors/runs/resume", None, 202);
    for name in ["runs", "stops", "headed"] {
        eventually("all lines are there, once", || mixed.lines(name) == texts[2]);
    }
    // Two readers of one topic would share its only partition.
    drop(mixed.readers.borrow_mut().remove("headed"));
    for record in stage.kafka().reader(&stage.named("headed")).read(4) {
        assert_eq!(
            record.headers,
            [("from".to_owned(), Some(b"here".to_vec()))],
            "{record:?}"
        );
    }
    eventually("the sink has them once", || {
        stage.read("out.txt") == texts[2].as_bytes()
    });

    // A native worker without the plugins joins: the JVM leader gives it work that it cannot do.
    let empty = stage.path("no-plugins");
    std::fs::create_dir(&empty).unwrap();
    let folder = empty.to_string_lossy().into_owned();
    let bare = mixed.group.start_with("bare", &[("plugin.path", &folder)]);
    let failed = |worker: &Worker| -> Vec<Value> {
        let status = |name: &&str| worker.get(&path(name, "/status"));
        let all: Vec<Value> = ["runs", "pauses", "stops", "take-over-sink"]
            .iter()
            .map(status)
            .collect();
        let parts = all.iter().flat_map(|status| {
            let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
            std::iter::once(status["connector"].clone()).chain(tasks)
        });
        parts.filter(|part| part["state"] == "FAILED").collect()
    };
    eventually("both workers say that something fails", || {
        !failed(&jvm).is_empty() && !failed(&bare).is_empty()
    });
    for part in failed(&jvm) {
        assert_eq!(part["worker_id"], bare.address());
        let trace = part["trace"].as_str().unwrap();
        assert!(trace.contains("connector class FileStreamS"), "{trace}");
        assert!(trace.contains(&format!("plugin.path={folder};")), "{trace}");
    }
    position(&bare, "runs", texts[2]);
    terminate([bare]);
    for name in ["runs", "pauses", "stops", "take-over-sink"] {
        runs_on(&jvm, name, &["RUNNING", "RUNNING"]);
    }
    terminate([jvm]);
}
