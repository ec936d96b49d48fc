//! Every shape of JSON Schema, written by Confluent's own serializer (Python) and read here, then written here and read there, where
//! it is checked against the schema that was registered here; through a real registry.

use serde_json::{Value as Json, json};
use wharf_api::{ConfigMap, Converter as _, ConverterType, Headers, SchemaAndValue};
use wharf_converters::JsonConverter;
use wharf_json_schema::JsonSchemaConverter;
use wharf_test_services::schema_registry::CONFLUENT_KAFKA;
use wharf_test_services::{SchemaRegistry, available, hex, python, unhex};
use wharf_testkit::converter_with_registry;

/// `write URL TOPIC SCHEMA VALUE PART…` prints a message in hexadecimal, of a schema that refers to parts as `TOPIC-N.json`;
/// `read URL TOPIC MESSAGE` what is in one, if its schema says that it is right.
const SCRIPT: &str = r#"
import json, sys
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

do, url, topic, text, *rest = sys.argv[1:]
client = SchemaRegistryClient({"url": url, "timeout": 20})
context = SerializationContext(topic, MessageField.VALUE)
if do == "write":
    uses = []
    for number, part in enumerate(rest[1:]):
        subject = f"{topic}-{number}"
        client.register_schema(subject, Schema(part, "JSON"))
        uses.append(SchemaReference(f"{subject}.json", subject, 1))
    print(JSONSerializer(Schema(text, "JSON", uses), client)(json.loads(rest[0]), context).hex())
else:
    print(json.dumps(JSONDeserializer(None, schema_registry_client=client)(bytes.fromhex(text), context)))
"#;

struct Case {
    name: &'static str,
    properties: Json,
    /// Beside properties, at the top.
    more: Json,
    parts: Vec<Json>,
    value: Json,
    /// The value as Connect's JSON.
    connect: Json,
}

fn case(name: &'static str, properties: Json, value: Json, connect: Json) -> Case {
    Case {
        name,
        properties,
        more: json!({}),
        parts: Vec::new(),
        value,
        connect,
    }
}

fn cases() -> Vec<Case> {
    let typed = |kind: &str, connect: &str| json!({"type": kind, "connect.type": connect});
    let text = || json!({"type": "string"});
    let nothing = || json!({"type": "null"});
    let logical = |title: &str, kind: &str, connect: &str| json!({"type": kind, "title": title, "connect.type": connect, "connect.version": 1});
    let date = "org.apache.kafka.connect.data.Date";
    vec![
        case(
            "numbers",
            json!({
                "i8": typed("integer", "int8"), "i16": typed("integer", "int16"), "i32": typed("integer", "int32"),
                "i64": typed("integer", "int64"), "f32": typed("number", "float32"), "f64": typed("number", "float64"),
                "integer": {"type": "integer"}, "number": {"type": "number"}, "raw": typed("string", "bytes"),
                "yes": {"type": "boolean"}
            }),
            json!({
                "i8": -128, "i16": 32767, "i32": -7, "i64": 1_i64 << 60, "f32": 1.5, "f64": 0.1, "integer": 5, "number": -2.5,
                "raw": "AP8=", "yes": true
            }),
            json!({
                "i8": -128, "i16": 32767, "i32": -7, "i64": 1_i64 << 60, "f32": 1.5, "f64": 0.1, "integer": 5, "number": -2.5,
                "raw": "AP8=", "yes": true
            }),
        ),
        case(
            "nullable",
            json!({
                "one": {"oneOf": [nothing(), text()]}, "two": {"oneOf": [text(), nothing()]}, "three": {"type": ["null", "integer"]},
                "four": {"oneOf": [nothing(), {"type": "object", "properties": {"x": {"type": "integer"}}}]},
                "five": {"oneOf": [nothing(), {"type": "array", "items": text()}]}, "six": {"anyOf": [nothing(), {"type": "boolean"}]}
            }),
            json!({"one": null, "two": "x", "three": 3, "four": {"x": 1}, "five": null, "six": false}),
            json!({"one": null, "two": "x", "three": 3, "four": {"x": 1}, "five": null, "six": false}),
        ),
        case(
            "choices",
            json!({
                "either": {"oneOf": [text(), {"type": "integer"}, nothing()]},
                "shape": {"oneOf": [
                    {"type": "object", "title": "Circle", "properties": {"radius": {"type": "number"}}, "required": ["radius"], "additionalProperties": false},
                    {"type": "object", "title": "Square", "properties": {"side": {"type": "number"}}, "required": ["side"], "additionalProperties": false}
                ]},
                "colour": {"enum": ["RED", "BLUE"]}
            }),
            json!({"either": 7, "shape": {"side": 1.5}, "colour": "BLUE"}),
            json!({
                "either": {"io.confluent.connect.json.OneOf.field.0": null, "io.confluent.connect.json.OneOf.field.1": 7},
                "shape": {"io.confluent.connect.json.OneOf.field.0": null, "io.confluent.connect.json.OneOf.field.1": {"side": 1.5}}, "colour": "BLUE"
            }),
        ),
        Case {
            more: json!({
                "allOf": [{"$ref": "#/definitions/base"}, {"properties": {"extra": {"type": "boolean"}}}],
                "definitions": {"base": {"type": "object", "properties": {"id": {"type": "integer"}, "by": {"$ref": "#/definitions/who"}}},
                    "who": {"type": "object", "title": "Who", "properties": {"name": {"type": "string"}}}}
            }),
            ..case(
                "joined",
                json!({"own": {"allOf": [{"type": "string"}, {"minLength": 1}]}}),
                json!({"own": "o", "id": 1, "by": {"name": "n"}, "extra": true}),
                json!({"own": "o", "id": 1, "by": {"name": "n"}, "extra": true}),
            )
        },
        Case {
            more: json!({"definitions": {"leaf": {"type": "object", "title": "Leaf", "properties": {"v": {"type": ["null", "string"]}}}}}),
            parts: vec![
                json!({"type": "object", "title": "Street", "properties": {"name": {"type": "string"}, "numbers": {"type": "array", "items": {"type": "integer"}}}}),
            ],
            ..case(
                "referred",
                json!({
                    "home": {"$ref": "shapes-referred-0.json"}, "leaves": {"type": "array", "items": {"$ref": "#/definitions/leaf"}},
                    "leaf": {"$ref": "#/definitions/leaf"}
                }),
                json!({"home": {"name": "s", "numbers": [1, 2]}, "leaves": [{"v": "a"}, {"v": null}], "leaf": {"v": "b"}}),
                json!({"home": {"name": "s", "numbers": [1, 2]}, "leaves": [{"v": "a"}, {"v": null}], "leaf": {"v": "b"}}),
            )
        },
        case(
            "maps",
            json!({
                "counts": {"type": "object", "connect.type": "map", "additionalProperties": {"type": "integer"}},
                "deep": {"type": "object", "connect.type": "map", "additionalProperties":
                    {"type": "object", "connect.type": "map", "additionalProperties": {"type": "array", "items": text()}}},
                "pairs": {"type": "array", "connect.type": "map", "items": {"type": "object",
                    "properties": {"key": {"type": "integer", "connect.index": 0, "connect.type": "int32"}, "value": {"type": "string", "connect.index": 1}}}}
            }),
            json!({"counts": {"a": 1}, "deep": {"x": {"y": ["z"]}}, "pairs": [{"key": -1, "value": "v"}]}),
            json!({"counts": {"a": 1}, "deep": {"x": {"y": ["z"]}}, "pairs": [[-1, "v"]]}),
        ),
        case(
            "logical",
            json!({
                "on": logical(date, "integer", "int32"), "time": logical("org.apache.kafka.connect.data.Time", "integer", "int32"),
                "at": logical("org.apache.kafka.connect.data.Timestamp", "integer", "int64")
            }),
            json!({"on": 10_000, "time": 3_600_123, "at": 1_483_425_001_864_i64}),
            json!({"on": 10_000, "time": 3_600_123, "at": 1_483_425_001_864_i64}),
        ),
        case(
            "lists",
            json!({
                "rows": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": text(), "tags": {"type": "array", "items": text()}}}}
            }),
            json!({"rows": [[1.5, 2.0], []], "lines": [{"sku": "a", "tags": ["x"]}, {"sku": "b", "tags": []}]}),
            json!({"rows": [[1.5, 2.0], []], "lines": [{"sku": "a", "tags": ["x"]}, {"sku": "b", "tags": []}]}),
        ),
    ]
}

