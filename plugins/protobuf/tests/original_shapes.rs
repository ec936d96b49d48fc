//! Every shape of Protobuf's types, written by Confluent's own serializer (Python) and read here, then written here and read there,
//! through a real registry.

use prost::Message as _;
use serde_json::{Value as Json, json};
use wharf_api::{ConfigMap, Converter as _, ConverterType, Headers, SchemaAndValue};
use wharf_converters::JsonConverter;
use wharf_protobuf::ProtobufConverter;
use wharf_test_services::schema_registry::CONFLUENT_KAFKA;
use wharf_test_services::{SchemaRegistry, available, hex, python, unhex};
use wharf_testkit::converter_with_registry;

/// `write URL TOPIC MESSAGE JSON FILE…` prints a message of this type in hexadecimal, `read URL TOPIC MESSAGE BYTES FILE…` what is in one, as
/// Protobuf's own JSON. Files are descriptors in hexadecimal, those that others import first.
const SCRIPT: &str = r#"
import json, sys
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.schema_registry.confluent.type import decimal_pb2
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool, json_format, message_factory, timestamp_pb2, wrappers_pb2
from google.type import date_pb2, timeofday_pb2

do, url, topic, name, text, *files = sys.argv[1:]
pool = descriptor_pool.Default()
for file in files: pool.AddSerializedFile(bytes.fromhex(file))
kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
context = SerializationContext(topic, MessageField.VALUE)
conf = {"use.deprecated.format": False}
if do == "write":
    message = json_format.Parse(text, kind())
    print(ProtobufSerializer(kind, SchemaRegistryClient({"url": url, "timeout": 20}), conf)(message, context).hex())
else:
    message = ProtobufDeserializer(kind, conf)(bytes.fromhex(text), context)
    print(json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None))
"#;

struct Case {
    /// Names and texts of files, the last one has the message `t.M`.
    files: &'static [(&'static str, &'static str)],
    settings: &'static [(&'static str, &'static str)],
    /// A message as Protobuf's JSON.
    message: Json,
    /// The same as Connect's JSON.
    connect: Json,
}

