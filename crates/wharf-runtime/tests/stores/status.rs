//! The status topic.

use std::sync::{Arc, Mutex};

use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::status_state::StatusKey;
use wharf_kafka::partition_for_key;
use wharf_runtime::herder::{ConnectorState, TaskId};
use wharf_runtime::stores::StatusBackingStore;
use wharf_runtime::worker::{ActiveTopicStore, StatusStore};

use crate::common::{PATIENCE, Raw, Topic, recorded};

/// A worker: what it says of its own connectors and tasks, and what it knows of all.
struct Worker {
    store: Arc<StatusBackingStore>,
    local: StatusStore,
}

impl Worker {
    fn start(topic: &Topic, id: &str) -> Self {
        let mut clients = topic.clients(false);
        clients.producer = topic.settings(
            wharf_kafka::ClientKind::Producer,
            &[("acks", "all"), ("retries", "0"), ("enable.idempotence", "false")],
        );
        let store = StatusBackingStore::start(&topic.admin, &topic.log_topic(), &clients, id, PATIENCE);
        let store = Arc::new(store.unwrap());
        let local = StatusStore::with_sink(id, Arc::clone(&store) as _);
        Self { store, local }
    }

    fn connector(&self, name: &str, state: ConnectorState) {
        let epoch = self.local.next_epoch();
        self.local
            .set_connector(name, epoch, state, None, Some("1.0".into()));
        assert!(self.store.flush(PATIENCE));
        self.store.read_to_end(PATIENCE).unwrap();
    }

    fn task(&self, task: &TaskId, state: ConnectorState, trace: Option<&str>) {
        let epoch = self.local.next_epoch();
        self.local
            .set_task(task, epoch, state, trace.map(str::to_owned), None);
        assert!(self.store.flush(PATIENCE));
        self.store.read_to_end(PATIENCE).unwrap();
    }

    /// State and worker of a task, as this worker knows it.
    fn knows(&self, task: &TaskId) -> Option<(ConnectorState, String)> {
        self.store.read_to_end(PATIENCE).unwrap();
        self.store.task(task).map(|task| (task.state, task.worker_id))
    }
}

