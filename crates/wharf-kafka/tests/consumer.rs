//! The consumer against librdkafka's mock cluster.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{PATIENCE, Recorder, TICK, cluster, consumer, fill, poll_until};
use wharf_kafka::{PartitionOffset, TopicPartition};

fn topics() -> Vec<String> {
    vec!["t".to_owned()]
}

fn values(recorder: &Recorder) -> Vec<u64> {
    recorder
        .seen
        .iter()
        .map(|seen| {
            String::from_utf8_lossy(seen.value.as_deref().unwrap())
                .parse()
                .unwrap()
        })
        .collect()
}

#[test]
fn records_come_in_batches_in_order_and_within_the_limit() {
    let cluster = cluster("t", 1);
    fill(&cluster, "t", 0, 2000);
    let consumer = consumer(&cluster, &[]);
    consumer.subscribe(&topics()).unwrap();
    let mut recorder = Recorder::default();
    let mut largest = 0;
    let deadline = Instant::now() + PATIENCE;
    while recorder.seen.len() < 2000 && Instant::now() < deadline {
        largest = largest.max(consumer.poll_batch(TICK, 100, 1 << 20, &mut recorder).unwrap());
    }
    assert_eq!(values(&recorder), (0..2000).collect::<Vec<_>>());
    assert_eq!(largest, 100);
    assert!(consumer.close(PATIENCE, &mut recorder));
}

#[test]
fn records_that_are_kept_outlive_their_poll_and_their_consumer() {
    let cluster = cluster("t", 2);
    fill(&cluster, "t", 0, 300);
    fill(&cluster, "t", 1, 200);
    let consumer = consumer(&cluster, &[]);
    consumer.keep_records();
    consumer.subscribe(&topics()).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() >= 250);
    let mut kept = consumer.take_kept();
    assert_eq!(consumer.take_kept().size(), 0, "they are handed over once");
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 500);
    kept.append(consumer.take_kept());
    assert!(consumer.close(PATIENCE, &mut recorder));
    let bytes = |seen: &common::Seen| seen.value.as_ref().map_or(0, Vec::len);
    assert_eq!(kept.size(), recorder.seen.iter().map(bytes).sum::<usize>());
    // In their order, and from the last to the first.
    for seen in recorder.seen.iter().chain(recorder.seen.iter().rev()) {
        let found = kept.find("t", seen.partition, seen.offset).unwrap();
        assert_eq!(found.value(), seen.value.as_deref());
    }
    assert!(kept.find("t", 0, 300).is_none() && kept.find("u", 0, 0).is_none());
}

#[test]
fn a_batch_ends_soon_after_the_limit_of_bytes() {
    let cluster = cluster("t", 1);
    fill(&cluster, "t", 0, 3000);
    let consumer = consumer(&cluster, &[]);
    consumer.subscribe(&topics()).unwrap();
    let mut recorder = Recorder::default();
    let deadline = Instant::now() + PATIENCE;
    let mut batches = Vec::new();
    while recorder.seen.len() < 3000 && Instant::now() < deadline {
        let before = recorder.seen.len();
        consumer.poll_batch(TICK, 1_000_000, 100, &mut recorder).unwrap();
        let bytes: usize = recorder.seen[before..]
            .iter()
            .map(|seen| seen.value.as_ref().map_or(0, Vec::len))
            .sum();
        batches.push(bytes);
    }
    assert_eq!(values(&recorder), (0..3000).collect::<Vec<_>>());
    assert!(batches.iter().all(|bytes| *bytes <= 200), "{batches:?}");
}

#[test]
fn a_wait_ends_when_another_thread_wakes_the_consumer_and_one_woken_before_does_not_wait() {
    let cluster = cluster("t", 1);
    let consumer = consumer(&cluster, &[]);
    consumer.subscribe(&topics()).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&consumer, &mut recorder, |recorder| !recorder.assigned.is_empty());
    let hour = Duration::from_secs(3600);
    let waker = consumer.waker();
    let other = waker.clone();
    let thread = std::thread::spawn(move || other.wake());
    assert_eq!(consumer.poll_batch(hour, 1, 1, &mut recorder).unwrap(), 0);
    thread.join().unwrap();
    waker.wake();
    assert_eq!(consumer.poll_batch(hour, 1, 1, &mut recorder).unwrap(), 0);
    assert!(consumer.close(PATIENCE, &mut recorder));
    // Nothing is left to be woken.
    waker.wake();
}

