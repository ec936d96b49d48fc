//! What every sink plugin has to do, whatever it writes to.

use wharf_abi::module::PluginModuleRef;
use wharf_api::{ConfigMap, Record, Schema, TopicPartition};

use crate::SinkHarness;
use crate::configuration::{self, expect, no_panic};

/// A target system for the suite: made anew for each check.
pub trait SinkFixture {
    /// A configuration that writes to this system.
    fn config(&self) -> ConfigMap;

    /// How many records the system holds durably; one written twice may count once or twice.
    fn written(&self) -> usize;

    /// The record at this offset of a partition; plain text unless the plugin needs something else.
    fn record(&self, partition: &TopicPartition, offset: i64) -> Record {
        Record::sink(partition.topic.as_str(), partition.partition, offset).with_value(
            Some(Schema::string()),
            format!("record {offset} of {}", partition.partition),
        )
    }

    /// Configurations that must be refused, each with a part of the message.
    fn bad_configs(&self) -> Vec<(ConfigMap, &'static str)> {
        Vec::new()
    }

    /// Keys that task configurations have beside those of the connector.
    fn task_keys(&self) -> &'static [&'static str] {
        &[]
    }
}

const COUNT: i64 = 10;

/// Runs all checks of sink plugins: empty puts, redelivery, offsets that may be committed, partitions that come and go, stop,
/// bad and missing configuration, masked secrets, task configurations, contained panics.
///
/// # Panics
/// When the plugin fails a check; the message says which.
pub fn sink_suite<F: SinkFixture>(module: PluginModuleRef, class: &str, mut fixture: impl FnMut() -> F) {
    let harness = SinkHarness::new(module, class);
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
    let fresh = || SinkHarness::new(module, class);
    a_put_of_nothing_is_allowed(fresh(), &fixture());
    committed_offsets_are_covered_by_what_was_written(fresh(), &fixture());
    the_same_records_may_be_put_again(fresh(), &fixture());
    partitions_come_and_go(fresh(), &fixture());
    everything_put_is_written_when_the_task_has_stopped(fresh(), &fixture());
}

fn partitions() -> [TopicPartition; 2] {
    [TopicPartition::new("suite", 0), TopicPartition::new("suite", 1)]
}

fn records(fixture: &impl SinkFixture, offsets: std::ops::Range<i64>) -> Vec<Record> {
    let partitions = partitions();
    offsets
        .flat_map(|offset| {
            partitions
                .each_ref()
                .map(|partition| fixture.record(partition, offset))
        })
        .collect()
}

fn a_put_of_nothing_is_allowed(mut harness: SinkHarness, fixture: &impl SinkFixture) {
    expect(
        harness.start(&fixture.config(), &partitions()),
        "start with a good configuration",
    );
    expect(harness.put(&[]), "put of no records");
    let safe = expect(harness.pre_commit(), "pre_commit when nothing was put");
    for (partition, offset) in &safe {
        assert!(
            *offset <= 0,
            "{partition:?}: offset {offset} is safe, but nothing was put"
        );
    }
    expect(harness.stop(), "stop");
    assert_eq!(fixture.written(), 0, "nothing was put, but something was written");
}

fn committed_offsets_are_covered_by_what_was_written(mut harness: SinkHarness, fixture: &impl SinkFixture) {
    expect(harness.start(&fixture.config(), &partitions()), "start");
    for round in 0..3 {
        let records = records(fixture, round * COUNT..(round + 1) * COUNT);
        expect(harness.put(&records), "put");
        let safe = expect(harness.pre_commit(), "pre_commit");
        let mut covered = 0;
        for (partition, offset) in &safe {
            let put = harness.put_offsets().get(partition).copied();
            assert!(
                put.is_some_and(|put| *offset <= put),
                "{partition:?}: {offset} is safe, but {put:?} was put"
            );
            covered += usize::try_from(*offset).unwrap_or(0);
        }
        let written = fixture.written();
        assert!(
            written >= covered,
            "{covered} records may be committed, but only {written} are written"
        );
    }
    expect(harness.stop(), "stop");
}

fn the_same_records_may_be_put_again(mut harness: SinkHarness, fixture: &impl SinkFixture) {
    let records = records(fixture, 0..COUNT);
    expect(harness.start(&fixture.config(), &partitions()), "start");
    expect(harness.put(&records), "put");
    expect(
        harness.put(&records),
        "put of the same records, as after a retriable error",
    );
    expect(harness.stop(), "stop");
    expect(harness.start(&fixture.config(), &partitions()), "start again");
    expect(harness.put(&records), "put of the same records, as after a crash");
    expect(harness.stop(), "stop");
    let (written, once) = (fixture.written(), records.len());
    assert!(
        (once..=3 * once).contains(&written),
        "{once} records were put three times, {written} were written"
    );
}

fn partitions_come_and_go(mut harness: SinkHarness, fixture: &impl SinkFixture) {
    let [first, second] = partitions();
    expect(
        harness.start(&fixture.config(), std::slice::from_ref(&first)),
        "start with one partition",
    );
    expect(harness.put(&[fixture.record(&first, 0)]), "put");
    expect(
        harness.open(std::slice::from_ref(&second)),
        "open another partition",
    );
    expect(
        harness.put(&[fixture.record(&first, 1), fixture.record(&second, 0)]),
        "put to both",
    );
    expect(harness.pre_commit(), "pre_commit before a partition goes");
    expect(harness.close(std::slice::from_ref(&first)), "close a partition");
    expect(
        harness.put(&[fixture.record(&second, 1)]),
        "put to the one that stayed",
    );
    expect(
        harness.open(std::slice::from_ref(&first)),
        "open a partition again",
    );
    expect(
        harness.put(&[fixture.record(&first, 2)]),
        "put to the one that came back",
    );
    expect(harness.stop(), "stop");
    assert_eq!(fixture.written(), 5, "five records were put");
}

fn everything_put_is_written_when_the_task_has_stopped(mut harness: SinkHarness, fixture: &impl SinkFixture) {
    expect(harness.start(&fixture.config(), &partitions()), "start");
    let records = records(fixture, 0..COUNT);
    for record in &records {
        expect(harness.put(std::slice::from_ref(record)), "put of one record");
    }
    expect(harness.stop(), "stop");
    assert_eq!(fixture.written(), records.len(), "records put one by one");
}

fn calls_out_of_order_give_errors(harness: &SinkHarness) {
    let mut task = expect(harness.new_task(), "make a task");
    let empty = expect(
        wharf_api::RecordBatch::new().finish().map(<[u8]>::to_vec),
        "an empty batch",
    );
    no_panic(task.put(&empty), "put to a task that was not started");
    no_panic(
        task.pre_commit(&wharf_api::Offsets::new()),
        "pre_commit of a task that was not started",
    );
    no_panic(task.put(b"not a batch"), "put of a damaged batch");
    no_panic(task.stop(), "stop of a task that was not started");
    let mut connector = expect(harness.plugin().connector(), "make a connector");
    no_panic(
        connector.task_configs(1),
        "task configurations of a connector that was not started",
    );
    no_panic(connector.stop(), "stop of a connector that was not started");
}

fn offsets_may_be_reset(harness: &SinkHarness, config: &ConfigMap) {
    let mut connector = expect(harness.plugin().connector(), "make a connector");
    for offset in [None, Some(3)] {
        let change = vec![(TopicPartition::new("suite", 0), offset)];
        no_panic(
            connector.alter_sink_offsets(config, change),
            "a change of offsets",
        );
    }
}
