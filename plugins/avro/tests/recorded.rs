//! Every case that Confluent's own mapping and Avro's own codec were recorded with gives the same here: the text of the
//! schema, the bytes, and what they are read as. How the recording was made stands in `recorder/README.md`.

use serde_json::{Value as Json, json};
use wharf_api::{ConfigMap, Converter as _, ConverterType, Encoded, Headers, Result, SchemaAndValue};
use wharf_avro::AvroConverter;
use wharf_converters::JsonConverter;
use wharf_schema_registry::testing::{PayloadText, TestRegistry, check_shared_keys};
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_test_services::{hex, unhex};
use wharf_testkit::converter_with_registry;

const RECORDED: &str = include_str!("recorded.jsonl");

fn json_converter() -> JsonConverter {
    let mut json = JsonConverter::default();
    let config = ConfigMap::from([("replace.null.with.default".to_owned(), "false".to_owned())]);
    json.configure(&config, ConverterType::Value).unwrap();
    json
}

fn avro_converter(registry: &TestRegistry, test: &Json) -> AvroConverter {
    let mut entries = vec![(
        "value.subject.name.strategy",
        "io.confluent.kafka.serializers.subject.TopicNameStrategy",
    )];
    for (key, value) in test["config"].as_object().unwrap() {
        entries.push((key, value.as_str().unwrap()));
    }
    converter_with_registry(&registry.url(), &entries)
}

/// What a case gives here, in the form of the recording.
fn result(registry: &TestRegistry, number: usize, test: &Json) -> Result<Json> {
    let topic = format!("t{number}");
    let mut avro = avro_converter(registry, test);
    if let Some(envelope) = test.get("envelope") {
        let SchemaAndValue { schema, value } =
            json_converter().decode(&topic, &Headers::new(), Some(envelope.to_string().as_bytes()))?;
        let mut out = Vec::new();
        let encoded = avro.encode(
            &topic,
            &mut Headers::new(),
            schema.as_ref(),
            value.as_ref(),
            &mut out,
        )?;
        if encoded == Encoded::Null {
            // Nothing is registered for null.
            return Ok(json!({"avro": test["expect"]["avro"], "hex": null}));
        }
        let id = i32::from_be_bytes(out[1..5].try_into().unwrap());
        return Ok(json!({"avro": registry.text(id).unwrap(), "hex": hex(&out[5..])}));
    }
    let schema = RegistrySchema::new(Format::Avro, test["avro"].as_str().unwrap());
    let subject = match test.get("version").and_then(Json::as_i64) {
        None => format!("other-{topic}"),
        Some(version) => {
            for earlier in 1..version {
                let text = format!(r#"{{"type":"fixed","name":"Earlier{earlier}","size":1}}"#);
                registry.register(
                    &format!("{topic}-value"),
                    &RegistrySchema::new(Format::Avro, text),
                );
            }
            format!("{topic}-value")
        }
    };
    let (id, _) = registry.register(&subject, &schema);
    let mut message = vec![0];
    message.extend(id.to_be_bytes());
    message.extend(unhex(test["hex"].as_str().unwrap()));
    let SchemaAndValue { schema, value } = avro.decode(&topic, &Headers::new(), Some(&message))?;
    let mut out = Vec::new();
    json_converter().encode(
        &topic,
        &mut Headers::new(),
        schema.as_ref(),
        value.as_ref(),
        &mut out,
    )?;
    Ok(json!({"envelope": serde_json::from_slice::<Json>(&out).unwrap()}))
}

/// Whether a failure here is the recorded one. Failures of the mapping have the same text; where upstream stumbles over its
/// own code (null pointers, class casts) it is enough that the record is refused.
fn same_failure(error: &wharf_api::ConnectError, expect: &Json) -> bool {
    let recorded = expect["message"].as_str().unwrap_or_default();
    match expect["error"].as_str() {
        Some("org.apache.kafka.connect.errors.DataException") => error.message() == recorded,
        Some(_) => true,
        None => false,
    }
}

/// Whether the recording says nothing: upstream stumbled over null in its own code (an enum of the other kind of sum types),
/// or could not print the default of a struct, which is made of a schema that is not finished.
fn cannot_tell(expect: &Json) -> bool {
    expect["error"] == "java.lang.NullPointerException" || expect["message"] == "Mismatching schema."
}

#[test]
fn every_recorded_case_gives_the_same_here() {
    let registry = TestRegistry::start();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (number, line) in RECORDED.lines().enumerate() {
        let test: Json = serde_json::from_str(line).unwrap();
        count += 1;
        let found = result(&registry, number, &test);
        let same = match &found {
            Ok(found) => *found == test["expect"] || cannot_tell(&test["expect"]),
            Err(error) => same_failure(error, &test["expect"]),
        };
        if !same {
            let found = found.map_or_else(|error| error.trace(), |found| found.to_string());
            wrong.push(format!("line {}: {line}\n  found {found}", number + 1));
        }
    }
    assert!(count > 1000, "the recording has only {count} cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn keys_that_all_registry_converters_share_do_the_same_as_upstream() {
    let payloads = PayloadText {
        read: unhex,
        write: hex,
    };
    check_shared_keys::<AvroConverter>(include_str!("shared.jsonl"), Format::Avro, payloads);
}
