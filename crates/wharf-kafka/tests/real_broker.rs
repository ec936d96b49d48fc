//! What only a real Kafka broker can show: group administration, commits while a rebalance runs, expulsion.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{PATIENCE, Recorder, TICK, poll_until};
use wharf_kafka::{
    Admin, ClientKind, Consumer, Deletion, ErrorCode, NewTopic, OffsetSpec, PartitionOffset, Producer,
    Reader, TopicCreation, TopicPartition, Translated, translate,
};
use wharf_test_services::KafkaBroker;

fn translated(bootstrap: &str, client: ClientKind, pairs: &[(&str, &str)]) -> Translated {
    let mut all = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
    all.extend(
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    translate(client, &all).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn admin(bootstrap: &str) -> Admin {
    Admin::new(&translated(bootstrap, ClientKind::Admin, &[])).unwrap()
}

fn consumer(bootstrap: &str, group: &str, pairs: &[(&str, &str)]) -> Consumer {
    let mut all = vec![
        ("group.id", group),
        ("heartbeat.interval.ms", "200"),
        ("session.timeout.ms", "6000"),
    ];
    all.extend(pairs);
    Consumer::new(&translated(bootstrap, ClientKind::Consumer, &all)).unwrap()
}

/// A name nothing else uses, also on a broker that outlives the test.
fn fresh(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("{what}-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn new_topic(admin: &Admin, partitions: i32) -> String {
    let name = fresh("topic");
    let topic = NewTopic {
        name: name.clone(),
        partitions: Some(partitions),
        replication_factor: None,
        configs: BTreeMap::from([("retention.ms".to_owned(), "3600000".to_owned())]),
    };
    assert_eq!(admin.create_topic(&topic, PATIENCE), Ok(TopicCreation::Created));
    assert_eq!(admin.create_topic(&topic, PATIENCE), Ok(TopicCreation::Existed));
    name
}

fn fill(bootstrap: &str, topic: &str, partition: i32, count: u64) {
    let producer = Producer::new(&translated(bootstrap, ClientKind::Producer, &[])).unwrap();
    let handle = producer.topic(topic).unwrap();
    for number in 0..count {
        producer
            .send(&handle, Some(partition), None, None, Some(b"value"), &[], number)
            .unwrap();
    }
    assert!(producer.flush(PATIENCE, |delivery| assert_eq!(delivery.result, Ok(()))));
}

#[test]
fn topics_are_created_with_the_brokers_defaults_and_described_without_creating_them() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let admin = admin(kafka.bootstrap());
    assert!(!admin.cluster_id(PATIENCE).unwrap().is_empty());
    let name = new_topic(&admin, 3);
    assert_eq!(
        admin.describe_topic(&name, PATIENCE).unwrap().unwrap().partitions,
        3
    );
    let missing = fresh("missing");
    assert_eq!(admin.describe_topic(&missing, PATIENCE), Ok(None));
    assert_eq!(admin.describe_topic(&missing, PATIENCE), Ok(None));
    let broken = NewTopic {
        name: fresh("broken"),
        partitions: None,
        replication_factor: None,
        configs: BTreeMap::from([("no.such.setting".to_owned(), "1".to_owned())]),
    };
    let error = admin.create_topic(&broken, PATIENCE).unwrap_err();
    assert_eq!(
        error.java_class(),
        "org.apache.kafka.common.errors.InvalidConfigurationException"
    );
}

#[test]
fn group_offsets_are_listed_altered_and_deleted_and_the_group_with_them() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let admin = admin(kafka.bootstrap());
    let (topic, group) = (new_topic(&admin, 2), fresh("connect"));
    assert_eq!(admin.delete_group(&group, PATIENCE), Ok(Deletion::NotFound));
    assert_eq!(admin.group_offsets(&group, PATIENCE), Ok(Vec::new()));
    let offsets = [
        PartitionOffset::new(topic.as_str(), 0, 11),
        PartitionOffset::new(topic.as_str(), 1, 22),
    ];
    admin.alter_group_offsets(&group, &offsets, PATIENCE).unwrap();
    let mut found = admin.group_offsets(&group, PATIENCE).unwrap();
    found.sort_by_key(|offset| offset.partition.partition);
    assert_eq!(found, offsets);
    let first = [TopicPartition::new(topic.as_str(), 0)];
    assert_eq!(
        admin.delete_group_offsets(&group, &first, PATIENCE),
        Ok(Deletion::Deleted)
    );
    assert_eq!(admin.group_offsets(&group, PATIENCE).unwrap(), offsets[1..]);
    assert_eq!(admin.describe_group(&group, PATIENCE).unwrap().members, 0);
    assert_eq!(admin.delete_group(&group, PATIENCE), Ok(Deletion::Deleted));
    assert_eq!(admin.group_offsets(&group, PATIENCE), Ok(Vec::new()));
}

#[test]
fn a_text_is_kept_with_a_groups_offset_and_a_topic_can_be_deleted() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let admin = admin(kafka.bootstrap());
    let (topic, group) = (new_topic(&admin, 2), fresh("noted"));
    let noted = [
        (
            PartitionOffset::new(topic.as_str(), 0, 11),
            "{\"what\":\"é\"}".to_owned(),
        ),
        (PartitionOffset::new(topic.as_str(), 1, 22), String::new()),
    ];
    let deadline = Instant::now() + PATIENCE;
    // A broker that has just started is the coordinator of no group for a moment.
    while let Err(error) = admin.alter_group_offsets_with_metadata(&group, &noted, PATIENCE) {
        assert!(error.is_retriable() && Instant::now() < deadline, "{error}");
    }
    let mut found = admin.group_offsets_with_metadata(&group, PATIENCE).unwrap();
    found.sort_by_key(|(at, _)| at.partition.partition);
    assert_eq!(found, noted);
    assert_eq!(admin.delete_topic(&topic, PATIENCE), Ok(Deletion::Deleted));
    assert_eq!(admin.delete_topic(&topic, PATIENCE), Ok(Deletion::NotFound));
}

