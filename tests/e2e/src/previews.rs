//! Previews of connectors whose converters fail because of a value that a config provider gave.

use serde_json::{Value, json};

use crate::stage::Stage;
use crate::worker::Worker;

/// A value that must be found nowhere but in the file that a provider reads.
const SECRET: &str = "correct-horse-battery";
const ROT13: &str = "wharf.test.Rot13Converter";

/// One record that a sink is to read.
fn request(config: Value) -> Value {
    json!({"config": config, "records": [{"topic": "t", "value": {"base64": "AAAAAAc="}}]})
}

/// Starts a worker by `start`, with the settings that it is handed, and asks it for previews that fail; no answer has the value.
///
/// # Panics
/// When one has, or does not fail.
pub fn tell_no_secret(stage: &Stage, start: impl Fn(&[(&str, &str)]) -> Worker) {
    let file = stage.write("secrets.properties", format!("word={SECRET}\n"));
    let secret = format!("${{file:{}:word}}", file.display());
    let providers = [
        ("config.providers", "file"),
        ("config.providers.file.class", "FileConfigProvider"),
        ("wharf.preview.enable", "true"),
    ];
    let path = "/connector-plugins/FileStreamSink/preview";
    let (avro, registry) = (
        "io.confluent.connect.avro.AvroConverter",
        format!("http://127.0.0.1:1/{secret}"),
    );
    let sink = json!({"connector.class": "FileStreamSink", "topics": "t", "file": stage.file("out")});
    let with = |more: Value| {
        let mut config = sink.clone();
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        config
    };

    // A setting of the connector stays the reference that it is: nobody looks it up.
    let worker = start(&providers);
    let refused = worker.refused(
        "POST",
        path,
        Some(&request(with(
            json!({"value.converter": ROT13, "value.converter.mark.headers": secret}),
        ))),
        400,
    );
    assert!(
        refused.contains(&format!("Invalid value {secret} for configuration mark.headers")),
        "{refused}"
    );
    let unreachable = json!({"value.converter": avro, "value.converter.schema.registry.url": registry});
    let answer = worker
        .request("POST", path, Some(&request(with(unreachable))))
        .body;
    assert!(
        !refused.contains(SECRET) && !answer.contains(SECRET),
        "{refused} {answer}"
    );
    assert_eq!(worker.terminate(), Some(143));

    // A setting of the worker was looked up when it started.
    let retries = ("value.converter.max.retries", "0");
    let own = [
        ("value.converter", avro),
        ("value.converter.schema.registry.url", &registry),
        retries,
    ];
    let worker = start(&[&providers[..], &own].concat());
    let answer = worker.call("POST", path, Some(&request(sink.clone())), 200);
    assert_eq!(answer["records"][0]["outcome"], "failed", "{answer}");
    let text = answer.to_string();
    assert!(text.contains(&secret) && !text.contains(SECRET), "{answer}");

    // So it is in the status of a task that fails at such a setting.
    let topic = stage.named("t");
    stage.kafka().create_topic(&topic, 1, &[]);
    stage.kafka().produce(&topic, [(None, &[0, 0, 0, 0, 7][..])]);
    worker.create(&topic, with(json!({"topics": topic})));
    let status = worker.until_states(&topic, &["RUNNING", "FAILED"]).to_string();
    assert!(status.contains(&secret) && !status.contains(SECRET), "{status}");
    // A plugin writes of its settings, too; the log shows no value whoever writes.
    let log = worker.log();
    assert!(
        log.contains("(io.confluent.kafka.schemaregistry."),
        "the plugin wrote nothing: {log}"
    );
    assert!(log.contains(&secret) && !log.contains(SECRET), "{log}");
    assert_eq!(worker.terminate(), Some(143));
}
