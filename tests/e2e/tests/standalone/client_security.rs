//! Clients that cannot log in to the broker.

use std::time::{Duration, Instant};

use serde_json::json;
use wharf_e2e::Stage;

/// What a stop may take, the client's own waits included.
const ANSWER: Duration = Duration::from_secs(20);

#[test]
fn a_source_that_cannot_log_in_fails_says_why_and_can_be_deleted() {
    let Some(stage) = Stage::set_up("sasl") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("records"));
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    let login = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"s3cr3t\";";
    worker.create(
        &name,
        json!({
            "connector.class": "wharf.test.BlobSource", "topic": topic, "records": "10",
            "producer.override.security.protocol": "SASL_PLAINTEXT", "producer.override.sasl.mechanism": "PLAIN",
            "producer.override.sasl.jaas.config": login
        }),
    );
    let status = worker.until_states(&name, &["RUNNING", "FAILED"]);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.to_lowercase().contains("authentication"), "{trace}");
    assert!(
        !trace.contains("s3cr3t") && !worker.log().contains("s3cr3t"),
        "{trace}"
    );
    assert_eq!(
        worker.get(&format!("/connectors/{name}/offsets"))["offsets"],
        json!([])
    );
    let begun = Instant::now();
    worker.call("DELETE", &format!("/connectors/{name}"), None, 204);
    assert!(begun.elapsed() < ANSWER, "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(worker.terminate(), Some(143));
    assert!(begun.elapsed() < ANSWER, "{:?}", begun.elapsed());
    assert_eq!(stage.kafka().count(&topic), 0);
}
