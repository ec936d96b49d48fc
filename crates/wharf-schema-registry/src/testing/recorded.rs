//! Cases that Confluent's own converters have answered, put to ours. How they are recorded stands beside those of the Avro plugin.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, Headers, Result, SchemaAndValue,
};
use wharf_converters::JsonConverter;

use super::TestRegistry;
use crate::error::Format;
use crate::model::{RegistrySchema, SchemaReference};

const TOPIC: &str = "t";
/// The byte and the id in front of a payload.
const PREFIX: usize = 5;
const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";
/// What upstream throws where it stumbles over its own code. It is enough that such a record is refused; whether it is taken here says
/// nothing either.
const STUMBLES: [&str; 2] = ["java.lang.NullPointerException", "java.lang.StackOverflowError"];

/// What such sentences begin with, and those of the JSON in which a recording stands when upstream read null where none may be.
const AROUND: [&str; 3] = ["Converting ", "Failed to ", "Conversion error: null value"];

/// How payloads stand in a recording.
#[derive(Debug, Clone, Copy)]
pub struct PayloadText {
    /// The bytes of a text.
    pub read: fn(&str) -> Vec<u8>,
    /// The text of bytes.
    pub write: fn(&[u8]) -> String,
}

/// Puts every case of a recording to a converter: its schema, its bytes, and what they are read as must be those of upstream.
///
/// `is_other` says why a case is answered otherwise on purpose, and is asked only where the answers differ. It tells how often it did.
///
/// # Panics
/// When one differs.
pub fn check_recorded<C: Converter + Default>(
    recorded: &str,
    format: Format,
    payloads: PayloadText,
    is_other: impl Fn(&Json, &Result<Json>) -> Option<&'static str>,
) -> BTreeMap<&'static str, usize> {
    check::<C>(recorded, 1000, format, payloads, is_other)
}

/// As [`check_recorded`], for keys that all registry converters share: every answer is upstream's.
///
/// # Panics
/// When one differs.
pub fn check_shared_keys<C: Converter + Default>(recorded: &str, format: Format, payloads: PayloadText) {
    check::<C>(recorded, 30, format, payloads, |_, _| None);
}

fn check<C: Converter + Default>(
    recorded: &str,
    least: usize,
    format: Format,
    payloads: PayloadText,
    is_other: impl Fn(&Json, &Result<Json>) -> Option<&'static str>,
) -> BTreeMap<&'static str, usize> {
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut others: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (number, line) in recorded.lines().enumerate() {
        let case: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("line {number}: {error}"));
        count += 1;
        let found = answer::<C>(&case, format, payloads);
        if is_same(&case["expect"], &found) {
            continue;
        }
        if let Some(reason) = is_other(&case, &found) {
            *others.entry(reason).or_insert(0) += 1;
        } else {
            let found = found.map_or_else(|error| error.trace(), |found| found.to_string());
            wrong.push(format!("line {}: {line}\n  found {found}", number + 1));
        }
    }
    assert!(count > least, "the recording has only {count} cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    others
}

/// What a case gives here, in the form of the recording.
fn answer<C: Converter + Default>(case: &Json, format: Format, payloads: PayloadText) -> Result<Json> {
    let registry = TestRegistry::start();
    let mut converter = C::default();
    converter.configure(&config(&registry, case), ConverterType::Value)?;
    let Some(envelope) = case.get("envelope") else {
        let message = message(&registry, case, format, payloads);
        return Ok(json!({"envelope": read(&mut converter, &message)?}));
    };
    let SchemaAndValue { schema, value } =
        json_converter()?.decode(TOPIC, &Headers::new(), Some(envelope.to_string().as_bytes()))?;
    let mut message = Vec::new();
    let encoded = converter.encode(
        TOPIC,
        &mut Headers::new(),
        schema.as_ref(),
        value.as_ref(),
        &mut message,
    )?;
    if encoded == Encoded::Null {
        return Ok(json!({"payload": null}));
    }
    let back = match read(&mut converter, &message) {
        Ok(envelope) => json!({"envelope": envelope}),
        Err(error) => json!({"refused": error.message(), "class": error.class()}),
    };
    let mut id = [0; 4];
    id.copy_from_slice(&message[1..PREFIX]);
    let schema = registry
        .schema(i32::from_be_bytes(id))
        .ok_or_else(|| ConnectError::data("the message has an id that is not registered"))?;
    let payload = (payloads.write)(&message[PREFIX..]);
    let mut found = json!({"schema": schema.text, "payload": payload, "back": back});
    if !schema.references.is_empty() {
        found["references"] = references(&registry, &schema);
    }
    Ok(found)
}

