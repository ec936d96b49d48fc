//! Requests reach whoever can answer them, whichever worker is asked.

use serde_json::json;
use wharf_e2e::has_state;

use crate::group::{Group, eventually, file_source};

#[test]
fn every_request_may_be_sent_to_any_worker() {
    let Some(group) = Group::set_up("any") else { return };
    let stage = &group.stage;
    let workers = [group.start("one"), group.start("two"), group.start("three")];
    stage.write("in.txt", "a\nb\n");
    let config = file_source(&stage.file("in.txt"), &stage.named("topic"));
    for (n, worker) in workers.iter().enumerate() {
        let name = format!("source{n}");
        worker.create(&name, config.clone());
        let path = format!("/connectors/{name}");
        for other in &workers {
            other.until(&format!("{path}/status"), "it runs", |status| {
                has_state(status, "RUNNING")
            });
            assert_eq!(other.get(&format!("{path}/config"))["file"], stage.file("in.txt"));
        }
        let other = &workers[(n + 1) % workers.len()];
        other.call("PUT", &format!("{path}/pause"), None, 202);
        worker.until(&format!("{path}/status"), "it is paused", |status| {
            has_state(status, "PAUSED")
        });
        worker.call("PUT", &format!("{path}/resume"), None, 202);
        other.until(&format!("{path}/status"), "it runs", |status| {
            has_state(status, "RUNNING")
        });
        other.call("POST", &format!("{path}/restart"), None, 204);
        other.call("POST", &format!("{path}/tasks/0/restart"), None, 204);
        let plan = other.call("POST", &format!("{path}/restart?includeTasks=true"), None, 202);
        assert_eq!(plan["connector"]["state"], "RESTARTING");
        other.until(&format!("{path}/status"), "it runs", |status| {
            has_state(status, "RUNNING")
        });
        worker.call(
            "PATCH",
            &format!("{path}/config"),
            Some(&json!({"batch.size": "10"})),
            200,
        );
        other.until(&format!("{path}/config"), "the change is there", |config| {
            config["batch.size"] == "10"
        });
        other.call("PUT", &format!("{path}/stop"), None, 204);
        worker.until_states(&name, &["STOPPED"]);
        worker.until(&format!("{path}/offsets"), "offsets are there", |offsets| {
            offsets["offsets"][0]["offset"]["position"] == 4
        });
        other.call("DELETE", &format!("{path}/offsets"), None, 200);
        assert_eq!(worker.get(&format!("{path}/offsets")), json!({"offsets": []}));
    }
    for worker in &workers {
        let message = worker.refused(
            "POST",
            "/connectors",
            Some(&json!({"name": "source0", "config": config})),
            409,
        );
        assert_eq!(message, "Connector source0 already exists");
    }
    for (n, worker) in workers.iter().enumerate() {
        worker.call("DELETE", &format!("/connectors/source{n}"), None, 204);
    }
    for worker in &workers {
        eventually("all are gone", || worker.get("/connectors") == json!([]));
        worker.refused("GET", "/connectors/source0/status", None, 404);
    }
}