#[test]
fn what_one_worker_reports_every_worker_says() {
    let Some(topic) = Topic::new("statuses", 5) else {
        return;
    };
    let (a, b) = (Worker::start(&topic, "a:1"), Worker::start(&topic, "b:1"));
    let (zero, one) = (TaskId::new("c", 0), TaskId::new("c", 1));
    a.store.set_generation(3);
    a.connector("c", ConnectorState::Running);
    a.task(&zero, ConnectorState::Running, None);
    a.task(&one, ConnectorState::Failed, Some("java.lang.Oops: no\n\tat x"));
    b.store.read_to_end(PATIENCE).unwrap();
    let connector = b.store.connector("c").unwrap();
    assert_eq!(
        (
            connector.state,
            connector.worker_id.as_str(),
            connector.version.as_deref()
        ),
        (ConnectorState::Running, "a:1", Some("1.0"))
    );
    let tasks = b.store.tasks("c");
    assert_eq!(tasks.iter().map(|task| task.id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(tasks[1].trace.as_deref(), Some("java.lang.Oops: no\n\tat x"));
    assert_eq!(Worker::start(&topic, "d:1").store.tasks("c"), tasks);
    // Deletion, as a leader does it.
    b.store.delete_task(&one);
    assert!(b.store.flush(PATIENCE));
    assert_eq!(a.knows(&one), None);
    b.store.delete_connector("c");
    assert!(b.store.flush(PATIENCE));
    assert_eq!(a.knows(&zero), None);
    assert_eq!(a.store.connector("c"), None);
    for record in topic.records() {
        let partition = partition_for_key(record.key.as_bytes(), 5);
        assert_eq!(
            record.partition,
            i32::try_from(partition).unwrap(),
            "{}",
            record.key
        );
    }
    a.store.stop();
    assert!(!a.store.flush(PATIENCE));
}

#[test]
fn a_worker_that_lost_a_task_does_not_overwrite_what_the_new_one_says() {
    let Some(topic) = Topic::new("statuses", 1) else {
        return;
    };
    let (old, new) = (Worker::start(&topic, "a:1"), Worker::start(&topic, "b:1"));
    let task = TaskId::new("c", 0);
    old.store.set_generation(3);
    old.task(&task, ConnectorState::Running, None);
    new.store.set_generation(4);
    new.task(&task, ConnectorState::Running, None);
    let running = Some((ConnectorState::Running, "b:1".to_owned()));
    assert_eq!(old.knows(&task), running);
    // Safe puts: nothing is written.
    old.task(&task, ConnectorState::Failed, Some("late"));
    old.task(&task, ConnectorState::Unassigned, None);
    assert_eq!(topic.records().len(), 2);
    // In the same generation it is written and ignored by who reads it.
    old.store.set_generation(4);
    old.task(&task, ConnectorState::Unassigned, None);
    assert_eq!(topic.records().len(), 3);
    assert_eq!((old.knows(&task), new.knows(&task)), (running.clone(), running));
    // A plain put always counts.
    old.store.set_generation(1);
    old.task(&task, ConnectorState::Restarting, None);
    assert_eq!(
        new.knows(&task),
        Some((ConnectorState::Restarting, "a:1".to_owned()))
    );
}

#[test]
fn a_worker_hears_when_another_one_speaks_over_it_and_says_again_what_is_true() {
    let Some(topic) = Topic::new("statuses", 1) else {
        return;
    };
    let (old, new) = (Worker::start(&topic, "a:1"), Worker::start(&topic, "b:1"));
    let heard: Arc<Mutex<Vec<StatusKey>>> = Arc::default();
    let of_listener = Arc::clone(&heard);
    new.store
        .on_overwritten(Box::new(move |key| of_listener.lock().unwrap().push(key)));
    new.store.set_generation(4);
    let task = TaskId::new("c", 0);
    new.connector("c", ConnectorState::Running);
    new.task(&task, ConnectorState::Running, None);
    // Whatever this one puts, what it had read before it stood still allows it.
    old.store.set_generation(4);
    old.connector("c", ConnectorState::Unassigned);
    old.task(&task, ConnectorState::Restarting, None);
    // To be ignored by all who read it, so nothing was lost.
    old.task(&TaskId::new("d", 0), ConnectorState::Unassigned, None);
    new.store.read_to_end(PATIENCE).unwrap();
    let lost = [
        StatusKey::Connector("c".into()),
        StatusKey::Task(ConnectorTaskId::new("c", 0)),
    ];
    assert_eq!(*heard.lock().unwrap(), lost);
    new.local.repeat_connector("c");
    new.local.repeat_task(&task);
    assert!(new.store.flush(PATIENCE));
    assert_eq!(old.knows(&task), Some((ConnectorState::Running, "b:1".into())));
    let connector = old.store.connector("c").unwrap();
    assert_eq!(
        (connector.state, connector.worker_id.as_str()),
        (ConnectorState::Running, "b:1")
    );
    new.store.read_to_end(PATIENCE).unwrap();
    assert_eq!(heard.lock().unwrap().len(), 2);
}

#[test]
fn topics_are_told_once_and_again_after_a_reset_on_another_worker() {
    let Some(topic) = Topic::new("statuses", 1) else {
        return;
    };
    let (a, b) = (Worker::start(&topic, "a:1"), Worker::start(&topic, "b:1"));
    let used = ActiveTopicStore::with_sink(Arc::clone(&a.store) as _);
    let settle = || {
        for worker in [&a, &b] {
            assert!(worker.store.flush(PATIENCE));
        }
        for worker in [&a, &b] {
            worker.store.read_to_end(PATIENCE).unwrap();
        }
    };
    used.add("c", 0, "t");
    used.add("c", 1, "t");
    used.add("c", 0, "u");
    settle();
    assert_eq!(b.store.topics("c"), ["t", "u"]);
    assert_eq!(topic.records().len(), 2);
    // What is known there is not written again by another worker.
    b.store.record_topic("c", 1, "t");
    settle();
    assert_eq!(topic.records().len(), 2);
    b.store.reset_topics("c");
    settle();
    assert!(a.store.topics("c").is_empty());
    used.add("c", 0, "u");
    settle();
    assert_eq!(b.store.topics("c"), ["u"]);
}

#[test]
fn a_jvm_workers_topic_is_read_and_its_records_are_written_with_the_same_bytes() {
    let Some(topic) = Topic::new("statuses", 1) else {
        return;
    };
    topic.create(&[("cleanup.policy", "compact")]);
    let records = recorded("status-topic.jsonl");
    for (key, value) in records.iter().take(12) {
        topic.produce(key, value.as_deref());
    }
    topic.produce("status-connector-broken", Some("{}"));
    topic.produce("of another application", Some("x"));
    let worker = Worker::start(&topic, "127.0.0.1:28083");
    assert_eq!(worker.store.topics("lines"), ["lines"]);
    assert!(worker.store.connector("broken").is_none());
    let state = worker.store.connector("lines").unwrap();
    assert_eq!(state.worker_id, "127.0.0.1:28083");
    // The first of them once more, by our own means.
    worker.store.set_generation(4);
    let epoch = worker.local.next_epoch();
    worker.local.set_connector(
        "lines",
        epoch,
        ConnectorState::Running,
        None,
        Some("4.3.0".into()),
    );
    assert!(worker.store.flush(PATIENCE));
    let (key, value) = records[0].clone();
    let expected = Raw {
        partition: 0,
        key,
        value,
    };
    assert_eq!(topic.records().pop(), Some(expected));
}
