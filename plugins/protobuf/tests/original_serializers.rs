//! Confluent's own Protobuf serializers (Python) on the other side, through a real registry: their messages are read here, ours there.

use wharf_api::{Converter as _, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};
use wharf_protobuf::ProtobufConverter;
use wharf_test_services::schema_registry::CONFLUENT_KAFKA;
use wharf_test_services::{SchemaRegistry, available, hex, python, unhex};
use wharf_testkit::converter_with_registry;

/// `write URL TOPIC` prints a message of a nested type in hexadecimal, `read URL TOPIC MESSAGE` what is in an order. The types are
/// made here, as protoc would make them.
const SCRIPT: &str = r#"
import sys
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

do, url, topic, *rest = sys.argv[1:]
client = SchemaRegistryClient({"url": url, "timeout": 20})
context = SerializationContext(topic, MessageField.VALUE)
F = descriptor_pb2.FieldDescriptorProto

def field(message, name, number, kind, type_name=None, repeated=False, oneof=None):
    added = message.field.add(name=name, number=number, type=kind, label=F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL)
    if type_name: added.type_name = type_name
    if oneof is not None: added.oneof_index = oneof

def classes(build, name):
    file = descriptor_pb2.FileDescriptorProto(name="test.proto", package="t", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    build(file)
    pool = descriptor_pool.Default()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))

def theirs(file):
    file.message_type.add(name="Other")
    outer = file.message_type.add(name="Outer")
    nested = outer.nested_type.add(name="Inner")
    field(nested, "text", 1, F.TYPE_STRING)
    field(nested, "numbers", 2, F.TYPE_SINT64, repeated=True)
    field(nested, "at", 3, F.TYPE_MESSAGE, ".google.protobuf.Timestamp")
    nested.oneof_decl.add(name="choice")
    field(nested, "a", 4, F.TYPE_DOUBLE, oneof=0)
    field(nested, "b", 5, F.TYPE_BOOL, oneof=0)
    entry = nested.nested_type.add(name="MarksEntry")
    entry.options.map_entry = True
    field(entry, "key", 1, F.TYPE_STRING)
    field(entry, "value", 2, F.TYPE_INT32)
    field(nested, "marks", 6, F.TYPE_MESSAGE, ".t.Outer.Inner.MarksEntry", repeated=True)
    colour = nested.enum_type.add(name="Colour")
    colour.value.add(name="RED", number=0)
    colour.value.add(name="BLUE", number=2)
    field(nested, "colour", 7, F.TYPE_ENUM, ".t.Outer.Inner.Colour")

def ours(file):
    order = file.message_type.add(name="Order")
    field(order, "id", 1, F.TYPE_INT64)
    field(order, "note", 2, F.TYPE_STRING)
    field(order, "at", 3, F.TYPE_MESSAGE, ".google.protobuf.Timestamp")
    field(order, "lines", 4, F.TYPE_INT32, repeated=True)

if do == "write":
    kind = classes(theirs, "t.Outer.Inner")
    message = kind(text="grüße", numbers=[-1, 1 << 40], at=timestamp_pb2.Timestamp(seconds=1, nanos=5000000), b=True, colour=2)
    message.marks["k"] = 7
    print(ProtobufSerializer(kind, client, {"use.deprecated.format": False})(message, context).hex())
else:
    kind = classes(ours, "t.Order")
    order = ProtobufDeserializer(kind, {"use.deprecated.format": False})(bytes.fromhex(rest[0]), context)
    print(order.id, order.note, order.at.ToMilliseconds(), list(order.lines))
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
    let mut converter: ProtobufConverter = converter_with_registry(&url, &[]);

    let message = unhex(&python::run(&python, SCRIPT, &["write", &url, "theirs"]));
    let read = converter
        .decode("theirs", &Headers::new(), Some(&message))
        .unwrap_or_else(|error| panic!("{}", error.trace()));
    let inner = read.value.as_struct().unwrap();
    assert_eq!(inner.schema().name(), Some("Inner"));
    assert_eq!(inner.get("text").unwrap(), &Value::from("grüße"));
    assert_eq!(
        inner.get("numbers").unwrap(),
        &Value::Array(vec![Value::Int64(-1), Value::Int64(1 << 40)])
    );
    assert_eq!(inner.get("at").unwrap(), &Value::Date(1005));
    assert_eq!(
        inner.get("marks").unwrap(),
        &Value::Map(vec![(Value::from("k"), Value::Int32(7))])
    );
    assert_eq!(inner.get("colour").unwrap(), &Value::from("BLUE"));
    let choice = inner.get("choice_0").unwrap().as_struct().unwrap();
    assert_eq!(choice.values(), [Value::Null, Value::Boolean(true)]);

    let schema: SchemaRef = SchemaBuilder::structure()
        .name("t.Order")
        .field("id", Schema::int64())
        .field("note", Schema::optional_string())
        .field("at", logical::timestamp())
        .field("lines", SchemaBuilder::array(Schema::int32()).build().unwrap())
        .build()
        .unwrap();
    let values = vec![
        Value::Int64(1 << 40),
        Value::from("x"),
        Value::Date(1_483_425_001_864),
        Value::Array(vec![Value::Int32(-1), Value::Int32(3)]),
    ];
    let order = Value::from(Struct::from_values(SchemaRef::clone(&schema), values));
    let known = ("skip.known.types", "false");
    let serialized = ("schema.format", "serialized");
    for (topic, entries) in [
        ("ours", &[][..]),
        ("known", &[known]),
        ("serialized", &[serialized]),
        ("both", &[known, serialized]),
    ] {
        let mut converter: ProtobufConverter = converter_with_registry(&url, entries);
        let mut out = Vec::new();
        converter
            .encode(
                topic,
                &mut Headers::new(),
                Some(&schema),
                order.as_ref(),
                &mut out,
            )
            .unwrap_or_else(|error| panic!("{topic}: {}", error.trace()));
        assert_eq!(
            python::run(&python, SCRIPT, &["read", &url, topic, &hex(&out)]),
            "1099511627776 x 1483425001864 [-1, 3]",
            "{topic}"
        );
        let back = converter.decode(topic, &Headers::new(), Some(&out)).unwrap();
        assert_eq!(
            back.value.as_struct().unwrap().values(),
            order.as_struct().unwrap().values(),
            "{topic}"
        );
    }
}
