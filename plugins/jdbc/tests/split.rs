//! Tables that are read in ranges by several tasks.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::source::{SOURCE, ids, settings};
use common::{Database, databases, postgres};
use wharf_abi::host::{ConnectorHandle, SourceTaskHandle};
use wharf_api::flat::SchemaCache;
use wharf_api::{ConfigMap, OffsetMap, Origin, Record, RecordBatchRef, Result, Value};
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_testkit::SourceHarness;

/// Polls without rows, of all tasks one after the other, before nothing more is waited for.
const EMPTY_ROUNDS: usize = 10;

const KEYED: &str = "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(20))";
const RANGES_OF_10: [(&str, &str); 4] = [
    ("mode", "incrementing"),
    ("incrementing.column.name", "id"),
    ("wharf.split.size", "10"),
    ("incrementing.initial", "-1000"),
];

/// A connector with all its tasks.
struct Tasks {
    harness: SourceHarness,
    connector: Option<ConnectorHandle>,
    tasks: Vec<(SourceTaskHandle, SchemaCache)>,
}

impl Tasks {
    fn new() -> Self {
        Self {
            harness: SourceHarness::new(plugin_module(), SOURCE),
            connector: None,
            tasks: Vec::new(),
        }
    }

    fn start(&mut self, config: &ConfigMap, count: usize) -> Result<()> {
        self.harness.worker().set_stopping(false);
        let mut connector = self.harness.plugin().connector()?;
        connector.start(config)?;
        let configs = connector.task_configs(count);
        self.connector = Some(connector);
        for config in configs? {
            self.harness.worker().set_config(&config);
            let mut task = self.harness.new_task()?;
            let started = task.start(&config);
            self.tasks.push((task, SchemaCache::default()));
            started?;
        }
        Ok(())
    }

    fn poll(&mut self, task: usize) -> Vec<Record> {
        let (task, schemas) = &mut self.tasks[task];
        let answer = task.poll().unwrap();
        let bytes = answer.bytes();
        if bytes.is_empty() {
            return Vec::new();
        }
        let batch = RecordBatchRef::parse(bytes, schemas).unwrap();
        let records = batch.iter().map(|record| record?.to_record(&batch));
        records.collect::<Result<_>>().unwrap()
    }

    /// What each task gives until there are so many records, and that no more come at once.
    fn exactly(&mut self, count: usize) -> Vec<Vec<Record>> {
        let mut records: Vec<Vec<Record>> = vec![Vec::new(); self.tasks.len()];
        let mut empty = 0;
        let mut is_last = false;
        while empty < EMPTY_ROUNDS && !is_last {
            let before = records.iter().map(Vec::len).sum::<usize>();
            is_last = before >= count;
            for (task, records) in records.iter_mut().enumerate() {
                records.extend(self.poll(task));
            }
            let found = records.iter().map(Vec::len).sum::<usize>() > before;
            empty = if found { 0 } else { empty + 1 };
        }
        let all: Vec<i64> = records.iter().flat_map(|records| ids(records)).collect();
        assert_eq!(all.len(), count);
        records
    }

    fn acknowledge(&self, records: &[Record]) {
        self.harness.acknowledge(records);
    }

    fn stop(&mut self) {
        self.harness.worker().set_stopping(true);
        for (mut task, _) in self.tasks.drain(..) {
            task.stop().unwrap();
        }
        if let Some(mut connector) = self.connector.take() {
            connector.stop().unwrap();
        }
    }
}

/// The same with each kind of database, at one time.
fn each(test: fn(&Database)) {
    std::thread::scope(|scope| {
        for database in databases() {
            scope.spawn(move || test(&database));
        }
    });
}

fn insert(database: &Database, ids: impl IntoIterator<Item = i64>) {
    let rows: Vec<String> = ids.into_iter().map(|id| format!("({id}, 'row')")).collect();
    database.query(&format!("INSERT INTO t VALUES {}; SELECT 1", rows.join(",")));
}