#[test]
fn a_commit_is_answered_and_the_next_member_continues_there() {
    let cluster = cluster("t", 1);
    fill(&cluster, "t", 0, 10);
    let first = consumer(&cluster, &[]);
    first.subscribe(&topics()).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&first, &mut recorder, |recorder| recorder.seen.len() == 10);
    first
        .commit_async(&[PartitionOffset::new("t", 0, 4)], 77)
        .unwrap();
    poll_until(&first, &mut recorder, |recorder| !recorder.committed.is_empty());
    assert_eq!(recorder.committed, [(77, Ok(()))]);
    first
        .commit_sync(&[PartitionOffset::new("t", 0, 6)], PATIENCE)
        .unwrap();
    let partition = TopicPartition::new("t", 0);
    let committed = first
        .committed(std::slice::from_ref(&partition), PATIENCE)
        .unwrap();
    assert_eq!(committed, [PartitionOffset::new("t", 0, 6)]);
    assert!(first.close(PATIENCE, &mut recorder));
    assert_eq!(recorder.revoked.concat(), [partition]);

    let second = consumer(&cluster, &[]);
    second.subscribe(&topics()).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&second, &mut recorder, |recorder| recorder.seen.len() == 4);
    assert_eq!(values(&recorder), [6, 7, 8, 9]);
}

#[test]
fn a_seek_inside_assigned_decides_where_reading_starts() {
    let cluster = cluster("t", 1);
    fill(&cluster, "t", 0, 10);
    let consumer = consumer(&cluster, &[]);
    consumer.subscribe(&topics()).unwrap();
    let positions = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&positions);
    let mut recorder = Recorder {
        on_assigned: Some(Box::new(move |consumer, partitions| {
            let mut noted = noted.borrow_mut();
            noted.push(consumer.position(&partitions[0], PATIENCE).unwrap());
            consumer
                .seek(&[PartitionOffset {
                    partition: partitions[0].clone(),
                    offset: 8,
                }])
                .unwrap();
            noted.push(consumer.position(&partitions[0], PATIENCE).unwrap());
            assert_eq!(consumer.assignment(), partitions);
        })),
        ..Recorder::default()
    };
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 2);
    assert_eq!(values(&recorder), [8, 9]);
    assert_eq!(*positions.borrow(), [0, 8]);
    assert_eq!(
        consumer.position(&TopicPartition::new("t", 0), PATIENCE).unwrap(),
        10
    );

    consumer.seek(&[PartitionOffset::new("t", 0, 3)]).unwrap();
    assert_eq!(
        consumer.position(&TopicPartition::new("t", 0), PATIENCE).unwrap(),
        3
    );
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 9);
    assert_eq!(values(&recorder)[2..], [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn what_is_written_after_the_position_was_asked_for_is_read_even_from_the_latest_offset_on() {
    let cluster = Rc::new(cluster("t", 1));
    fill(&cluster, "t", 0, 5);
    let consumer = consumer(&cluster, &[("auto.offset.reset", "latest")]);
    consumer.subscribe(&topics()).unwrap();
    let written = Rc::clone(&cluster);
    let mut recorder = Recorder {
        on_assigned: Some(Box::new(move |consumer, partitions| {
            assert_eq!(consumer.position(&partitions[0], PATIENCE).unwrap(), 5);
            fill(&written, "t", 0, 1);
        })),
        ..Recorder::default()
    };
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 1);
    assert_eq!(recorder.seen[0].offset, 5);
}

#[test]
fn a_paused_partition_stays_silent_until_resumed() {
    let cluster = cluster("t", 2);
    fill(&cluster, "t", 0, 50);
    fill(&cluster, "t", 1, 50);
    let consumer = consumer(&cluster, &[]);
    consumer.subscribe(&topics()).unwrap();
    let paused = [TopicPartition::new("t", 1)];
    let mut recorder = Recorder {
        on_assigned: Some(Box::new({
            let paused = paused.clone();
            move |consumer, _| consumer.pause(&paused).unwrap()
        })),
        ..Recorder::default()
    };
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 50);
    for _ in 0..5 {
        assert_eq!(consumer.poll_batch(TICK, 500, 1 << 20, &mut recorder).unwrap(), 0);
    }
    assert!(recorder.seen.iter().all(|seen| seen.partition == 0));
    consumer.resume(&paused).unwrap();
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 100);
    assert!(recorder.seen[50..].iter().all(|seen| seen.partition == 1));
}

