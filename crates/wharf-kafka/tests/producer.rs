//! The producer against librdkafka's mock cluster.

mod common;

use std::time::{Duration, Instant};

use common::{PATIENCE, Recorder, TICK, cluster, consumer, poll_until, producer};
use wharf_kafka::{ErrorCode, SendError, Timestamp, partition_for_key};

#[test]
fn every_record_is_acknowledged_once_with_its_number_and_offset() {
    let cluster = cluster("t", 1);
    let producer = producer(&cluster, &[]);
    let topic = producer.topic("t").unwrap();
    for number in 0..1000_u64 {
        producer
            .send(&topic, None, None, None, Some(b"value"), &[], number)
            .unwrap();
    }
    assert!(producer.queued_bytes() > 0);
    let mut reports = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while reports.len() < 1000 && Instant::now() < deadline {
        producer.poll_acks(TICK, |delivery| reports.push(delivery));
    }
    assert_eq!(reports.len(), 1000);
    for (at, report) in reports.iter().enumerate() {
        assert_eq!(
            (report.opaque, report.offset, report.partition),
            (at as u64, at as i64, 0)
        );
        assert_eq!(report.result, Ok(()));
    }
    assert_eq!((producer.in_flight(), producer.queued_bytes()), (0, 0));
}

#[test]
fn a_record_arrives_as_it_was_sent_with_nulls_and_empties_kept_apart() {
    let cluster = cluster("t", 1);
    let producer = producer(&cluster, &[]);
    let topic = producer.topic("t").unwrap();
    let headers: &[(&str, Option<&[u8]>)] = &[
        ("a", Some(b"1")),
        ("none", None),
        ("empty", Some(b"")),
        ("a", Some(b"2")),
    ];
    producer
        .send(
            &topic,
            Some(0),
            Some(1_700_000_000_123),
            Some(b"k"),
            Some(b"v"),
            headers,
            0,
        )
        .unwrap();
    producer.send(&topic, Some(0), None, None, None, &[], 1).unwrap();
    producer
        .send(&topic, Some(0), None, Some(b""), Some(b""), &[], 2)
        .unwrap();
    assert!(producer.flush(PATIENCE, |delivery| assert_eq!(delivery.result, Ok(()))));

    let consumer = consumer(&cluster, &[]);
    consumer.subscribe(&["t".to_owned()]).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 3);
    let [full, null, empty] = &recorder.seen[..] else {
        panic!("three records")
    };
    assert_eq!(full.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(full.timestamp, Timestamp::CreateTime(1_700_000_000_123));
    let expected: Vec<_> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)))
        .collect();
    assert_eq!(full.headers, expected);
    assert_eq!((&null.key, &null.value, null.headers.len()), (&None, &None, 0));
    assert_eq!(
        (empty.key.as_deref(), empty.value.as_deref()),
        (Some(&b""[..]), Some(&b""[..]))
    );
    assert!(consumer.close(PATIENCE, &mut recorder));
}

#[test]
fn the_partition_of_a_key_is_the_one_the_java_producer_chooses() {
    let cluster = cluster("t", 7);
    let producer = producer(&cluster, &[]);
    let topic = producer.topic("t").unwrap();
    let keys: Vec<String> = (0..500)
        .map(|number| format!("key-{number}-{}", "ä".repeat(number % 9)))
        .collect();
    for (number, key) in keys.iter().enumerate() {
        producer
            .send(&topic, None, None, Some(key.as_bytes()), None, &[], number as u64)
            .unwrap();
    }
    let mut checked = 0;
    assert!(producer.flush(PATIENCE, |delivery| {
        let key = &keys[delivery.opaque as usize];
        assert_eq!(
            delivery.partition,
            partition_for_key(key.as_bytes(), 7) as i32,
            "{key}"
        );
        checked += 1;
    }));
    assert_eq!(checked, keys.len());
}

#[test]
fn a_full_buffer_is_told_apart_and_ends_when_reports_are_taken() {
    let cluster = cluster("t", 1);
    let producer = producer(&cluster, &[("buffer.memory", "65536")]);
    let topic = producer.topic("t").unwrap();
    let value = [b'x'; 1024];
    let mut sent = 0_u64;
    let refused = loop {
        match producer.send(&topic, None, None, None, Some(&value), &[], sent) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 1000, "the buffer never filled up");
    };
    assert_eq!(refused, SendError::QueueFull);
    let mut reported = 0;
    assert!(producer.flush(PATIENCE, |_| reported += 1));
    assert_eq!(reported, sent);
    assert_eq!(
        producer.send(&topic, None, None, None, Some(&value), &[], sent),
        Ok(())
    );
}

