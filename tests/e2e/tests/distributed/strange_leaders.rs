//! A leader whose URL leads to something that is no worker: who is asked and has to pass the request on says what it found, and
//! where.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_e2e::{Stage, Worker};

use crate::group::{Group, eventually, file_source};
use crate::stranger::{Stranger, has_members};

/// Much less than the time that requests have in all.
const SOON: Duration = Duration::from_secs(15);

/// What listens where a leader should.
#[derive(Clone, Copy)]
enum Peer {
    /// It reads the request and says this.
    Says(&'static str),
    /// It reads the request and says nothing for as long as it is asked.
    Silent,
}

/// Listens for as long as the test runs; what it does can be changed.
struct Listener {
    url: String,
    peer: Arc<Mutex<Peer>>,
    /// Connections that are still waited at.
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Listener {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let peer = Arc::new(Mutex::new(Peer::Silent));
        let open = Arc::new(Mutex::new(Vec::new()));
        let (does, kept) = (Arc::clone(&peer), Arc::clone(&open));
        thread::spawn(move || {
            for caller in listener.incoming() {
                let mut caller = caller.unwrap();
                let mut part = [0; 64 * 1024];
                // A request of these tests fits into it.
                let read = caller.read(&mut part).unwrap_or_default();
                if read == 0 {
                    continue;
                }
                match *does.lock().unwrap() {
                    Peer::Silent => kept.lock().unwrap().push(caller),
                    // The other side may be gone.
                    Peer::Says(words) => drop(caller.write_all(words.as_bytes())),
                }
            }
        });
        Self { url, peer, open }
    }

    fn is(&self, peer: Peer) {
        *self.peer.lock().unwrap() = peer;
    }
}

fn wanted(stage: &Stage, name: &str) -> Value {
    json!({"name": name, "config": file_source(&stage.file("in.txt"), &stage.named("topic"))})
}

/// A worker whose leader is said to be at `url`.
fn led_from(stranger: &mut Stranger, worker: &Worker, url: &str) {
    stranger.lead(1, url);
    worker.until("/admin/cluster", "it has heard who leads", |view| {
        view["leader_url"] == url && view["is_rebalancing"] == false
    });
}

#[test]
fn a_leader_that_is_no_worker_is_named_with_what_it_said() {
    let Some(group) = Group::set_up("no-worker") else {
        return;
    };
    let stage = &group.stage;
    stage.write("in.txt", "one\n");
    let mut stranger = Stranger::connect(stage);
    stranger.join(b"garbage");
    let worker = group.launch_with("worker", &[]);
    let listener = Listener::start();
    led_from(&mut stranger, &worker, &listener.url);

    let post = |name: &str| {
        let body = wanted(stage, name);
        worker.refused("POST", "/connectors", Some(&body), 500)
    };
    let asked_at = format!("{}connectors?forward=true", listener.url);
    let nobody_knows = "not known whether the request was carried out";
    let no_worker = "is no Connect worker, or stands before one";
    let cases: [(&str, &[&str]); 8] = [
        (
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 22\r\n\r\n<html>not here </html>",
            &[
                no_worker,
                "it said 404 Not Found, with text/html: `<html>not here </html>`",
            ],
        ),
        (
            "HTTP/1.0 200 OK\r\n\r\n<h1>It works!</h1>",
            &[no_worker, "it said 200 OK: `<h1>It works!</h1>`"],
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: https://login/\r\ncontent-length: 0\r\n\r\n",
            &[no_worker, "it said 302 Found, to https://login/"],
        ),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 16\r\n\r\n{\"error\":\"none\"}",
            &[no_worker, "`{\"error\":\"none\"}`"],
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            &[no_worker, "it does not speak HTTP"],
        ),
        (
            "\0\u{1}\u{2}garbage\r\n\r\n",
            &[no_worker, "it does not speak HTTP"],
        ),
        ("", &["was asked, but its connection was lost"]),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
            &["was asked, but its answer cannot be read"],
        ),
    ];
    for (words, reasons) in cases {
        listener.is(Peer::Says(words));
        let begun = Instant::now();
        let message = post("source");
        assert!(begun.elapsed() < SOON, "{words}: {:?}", begun.elapsed());
        for part in [asked_at.as_str(), nobody_knows].iter().chain(reasons) {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        assert_eq!(worker.get("/connectors"), json!([]));
    }

    // One that says nothing is waited for, but not when it leads no longer.
    listener.is(Peer::Silent);
    thread::scope(|scope| {
        let waits = scope.spawn(|| post("source"));
        eventually("it was asked", || !listener.open.lock().unwrap().is_empty());
        stranger.leave();
        let message = waits.join().unwrap();
        for part in [asked_at.as_str(), nobody_knows, "it leads the group no longer"] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
    });
    works_alone(stage, worker);
}

#[test]
fn a_leader_whose_url_is_none_is_named_and_one_that_cannot_be_reached_is_waited_for() {
    let Some(group) = Group::set_up("no-url") else {
        return;
    };
    let stage = &group.stage;
    stage.write("in.txt", "one\n");
    let mut stranger = Stranger::connect(stage);
    stranger.join(b"garbage");
    let worker = group.launch_with("worker", &[]);
    for (url, reason) in [
        ("https://127.0.0.1:1/", "this build speaks http only"),
        ("ftp://127.0.0.1:1/", "http only"),
        ("http:///", "cannot be asked"),
        ("no url", "cannot be asked"),
        ("NOTUSED", "cannot be asked"),
    ] {
        led_from(&mut stranger, &worker, url);
        let begun = Instant::now();
        let body = wanted(stage, "source");
        let message = worker.refused("POST", "/connectors", Some(&body), 500);
        assert!(begun.elapsed() < SOON, "{url}: {:?}", begun.elapsed());
        for part in [url.trim_end_matches('/'), reason] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
    }
    // It may only be starting; the request waits for it, or for the next leader.
    led_from(&mut stranger, &worker, "http://127.0.0.1:1/");
    thread::scope(|scope| {
        let created = scope.spawn(|| {
            let body = wanted(stage, "source");
            worker.call("POST", "/connectors", Some(&body), 201)
        });
        stranger.leave();
        created.join().unwrap();
    });
    worker.until_states("source", &["RUNNING", "RUNNING"]);
    worker.call("DELETE", "/connectors/source", None, 204);
    works_alone(stage, worker);
}

/// The stranger has left: everything goes on.
fn works_alone(stage: &Stage, worker: Worker) {
    has_members(stage, 1);
    worker.wait_ready();
    worker.call("POST", "/connectors", Some(&wanted(stage, "after")), 201);
    worker.until_states("after", &["RUNNING", "RUNNING"]);
    assert_eq!(worker.get("/connectors"), json!(["after"]));
    assert!(!worker.log().contains("panicked"));
    assert_eq!(worker.terminate(), Some(143));
}