#[test]
fn a_commit_made_inside_revoked_reaches_the_group_before_the_member_leaves() {
    let cluster = cluster("t", 2);
    fill(&cluster, "t", 0, 20);
    fill(&cluster, "t", 1, 20);
    let one = consumer(&cluster, &[]);
    one.subscribe(&topics()).unwrap();
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
    assert!(one.close(PATIENCE, &mut first));
    assert_eq!(*outcomes.borrow(), [(2, Ok(()))]);

    let two = consumer(&cluster, &[]);
    two.subscribe(&topics()).unwrap();
    let mut second = Recorder::default();
    poll_until(&two, &mut second, |recorder| !recorder.assigned.is_empty());
    for partition in 0..2 {
        assert_eq!(
            two.position(&TopicPartition::new("t", partition), PATIENCE)
                .unwrap(),
            20
        );
    }
}

#[test]
fn partitions_move_to_a_second_member_only_after_the_first_let_go() {
    let cluster = cluster("t", 2);
    let one = consumer(&cluster, &[]);
    one.subscribe(&topics()).unwrap();
    let order = Rc::new(RefCell::new(Vec::new()));
    let (revoked, taken) = (Rc::clone(&order), Rc::clone(&order));
    let mut first = Recorder {
        on_revoked: Some(Box::new(move |consumer, partitions| {
            assert_eq!(consumer.assignment(), partitions);
            revoked.borrow_mut().push("the first lets go");
        })),
        ..Recorder::default()
    };
    let mut second = Recorder {
        on_assigned: Some(Box::new(move |_, partitions| {
            if !partitions.is_empty() {
                taken.borrow_mut().push("the second takes over");
            }
        })),
        ..Recorder::default()
    };
    poll_until(&one, &mut first, |recorder| !recorder.assigned.is_empty());
    let two = consumer(&cluster, &[]);
    two.subscribe(&topics()).unwrap();
    // The mock cluster may need more than one round, so the settled state counts, not the number of call-backs.
    let deadline = Instant::now() + PATIENCE;
    while (one.assignment().len(), two.assignment().len()) != (1, 1) {
        assert!(Instant::now() < deadline, "the group did not settle");
        one.poll_batch(TICK, 500, 1 << 20, &mut first).unwrap();
        two.poll_batch(TICK, 500, 1 << 20, &mut second).unwrap();
    }
    let mut order = order.borrow().clone();
    order.dedup();
    assert_eq!(order[..2], ["the first lets go", "the second takes over"]);
    assert_ne!(one.assignment(), two.assignment());
}

#[test]
fn a_subscription_can_change_and_topics_can_be_listed() {
    let cluster = cluster("t", 1);
    cluster.create_topic("u", 3, 1).unwrap();
    fill(&cluster, "t", 0, 1);
    fill(&cluster, "u", 2, 1);
    let consumer = consumer(&cluster, &[]);
    let mut names: Vec<_> = consumer
        .list_topics(PATIENCE)
        .unwrap()
        .into_iter()
        .map(|topic| (topic.name, topic.partitions))
        .collect();
    names.sort();
    assert_eq!(names, [("t".to_owned(), 1), ("u".to_owned(), 3)]);
    consumer.subscribe(&topics()).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&consumer, &mut recorder, |recorder| recorder.seen.len() == 1);
    consumer.subscribe(&["t".to_owned(), "u".to_owned()]).unwrap();
    poll_until(&consumer, &mut recorder, |recorder| {
        recorder.seen.iter().any(|seen| seen.topic == "u")
    });
    assert!(consumer.assignment().contains(&TopicPartition::new("u", 2)));
}

#[test]
fn closing_without_a_broker_is_bounded_in_time() {
    let cluster = cluster("t", 1);
    let consumer = consumer(&cluster, &[]);
    consumer.subscribe(&topics()).unwrap();
    let mut recorder = Recorder::default();
    poll_until(&consumer, &mut recorder, |recorder| !recorder.assigned.is_empty());
    cluster.broker_down(1).unwrap();
    let start = Instant::now();
    consumer.close(Duration::from_millis(500), &mut recorder);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
