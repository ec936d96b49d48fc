//! Validation by libraries: of the configuration of transformations and predicates, which only they know, and by connectors
//! that ask the system that they name.

use std::net::TcpListener;

use serde_json::{Value, json};
use wharf_e2e::patches::{self, lines, noting};
use wharf_e2e::{Stage, properties};

/// The entry of one key.
fn entry<'a>(checked: &'a Value, key: &str) -> &'a Value {
    let configs = checked["configs"].as_array().unwrap();
    configs
        .iter()
        .find(|config| config["value"]["name"] == key)
        .unwrap_or_else(|| panic!("no {key} in {checked}"))
}

#[test]
fn transformations_and_predicates_of_a_library_are_checked_by_it() {
    let Some(stage) = Stage::set_up("validation") else {
        return;
    };
    let worker = stage.start(&[], &[]);
    let check = |times: &str, text: &str| {
        let config = json!({
            "name": "checked",
            "connector.class": "FileStreamSink",
            "topics": "t",
            "file": stage.file("output"),
            "transforms": "upper",
            "transforms.upper.type": "wharf.test.UppercaseValue",
            "transforms.upper.busy.times": times,
            "transforms.upper.predicate": "some",
            "predicates": "some",
            "predicates.some.type": "wharf.test.ValueContains",
            "predicates.some.text": text,
        });
        worker.call(
            "PUT",
            "/connector-plugins/FileStreamSink/config/validate",
            Some(&config),
            200,
        )
    };
    let (times, text) = ("transforms.upper.busy.times", "predicates.some.text");

    let right = check("3", "a");
    assert_eq!(right["error_count"], 0, "{right}");
    let definition = &entry(&right, times)["definition"];
    assert_eq!(definition["type"], "INT");
    assert_eq!(definition["default_value"], "0");
    assert_eq!(
        definition["documentation"],
        "How often to ask for another try at `busy`."
    );
    assert_eq!(definition["group"], "Transforms: upper");
    assert_eq!(entry(&right, times)["value"]["value"], "3");
    assert_eq!(entry(&right, text)["definition"]["required"], true);

    for (busy, looked_for, key, message) in [
        (
            "-1",
            "a",
            times,
            "Invalid value -1 for configuration busy.times: Value must be at least 0",
        ),
        (
            "often",
            "a",
            times,
            // As upstream, parsing names the key as it is written, and validators as the class knows it.
            "Invalid value often for configuration transforms.upper.busy.times: Not a number of type INT",
        ),
        (
            "3",
            "",
            text,
            "Invalid value  for configuration text: String must be non-empty",
        ),
    ] {
        let wrong = check(busy, looked_for);
        let errors = entry(&wrong, key)["value"]["errors"].as_array().unwrap();
        assert_eq!(errors.first(), Some(&json!(message)), "{wrong}");
        assert_eq!(wrong["error_count"], errors.len(), "{wrong}");
    }
    assert_eq!(worker.terminate(), Some(143));
}

/// Text properties of a connector file.
fn connector_file(name: &str, config: &Value) -> String {
    let mut pairs = vec![("name", name)];
    let config = config.as_object().unwrap();
    pairs.extend(
        config
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str().unwrap())),
    );
    properties(&pairs)
}

#[test]
fn a_worker_starts_with_a_connector_whose_database_is_away_and_refuses_it_over_rest() {
    let Some(stage) = Stage::set_up("away") else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut config = json!({
        "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector",
        "tasks.max": "1",
        "connection.url": format!("jdbc:postgresql://{address}/shop?connectTimeout=1"),
        "connection.user": "reader",
        "connection.password": "word",
        "connection.backoff.ms": "100",
        "mode": "bulk",
        "query": "select 1 as one",
        "topic.prefix": stage.named("rows"),
    });
    let from_file = stage.named("from-file");
    let file = stage.write("jdbc.properties", connector_file(&from_file, &config));
    let worker = stage.start(&[], &[file]);
    assert_eq!(worker.get("/connectors"), json!([from_file]));
    worker.until_states(&from_file, &["RUNNING", "RUNNING"]);

    let name = stage.named("over-rest");
    config["name"] = json!(name);
    let body = json!({"name": name, "config": config});
    let message = worker.refused("POST", "/connectors", Some(&body), 400);
    let class = config["connector.class"].as_str().unwrap();
    let path = format!("/connector-plugins/{class}/config/validate");
    let checked = worker.call("PUT", &path, Some(&config), 200);
    let errors = entry(&checked, "connection.url")["value"]["errors"]
        .as_array()
        .unwrap();
    assert_eq!(
        (errors.len(), &checked["error_count"]),
        (1, &json!(1)),
        "{checked}"
    );
    let error = errors[0].as_str().unwrap();
    assert!(error.contains(&address.to_string()), "{error}");
    assert!(message.contains(error), "{message}");
    assert_eq!(worker.get("/connectors"), json!([from_file]));

    // Whoever listens there now is asked without anybody's doing.
    let listener = TcpListener::bind(address).unwrap();
    listener.accept().unwrap();
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn connector_files_are_checked_without_asking_anybody_and_requests_are_not() {
    let Some(stage) = Stage::set_up("offline") else {
        return;
    };
    let name = stage.named("noting");
    let file = stage.write("noting.properties", connector_file(&name, &noting(&stage)));
    let worker = stage.start(&[], &[file]);
    assert_eq!(lines(&stage), ["offline"]);
    let path = format!("/connectors/{name}/config");
    assert!(
        worker.get(&path).get("wharf.validate.offline").is_none(),
        "it is for the plugin's check and nothing else"
    );
    worker.call("PUT", &path, Some(&noting(&stage)), 200);
    assert_eq!(lines(&stage), ["offline", "full"]);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_patch_loses_no_change_that_is_made_while_it_is_validated() {
    let Some(stage) = Stage::set_up("patched") else {
        return;
    };
    let worker = stage.start(&[], &[]);
    patches::lose_nothing(&stage, &worker);
    assert_eq!(worker.terminate(), Some(143));
}
