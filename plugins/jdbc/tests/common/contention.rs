//! What becomes of a sink whose rows or table somebody else holds, whatever the database.

#![allow(dead_code, reason = "not every test file asks for everything")]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wharf_test_services::process::wait_until;

use super::{Database, Schemas, record};

/// Two sinks change the rows 0 to 99 of a table again and again, one from the first to the last and one the other way round, and
/// both get through; one that has to try again says `deadlock`.
pub(crate) fn both_get_through(database: &Database, more: &[(&str, &str)], deadlock: &str) {
    let own = [
        // Row after row, in the order of the records.
        ("insert.mode", "update"),
        ("pk.mode", "record_key"),
        ("retry.backoff.ms", "0"),
        ("max.retries", "1000"),
    ];
    let more = [&own[..], more].concat();
    thread::scope(|scope| {
        for forward in [true, false] {
            let (database, more) = (&database, &more);
            scope.spawn(move || {
                let mut sink = database.sink(more);
                let schemas = Schemas::default();
                for round in 0..20 {
                    let records: Vec<_> = (0..100)
                        .map(|n| {
                            let id = if forward { n } else { 99 - n };
                            schemas.record(round * 100 + n, id, Some("y"), Some(1))
                        })
                        .collect();
                    while let Err(error) = sink.put(&records) {
                        assert!(error.is_retriable(), "{error}");
                        assert!(error.message().contains(deadlock), "{error}");
                    }
                }
                assert_eq!(sink.safe(), 2000);
            });
        }
    });
    assert_eq!(database.lines("SELECT count(*), min(amount) FROM t"), ["100|1"]);
}

/// Somebody holds the table: a sink gives up when its statement's time is over, and says `timeout`; it gives up as well when its task is
/// to stop, and leaves no statement behind. `waiting` tells how many statements wait for the lock.
pub(crate) fn a_lock_is_given_up(
    database: &Database,
    timeout: &str,
    waiting: impl Fn() -> String + Clone + Send + 'static,
) {
    let mut sink = database.sink(&[("wharf.statement.timeout.ms", "200"), ("retry.backoff.ms", "0")]);
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(error.is_retriable());
    assert!(error.message().contains(timeout), "{error}");

    let mut sink = database.sink(&[("wharf.statement.timeout.ms", "0")]);
    let worker = Arc::clone(sink.harness.plugin().worker());
    let stopper = thread::spawn({
        let waiting = waiting.clone();
        move || {
            let began = wait_until(Duration::from_secs(30), || waiting() == "1");
            worker.set_stopping(true);
            began
        }
    });
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(stopper.join().unwrap(), "the statement waited for the lock");
    assert!(error.is_retriable());
    assert!(error.message().contains("the task is stopping"), "{error}");
    assert_eq!(waiting(), "0");
}

/// The table is let go.
pub(crate) fn a_row_gets_through(database: &Database) {
    let mut sink = database.sink(&[]);
    sink.put(&[record(0, 1, None, None)]).unwrap();
    assert_eq!(database.lines("SELECT count(*) FROM t"), ["1"]);
}
