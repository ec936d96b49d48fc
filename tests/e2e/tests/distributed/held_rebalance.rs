//! Requests that arrive while the group cannot agree: one of its members is there and does not join again. They wait as long as
//! that lasts, and are carried out afterwards.

use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_e2e::{Stage, Worker};

use crate::group::{Group, eventually, file_source};
use crate::stranger::{Stranger, has_members};

/// How long the group is held up; enough for every request to arrive, and for one that does not wait to be answered.
const HELD: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_millis(50);

/// A request that one of these tests makes while the group is held up.
struct Asked {
    method: &'static str,
    path: String,
    body: Option<Value>,
    status: u16,
    /// Whether only the leader may carry it out, once the group has agreed.
    waits: bool,
}

/// How the member that holds the group up lets go of it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Release {
    Leaves,
    JoinsAgain,
}

/// The connectors of one round, each for one request.
struct Round<'a> {
    stage: &'a Stage,
    number: usize,
}

const EXISTING: [&str; 10] = [
    "put",
    "patch",
    "pause",
    "resume",
    "stop",
    "restart",
    "restart-all",
    "restart-task",
    "delete",
    "offsets",
];

impl Round<'_> {
    fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.number)
    }

    fn path(&self, what: &str, rest: &str) -> String {
        format!("/connectors/{}{rest}", self.name(what))
    }

    fn config(&self) -> Value {
        file_source(&self.stage.file("in.txt"), &self.stage.named("topic"))
    }

    fn config_with(&self, batch: &str) -> Value {
        let mut config = self.config();
        config["batch.size"] = json!(batch);
        config
    }

    /// Creates what requests are made about.
    fn prepare(&self, worker: &Worker) {
        for what in EXISTING {
            worker.create(&self.name(what), self.config());
        }
        for what in EXISTING {
            worker.until_states(&self.name(what), &["RUNNING", "RUNNING"]);
        }
        worker.call("PUT", &self.path("resume", "/pause"), None, 202);
        worker.until_states(&self.name("resume"), &["PAUSED", "PAUSED"]);
        worker.until(&self.path("offsets", "/offsets"), "it is stored", |answer| {
            answer["offsets"][0]["offset"]["position"] == 4
        });
        worker.call("PUT", &self.path("offsets", "/stop"), None, 204);
        worker.until_states(&self.name("offsets"), &["STOPPED"]);
    }

    /// What has the group meet.
    fn first(&self) -> Asked {
        Asked {
            method: "POST",
            path: "/connectors".to_owned(),
            body: Some(json!({"name": self.name("first"), "config": self.config()})),
            status: 201,
            waits: false,
        }
    }

    fn requests(&self) -> Vec<Asked> {
        let asked = |method, path: String, body: Option<Value>, status, waits| Asked {
            method,
            path,
            body,
            status,
            waits,
        };
        let new = json!({"name": self.name("post"), "config": self.config_with("3")});
        vec![
            asked("POST", "/connectors".to_owned(), Some(new), 201, true),
            asked(
                "PUT",
                self.path("new", "/config"),
                Some(self.config_with("4")),
                201,
                true,
            ),
            asked(
                "PUT",
                self.path("put", "/config"),
                Some(self.config_with("5")),
                200,
                true,
            ),
            asked(
                "PATCH",
                self.path("patch", "/config"),
                Some(json!({"batch.size": "6"})),
                200,
                true,
            ),
            asked("PUT", self.path("stop", "/stop"), None, 204, true),
            asked(
                "POST",
                self.path("restart-all", "/restart?includeTasks=true"),
                None,
                202,
                true,
            ),
            asked("DELETE", self.path("delete", ""), None, 204, true),
            asked("DELETE", self.path("offsets", "/offsets"), None, 200, true),
            // Any member may write these, and whoever runs a thing may restart it.
            asked("PUT", self.path("pause", "/pause"), None, 202, false),
            asked("PUT", self.path("resume", "/resume"), None, 202, false),
            asked("POST", self.path("restart", "/restart"), None, 204, false),
            asked(
                "POST",
                self.path("restart-task", "/tasks/0/restart"),
                None,
                204,
                false,
            ),
        ]
    }

    /// What was asked for is so, whichever worker is asked.
    fn is_done(&self, worker: &Worker) {
        for (what, batch) in [("post", "3"), ("new", "4"), ("put", "5"), ("patch", "6")] {
            worker.until(&self.path(what, "/tasks"), "the task has the setting", |tasks| {
                tasks[0]["config"]["batch.size"] == batch
            });
            assert_eq!(worker.get(&self.path(what, "/config"))["batch.size"], batch);
        }
        worker.until_states(&self.name("pause"), &["PAUSED", "PAUSED"]);
        for what in ["stop", "offsets"] {
            worker.until_states(&self.name(what), &["STOPPED"]);
        }
        for what in [
            "post",
            "new",
            "put",
            "patch",
            "resume",
            "restart",
            "restart-all",
            "restart-task",
        ] {
            worker.until_states(&self.name(what), &["RUNNING", "RUNNING"]);
        }
        eventually("it is deleted", || {
            worker
                .request("GET", &self.path("delete", "/status"), None)
                .status
                == 404
        });
        assert_eq!(
            worker.get(&self.path("offsets", "/offsets")),
            json!({"offsets": []})
        );
    }
}

