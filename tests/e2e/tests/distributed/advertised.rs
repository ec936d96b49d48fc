//! The address that a worker tells others: behind a mapped port, as in a container, it is another one than it listens at.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::group::{Group, eventually, file_source, workers_of};

/// Passes connections on to a port of this machine, for as long as the test runs; counts them.
fn mapped_to(port: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mapped = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for caller in listener.incoming() {
            let (Ok(caller), Ok(worker)) = (caller, TcpStream::connect(("127.0.0.1", port))) else {
                continue;
            };
            counted.fetch_add(1, Ordering::Relaxed);
            pass(&caller, &worker);
            pass(&worker, &caller);
        }
    });
    (mapped, count)
}

fn pass(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        // Either side may end it.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

#[test]
fn a_worker_is_known_and_reached_by_the_address_that_it_advertises() {
    let Some(group) = Group::set_up("advertised") else {
        return;
    };
    let stage = &group.stage;
    let [port] = wharf_test_services::ports::lasting().unwrap();
    let (mapped, calls) = mapped_to(port);
    let listener = format!("http://127.0.0.1:{port}");
    let mapped_port = mapped.to_string();
    let leader = group.start_with(
        "leader",
        &[
            ("listeners", &listener),
            ("rest.advertised.host.name", "localhost"),
            ("rest.advertised.port", &mapped_port),
        ],
    );
    let advertised = format!("localhost:{mapped}");
    stage.write("in.txt", "one\n");
    leader.create("first", file_source(&stage.file("in.txt"), &stage.named("first")));
    let status = leader.until_states("first", &["RUNNING", "RUNNING"]);
    assert_eq!(workers_of(&status), [advertised.as_str(), advertised.as_str()]);

    // One that is no leader asks the leader.
    let other = group.start("other");
    eventually("the other is a member", || {
        stage
            .kafka()
            .group(&stage.named("workers"))
            .is_some_and(|found| found.state == "Stable" && found.members.len() == 2)
    });
    // The test's own requests to the leader came this way, too.
    let before = calls.load(Ordering::Relaxed);
    other.create(
        "second",
        file_source(&stage.file("in.txt"), &stage.named("second")),
    );
    other.until_states("second", &["RUNNING", "RUNNING"]);
    assert!(
        calls.load(Ordering::Relaxed) > before,
        "the leader was not asked where it can be reached"
    );
}
