//! What every source plugin has to do, whatever it reads from.

use wharf_abi::module::PluginModuleRef;
use wharf_api::{ConfigMap, Origin, Record};

use crate::SourceHarness;
use crate::configuration::{self, expect, no_panic};

/// A source system for the suite: made anew for each check.
pub trait SourceFixture {
    /// A configuration that reads this system.
    fn config(&self) -> ConfigMap;

    /// Puts this many more records into the system.
    fn produce(&mut self, count: usize);

    /// Configurations that must be refused, each with a part of the message.
    fn bad_configs(&self) -> Vec<(ConfigMap, &'static str)> {
        Vec::new()
    }

    /// Keys that task configurations have beside those of the connector.
    fn task_keys(&self) -> &'static [&'static str] {
        &[]
    }
}

const COUNT: usize = 10;

/// Runs all checks of source plugins: start, stop, resuming by offset, redelivery, bad and missing configuration, masked
/// secrets, task configurations, contained panics.
///
/// # Panics
/// When the plugin fails a check; the message says which.
pub fn source_suite<F: SourceFixture>(module: PluginModuleRef, class: &str, mut fixture: impl FnMut() -> F) {
    let harness = SourceHarness::new(module, class);
    let first = fixture();
    configuration::check(
        harness.plugin(),
        &first.config(),
        &first.bad_configs(),
        first.task_keys(),
    );
    calls_out_of_order_give_errors(&harness);
    offsets_may_be_reset(&harness, &first.config());
    drop(harness);
    let fresh = || SourceHarness::new(module, class);
    records_say_where_they_come_from(fresh(), fixture());
    what_was_not_acknowledged_comes_again(fresh(), fixture());
    reading_goes_on_after_the_stored_offset(fresh(), fixture());
    a_task_told_to_stop_returns_and_starts_again(fresh(), fixture());
}

fn records_say_where_they_come_from<F: SourceFixture>(mut harness: SourceHarness, mut fixture: F) {
    fixture.produce(COUNT);
    expect(
        harness.start(&fixture.config()),
        "start with a good configuration",
    );
    let records = expect(harness.poll_for(COUNT), "poll");
    assert_eq!(
        records.len(),
        COUNT,
        "{COUNT} records were in the system, and poll gave others"
    );
    for record in &records {
        assert!(!record.topic.is_empty(), "a record without topic: {record:?}");
        let Origin::Source { partition, offset } = &record.origin else {
            panic!("a source record of another origin: {record:?}")
        };
        for map in [partition, offset] {
            let Some(map) = map else {
                panic!("a record without source partition or offset: {record:?}")
            };
            expect(
                map.check_primitive(),
                "source partitions and offsets hold primitive values",
            );
        }
    }
    expect(harness.commit(), "commit");
    fixture.produce(1);
    let next = expect(harness.poll_for(1), "poll again");
    assert_eq!(next.len(), 1, "a record that came later was not read");
    expect(harness.stop(), "stop");
}

fn what_was_not_acknowledged_comes_again<F: SourceFixture>(mut harness: SourceHarness, mut fixture: F) {
    fixture.produce(COUNT);
    let mut runs = Vec::new();
    for _ in 0..2 {
        expect(harness.start(&fixture.config()), "start");
        runs.push(values(&expect(harness.poll_for(COUNT), "poll")));
        expect(harness.stop(), "stop");
    }
    assert_eq!(runs[0].len(), COUNT);
    assert_eq!(
        runs[0], runs[1],
        "records that were not acknowledged must come again after a restart"
    );
}

fn reading_goes_on_after_the_stored_offset<F: SourceFixture>(mut harness: SourceHarness, mut fixture: F) {
    fixture.produce(COUNT);
    let config = fixture.config();
    expect(harness.start(&config), "start");
    let all = expect(harness.poll_for(COUNT), "poll");
    expect(harness.stop(), "stop");
    for known in 1..all.len() {
        harness.worker().forget_offsets();
        harness.acknowledge(&all[..known]);
        expect(harness.start(&config), "start with stored offsets");
        let rest = expect(harness.poll_for(COUNT - known), "poll");
        expect(harness.stop(), "stop");
        assert_eq!(
            values(&rest),
            values(&all[known..]),
            "{known} records were acknowledged before the restart"
        );
    }
}

fn a_task_told_to_stop_returns_and_starts_again<F: SourceFixture>(
    mut harness: SourceHarness,
    mut fixture: F,
) {
    expect(harness.start(&fixture.config()), "start without any record");
    harness.worker().set_stopping(true);
    no_panic(harness.poll().map(|_| ()), "poll of a task that is to stop");
    expect(harness.stop(), "stop");
    fixture.produce(1);
    expect(harness.start(&fixture.config()), "start after stop");
    assert_eq!(expect(harness.poll_for(1), "poll after a restart").len(), 1);
    expect(harness.stop(), "stop");
}

fn calls_out_of_order_give_errors(harness: &SourceHarness) {
    let mut task = expect(harness.new_task(), "make a task");
    no_panic(task.poll().map(|_| ()), "poll of a task that was not started");
    no_panic(task.commit(), "commit of a task that was not started");
    no_panic(task.stop(), "stop of a task that was not started");
    let mut connector = expect(harness.plugin().connector(), "make a connector");
    no_panic(
        connector.task_configs(1),
        "task configurations of a connector that was not started",
    );
    no_panic(connector.stop(), "stop of a connector that was not started");
}

fn offsets_may_be_reset(harness: &SourceHarness, config: &ConfigMap) {
    let mut connector = expect(harness.plugin().connector(), "make a connector");
    no_panic(
        connector.alter_source_offsets(config, Vec::new()),
        "a reset of no offsets",
    );
    let strange = wharf_api::OffsetMap::from([("no such key", 1_i64)]);
    for offset in [None, Some(strange.clone())] {
        no_panic(
            connector.alter_source_offsets(config, vec![(strange.clone(), offset)]),
            "a change of strange offsets",
        );
    }
    no_panic(connector.exactly_once_support(config), "exactly-once support");
    no_panic(connector.transaction_boundaries(config), "transaction boundaries");
}

/// Topic and text of key and value, which must be the same when a record comes again; times may differ.
fn values(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| format!("{} {:?} {:?}", record.topic, record.key, record.value))
        .collect()
}