fn connect_json(read: &SchemaAndValue) -> Json {
    let mut json = JsonConverter::default();
    json.configure(&ConfigMap::new(), ConverterType::Value).unwrap();
    let mut text = Vec::new();
    let (schema, value) = (read.schema.as_ref(), read.value.as_ref());
    json.encode("t", &mut Headers::new(), schema, value, &mut text)
        .unwrap();
    serde_json::from_slice::<Json>(&text).unwrap()["payload"].clone()
}

#[test]
fn every_shape_of_the_original_serializer_is_read_here_and_ours_there() {
    let Some(python) = available(CONFLUENT_KAFKA.python()) else {
        return;
    };
    let Some(registry) = available(SchemaRegistry::start()) else {
        return;
    };
    let url = registry.url();
    for case in cases() {
        let name = case.name;
        let topic = format!("shapes-{name}");
        let mut schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "title": "Shape", "properties": case.properties
        });
        schema
            .as_object_mut()
            .unwrap()
            .extend(case.more.as_object().unwrap().clone());
        let arguments: Vec<String> = [schema.to_string(), case.value.to_string()]
            .into_iter()
            .chain(case.parts.iter().map(Json::to_string))
            .collect();
        let mut all = vec!["write", url.as_str(), topic.as_str()];
        all.extend(arguments.iter().map(String::as_str));
        let message = unhex(&python::run(&python, SCRIPT, &all));
        // Without additional properties objects of a choice are told apart by their names.
        let strict = [
            ("json.fail.invalid.schema", "true"),
            ("object.additional.properties", "false"),
        ];
        let mut converter: JsonSchemaConverter = converter_with_registry(&url, &strict);
        let none = Headers::new();
        let read = converter
            .decode(&topic, &none, Some(&message))
            .unwrap_or_else(|error| panic!("{name}: {}", error.trace()));
        assert_eq!(connect_json(&read), case.connect, "{name}");

        // The way back, under a schema that is made here.
        let back = format!("{topic}-back");
        let (schema, value) = (read.schema.as_ref(), read.value.as_ref());
        let ours = wharf_testkit::encode(&mut converter, &back, &mut Headers::new(), schema, value)
            .unwrap_or_else(|error| panic!("{name}: {}", error.trace()))
            .unwrap();
        let there = python::run(&python, SCRIPT, &["read", &url, &back, &hex(&ours)]);
        let there: Json = serde_json::from_str(&there).unwrap();
        assert_eq!(there, case.value, "{name}");
        let again = converter.decode(&back, &none, Some(&ours)).unwrap();
        assert_eq!(connect_json(&again), case.connect, "{name}");
    }
}
