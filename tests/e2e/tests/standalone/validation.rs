//! Validation of what only a library knows: the configuration of its transformations and predicates.

use serde_json::{Value, json};
use wharf_e2e::Stage;

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