#[test]
fn a_group_with_members_can_be_told_from_other_failures() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let admin = admin(kafka.bootstrap());
    let (topic, group) = (new_topic(&admin, 1), fresh("connect"));
    let member = consumer(kafka.bootstrap(), &group, &[]);
    member.subscribe(std::slice::from_ref(&topic)).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&member, &mut recorder, |recorder| !recorder.assigned.is_empty());
    member
        .commit_sync(&[PartitionOffset::new(topic.as_str(), 0, 0)], PATIENCE)
        .unwrap();
    assert_eq!(admin.describe_group(&group, PATIENCE).unwrap().members, 1);
    let partition = TopicPartition::new(topic.as_str(), 0);
    for error in [
        admin.delete_group(&group, PATIENCE).unwrap_err(),
        admin
            .alter_group_offsets(&group, &[PartitionOffset::new(topic.as_str(), 0, 1)], PATIENCE)
            .unwrap_err(),
        admin
            .delete_group_offsets(&group, &[partition], PATIENCE)
            .unwrap_err(),
    ] {
        assert!(Admin::is_group_in_use(&error), "{error}");
    }
    assert!(member.close(PATIENCE, &mut recorder));
    assert_eq!(admin.delete_group(&group, PATIENCE), Ok(Deletion::Deleted));
}

#[test]
fn offsets_of_partitions_are_listed_by_end_and_by_time() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let admin = admin(kafka.bootstrap());
    let topic = new_topic(&admin, 1);
    fill(kafka.bootstrap(), &topic, 0, 9);
    let partition = TopicPartition::new(topic.as_str(), 0);
    for (spec, expected) in [
        (OffsetSpec::Earliest, 0),
        (OffsetSpec::Latest, 9),
        (OffsetSpec::AtOrAfter(1), 0),
    ] {
        let found = admin
            .list_offsets(&[(partition.clone(), spec)], false, PATIENCE)
            .unwrap();
        assert_eq!(found[0].offset, expected, "{spec:?}");
    }
}

#[test]
fn a_commit_inside_revoked_counts_although_the_group_is_rebalancing() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let (topic, group) = (new_topic(&admin(kafka.bootstrap()), 2), fresh("connect"));
    fill(kafka.bootstrap(), &topic, 0, 20);
    fill(kafka.bootstrap(), &topic, 1, 20);
    let one = consumer(kafka.bootstrap(), &group, &[]);
    one.subscribe(std::slice::from_ref(&topic)).unwrap();
    let outcomes = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&outcomes);
    let mut first = Recorder {
        on_revoked: Some(Box::new(move |consumer, partitions| {
            let offsets: Vec<_> = partitions
                .iter()
                .map(|partition| PartitionOffset {
                    partition: partition.clone(),
                    offset: 20,
                })
                .collect();
            noted.borrow_mut().push((
                consumer.assignment().len(),
                consumer.commit_sync(&offsets, PATIENCE),
            ));
        })),
        ..Recorder::default()
    };
    poll_until(&one, &mut first, |recorder| recorder.seen.len() == 40);
    let two = consumer(kafka.bootstrap(), &group, &[]);
    two.subscribe(std::slice::from_ref(&topic)).unwrap();
    let mut second = Recorder::default();
    let deadline = Instant::now() + PATIENCE;
    while first.assigned.len() < 2 || second.assigned.is_empty() {
        assert!(Instant::now() < deadline, "the group did not settle");
        one.poll_batch(TICK, 500, 1 << 20, &mut first).unwrap();
        two.poll_batch(TICK, 500, 1 << 20, &mut second).unwrap();
    }
    assert_eq!(*outcomes.borrow(), [(2, Ok(()))]);
    for _ in 0..10 {
        two.poll_batch(TICK, 500, 1 << 20, &mut second).unwrap();
    }
    assert_eq!(second.seen.len(), 0, "records were read twice");
    assert!(first.lost.is_empty() && second.lost.is_empty());
}

