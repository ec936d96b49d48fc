//! What has failed comes back by itself where `wharf.restart.policy` says so, and nowhere else.

use serde_json::json;

use crate::group::{Group, eventually, file_sink};

#[test]
fn a_failed_task_restarts_by_itself_where_its_worker_or_connector_says_so() {
    let Some(group) = Group::set_up("restarts") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = group.start_with(
        "one",
        &[
            ("wharf.restart.policy", "on-failure"),
            ("wharf.restart.backoff.ms", "100"),
            ("wharf.restart.backoff.max.ms", "400"),
        ],
    );
    // The folder is not there yet: their tasks cannot start.
    let (comes_back, stays) = (stage.named("comes-back"), stage.named("stays"));
    let file = |name: &str| stage.file(&format!("later/{name}.txt"));
    worker.create(&comes_back, file_sink(&file("comes-back"), &topic));
    let mut own = file_sink(&file("stays"), &topic);
    own["wharf.restart.policy"] = json!("never");
    worker.create(&stays, own);
    for name in [&comes_back, &stays] {
        worker.until(
            &format!("/connectors/{name}/status"),
            "its task failed",
            |status| status["tasks"][0]["state"] == "FAILED",
        );
    }
    eventually("it was tried again with longer waits", || {
        let log = worker.log();
        let waits = format!("task {comes_back}-0 has failed and is restarted in 400 ms (restart 4 in a row)");
        log.contains(&waits)
    });
    std::fs::create_dir(stage.path("later")).unwrap();
    worker.until_states(&comes_back, &["RUNNING", "RUNNING"]);
    let log = worker.log();
    assert!(
        !log.contains(&format!("task {stays}-0 has failed and is restarted")),
        "{log}"
    );
    worker.until_states(&stays, &["RUNNING", "FAILED"]);
}
