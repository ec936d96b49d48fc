//! Rows that are committed later than they were stamped, and clocks that are ahead.

use super::client::Client;
use super::common::source::{ids, started};
use super::common::{Database, mysql, postgres};
use super::{in_time, number};

const BY_TIME: [(&str, &str); 2] = [("mode", "timestamp"), ("timestamp.column.name", "at")];
const BY_BOTH: [(&str, &str); 3] = [
    ("mode", "timestamp+incrementing"),
    ("timestamp.column.name", "at"),
    ("incrementing.column.name", "id"),
];
/// Seconds between a stamp and the reading of its row.
const DELAY: i64 = 4;

/// The present time of a database's own clock.
fn now(database: &Database) -> &'static str {
    database.of("", "clock_timestamp()", "SYSDATE(6)")
}

fn table(database: &Database) {
    let at = database.of("", "TIMESTAMPTZ", "DATETIME(6)");
    database.query(&format!(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, at {at} NOT NULL)"
    ));
}

fn servers() -> Vec<Database> {
    [postgres(), mysql()].into_iter().flatten().collect()
}

#[test]
fn a_row_that_is_committed_within_the_delay_is_not_missed_while_others_are_read() {
    for database in servers() {
        for mode in [&BY_TIME[..], &BY_BOTH] {
            // On a machine that stood still for seconds the commit was too late: once more then.
            let held = (0..5).any(|_| is_read_after_a_late_commit(&database, mode));
            assert!(held, "no commit was in time");
        }
    }
}

/// Whether the commit was made within the delay; then its row has to be read.
fn is_read_after_a_late_commit(database: &Database, mode: &[(&str, &str)]) -> bool {
    database.query("DROP TABLE IF EXISTS t");
    table(database);
    let now = now(database);
    // One that is old enough shows that it reads.
    database.query(&format!("INSERT INTO t VALUES (0, {now} - INTERVAL '60' SECOND)"));
    let delay = (DELAY * 1_000).to_string();
    let mut harness = started(
        database,
        &[mode, &[("timestamp.delay.interval.ms", &delay)]].concat(),
    );
    let mut seen = Vec::new();
    let mut late = Client::connect(database).unwrap();
    late.run("BEGIN").unwrap();
    late.run(&format!("INSERT INTO t VALUES (2, {now})")).unwrap();
    // Stamped later, and there first.
    database.query(&format!("INSERT INTO t VALUES (1, {now})"));
    // Polls go on, and find the old one only.
    while seen.is_empty() {
        seen.extend(ids(&harness.poll().unwrap()));
    }
    seen.extend(ids(&harness.poll().unwrap()));
    late.run("COMMIT").unwrap();
    let age = format!(
        "SELECT count(*) FROM t WHERE id = 2 AND at > {now} - INTERVAL '{}' SECOND",
        DELAY - 1
    );
    let in_time = number(database, &age) == Some(1);
    seen.extend(ids(&harness.poll_for(3 - seen.len().min(3)).unwrap()));
    harness.stop().unwrap();
    if in_time {
        assert_eq!(seen, [0, 2, 1]);
    }
    in_time
}

/// What the delay is for: the same without it.
#[test]
fn without_a_delay_a_late_commit_is_missed() {
    for database in servers() {
        table(&database);
        let now = now(&database);
        let mut harness = started(&database, &BY_TIME);
        let mut late = Client::connect(&database).unwrap();
        late.run("BEGIN").unwrap();
        late.run(&format!("INSERT INTO t VALUES (2, {now})")).unwrap();
        database.query(&format!("INSERT INTO t VALUES (1, {now})"));
        assert_eq!(ids(&harness.poll_for(1).unwrap()), [1]);
        late.run("COMMIT").unwrap();
        database.query(&format!("INSERT INTO t VALUES (3, {now})"));
        assert_eq!(ids(&harness.poll_for(1).unwrap()), [3]);
        harness.stop().unwrap();
    }
}

#[test]
fn a_row_that_is_stamped_ahead_of_the_databases_clock_waits_and_takes_none_with_it() {
    for database in servers() {
        for mode in [&BY_TIME[..], &BY_BOTH] {
            database.query("DROP TABLE IF EXISTS t");
            table(&database);
            let now = now(&database);
            let mut harness = started(&database, mode);
            database.query(&format!("INSERT INTO t VALUES (9, {now} + INTERVAL '3' SECOND)"));
            let mut seen: Vec<i64> = Vec::new();
            let mut next = 1;
            in_time("the row of the other clock is read", || {
                database.query(&format!("INSERT INTO t VALUES ({}, {now})", 10 + next));
                next += 1;
                seen.extend(ids(&harness.poll().unwrap()));
                seen.contains(&9)
            });
            let due = format!("SELECT count(*) FROM t WHERE id = 9 AND at <= {now}");
            assert_eq!(number(&database, &due), Some(1), "it is read before its time");
            let count = usize::try_from(next).unwrap();
            in_time("the others are read", || {
                seen.extend(ids(&harness.poll().unwrap()));
                seen.len() >= count
            });
            harness.stop().unwrap();
            // In the order of their stamps, none twice.
            let by_stamp: Vec<i64> = database
                .lines("SELECT id FROM t ORDER BY at, id")
                .iter()
                .map(|id| id.parse().unwrap())
                .collect();
            assert_eq!(seen, by_stamp);
        }
    }
}