fn sorted(records: &[Vec<Record>]) -> Vec<i64> {
    let mut all: Vec<i64> = records.iter().flat_map(|records| ids(records)).collect();
    all.sort_unstable();
    all
}

fn origin(record: &Record) -> (&OffsetMap, &OffsetMap) {
    let Origin::Source {
        partition: Some(partition),
        offset: Some(offset),
    } = &record.origin
    else {
        panic!("{record:?}")
    };
    (partition, offset)
}

fn partition(database: &Database) -> OffsetMap {
    let in_full = match database {
        Database::Sqlite(_) => "t".to_owned(),
        Database::Postgres { schema, .. } => format!("{schema}.t"),
        Database::MySql { .. } => format!("{}.t", database.query("SELECT database()")[0][0]),
    };
    OffsetMap::new().with("protocol", "1").with("table", in_full)
}

#[test]
fn tasks_share_a_table_and_every_row_comes_once_whatever_their_number() {
    each(share);
}

fn share(database: &Database) {
    database.query(KEYED);
    // Below zero, with holes, and far away.
    let first: Vec<i64> = (-55..-20).chain(0..200).chain([7_000, 9_000_000_000]).collect();
    insert(database, first.iter().copied());
    let config = settings(
        database,
        &[&RANGES_OF_10[..], &[("batch.max.rows", "7")]].concat(),
    );
    let mut tasks = Tasks::new();
    tasks.start(&config, 3).unwrap();
    let records = tasks.exactly(first.len());
    assert_eq!(sorted(&records), first);
    let mut lanes: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut shifts = BTreeSet::new();
    for (task, records) in records.iter().enumerate() {
        assert!(records.len() > 40, "task {task} has {}", records.len());
        for record in records {
            let (partition, offset) = origin(record);
            let id = ids(std::slice::from_ref(record))[0];
            let lane = id.div_euclid(10).rem_euclid(60);
            assert_eq!(
                partition.get("lane"),
                Some(&Value::from(lane.to_string().as_str()))
            );
            shifts.insert((task + 60 - usize::try_from(lane).unwrap()) % 3);
            assert_eq!(offset.get("incrementing"), Some(&Value::Int64(id)));
            assert_eq!(offset.get("range_size"), Some(&Value::Int64(10)));
            lanes.entry(lane.to_string()).or_default().push(id);
        }
    }
    assert!(lanes.values().all(|ids| ids.is_sorted()), "{lanes:?}");
    assert_eq!(shifts.len(), 1, "lanes go by turns over the tasks");

    // New ranges are found without new task configurations.
    let new = 9_000_000_003..9_000_000_063;
    insert(database, new.clone());
    let more = tasks.exactly(60);
    assert_eq!(sorted(&more), new.collect::<Vec<i64>>());
    assert_eq!(tasks.harness.worker().reconfigurations(), 0);
    assert!(more.iter().all(|records| !records.is_empty()));

    // A kill: of each task a beginning is stored. What is not comes again, to as many tasks as there are then.
    let mut lost = Vec::new();
    for (records, more) in records.iter().zip(&more) {
        let all = [&records[..], &more[..]].concat();
        let (stored, rest) = all.split_at(all.len() / 2);
        tasks.acknowledge(stored);
        lost.extend(ids(rest));
    }
    lost.sort_unstable();
    tasks.stop();
    tasks.start(&config, 5).unwrap();
    let again = tasks.exactly(lost.len());
    assert_eq!(sorted(&again), lost);
    again.iter().for_each(|records| tasks.acknowledge(records));
    tasks.stop();
    insert(database, [9_000_000_063, 9_000_000_064, 10_000_000_000]);
    tasks.start(&config, 1).unwrap();
    assert_eq!(
        sorted(&tasks.exactly(3)),
        [9_000_000_063, 9_000_000_064, 10_000_000_000]
    );
    tasks.stop();
}

/// Which task reads which topic.
fn readers(records: &[Vec<Record>]) -> BTreeMap<String, usize> {
    let each = records.iter().enumerate();
    each.flat_map(|(task, records)| records.iter().map(move |record| (record.topic.clone(), task)))
        .collect()
}

