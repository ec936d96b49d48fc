//! The suites let a good plugin pass and find each fault that they promise to find.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use wharf_api::config::{ConfigDef, ConfigKey, ConfigValue, Type};
use wharf_api::{
    ConfigMap, ConnectError, ConnectorContext, NewRecord, OffsetMap, Offsets, RecordBatch, RecordBatchRef,
    Result, Schema, SinkConnector, SinkTask, SinkTaskContext, SourceConnector, SourceTask, SourceTaskContext,
    Value, ValueRef, source,
};
use wharf_testkit::{SinkFixture, SourceFixture, config, sink_suite, source_suite};

const GOOD: u8 = 0;
const FORGETS_OFFSETS: u8 = 1;
const PANICS_IN_STOP: u8 = 2;
const GIVES_AWAY_SECRETS: u8 = 3;
const TOO_MANY_TASKS: u8 = 4;
const UNKNOWN_TASK_KEY: u8 = 5;
const NO_OFFSET: u8 = 6;
const NAMES_NO_MISSING_KEY: u8 = 7;
const LOSES_RECORDS_AFTER_COMMIT: u8 = 8;
const REFUSES_EMPTY_PUT: u8 = 9;
const INVENTS_OFFSETS: u8 = 10;

/// The systems that plugins read and write: numbers of records by name.
static SYSTEMS: Mutex<BTreeMap<String, i64>> = Mutex::new(BTreeMap::new());

fn system(config: &ConfigMap) -> String {
    config.get("system").cloned().unwrap_or_default()
}

fn with_count<T>(name: &str, work: impl FnOnce(&mut i64) -> T) -> T {
    let mut systems = SYSTEMS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    work(systems.entry(name.to_owned()).or_insert(0))
}

fn definition() -> ConfigDef {
    ConfigDef::new()
        .define(ConfigKey::new("system", Type::String).doc("The name of the system."))
        .define(
            ConfigKey::new("password", Type::Password)
                .default_null()
                .doc("The way in."),
        )
}

fn task_configs(fault: u8, config: &ConfigMap, max_tasks: usize) -> Vec<ConfigMap> {
    let mut config = config.clone();
    if fault == UNKNOWN_TASK_KEY {
        config.insert("surprise".to_owned(), "1".to_owned());
    }
    vec![config; if fault == TOO_MANY_TASKS { max_tasks + 1 } else { 1 }]
}

#[derive(Default)]
struct Source<const FAULT: u8>(ConfigMap);

impl<const FAULT: u8> SourceConnector for Source<FAULT> {
    type Task = Task<FAULT>;

    fn config(&self) -> ConfigDef {
        definition()
    }

    fn validate(&self, config: &ConfigMap) -> Result<Vec<ConfigValue>> {
        let mut values = definition().validate(config);
        if FAULT == NAMES_NO_MISSING_KEY {
            values.iter_mut().for_each(|value| value.errors.clear());
        }
        if let (GIVES_AWAY_SECRETS, Some(secret)) = (FAULT, config.get("password")) {
            values[0].add_error(format!("cannot log in with {secret}"));
        }
        Ok(values)
    }

    fn start(&mut self, _: ConnectorContext, config: &ConfigMap) -> Result<()> {
        definition().parse(config)?;
        self.0 = config.clone();
        Ok(())
    }

    fn task_configs(&self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
        Ok(task_configs(FAULT, &self.0, max_tasks))
    }
}

#[derive(Default)]
struct Task<const FAULT: u8> {
    context: Option<SourceTaskContext>,
    system: String,
    next: i64,
}

impl<const FAULT: u8> SourceTask for Task<FAULT> {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<()> {
        self.system = system(config);
        if FAULT != FORGETS_OFFSETS {
            let partition = OffsetMap::from([("system", self.system.as_str())]);
            let stored = context.offset_reader().offset(&partition)?.unwrap_or_default();
            self.next = stored.get("next").and_then(Value::as_i64).unwrap_or(0);
        }
        self.context = Some(context);
        Ok(())
    }

    fn poll(&mut self, batch: &mut RecordBatch) -> Result<()> {
        let context = self.context.as_ref().ok_or_else(source::not_started)?;
        let (end, schema) = (with_count(&self.system, |count| *count), Schema::int64());
        while self.next < end && batch.len() < 3 {
            self.next += 1;
            let partition = OffsetMap::from([("system", self.system.as_str())]);
            let offset = [("next", ValueRef::Int64(self.next))];
            let mut record = NewRecord::source("t", &partition, &offset).value(Some(&schema), self.next);
            if FAULT == NO_OFFSET {
                record.origin = wharf_api::NewOrigin::Source {
                    partition: None,
                    offset: None,
                };
            }
            batch.push(&record)?;
        }
        if batch.is_empty() {
            context.wait(std::time::Duration::from_secs(1));
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        assert!(FAULT != PANICS_IN_STOP, "no way to stop");
        Ok(())
    }
}

#[derive(Default)]
struct Sink<const FAULT: u8>(ConfigMap);

impl<const FAULT: u8> SinkConnector for Sink<FAULT> {
    type Task = Writer<FAULT>;

