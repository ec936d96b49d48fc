//! Confluent's own serializers (Python) on the other side, through a real registry: their messages are read here, ours there,
//! with every kind of type.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value as Json, json};
use wharf_api::{ConfigMap, Converter as _, ConverterType, Headers, SchemaAndValue};
use wharf_avro::AvroConverter;
use wharf_converters::JsonConverter;
use wharf_test_services::schema_registry::CONFLUENT_KAFKA;
use wharf_test_services::{SchemaRegistry, available, hex, unhex};
use wharf_testkit::converter_with_registry;

/// Writes and reads messages, one JSON line per call; values are JSON with `{"$bytes": hex}` for bytes and
/// `{"$decimal": text}`, `{"$date": days}`, `{"$time": ms}`, `{"$timestamp": ms}` for logical types.
const SCRIPT: &str = r#"
import datetime, decimal, json, sys
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

client = SchemaRegistryClient({"url": sys.argv[1], "timeout": 20})
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

def revive(value):
    if isinstance(value, dict):
        if "$bytes" in value: return bytes.fromhex(value["$bytes"])
        if "$decimal" in value: return decimal.Decimal(value["$decimal"])
        if "$date" in value: return (EPOCH + datetime.timedelta(days=value["$date"])).date()
        if "$time" in value: return (datetime.datetime.min + datetime.timedelta(milliseconds=value["$time"])).time()
        if "$timestamp" in value: return EPOCH + datetime.timedelta(milliseconds=value["$timestamp"])
        return {key: revive(item) for key, item in value.items()}
    return [revive(item) for item in value] if isinstance(value, list) else value

def plain(value):
    if isinstance(value, bytes): return {"$bytes": value.hex()}
    if isinstance(value, decimal.Decimal): return {"$decimal": str(value)}
    if isinstance(value, datetime.datetime): return {"$timestamp": (value - EPOCH) // datetime.timedelta(milliseconds=1)}
    if isinstance(value, datetime.date): return {"$date": (value - EPOCH.date()).days}
    if isinstance(value, datetime.time):
        return {"$time": ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000}
    if isinstance(value, dict): return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value

for line in sys.stdin:
    call = json.loads(line)
    context = SerializationContext(call["topic"], MessageField.VALUE)
    try:
        if call["do"] == "register":
            answer = client.register_schema(call["subject"], Schema(call["schema"], "AVRO"))
        elif call["do"] == "write":
            uses = [SchemaReference(*use) for use in call.get("uses", [])]
            schema = Schema(call["schema"], "AVRO", uses)
            answer = AvroSerializer(client, schema)(revive(call["value"]), context).hex()
        else:
            answer = plain(AvroDeserializer(client)(bytes.fromhex(call["message"]), context))
        answer = {"result": answer}
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
"#;

/// The serializers, in a Python process of their own.
struct Python {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Python {
    fn start(python: &Path, url: &str) -> Self {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT, url])
            // A proxy would not find this machine's loopback address.
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            from: BufReader::new(child.stdout.take().unwrap()),
            to: child.stdin.take(),
            child,
        }
    }

    fn ask(&mut self, call: &Json) -> Json {
        writeln!(self.to.as_mut().unwrap(), "{call}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let answer: Json =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{call}: {error}: {line}"));
        assert!(answer.get("error").is_none(), "{call}: {answer}");
        answer["result"].clone()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.child.wait();
    }
}

fn json_converter() -> JsonConverter {
    let mut json = JsonConverter::default();
    json.configure(&ConfigMap::new(), ConverterType::Value).unwrap();
    json
}