#[test]
fn small_tables_are_not_all_one_tasks_and_stay_where_they_are_when_others_come() {
    for database in databases() {
        let add = |table: &str| {
            database.query(&format!(
                "CREATE TABLE {table} (id BIGINT PRIMARY KEY); INSERT INTO {table} VALUES (1), (2); SELECT 1"
            ));
        };
        let tables = ["b", "c", "d", "e", "f", "g", "h", "i"];
        tables.into_iter().for_each(add);
        let config = settings(&database, &RANGES_OF_10);
        let mut tasks = Tasks::new();
        tasks.start(&config, 3).unwrap();
        let records = tasks.exactly(16);
        let before = readers(&records);
        assert_eq!(before.len(), 8);
        let busy: BTreeSet<usize> = before.values().copied().collect();
        assert!(busy.len() > 1, "{before:?}");
        tasks.stop();

        // They stand before the others.
        for count in 1..3 {
            add(["a", "aa"][count - 1]);
            tasks.start(&config, 3).unwrap();
            let mut after = readers(&tasks.exactly(16 + 2 * count));
            after.retain(|topic, _| before.contains_key(topic));
            assert_eq!(after, before);
            tasks.stop();
        }
    }
}

#[test]
fn ranges_go_on_where_the_whole_table_was_read_to_and_the_whole_where_ranges_were() {
    each(turn_on_and_off);
}

fn turn_on_and_off(database: &Database) {
    database.query(KEYED);
    insert(database, 0..100);
    let whole = settings(
        database,
        &[&RANGES_OF_10[..], &[("wharf.split.size", "0")]].concat(),
    );
    let split = settings(database, &RANGES_OF_10);
    let other = settings(
        database,
        &[&RANGES_OF_10[..], &[("wharf.split.size", "25")]].concat(),
    );
    let mut tasks = Tasks::new();
    tasks.start(&whole, 2).unwrap();
    let records = tasks.exactly(100).remove(0);
    assert_eq!(origin(&records[0]).0, &partition(database));
    tasks.acknowledge(&records[..42]);
    tasks.stop();

    // On: after the 42 rows that are stored.
    tasks.start(&split, 2).unwrap();
    let records = tasks.exactly(58);
    assert_eq!(sorted(&records), (42..100).collect::<Vec<i64>>());
    tasks.acknowledge(&records[0]);
    tasks.stop();
    let lost = sorted(&records[1..]);
    assert!(!lost.is_empty());

    // Another size is refused, and the message says which one was.
    let error = tasks.start(&other, 2).unwrap_err();
    assert!(
        error.message().contains("set wharf.split.size=10 again"),
        "{error}"
    );
    tasks.stop();

    // Off: nothing may limit what is read of a range.
    for suffix in ["LIMIT 5", "GROUP BY id"] {
        let mut limited = whole.clone();
        limited.insert("query.suffix".to_owned(), suffix.to_owned());
        let error = tasks.start(&limited, 2).unwrap_err();
        let word = suffix.split(' ').next().unwrap();
        for said in ["wharf.split.size", word, "Leave out query.suffix"] {
            assert!(error.message().contains(said), "{error}");
        }
        tasks.stop();
    }

    // One task reads what is missing by the old ranges, and what comes meanwhile.
    tasks.start(&whole, 2).unwrap();
    assert_eq!(tasks.tasks.len(), 1);
    let records = tasks.exactly(lost.len());
    assert_eq!(sorted(&records), lost);
    assert!(origin(&records[0][0]).0.get("lane").is_some());
    tasks.acknowledge(&records[0]);
    insert(database, 100..103);
    let records = tasks.exactly(3);
    assert!(origin(&records[0][0]).0.get("lane").is_some());
    tasks.acknowledge(&records[0]);
    tasks.stop();

    // All that was read is stored: the table is read as a whole, and has its own offset again.
    tasks.start(&whole, 2).unwrap();
    tasks.exactly(0);
    insert(database, 103..120);
    let records = tasks.exactly(17).remove(0);
    assert_eq!(ids(&records), (103..120).collect::<Vec<i64>>());
    assert!(
        records
            .iter()
            .all(|record| origin(record).0 == &partition(database))
    );
    tasks.acknowledge(&records[..10]);
    tasks.stop();

    // From there on any size is right.
    tasks.start(&other, 2).unwrap();
    assert_eq!(sorted(&tasks.exactly(7)), (113..120).collect::<Vec<i64>>());
    tasks.stop();
}

