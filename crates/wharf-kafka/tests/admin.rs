//! The admin client against librdkafka's mock cluster, as far as that answers admin requests.

mod common;

use std::time::{Duration, Instant};

use common::{Cluster, PATIENCE, cluster, fill, properties};
use wharf_kafka::{Admin, ClientKind, ErrorCode, OffsetSpec, PartitionOffset, TopicPartition};

fn admin(cluster: &Cluster) -> Admin {
    Admin::new(&properties(cluster, ClientKind::Admin, &[])).unwrap()
}

#[test]
fn the_cluster_and_its_topics_are_described() {
    let cluster = cluster("t", 3);
    let admin = admin(&cluster);
    assert!(!admin.cluster_id(PATIENCE).unwrap().is_empty());
    let topics = admin.list_topics(PATIENCE).unwrap();
    assert_eq!(
        (topics.len(), &*topics[0].name, topics[0].partitions),
        (1, "t", 3)
    );
}

#[test]
fn a_broker_out_of_reach_is_reported_with_the_reason() {
    // A port that was free a moment ago, and that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let settings = [("bootstrap.servers".to_owned(), address.clone())];
    let properties = wharf_kafka::translate(ClientKind::Admin, &settings.into()).unwrap();
    let error = Admin::new(&properties)
        .unwrap()
        .cluster_id(Duration::from_secs(2))
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let text = error.to_string();
    assert!(text.contains(&address) && text.contains("refused"), "{text}");
}

#[test]
fn group_offsets_are_altered() {
    let cluster = cluster("t", 2);
    let admin = admin(&cluster);
    let offsets = [PartitionOffset::new("t", 0, 11), PartitionOffset::new("t", 1, 22)];
    admin
        .alter_group_offsets("connect-sink", &offsets, PATIENCE)
        .unwrap();
    let reader = common::consumer(&cluster, &[]);
    let partitions = offsets.each_ref().map(|offset| offset.partition.clone());
    assert_eq!(reader.committed(&partitions, PATIENCE).unwrap(), offsets);
    assert_eq!(admin.group_offsets("connect-other", PATIENCE).unwrap(), []);
}

#[test]
fn first_and_next_offsets_of_a_partition_are_listed() {
    let cluster = cluster("t", 1);
    fill(&cluster, "t", 0, 9);
    let partition = TopicPartition::new("t", 0);
    let ask = |spec| {
        let found = admin(&cluster)
            .list_offsets(&[(partition.clone(), spec)], false, PATIENCE)
            .unwrap();
        found[0].offset
    };
    assert_eq!((ask(OffsetSpec::Earliest), ask(OffsetSpec::Latest)), (0, 9));
}

#[test]
fn offsets_of_a_partition_that_nobody_leads_may_be_asked_for_again() {
    let cluster = cluster("t", 1);
    fill(&cluster, "t", 0, 9);
    let admin = admin(&cluster);
    let ask = |timeout| {
        admin.list_offsets(
            &[(TopicPartition::new("t", 0), OffsetSpec::Latest)],
            false,
            timeout,
        )
    };
    cluster.partition_leader("t", 0, None).unwrap();
    let error = ask(Duration::from_secs(1)).unwrap_err();
    assert!(error.is_retriable(), "{error}");
    cluster.partition_leader("t", 0, Some(1)).unwrap();
    assert_eq!(ask(PATIENCE).unwrap()[0].offset, 9);
}

#[test]
fn a_call_without_an_answer_ends_with_its_deadline() {
    let cluster = cluster("t", 1);
    cluster.broker_down(1).unwrap();
    let start = Instant::now();
    let error = admin(&cluster)
        .group_offsets("connect-sink", Duration::from_millis(300))
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn offsets_of_partitions_that_nobody_leads_yet_may_be_asked_for_again() {
    let cluster = cluster("t", 2);
    for partition in 0..2 {
        cluster.partition_leader("t", partition, None).unwrap();
    }
    let wanted = [0, 1].map(|partition| (TopicPartition::new("t", partition), OffsetSpec::Latest));
    let error = admin(&cluster)
        .list_offsets(&wanted, false, Duration::from_secs(5))
        .unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::LEADER_NOT_AVAILABLE), "{error}");
    assert!(error.is_retriable(), "{error}");
}

#[test]
fn a_coordinator_that_has_just_moved_is_an_error_of_the_call_alone() {
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    let cluster = cluster("t", 1);
    let admin = admin(&cluster);
    cluster.request_errors(
        RDKafkaApiKey::OffsetFetch,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR],
    );
    let error = admin.group_offsets("connect-sink", PATIENCE).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode(16)), "{error}");
    assert!(error.is_retriable());
}