#[test]
fn a_consumer_that_was_away_too_long_loses_its_partitions_and_joins_again() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let (topic, group) = (new_topic(&admin(kafka.bootstrap()), 1), fresh("connect"));
    fill(kafka.bootstrap(), &topic, 0, 5);
    let consumer = consumer(kafka.bootstrap(), &group, &[("max.poll.interval.ms", "6000")]);
    consumer.subscribe(std::slice::from_ref(&topic)).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 5);
    // Being away is what this is about: wait on a channel on which nothing comes.
    let (_sender, silence) = std::sync::mpsc::channel::<()>();
    assert!(silence.recv_timeout(Duration::from_millis(7500)).is_err());
    poll_until(&consumer, &mut recorder, |recorder| recorder.assigned.len() == 2);
    assert_eq!((recorder.lost.len(), recorder.revoked.len()), (1, 0));
}

#[test]
fn a_topic_that_does_not_exist_is_created_by_the_broker_while_the_record_waits() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let topic = fresh("auto");
    fill(kafka.bootstrap(), &topic, 0, 3);
    assert_eq!(
        admin(kafka.bootstrap())
            .describe_topic(&topic, PATIENCE)
            .unwrap()
            .unwrap()
            .name,
        topic
    );
}

#[test]
fn a_record_larger_than_the_broker_takes_is_reported_as_too_large() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let topic = fresh("large");
    fill(kafka.bootstrap(), &topic, 0, 1);
    let properties = translated(
        kafka.bootstrap(),
        ClientKind::Producer,
        &[("max.request.size", "9000000")],
    );
    let producer = Producer::new(&properties).unwrap();
    let handle = producer.topic(&topic).unwrap();
    producer
        .send(&handle, None, None, None, Some(&vec![7; 5_000_000]), &[], 5)
        .unwrap();
    let mut reports = Vec::new();
    assert!(producer.flush(PATIENCE, |delivery| reports.push(delivery)));
    let error = reports[0].result.clone().unwrap_err();
    assert_eq!(
        (reports[0].opaque, error.code()),
        (5, Some(ErrorCode::MESSAGE_TOO_LARGE))
    );
}

#[test]
fn the_new_group_protocol_works_too() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let (topic, group) = (new_topic(&admin(kafka.bootstrap()), 1), fresh("connect"));
    fill(kafka.bootstrap(), &topic, 0, 5);
    let pairs = [("group.id", group.as_str()), ("group.protocol", "consumer")];
    let consumer = Consumer::new(&translated(kafka.bootstrap(), ClientKind::Consumer, &pairs)).unwrap();
    consumer.subscribe(std::slice::from_ref(&topic)).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 5);
    consumer
        .commit_sync(&[PartitionOffset::new(topic.as_str(), 0, 5)], PATIENCE)
        .unwrap();
    assert!(consumer.close(PATIENCE, &mut recorder));
    assert_eq!(
        recorder.revoked.concat(),
        [TopicPartition::new(topic.as_str(), 0)]
    );
}

/// A broker refuses records of a topic that was just created, for a moment. Those of a second request must not come in before
/// they are sent again; without idempotence that happened with one topic of fifteen.
#[test]
fn records_keep_their_order_in_topics_that_were_just_created() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let admin = admin(kafka.bootstrap());
    let as_connect_does = [
        ("acks", "all"),
        ("max.in.flight.requests.per.connection", "1"),
        ("delivery.timeout.ms", "2147483647"),
    ];
    let settings = translated(kafka.bootstrap(), ClientKind::Producer, &as_connect_does);
    let producer = Producer::new(&settings).unwrap();
    let large = vec![b'2'; 100_000];
    for _ in 0..40 {
        let name = fresh("order");
        let new = NewTopic {
            name: name.clone(),
            partitions: Some(1),
            replication_factor: None,
            configs: BTreeMap::new(),
        };
        assert_eq!(admin.create_topic(&new, PATIENCE), Ok(TopicCreation::Created));
        let topic = producer.topic(&name).unwrap();
        for value in [b"1".as_slice(), &large, b"3"] {
            producer
                .send(&topic, Some(0), None, None, Some(value), &[], 0)
                .unwrap();
        }
        assert!(producer.flush(PATIENCE, |delivery| assert_eq!(delivery.result, Ok(()))));
        let consumer = [("group.id", "order")];
        let consumer = translated(kafka.bootstrap(), ClientKind::Consumer, &consumer);
        let mut reader = Reader::new(&consumer, &name, 1).unwrap();
        let (mut seen, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while seen.len() < 3 && Instant::now() < deadline {
            reader
                .poll(TICK, |message| seen.push(message.value().unwrap()[0]))
                .unwrap();
        }
        assert_eq!(seen, b"123", "topic {name}");
    }
}