#[test]
fn keys_at_the_ends_of_64_bits_are_read_in_bulk_too() {
    each(read_the_ends);
}

fn read_the_ends(database: &Database) {
    database.query(KEYED);
    let all = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    insert(database, all);
    for size in ["9223372036854775807", "1000000000000000000", "1000"] {
        let more = [
            ("mode", "bulk"),
            ("incrementing.column.name", "id"),
            ("wharf.split.size", size),
            ("poll.interval.ms", "3600000"),
        ];
        let mut tasks = Tasks::new();
        tasks.start(&settings(database, &more), 2).unwrap();
        let records = tasks.exactly(all.len());
        assert_eq!(sorted(&records), all, "{size}");
        let Origin::Source { partition, offset } = &records.concat()[0].origin else {
            panic!("{records:?}")
        };
        assert_eq!((offset, partition.as_ref().unwrap().len()), (&None, 1));
        tasks.stop();
    }
    let more = [
        &RANGES_OF_10[..3],
        &[("incrementing.initial", "9223372036854775805")],
    ]
    .concat();
    let mut tasks = Tasks::new();
    tasks.start(&settings(database, &more), 2).unwrap();
    assert_eq!(sorted(&tasks.exactly(2)), [i64::MAX - 1, i64::MAX]);
    tasks.stop();
}

#[test]
fn a_range_that_nobody_takes_is_given_up_and_goes_on_after_the_last_row() {
    let database = &databases()[0];
    database.query(KEYED);
    insert(database, 0..50);
    let more = [
        ("mode", "incrementing"),
        ("incrementing.column.name", "id"),
        ("wharf.split.size", "1000"),
        ("batch.max.rows", "5"),
    ];
    let mut tasks = Tasks::new();
    tasks.start(&settings(database, &more), 1).unwrap();
    let first = tasks.poll(0);
    assert_eq!(ids(&first), (0..5).collect::<Vec<i64>>());
    // It waits until the statement that reads is given up.
    insert(database, [50]);
    assert_eq!(sorted(&tasks.exactly(46)), (5..51).collect::<Vec<i64>>());
    tasks.stop();
}

#[test]
fn a_range_whose_connection_is_cut_goes_on_after_the_last_row() {
    let Some(database) = postgres() else { return };
    database.query(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT); \
         INSERT INTO t SELECT x, repeat('x', 1000) FROM generate_series(0, 29999) AS x",
    );
    let url = format!("{}&ApplicationName=split_and_cut", database.url());
    let more = [
        ("connection.url", url.as_str()),
        ("mode", "incrementing"),
        ("incrementing.column.name", "id"),
        ("wharf.split.size", "20000"),
        ("batch.max.rows", "100"),
    ];
    let mut tasks = Tasks::new();
    tasks.start(&settings(&database, &more), 1).unwrap();
    let first = tasks.poll(0);
    assert_eq!(ids(&first), (0..100).collect::<Vec<i64>>());
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'split_and_cut' AND state = 'active'";
    assert_eq!(database.lines(cut), ["1"]);
    assert_eq!(
        sorted(&tasks.exactly(29_900)),
        (100..30_000).collect::<Vec<i64>>()
    );
    tasks.stop();
}

