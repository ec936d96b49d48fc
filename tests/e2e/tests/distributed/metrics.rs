//! What workers of a group tell of their group at `GET /metrics`, and that a task's metrics go where the task goes.

use wharf_e2e::metrics::MetricsReader;

use crate::group::{Group, eventually, file_source, workers_of};

const REBALANCES: &str = "kafka_connect_worker_rebalance_completed_rebalances_total";
const EPOCH: &str = "kafka_connect_worker_rebalance_epoch";
const REBALANCING: &str = "kafka_connect_worker_rebalance_rebalancing";

#[test]
fn metrics_of_the_group_agree_and_those_of_a_task_move_with_it() {
    let (Some(group), Some(reader)) = (Group::set_up("metrics"), MetricsReader::set_up()) else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("lines");
    stage.kafka().create_topic(&topic, 1, &[]);
    let names: Vec<String> = (0..4)
        .map(|number| stage.named(&format!("source{number}")))
        .collect();
    let first = group.start("first");
    for (number, name) in names.iter().enumerate() {
        let file = format!("input{number}");
        stage.write(&file, "a\nb\n");
        first.create(name, file_source(&stage.file(&file), &topic));
        first.until_states(name, &["RUNNING", "RUNNING"]);
    }
    reader.until(
        &first,
        &[
            ("kafka_connect_worker_task_count".to_owned(), 4.0),
            (REBALANCING.to_owned(), 0.0),
        ],
    );
    let told = reader.read(&first);
    assert!(told.get(REBALANCES).unwrap() >= 1.0);
    let leader = told.names("kafka_connect_worker_rebalance_info{");
    assert!(leader[0].contains("connect_protocol=\"SESSIONED\""), "{leader:?}");
    assert!(leader[0].contains(first.address()), "{leader:?}");
    for (metric, least) in [
        ("assigned_connectors", 4.0),
        ("assigned_tasks", 4.0),
        ("join_total", 1.0),
        ("sync_total", 1.0),
        ("rebalance_total", 1.0),
        ("heartbeat_total", 1.0),
    ] {
        let what = format!("kafka_connect_coordinator_{metric}{{");
        eventually(&what, || {
            let told = reader.read(&first);
            let found = told.names(&what);
            found.len() == 1 && told.get(found[0]).is_some_and(|value| value >= least)
        });
    }

    let second = group.start("second");
    eventually("both workers have tasks, and agree on the generation", || {
        let (one, other) = (reader.read(&first), reader.read(&second));
        let tasks =
            [&one, &other].map(|told| told.get("kafka_connect_worker_task_count").unwrap_or_default());
        tasks == [2.0, 2.0] && one.get(EPOCH) == other.get(EPOCH)
    });
    for name in &names {
        let status = first.until_states(name, &["RUNNING", "RUNNING"]);
        let [_, task] = workers_of(&status).try_into().unwrap();
        let own = format!("source_record_poll_total{{connector=\"{name}\"");
        for worker in [&first, &second] {
            let is_there = worker.address() == task;
            reader.until_told(worker, &own, is_there);
            let running = format!("task_status{{connector=\"{name}\",status=\"running\"");
            reader.until_told(worker, &running, is_there);
        }
    }
}