/// Schema, the value that Python writes, and what it is as Connect's JSON.
fn cases() -> Vec<(Json, Json, Json)> {
    let record = |name: &str, fields: Json| json!({"type": "record", "name": name, "namespace": "n", "fields": fields});
    let field = |name: &str, kind: Json| json!({"name": name, "type": kind});
    vec![
        (json!({"type": "int"}), json!(-7), json!(-7)),
        (json!({"type": "string"}), json!("héllo"), json!("héllo")),
        (
            record(
                "Flat",
                json!([
                    field("l", json!("long")),
                    field("f", json!("float")),
                    field("d", json!("double")),
                    field("b", json!("boolean")),
                    field("s", json!("string")),
                    field("raw", json!("bytes")),
                    field("o", json!(["null", "string"])),
                    field("p", json!(["null", "int"]))
                ]),
            ),
            json!({"l": 1_i64 << 40, "f": 1.5, "d": 0.1, "b": true, "s": "x", "raw": {"$bytes": "00ff"}, "o": null, "p": 3}),
            json!({"l": 1_i64 << 40, "f": 1.5, "d": 0.1, "b": true, "s": "x", "raw": "AP8=", "o": null, "p": 3}),
        ),
        (
            record(
                "Logical",
                json!([
                    field(
                        "dec",
                        json!({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2})
                    ),
                    field(
                        "fix",
                        json!({"type": "fixed", "name": "Fix", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 1})
                    ),
                    field("date", json!({"type": "int", "logicalType": "date"})),
                    field("time", json!({"type": "int", "logicalType": "time-millis"})),
                    field("ts", json!({"type": "long", "logicalType": "timestamp-millis"}))
                ]),
            ),
            json!({"dec": {"$decimal": "-1.56"}, "fix": {"$decimal": "12.5"}, "date": {"$date": 10000}, "time": {"$time": 3_600_123}, "ts": {"$timestamp": 1_483_425_001_864_i64}}),
            json!({"dec": "/2Q=", "fix": "fQ==", "date": 10000, "time": 3_600_123, "ts": 1_483_425_001_864_i64}),
        ),
        (
            record(
                "Nested",
                json!([
                    field(
                        "e",
                        json!({"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]})
                    ),
                    field("fx", json!({"type": "fixed", "name": "Three", "size": 3})),
                    field(
                        "list",
                        json!({"type": "array", "items": record("Item", json!([field("k", json!("string")), field("e", json!("Colour"))]))})
                    ),
                    field("map", json!({"type": "map", "values": ["null", "long"]})),
                    field("u", json!(["null", "int", "string", "n.Item"]))
                ]),
            ),
            json!({"e": "BLUE", "fx": {"$bytes": "010203"}, "list": [{"k": "a", "e": "RED"}, {"k": "b", "e": "BLUE"}], "map": {"m": 5}, "u": "text"}),
            json!({"e": "BLUE", "fx": "AQID", "list": [{"k": "a", "e": "RED"}, {"k": "b", "e": "BLUE"}], "map": {"m": 5}, "u": {"int": null, "string": "text", "Item": null}}),
        ),
    ]
}

#[test]
fn messages_of_the_original_serializers_are_read_here_and_ours_there() {
    let Some(python) = available(CONFLUENT_KAFKA.python()) else {
        return;
    };
    let Some(registry) = available(SchemaRegistry::start()) else {
        return;
    };
    let url = registry.url();
    let mut original = Python::start(&python, &url);
    let mut avro: AvroConverter = converter_with_registry(
        &url,
        &[
            ("enhanced.avro.schema.support", "true"),
            ("connect.meta.data", "false"),
        ],
    );
    for (number, (schema, value, expected)) in cases().into_iter().enumerate() {
        let topic = format!("t{number}");
        let message = original
            .ask(&json!({"do": "write", "topic": topic, "schema": schema.to_string(), "value": value}));
        let message = unhex(message.as_str().unwrap());
        let SchemaAndValue {
            schema: connect,
            value: read,
        } = avro.decode(&topic, &Headers::new(), Some(&message)).unwrap();
        let mut text = Vec::new();
        json_converter()
            .encode(
                &topic,
                &mut Headers::new(),
                connect.as_ref(),
                read.as_ref(),
                &mut text,
            )
            .unwrap();
        let envelope: Json = serde_json::from_slice(&text).unwrap();
        // Unions of records are named by full names with enhanced.avro.schema.support.
        let mut payload = envelope["payload"].clone();
        if let Some(union) = payload.get_mut("u").and_then(Json::as_object_mut)
            && let Some(item) = union.remove("n.Item")
        {
            union.insert("Item".to_owned(), item);
        }
        assert_eq!(payload, expected, "{schema}");

        // The way back: written here, under a schema of our own, read there.
        let back = format!("back{number}");
        let mut out = Vec::new();
        avro.encode(
            &back,
            &mut Headers::new(),
            connect.as_ref(),
            read.as_ref(),
            &mut out,
        )
        .unwrap();
        assert_eq!(out[5..], message[5..], "{schema}");
        let again = original.ask(&json!({"do": "read", "topic": back, "message": hex(&out)}));
        assert_eq!(again, value, "{schema}");
    }
    let inner = json!({"type": "record", "name": "n.Inner", "fields": [{"name": "x", "type": "int"}]});
    original.ask(&json!({"do": "register", "topic": "r", "subject": "inner", "schema": inner.to_string()}));
    let outer = json!({"type": "record", "name": "n.Outer", "fields": [{"name": "i", "type": "n.Inner"}]});
    let message = original.ask(&json!({
        "do": "write", "topic": "r", "schema": outer.to_string(), "uses": [["n.Inner", "inner", 1]], "value": {"i": {"x": 7}},
    }));
    let read = avro
        .decode("r", &Headers::new(), Some(&unhex(message.as_str().unwrap())))
        .unwrap();
    let outer = read.value.as_struct().unwrap();
    let inner = outer.get("i").unwrap().as_struct().unwrap();
    assert_eq!(inner.get_int32("x").unwrap(), Some(7));
    let error = avro
        .decode("r", &Headers::new(), Some(&[0, 0, 0, 99, 99, 0]))
        .unwrap_err();
    assert_eq!(error.kind(), wharf_api::ErrorKind::Data, "{}", error.trace());
}