#[test]
fn a_record_that_is_too_large_is_refused_with_the_property_to_raise() {
    let cluster = cluster("t", 1);
    let producer = producer(&cluster, &[("max.request.size", "2000")]);
    let topic = producer.topic("t").unwrap();
    let error = producer
        .send(&topic, None, None, None, Some(&[0; 3000]), &[], 0)
        .unwrap_err();
    let SendError::Failed(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
    assert_eq!(
        error.java_class(),
        "org.apache.kafka.common.errors.RecordTooLargeException"
    );
    assert!(error.to_string().contains("max.request.size"), "{error}");
    assert_eq!(producer.queued_bytes(), 0);
}

#[test]
fn a_record_the_broker_refuses_for_good_is_reported_as_fatal() {
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    let cluster = cluster("t", 1);
    let producer = producer(&cluster, &[]);
    let topic = producer.topic("t").unwrap();
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED],
    );
    producer
        .send(&topic, None, None, None, Some(b"v"), &[], 7)
        .unwrap();
    let mut reports = Vec::new();
    assert!(producer.flush(PATIENCE, |delivery| reports.push(delivery)));
    let error = reports[0].result.clone().unwrap_err();
    assert_eq!((reports[0].opaque, error.is_retriable()), (7, false));
    assert_eq!(
        error.java_class(),
        "org.apache.kafka.common.errors.TopicAuthorizationException"
    );
}

#[test]
fn a_record_that_is_larger_than_the_whole_buffer_is_refused_and_does_not_wait_for_room() {
    let cluster = cluster("t", 1);
    let producer = producer(
        &cluster,
        &[("buffer.memory", "16384"), ("max.request.size", "100000")],
    );
    let topic = producer.topic("t").unwrap();
    let send = |size: usize| producer.send(&topic, None, None, None, Some(&vec![b'x'; size]), &[], 0);
    let Err(SendError::Failed(error)) = send(20_000) else {
        panic!("it was not refused");
    };
    assert_eq!(
        error.java_class(),
        "org.apache.kafka.common.errors.RecordTooLargeException"
    );
    assert!(error.to_string().contains("buffer.memory"), "{error}");
    send(10_000).unwrap();
    assert_eq!(send(10_000), Err(SendError::QueueFull));
    assert!(producer.flush(PATIENCE, |_| {}));
    send(10_000).unwrap();
}

#[test]
fn passing_trouble_of_the_broker_is_not_reported_but_retried() {
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    let cluster = cluster("t", 1);
    let producer = producer(&cluster, &[]);
    let topic = producer.topic("t").unwrap();
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
        ],
    );
    for number in 0..10 {
        producer
            .send(&topic, None, None, None, Some(b"v"), &[], number)
            .unwrap();
    }
    let mut numbers = Vec::new();
    assert!(producer.flush(PATIENCE, |delivery| {
        assert_eq!(delivery.result, Ok(()));
        numbers.push(delivery.opaque);
    }));
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
}

#[test]
fn purged_records_are_reported_too() {
    let cluster = cluster("t", 1);
    cluster.broker_down(1).unwrap();
    let producer = producer(&cluster, &[]);
    let topic = producer.topic("t").unwrap();
    for number in 0..5 {
        producer
            .send(&topic, None, None, None, Some(b"v"), &[], number)
            .unwrap();
    }
    assert!(!producer.flush(Duration::from_millis(100), |_| panic!("nothing can be delivered")));
    producer.purge();
    let mut purged = 0;
    let deadline = Instant::now() + PATIENCE;
    while producer.in_flight() > 0 && Instant::now() < deadline {
        producer.poll_acks(TICK, |delivery| {
            let code = delivery.result.unwrap_err().code().unwrap();
            assert!(
                [ErrorCode::PURGED_QUEUED, ErrorCode::PURGED_IN_FLIGHT].contains(&code),
                "{code}"
            );
            purged += 1;
        });
    }
    assert_eq!(purged, 5);
}