fn cases() -> Vec<Case> {
    let plain = |text: &'static [(&'static str, &'static str)], message: Json, connect: Json| Case {
        files: text,
        settings: &[],
        message,
        connect,
    };
    vec![
        plain(
            &[(
                "scalars.proto",
                r#"syntax = "proto3"; package t; message M {
                    double d = 1; float f = 2; int32 i = 3; int64 l = 4; uint32 u = 5; uint64 ul = 6; sint32 s = 7; sint64 sl = 8;
                    fixed32 x = 9; fixed64 xl = 10; sfixed32 y = 11; sfixed64 yl = 12; bool b = 13; string t = 14; bytes r = 15; }"#,
            )],
            json!({
                "d": 0.1, "f": 1.5, "i": -7, "l": "-1099511627776", "u": 4_294_967_295_u32, "ul": "1099511627776", "s": -3, "sl": "-5",
                "x": 3_000_000_000_u32, "xl": "9", "y": -9, "yl": "-10", "b": true, "t": "grüße 😀", "r": "AP8="
            }),
            json!({
                "d": 0.1, "f": 1.5, "i": -7, "l": -1_099_511_627_776_i64, "u": 4_294_967_295_u32, "ul": 1_099_511_627_776_i64, "s": -3,
                "sl": -5, "x": 3_000_000_000_u32, "xl": 9, "y": -9, "yl": -10, "b": true, "t": "grüße 😀", "r": "AP8="
            }),
        ),
        plain(
            &[(
                "nested.proto",
                r#"syntax = "proto3"; package t; message M {
                    message Line { string sku = 1; int32 count = 2; Kind kind = 3; enum Kind { NEW = 0; OLD = 5; } }
                    repeated Line lines = 1; Line first = 2; repeated double prices = 3; repeated string notes = 4; Top top = 5;
                    repeated Top tops = 7; Line absent = 8; }
                enum Top { ZERO = 0; ONE = 1; NEGATIVE = -1; }"#,
            )],
            json!({
                "lines": [{"sku": "a", "count": 2, "kind": "OLD"}, {"sku": "b"}], "first": {"sku": "c"}, "prices": [0.5, -1.0],
                "notes": ["x", ""], "top": "NEGATIVE", "tops": ["ONE", "ZERO"]
            }),
            json!({
                "lines": [{"sku": "a", "count": 2, "kind": "OLD"}, {"sku": "b", "count": 0, "kind": "NEW"}],
                "first": {"sku": "c", "count": 0, "kind": "NEW"}, "prices": [0.5, -1.0], "notes": ["x", ""], "top": "NEGATIVE",
                "tops": ["ONE", "ZERO"], "absent": null
            }),
        ),
        plain(
            &[(
                "oneof.proto",
                r#"syntax = "proto3"; package t; message M {
                    oneof first { int32 number = 1; string text = 2; Part part = 3; Kind kind = 4; }
                    oneof second { bool yes = 5; bytes raw = 6; } string after = 7; }
                message Part { int64 x = 1; } enum Kind { A = 0; B = 1; }"#,
            )],
            json!({"part": {"x": "7"}, "yes": false, "after": "z"}),
            json!({
                "first_0": {"number": null, "text": null, "part": {"x": 7}, "kind": null}, "second_1": {"yes": false, "raw": null},
                "after": "z"
            }),
        ),
        plain(
            &[(
                "maps.proto",
                r#"syntax = "proto3"; package t; message M {
                    map<string, Part> parts = 1; map<int32, Kind> kinds = 2; map<string, double> numbers = 3; map<string, bytes> raw = 4; }
                message Part { string x = 1; map<string, int64> more = 2; } enum Kind { A = 0; B = 1; }"#,
            )],
            json!({
                "parts": {"p": {"x": "y", "more": {"k": "5"}}}, "kinds": {"-3": "B"}, "numbers": {"n": 2.5}, "raw": {"r": "AQI="}
            }),
            json!({
                "parts": {"p": {"x": "y", "more": {"k": 5}}}, "kinds": [[-3, "B"]], "numbers": {"n": 2.5}, "raw": {"r": "AQI="}
            }),
        ),
        plain(
            &[(
                "known.proto",
                r#"syntax = "proto3"; package t; import "google/protobuf/timestamp.proto"; import "google/type/date.proto";
                import "google/type/timeofday.proto"; import "confluent/type/decimal.proto"; message M {
                    google.protobuf.Timestamp at = 1; google.type.Date on = 2; google.type.TimeOfDay time = 3;
                    confluent.type.Decimal price = 4; repeated google.protobuf.Timestamp all = 5; google.protobuf.Timestamp never = 6; }"#,
            )],
            json!({
                "at": "2017-01-03T06:30:01.864Z", "on": {"year": 1997, "month": 5, "day": 19},
                "time": {"hours": 1, "seconds": 5, "nanos": 123_000_000}, "price": {"value": "/2Q=", "precision": 3},
                "all": ["1969-12-31T23:59:59.001Z"]
            }),
            json!({
                "at": 1_483_425_001_864_i64, "on": 10_000, "time": 3_605_123, "price": "/2Q=", "all": [-999], "never": null
            }),
        ),
        Case {
            files: &[(
                "wrappers.proto",
                r#"syntax = "proto3"; package t; import "google/protobuf/wrappers.proto"; message M {
                    google.protobuf.StringValue s = 1; google.protobuf.Int32Value i = 2; google.protobuf.Int64Value l = 3;
                    google.protobuf.BoolValue b = 4; google.protobuf.DoubleValue d = 5; google.protobuf.FloatValue f = 6;
                    google.protobuf.BytesValue r = 7; google.protobuf.StringValue none = 8; google.protobuf.Int32Value zero = 9; }"#,
            )],
            settings: &[("wrapper.for.nullables", "true")],
            message: json!({
                "s": "x", "i": -1, "l": "5", "b": true, "d": 0.25, "f": 0.5, "r": "AQ==", "zero": 0
            }),
            connect: json!({
                "s": "x", "i": -1, "l": 5, "b": true, "d": 0.25, "f": 0.5, "r": "AQ==", "none": null, "zero": 0
            }),
        },
        Case {
            files: &[(
                "optional.proto",
                r#"syntax = "proto3"; package t; message M {
                    optional int32 zero = 1; optional string empty = 2; optional bool none = 3; optional Part part = 4; int32 plain = 5;
                    optional Kind kind = 6; }
                message Part { optional int64 x = 1; } enum Kind { A = 0; B = 1; }"#,
            )],
            settings: &[("optional.for.nullables", "true")],
            message: json!({"zero": 0, "empty": "", "part": {"x": "0"}, "plain": 3, "kind": "A"}),
            connect: json!({
                "zero": 0, "empty": "", "none": null, "part": {"x": 0}, "plain": 3, "kind": "A"
            }),
        },
        plain(
            &[
                (
                    "shared/part.proto",
                    r#"syntax = "proto3"; package shared; message Part { string x = 1; Inner inner = 2; message Inner { int32 y = 1; } }"#,
                ),
                (
                    "imports.proto",
                    r#"syntax = "proto3"; package t; import "shared/part.proto"; message M {
                        shared.Part part = 1; repeated shared.Part.Inner inner = 2; }"#,
                ),
            ],
            json!({"part": {"x": "a", "inner": {"y": 1}}, "inner": [{"y": 2}]}),
            json!({"part": {"x": "a", "inner": {"y": 1}}, "inner": [{"y": 2}]}),
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
        let (name, _) = case.files.last().unwrap();
        let topic = name.replace(".proto", "");
        let files: Vec<String> = case
            .files
            .iter()
            .map(|(name, text)| hex(&protox_parse::parse(name, text).unwrap().encode_to_vec()))
            .collect();
        let run = |what: &str, topic: &str, text: &str| {
            let mut arguments = vec![what, url.as_str(), topic, "t.M", text];
            arguments.extend(files.iter().map(String::as_str));
            python::run(&python, SCRIPT, &arguments)
        };
        let message = unhex(&run("write", &topic, &case.message.to_string()));
        let mut converter: ProtobufConverter = converter_with_registry(&url, case.settings);
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
        let there: Json = serde_json::from_str(&run("read", &back, &hex(&ours))).unwrap();
        assert_eq!(there, case.message, "{name}");
        let again = converter.decode(&back, &none, Some(&ours)).unwrap();
        assert_eq!(connect_json(&again), case.connect, "{name}");
    }
}