#[test]
fn a_whole_table_is_read_in_ranges_again_and_again() {
    for database in databases() {
        database.query(KEYED);
        insert(&database, 0..45);
        let more = [
            ("mode", "bulk"),
            ("incrementing.column.name", "id"),
            ("wharf.split.size", "10"),
            ("poll.interval.ms", "100"),
        ];
        let mut tasks = Tasks::new();
        tasks.start(&settings(&database, &more), 2).unwrap();
        let mut times = BTreeMap::new();
        let mut shifts = BTreeSet::new();
        while times.len() < 45 || times.values().any(|count| *count < 3) {
            for task in 0..2 {
                for id in ids(&tasks.poll(task)) {
                    shifts.insert((task + usize::try_from(id / 10).unwrap()) % 2);
                    *times.entry(id).or_insert(0) += 1;
                }
            }
        }
        assert_eq!(shifts.len(), 1);
        tasks.stop();
    }
}

#[test]
fn a_key_of_sqlite_that_may_be_null_is_not_split_in_bulk() {
    let database = &databases()[0];
    let more = [
        ("mode", "bulk"),
        ("incrementing.column.name", "id"),
        ("wharf.split.size", "10"),
        ("poll.interval.ms", "3600000"),
    ];
    let rows = "INSERT INTO t VALUES (1, 'a'), (NULL, 'b'); SELECT 1";
    database.query(&format!(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20)); {rows}"
    ));
    let mut tasks = Tasks::new();
    tasks.start(&settings(database, &more), 1).unwrap();
    let refused = (0..EMPTY_ROUNDS).find_map(|_| tasks.tasks[0].0.poll().err());
    let error = refused.unwrap();
    assert!(error.message().contains("'id' may be NULL"), "{error}");
    tasks.stop();
    // The number of a row is never null, whatever it is said to be.
    database.query(&format!(
        "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20)); {rows}"
    ));
    tasks.start(&settings(database, &more), 1).unwrap();
    assert_eq!(sorted(&tasks.exactly(2)), [1, 2]);
    tasks.stop();
}

#[test]
fn what_cannot_be_split_is_refused_under_the_key() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (id BIGINT, code DECIMAL(10, 0) NOT NULL, at {timestamp} NOT NULL)"
        ));
        let ranges = ("wharf.split.size", "1000");
        for (more, key, said) in [
            (
                vec![("mode", "timestamp"), ("timestamp.column.name", "at"), ranges],
                "wharf.split.size",
                "is for mode incrementing and bulk",
            ),
            (
                vec![
                    ("mode", "incrementing"),
                    ("incrementing.column.name", "id"),
                    ("query", "SELECT * FROM t"),
                    ranges,
                ],
                "wharf.split.size",
                "not for a query",
            ),
            (
                vec![
                    ("mode", "incrementing"),
                    ("incrementing.column.name", "id"),
                    ("query.suffix", "LIMIT 5"),
                    ranges,
                ],
                "query.suffix",
                "rows of a range that its LIMIT leaves out",
            ),
            (
                vec![
                    ("mode", "bulk"),
                    ("incrementing.column.name", "id"),
                    ("query.suffix", "group by code"),
                    ranges,
                ],
                "query.suffix",
                "rows of a range that its GROUP leaves out",
            ),
            (
                vec![
                    ("mode", "incrementing"),
                    ("incrementing.column.name", "code"),
                    ranges,
                ],
                "wharf.split.size",
                "'code' is not of a type of integers",
            ),
            (
                vec![
                    ("mode", "bulk"),
                    ("incrementing.column.name", "id"),
                    ("validate.non.null", "false"),
                    ranges,
                ],
                "wharf.split.size",
                "'id' may be NULL",
            ),
        ] {
            let harness = SourceHarness::new(plugin_module(), SOURCE);
            let mut connector = harness.plugin().connector().unwrap();
            let values = connector.validate(&settings(&database, &more)).unwrap();
            let errors: Vec<(&str, &str)> = values
                .iter()
                .flat_map(|value| {
                    let errors = value.errors.iter();
                    errors.map(|error| (value.name.as_str(), error.as_str()))
                })
                .collect();
            let [(found, message)] = errors.as_slice() else {
                panic!("{said}: {errors:?}")
            };
            assert_eq!(*found, key, "{message}");
            assert!(message.contains(said), "{said}: {message}");
        }
    }
}
