//! Confluent's own JSON Schema serializers (Python) on the other side, through a real registry: their messages are read here, ours
//! there.

use serde_json::{Value as Json, json};
use wharf_api::{Converter as _, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};
use wharf_json_schema::JsonSchemaConverter;
use wharf_test_services::schema_registry::CONFLUENT_KAFKA;
use wharf_test_services::{SchemaRegistry, available, hex, python, unhex};
use wharf_testkit::converter_with_registry;

/// `write URL TOPIC SCHEMA VALUE` prints a message in hexadecimal, `read URL TOPIC MESSAGE` what is in one.
const SCRIPT: &str = r#"
import json, sys
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

do, url, topic, *rest = sys.argv[1:]
client = SchemaRegistryClient({"url": url, "timeout": 20})
context = SerializationContext(topic, MessageField.VALUE)
if do == "write":
    schema = rest[0]
    if len(rest) > 2:
        client.register_schema("inner", Schema(rest[2], "JSON"))
        schema = Schema(rest[0], "JSON", [SchemaReference("inner.json", "inner", 1)])
    print(JSONSerializer(schema, client)(json.loads(rest[1]), context).hex())
else:
    print(json.dumps(JSONDeserializer(None, schema_registry_client=client)(bytes.fromhex(rest[0]), context)))
"#;

#[test]
fn messages_of_the_original_serializers_are_read_here_and_ours_there() {
    let Some(python) = available(CONFLUENT_KAFKA.python()) else {
        return;
    };
    let Some(registry) = available(SchemaRegistry::start()) else {
        return;
    };
    let url = registry.url();
    let mut converter: JsonSchemaConverter =
        converter_with_registry(&url, &[("json.fail.invalid.schema", "true")]);

    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "Person", "type": "object",
        "properties": {
            "name": {"type": "string"}, "age": {"type": ["null", "integer"]}, "scores": {"type": "array", "items": {"type": "number"}},
            "home": {"$ref": "inner.json"}
        },
        "required": ["name"]
    });
    let inner = r#"{"title": "Address", "type": "object", "properties": {"street": {"type": "string"}}}"#;
    let value = json!({"name": "grüße 😀", "age": null, "scores": [1.5, 2], "home": {"street": "x"}});
    let message = python::run(
        &python,
        SCRIPT,
        &[
            "write",
            &url,
            "theirs",
            &schema.to_string(),
            &value.to_string(),
            inner,
        ],
    );
    let read = converter
        .decode("theirs", &Headers::new(), Some(&unhex(&message)))
        .unwrap();
    let person = read.value.as_struct().unwrap();
    assert_eq!(person.schema().name(), Some("Person"));
    assert_eq!(person.get("name").unwrap(), &Value::from("grüße 😀"));
    assert!(person.get("age").unwrap().is_null());
    assert_eq!(
        person.get("scores").unwrap(),
        &Value::Array(vec![Value::Float64(1.5), Value::Float64(2.0)])
    );
    assert_eq!(
        person
            .get("home")
            .unwrap()
            .as_struct()
            .unwrap()
            .get("street")
            .unwrap(),
        &Value::from("x")
    );

    let schema: SchemaRef = SchemaBuilder::structure()
        .name("com.Order")
        .field("id", Schema::int64())
        .field("note", Schema::optional_string())
        .field("at", logical::timestamp())
        .field("lines", SchemaBuilder::array(Schema::int32()).build().unwrap())
        .field(
            "marks",
            SchemaBuilder::map(Schema::string(), Schema::boolean())
                .build()
                .unwrap(),
        )
        .build()
        .unwrap();
    let values = vec![
        Value::Int64(1 << 40),
        Value::Null,
        Value::Date(1_483_425_001_864),
        Value::Array(vec![Value::Int32(-1)]),
        Value::Map(vec![(Value::from("k"), Value::Boolean(true))]),
    ];
    let order = Value::from(Struct::from_values(SchemaRef::clone(&schema), values));
    let mut out = Vec::new();
    converter
        .encode(
            "ours",
            &mut Headers::new(),
            Some(&schema),
            order.as_ref(),
            &mut out,
        )
        .unwrap();
    let there: Json =
        serde_json::from_str(&python::run(&python, SCRIPT, &["read", &url, "ours", &hex(&out)])).unwrap();
    let expected = json!({"id": 1_i64 << 40, "note": null, "at": 1_483_425_001_864_i64, "lines": [-1], "marks": {"k": true}});
    assert_eq!(there, expected);
    let back = converter.decode("ours", &Headers::new(), Some(&out)).unwrap();
    assert_eq!(
        back.value.as_struct().unwrap().values(),
        order.as_struct().unwrap().values()
    );
}