/// Sends a request from a thread of its own; when the answer came.
fn send<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    worker: &'scope Worker,
    asked: &'scope Asked,
) -> ScopedJoinHandle<'scope, Instant> {
    scope.spawn(move || {
        let Asked {
            method, path, body, ..
        } = asked;
        let answer = worker.request(method, path, body.as_ref());
        assert_eq!(answer.status, asked.status, "{method} {path}: {}", answer.body);
        Instant::now()
    })
}

/// Makes all requests of a round to one worker while the group is held up.
fn meets_a_held_rebalance(round: &Round<'_>, workers: &[Worker; 2], asked: &Worker, release: Release) {
    let stage = round.stage;
    round.prepare(&workers[0]);
    let mut stranger = Stranger::connect(stage);
    stranger.take_part();
    stranger.settles(stage, 3);
    let leader = workers
        .iter()
        .find(|worker| worker.get("/admin/cluster")["is_leader"] == true)
        .unwrap();

    let (first, requests) = (round.first(), round.requests());
    thread::scope(|scope| {
        // The new connector has to be given to somebody, so the group meets, and the stranger stays away.
        let first = send(scope, &workers[0], &first);
        eventually("the group waits for the stranger", || stranger.is_awaited());
        leader.until("/admin/cluster", "the leader waits", |view| {
            view["is_rebalancing"] == true
        });

        let sent: Vec<_> = requests.iter().map(|one| send(scope, asked, one)).collect();
        let begun = Instant::now();
        while begun.elapsed() < HELD {
            assert!(stranger.is_awaited());
            // What can be answered from what is known is answered.
            assert_eq!(
                asked.get(&round.path("put", "/config"))["name"],
                round.name("put")
            );
            thread::sleep(TICK);
        }
        let released = Instant::now();
        match release {
            Release::Leaves => stranger.leave(),
            Release::JoinsAgain => {
                // Whatever was asked for may have the group meet again.
                while sent.iter().any(|sent| !sent.is_finished()) {
                    if stranger.is_awaited() {
                        stranger.take_part();
                    }
                    thread::sleep(TICK);
                }
                stranger.leave();
            }
        }
        first.join().unwrap();
        for (one, sent) in requests.iter().zip(sent) {
            let answered = sent.join().unwrap();
            assert!(
                !one.waits || answered >= released,
                "{} {} has not waited",
                one.method,
                one.path
            );
        }
    });
    for worker in workers {
        round.is_done(worker);
    }
    has_members(stage, 2);
}

#[test]
fn requests_that_meet_a_rebalance_wait_until_it_is_over_and_are_carried_out() {
    let Some(mut group) = Group::set_up("held") else {
        return;
    };
    group.stage.keep_when_failed();
    let stage = &group.stage;
    stage.write("in.txt", "one\n");
    stage.kafka().create_topic(&stage.named("topic"), 1, &[]);
    let leader = group.start("one");
    leader.until("/admin/cluster", "it leads", |view| view["is_leader"] == true);
    let workers = [leader, group.start("two")];
    has_members(stage, 2);
    for (number, (asked, release)) in [
        (0, Release::Leaves),
        (0, Release::JoinsAgain),
        (1, Release::Leaves),
        (1, Release::JoinsAgain),
    ]
    .into_iter()
    .enumerate()
    {
        let round = Round { stage, number };
        meets_a_held_rebalance(&round, &workers, &workers[asked], release);
    }
    for worker in workers {
        let log = worker.log();
        assert!(!log.contains("panicked"), "{log}");
        assert_eq!(worker.terminate(), Some(143));
    }
}