/// What a schema refers to, with the texts and what they refer to themselves.
fn references(registry: &TestRegistry, schema: &RegistrySchema) -> Json {
    let all = schema.references.iter().map(|reference| {
        let used = registry.version(&reference.subject, reference.version);
        let mut one = json!({
            "name": reference.name,
            "subject": reference.subject,
            "version": reference.version,
            "schema": used.as_ref().map(|used| &used.text),
        });
        if let Some(used) = used.filter(|used| !used.references.is_empty()) {
            one["references"] = references(registry, &used);
        }
        one
    });
    Json::Array(all.collect())
}

fn config(registry: &TestRegistry, case: &Json) -> ConfigMap {
    let own = case["config"].as_object().into_iter().flatten();
    let own = own.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
    let shared = [
        ("schema.registry.url", registry.url()),
        (
            "value.subject.name.strategy",
            "io.confluent.kafka.serializers.subject.TopicNameStrategy".to_owned(),
        ),
    ];
    let shared = shared.map(|(key, value)| (key.to_owned(), value));
    shared.into_iter().chain(own).collect()
}

fn json_converter() -> Result<JsonConverter> {
    let mut json = JsonConverter::default();
    let config = ConfigMap::from([("replace.null.with.default".to_owned(), "false".to_owned())]);
    json.configure(&config, ConverterType::Value)?;
    Ok(json)
}

/// A message as Connect's JSON, its schema included.
fn read(converter: &mut impl Converter, message: &[u8]) -> Result<Json> {
    let SchemaAndValue { schema, value } = converter.decode(TOPIC, &Headers::new(), Some(message))?;
    let mut text = Vec::new();
    json_converter()?.encode(
        TOPIC,
        &mut Headers::new(),
        schema.as_ref(),
        value.as_ref(),
        &mut text,
    )?;
    serde_json::from_slice(&text).map_err(|error| ConnectError::data(error.to_string()))
}

/// The message of a case, with its schemas registered.
fn message(registry: &TestRegistry, case: &Json, format: Format, payloads: PayloadText) -> Vec<u8> {
    let text = |of: &Json, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    let mut references = Vec::new();
    for part in case["uses"].as_array().into_iter().flatten() {
        let name = text(part, "name");
        let mut schema = RegistrySchema::new(format, text(part, "schema"));
        schema.references.clone_from(&references);
        let (_, version) = registry.register(&name, &schema);
        let subject = name.clone();
        references.push(SchemaReference {
            name,
            subject,
            version,
        });
    }
    let mut schema = RegistrySchema::new(format, text(case, "schema"));
    schema.references = references;
    let (id, _) = registry.register(&format!("{TOPIC}-value"), &schema);
    let mut message = vec![0];
    message.extend(id.to_be_bytes());
    message.extend((payloads.read)(&text(case, "payload")));
    message
}

fn is_same(expect: &Json, found: &Result<Json>) -> bool {
    if STUMBLES.iter().any(|class| expect["error"] == *class) {
        return true;
    }
    match found {
        Err(error) => is_same_failure(expect, error.message()),
        Ok(found) => {
            let (theirs, ours) = (&expect["back"], &found["back"]);
            let is_same_back = match ours.get("refused").and_then(Json::as_str) {
                Some(message) => is_same_failure(theirs, message),
                // What has references was not read again.
                None if theirs.is_null() => !found["references"].is_null() || ours.is_null(),
                None => theirs == ours || STUMBLES.iter().any(|class| theirs["error"] == *class),
            };
            let parts = ["schema", "references", "payload", "envelope", "error"];
            is_same_back && parts.iter().all(|part| expect.get(*part) == found.get(*part))
        }
    }
}

/// Whether a failure here is the recorded one. Failures of the mapping have the same text; others are those of libraries, some with a
/// sentence of the converter around them.
fn is_same_failure(expect: &Json, message: &str) -> bool {
    match expect["error"].as_str() {
        Some(DATA_EXCEPTION) => {
            let recorded = expect["message"].as_str().unwrap_or_default();
            recorded == message || AROUND.iter().any(|start| recorded.starts_with(start))
        }
        Some(_) => true,
        None => false,
    }
}
