//! Restarts by the worker itself, in standalone mode.

use serde_json::json;
use wharf_e2e::Stage;

#[test]
fn a_connector_may_ask_to_be_restarted_when_it_fails() {
    let Some(stage) = Stage::set_up("restarts") else {
        return;
    };
    let topic = stage.named("topic");
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[("wharf.restart.backoff.ms", "100")], &[]);
    let (asks, does_not) = (stage.named("asks"), stage.named("does-not"));
    for (name, policy) in [(&asks, "on-failure"), (&does_not, "never")] {
        worker.create(
            name,
            json!({
                "connector.class": "FileStreamSink",
                "tasks.max": "1",
                "file": stage.file("later/out.txt"),
                "topics": topic,
                "wharf.restart.policy": policy,
            }),
        );
        worker.until(
            &format!("/connectors/{name}/status"),
            "its task failed",
            |status| status["tasks"][0]["state"] == "FAILED",
        );
    }
    std::fs::create_dir(stage.path("later")).unwrap();
    worker.until_states(&asks, &["RUNNING", "RUNNING"]);
    worker.until_states(&does_not, &["RUNNING", "FAILED"]);
}