    fn config(&self) -> ConfigDef {
        definition()
    }

    fn start(&mut self, _: ConnectorContext, config: &ConfigMap) -> Result<()> {
        definition().parse(config)?;
        self.0 = config.clone();
        Ok(())
    }

    fn task_configs(&self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
        Ok(task_configs(FAULT, &self.0, max_tasks))
    }
}

#[derive(Default)]
struct Writer<const FAULT: u8> {
    system: String,
    held: usize,
}

impl<const FAULT: u8> SinkTask for Writer<FAULT> {
    fn start(&mut self, _: SinkTaskContext, config: &ConfigMap) -> Result<()> {
        self.system = system(config);
        Ok(())
    }

    fn put(&mut self, records: &RecordBatchRef<'_>) -> Result<()> {
        if FAULT == REFUSES_EMPTY_PUT && records.is_empty() {
            return Err(ConnectError::connect("there is nothing to put"));
        }
        self.held += records.len();
        Ok(())
    }

    fn pre_commit(&mut self, offsets: &Offsets) -> Result<Offsets> {
        if FAULT != LOSES_RECORDS_AFTER_COMMIT {
            let held = i64::try_from(std::mem::take(&mut self.held)).unwrap_or(0);
            with_count(&self.system, |count| *count += held);
        }
        let ahead = i64::from(FAULT == INVENTS_OFFSETS);
        Ok(offsets
            .iter()
            .map(|(partition, offset)| (partition.clone(), offset + ahead))
            .collect())
    }
}

wharf_abi::export_plugins! {
    source_connector Source<GOOD> { class: "Source0", task_class: "T" }
    source_connector Source<FORGETS_OFFSETS> { class: "Source1", task_class: "T" }
    source_connector Source<PANICS_IN_STOP> { class: "Source2", task_class: "T" }
    source_connector Source<GIVES_AWAY_SECRETS> { class: "Source3", task_class: "T" }
    source_connector Source<TOO_MANY_TASKS> { class: "Source4", task_class: "T" }
    source_connector Source<UNKNOWN_TASK_KEY> { class: "Source5", task_class: "T" }
    source_connector Source<NO_OFFSET> { class: "Source6", task_class: "T" }
    source_connector Source<NAMES_NO_MISSING_KEY> { class: "Source7", task_class: "T" }
    sink_connector Sink<GOOD> { class: "Sink0", task_class: "T" }
    sink_connector Sink<TOO_MANY_TASKS> { class: "Sink4", task_class: "T" }
    sink_connector Sink<LOSES_RECORDS_AFTER_COMMIT> { class: "Sink8", task_class: "T" }
    sink_connector Sink<REFUSES_EMPTY_PUT> { class: "Sink9", task_class: "T" }
    sink_connector Sink<INVENTS_OFFSETS> { class: "Sink10", task_class: "T" }
}

struct Fixture(String);

impl Fixture {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        Self(format!("system {}", NUMBER.fetch_add(1, Ordering::Relaxed)))
    }
}

impl SourceFixture for Fixture {
    fn config(&self) -> ConfigMap {
        config([("system", self.0.as_str())])
    }

    fn produce(&mut self, count: usize) {
        with_count(&self.0, |known| *known += i64::try_from(count).unwrap());
    }

    fn bad_configs(&self) -> Vec<(ConfigMap, &'static str)> {
        vec![(ConfigMap::new(), "system")]
    }
}

impl SinkFixture for Fixture {
    fn config(&self) -> ConfigMap {
        config([("system", self.0.as_str())])
    }

    fn written(&self) -> usize {
        with_count(&self.0, |known| usize::try_from(*known).unwrap())
    }
}

/// What the suite says of this class; `None` when it passes.
fn verdict(class: &str) -> Option<String> {
    let module = wharf_plugin::plugin_module();
    let run = || match class.starts_with("Source") {
        true => source_suite(module, class, Fixture::new),
        false => sink_suite(module, class, Fixture::new),
    };
    catch_unwind(std::panic::AssertUnwindSafe(run))
        .err()
        .map(|payload| {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_default()
        })
}

#[test]
fn a_good_source_and_a_good_sink_pass() {
    assert_eq!(verdict("Source0"), None);
    assert_eq!(verdict("Sink0"), None);
}

#[test]
fn each_fault_is_found_and_named() {
    for (class, part) in [
        ("Source1", "acknowledged before the restart"),
        ("Source2", "panicked"),
        ("Source3", "gives away a secret"),
        ("Source4", "task configurations where 1 are allowed"),
        ("Source5", "unknown key surprise"),
        ("Source6", "without source partition or offset"),
        ("Source7", "system is missing"),
        ("Sink4", "task configurations where 1 are allowed"),
        ("Sink8", "records may be committed, but only 0 are written"),
        ("Sink9", "there is nothing to put"),
        ("Sink10", "but nothing was put"),
    ] {
        let found = verdict(class).unwrap_or_else(|| panic!("{class} passed"));
        assert!(found.contains(part), "{class}: expected {part:?}, found {found}");
    }
}
