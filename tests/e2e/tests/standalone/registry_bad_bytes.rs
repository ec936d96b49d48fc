//! Bytes that are no messages of a registry's formats, between two that are: frames that are damaged, payloads that are cut or none
//! of their schema, and what is short on the wire and would be large in memory.

use serde_json::{Value, json};
use wharf_e2e::Stage;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};

use crate::bad_records::{BadRecord, fail_and_become_dead_letters};
use crate::record_errors::{recorded_in, recording, until_committed, with};
use crate::registry_converters::{FLAVOURS, Flavour, message};

/// So many levels are more than any converter follows, and more than a thread's stack has room for.
const LEVELS: usize = 5_000;
const MIB: u64 = 1 << 20;
/// A record of 10 MB.
const HUGE: usize = 10 << 20;

/// What is wrong with the second of three messages.
struct Bad {
    headers: Vec<(String, Option<Vec<u8>>)>,
    bytes: Vec<u8>,
    reason: &'static str,
}

/// Where messages are made.
struct Bench<'s> {
    stage: &'s Stage,
    registry: TestRegistry,
    cases: Vec<BadRecord>,
}

impl<'s> Bench<'s> {
    fn new(stage: &'s Stage) -> Self {
        Self {
            stage,
            registry: TestRegistry::start(),
            cases: Vec::new(),
        }
    }

    /// The subject of a case, and its name.
    fn named(&self, flavour: &Flavour, what: &str) -> (String, String) {
        let name = format!("{}-{what}", flavour.format.name().to_lowercase());
        (format!("{}-value", self.stage.named(&name)), name)
    }

    fn register(&self, flavour: &Flavour, what: &str, schema: &str) -> i32 {
        flavour.register(&self.registry, &self.named(flavour, what).0, schema)
    }

    /// A bad message between two texts. `bad` is given the id of their schema.
    fn add(&mut self, flavour: &Flavour, what: &str, bad: impl FnOnce(&Self, i32) -> Bad) {
        let id = self.register(flavour, what, flavour.text);
        let Bad {
            headers,
            bytes,
            reason,
        } = bad(self, id);
        let records = [flavour.message(id, "first"), bytes, flavour.message(id, "last")];
        let good = ["first", "last"].map(flavour.recorded);
        self.push(flavour, what, records, good, reason, json!({}));
        if let Some(case) = self.cases.last_mut() {
            case.headers = headers;
        }
    }

    fn push(
        &mut self,
        flavour: &Flavour,
        what: &str,
        records: [Vec<u8>; 3],
        good: [String; 2],
        reason: &str,
        more: Value,
    ) {
        let converter = json!({
            "value.converter": flavour.converter, "value.converter.schema.registry.url": self.registry.url()
        });
        self.cases.push(BadRecord {
            what: self.named(flavour, what).1,
            config: with(converter, more),
            headers: Vec::new(),
            records: records.map(|value| (Some(b"key".to_vec()), value)),
            good,
            is_key: false,
            class: flavour.converter,
            reason: reason.to_owned(),
        });
    }
}

/// A message without further headers.
fn plain(bytes: Vec<u8>, reason: &'static str) -> Bad {
    Bad {
        headers: Vec::new(),
        bytes,
        reason,
    }
}

/// A text whose schema stands in a header.
fn with_header(flavour: &Flavour, header: &[u8], reason: &'static str) -> Bad {
    Bad {
        headers: vec![("__value_schema_id".to_owned(), Some(header.to_vec()))],
        bytes: flavour.message(0, "text")[5..].to_vec(),
        reason,
    }
}

#[test]
fn a_message_that_does_not_say_its_schema_costs_its_record_only() {
    let Some(stage) = Stage::set_up("registry-frames") else {
        return;
    };
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let mut bench = Bench::new(&stage);
    let unknown_guid = [&[1][..], &[0xee; 16], &[0]].concat();
    for flavour in &FLAVOURS {
        bench.add(flavour, "magic", |_, id| {
            let mut bytes = flavour.message(id, "text");
            bytes[0] = 5;
            plain(bytes, "Unknown magic byte!")
        });
        for (what, bytes, reason) in [
            ("empty", &[][..], "the message is empty"),
            ("cut-id", &[0, 0, 0], "the message ends within its schema id"),
            (
                "cut-guid",
                &[1, 2, 3, 4, 5, 6],
                "the message ends within its schema GUID",
            ),
        ] {
            bench.add(flavour, what, |_, _| plain(bytes.to_vec(), reason));
        }
        for (what, header, reason) in [
            (
                "header-cut",
                &[1, 2, 3][..],
                "the message ends within its schema GUID",
            ),
            ("header-text", b"{\"id\":1}", "Unknown magic byte!"),
            ("header-unknown", &unknown_guid, "not found; error code: 40403"),
        ] {
            bench.add(flavour, what, |_, _| with_header(flavour, header, reason));
        }
    }
    fail_and_become_dead_letters(&stage, &worker, &bench.cases);
    assert_eq!(worker.terminate(), Some(143));
}

/// What is said of a message that ends too early, and of a text that is not UTF-8.
fn reasons(format: Format) -> [&'static str; 2] {
    match format {
        Format::Avro => ["the message ends within a value", "a string is not UTF-8"],
        Format::Protobuf => [
            "the input ended unexpectedly in the middle of a field",
            "Protocol message had invalid UTF-8.",
        ],
        Format::Json => ["a string has no end", "a string is not UTF-8"],
    }
}

/// The payload of a text of `claimed` bytes, of which these are there.
fn text_of(format: Format, claimed: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = match format {
        Format::Avro => Vec::new(),
        // The first message, and its first field.
        Format::Protobuf => vec![0, 0x0a],
        Format::Json => return [&b"\""[..], bytes].concat(),
    };
    // Avro's integers have their sign in the lowest bit.
    let mut rest = claimed << u32::from(format == Format::Avro);
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap());
    out.extend_from_slice(bytes);
    out
}

/// A schema whose types contain each other, one in the other, though its text does not nest. The outermost is the one of messages.
fn chain(format: Format) -> String {
    match format {
        Format::Avro => {
            let link = |level: usize| {
                let inner = if level == 0 {
                    "int".to_owned()
                } else {
                    format!("R{}", level - 1)
                };
                json!({"type": "record", "name": format!("R{level}"), "fields": [{"name": "x", "type": inner}]})
            };
            Value::Array((0..LEVELS).map(link).collect()).to_string()
        }
        Format::Protobuf => {
            let link = |level: usize| format!("message M{level} {{ M{} x = 1; }}\n", level + 1);
            let links: String = (0..LEVELS).map(link).collect();
            format!("syntax = \"proto3\";\n{links}message M{LEVELS} {{ int32 x = 1; }}\n")
        }
        Format::Json => {
            let link = |level: usize| {
                let inner = json!({"$ref": format!("#/definitions/d{}", level + 1)});
                (
                    format!("d{level}"),
                    json!({"type": "object", "properties": {"x": inner}}),
                )
            };
            let mut definitions: serde_json::Map<_, _> = (0..LEVELS).map(link).collect();
            definitions.insert(format!("d{LEVELS}"), json!({"type": "integer"}));
            json!({"$ref": "#/definitions/d0", "definitions": definitions}).to_string()
        }
    }
}

/// A message that nests deep in a part that nobody reads, by the schema of texts or one of its own.
fn deep(bench: &Bench<'_>, flavour: &Flavour, what: &str, id: i32) -> Bad {
    match flavour.format {
        Format::Protobuf => plain(
            message(id, &[&[0][..], &[0x13; LEVELS]].concat()),
            "Protocol message had too many levels of nesting",
        ),
        _ => {
            let schema = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
            let id = bench.register(flavour, what, schema);
            plain(
                message(id, &[b"{\"x\":".as_slice(), &[b'['; LEVELS]].concat()),
                "arrays and objects nest deeper than",
            )
        }
    }
}

/// Avro knows no parts that its schema does not know: here the latest schema is without one that the messages have, which contains
/// itself.
fn deep_avro(bench: &mut Bench<'_>, flavour: &Flavour) {
    let text = json!({"name": "a", "type": "string"});
    let of = |fields: Value| json!({"type": "record", "name": "R", "fields": fields}).to_string();
    let list = json!({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]});
    let written = of(json!([text, {"name": "l", "type": ["null", list]}]));
    let what = "deep";
    let id = bench.register(flavour, what, &written);
    bench.register(flavour, what, &of(json!([text])));
    let record = |text: &str, list: &[u8]| {
        let a = text_of(Format::Avro, text.len(), text.as_bytes());
        message(id, &[&a[..], list].concat())
    };
    let records = [
        record("first", &[0]),
        record("bad", &[&[2; LEVELS][..], &[0]].concat()),
        record("last", &[0]),
    ];
    let good = ["first", "last"].map(|text| format!("Struct{{a={text}}}"));
    let latest = json!({"value.converter.use.latest.version": "true"});
    bench.push(flavour, what, records, good, "a value nests more than", latest);
}

#[test]
fn a_payload_that_is_none_of_its_schema_costs_its_record_only() {
    let Some(stage) = Stage::set_up("registry-payloads") else {
        return;
    };
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let mut bench = Bench::new(&stage);
    for (flavour, other) in FLAVOURS.iter().zip(FLAVOURS.iter().cycle().skip(1)) {
        let format = flavour.format;
        let [cut, encoding] = reasons(format);
        bench.add(flavour, "cut", |_, id| {
            plain(message(id, &text_of(format, 10, b"short")), cut)
        });
        bench.add(flavour, "encoding", |_, id| {
            let text = [&text_of(format, 3, b"a\xffb")[..], flavour.after.as_bytes()].concat();
            plain(message(id, &text), encoding)
        });
        bench.add(flavour, "other-format", |bench, _| {
            let subject = bench.named(flavour, "other-format").0;
            let id = other.register(&bench.registry, &subject, other.text);
            plain(message(id, &[0]), "use its converter")
        });
        bench.add(flavour, "deep-schema", |bench, _| {
            let id = bench.register(flavour, "deep-schema", &chain(format));
            plain(message(id, &[0]), "levels")
        });
        match format {
            Format::Avro => deep_avro(&mut bench, flavour),
            _ => bench.add(flavour, "deep", |bench, id| deep(bench, flavour, "deep", id)),
        }
    }
    bench.add(&FLAVOURS[1], "index", |_, id| {
        // The fourth message of a schema of one.
        plain(
            message(id, &[2, 6, 0x0a, 0]),
            "the schema has no message with the index [3]",
        )
    });
    fail_and_become_dead_letters(&stage, &worker, &bench.cases);
    assert_eq!(worker.terminate(), Some(143));
}

/// What Connect calls a decimal.
const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";

/// Schemas of decimals without a scale, or with one that is no number, by the name that Connect gives them: with the payload of a value
/// and a part of what is said of it.
fn decimals(format: Format) -> Vec<(&'static str, Value, &'static [u8], &'static str)> {
    let (missing, wrong) = (
        "Invalid Decimal schema: scale parameter not found.",
        "Invalid scale parameter found in Decimal schema",
    );
    let two = json!({"scale": "two"});
    match format {
        Format::Avro => vec![
            (
                "scale",
                json!({"type": "bytes", "connect.name": DECIMAL}),
                b"\x04\xd2",
                missing,
            ),
            (
                "scale-fixed",
                json!({"type": "fixed", "name": "F", "size": 2, "connect.name": DECIMAL}),
                b"\x04\xd2",
                missing,
            ),
            (
                "scale-word",
                json!({"type": "bytes", "connect.name": DECIMAL, "connect.parameters": two}),
                b"\x04\xd2",
                wrong,
            ),
        ],
        Format::Json => vec![
            (
                "scale",
                json!({"type": "string", "title": DECIMAL, "connect.type": "bytes"}),
                b"\"AQ==\"",
                missing,
            ),
            (
                "scale-word",
                json!({"type": "string", "title": DECIMAL, "connect.type": "bytes", "connect.parameters": two}),
                b"\"AQ==\"",
                wrong,
            ),
        ],
        // Its messages have their scale with them.
        Format::Protobuf => Vec::new(),
    }
}

#[test]
fn a_decimal_without_a_scale_costs_its_record_only() {
    let Some(stage) = Stage::set_up("registry-decimals") else {
        return;
    };
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let mut bench = Bench::new(&stage);
    for flavour in &FLAVOURS {
        for (what, schema, payload, reason) in decimals(flavour.format) {
            bench.add(flavour, what, |bench, _| {
                let id = bench.register(flavour, what, &schema.to_string());
                plain(message(id, payload), reason)
            });
        }
    }
    // A message that is no decimal: its scale is cut off.
    let protobuf = &FLAVOURS[1];
    bench.add(protobuf, "scale", |bench, _| {
        let id = bench.register(protobuf, "scale", PROTOBUF_DECIMAL);
        plain(
            message(id, b"\0\x0a\x05\x0a\x02\x04\xd2\x18"),
            "the input ended unexpectedly",
        )
    });
    fail_and_become_dead_letters(&stage, &worker, &bench.cases);
    assert_eq!(worker.terminate(), Some(143));
}

const PROTOBUF_DECIMAL: &str = "syntax = \"proto3\"; import \"confluent/type/decimal.proto\"; message R { confluent.type.Decimal d = 1; }";

#[test]
fn a_decimal_may_do_without_a_scale_where_its_format_says_what_that_means() {
    let Some(stage) = Stage::set_up("registry-scale-0") else {
        return;
    };
    let (kafka, registry) = (stage.kafka(), TestRegistry::start());
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    // 0 in Avro and Protobuf; JSON's numbers have a point of their own.
    let avro = r#"{"type":"bytes","logicalType":"decimal","precision":4}"#;
    let of_json = json!({"type": "number", "title": DECIMAL, "connect.type": "bytes"}).to_string();
    for (flavour, schema, payload, expected) in [
        (&FLAVOURS[0], avro, &b"\x04\xd2"[..], "1234"),
        (
            &FLAVOURS[1],
            PROTOBUF_DECIMAL,
            b"\0\x0a\x04\x0a\x02\x04\xd2",
            "Struct{d=1234}",
        ),
        (&FLAVOURS[2], &of_json, b"12.34", "12.34"),
    ] {
        let name = stage.named(flavour.format.name());
        kafka.create_topic(&name, 1, &[]);
        let id = flavour.register(&registry, &format!("{name}-value"), schema);
        kafka.produce(&name, [(None, message(id, payload).as_slice())]);
        let config = json!({
            "value.converter": flavour.converter, "value.converter.schema.registry.url": registry.url(),
            "record.file": stage.file(flavour.format.name())
        });
        worker.create(&name, recording(&stage, &name, config));
        until_committed(&stage, &name, &name, 1);
        assert_eq!(
            recorded_in(&stage, flavour.format.name(), 1),
            [expected],
            "{name}"
        );
    }
    assert_eq!(worker.terminate(), Some(143));
}

/// A schema of which a few bytes are a thousand values, and many of those.
fn bomb(format: Format) -> (String, Vec<u8>) {
    let names = (0..1000).map(|field| format!("f{field}"));
    match format {
        Format::Avro => {
            let empty = json!({"type": "record", "name": "E", "fields": []});
            let field = |(number, name)| {
                let of = if number == 0 { empty.clone() } else { json!("E") };
                json!({"name": name, "type": of})
            };
            let fields: Vec<_> = names.enumerate().map(field).collect();
            let schema = json!({"type": "array", "items": {"type": "record", "name": "R", "fields": fields}});
            // 60,000 records without any bytes.
            (schema.to_string(), vec![0xc0, 0xa9, 0x07, 0])
        }
        Format::Protobuf => {
            let fields: String = names
                .enumerate()
                .map(|(number, name)| format!("string {name} = {}; ", number + 1))
                .collect();
            let schema =
                format!("syntax = \"proto3\"; message A {{ repeated B b = 1; }} message B {{ {fields}}}");
            (schema, [&[0][..], &[0x0a, 0].repeat(60_000)].concat())
        }
        Format::Json => {
            let properties: serde_json::Map<_, _> =
                names.map(|name| (name, json!({"type": "integer"}))).collect();
            let item = json!({"type": "object", "properties": properties});
            let text = format!("[{}{{}}]", "{},".repeat(60_000));
            (
                json!({"type": "array", "items": item}).to_string(),
                text.into_bytes(),
            )
        }
    }
}

#[test]
fn a_message_that_is_large_or_would_become_so_is_refused_within_bounds() {
    let Some(stage) = Stage::set_up("registry-large") else {
        return;
    };
    // A quarter of a task's memory is for dead letters on their way.
    let memory = ("wharf.task.memory.max.bytes", "67108864");
    let worker = stage.start(&[("offset.flush.interval.ms", "500"), memory], &[]);
    let start = worker.peak_memory();
    let mut bench = Bench::new(&stage);
    for flavour in &FLAVOURS {
        bench.add(flavour, "huge", |_, id| {
            let text = text_of(flavour.format, HUGE + 1, &vec![b'x'; HUGE]);
            plain(message(id, &text), reasons(flavour.format)[0])
        });
    }
    fail_and_become_dead_letters(&stage, &worker, &bench.cases);
    let after_huge = worker.peak_memory();
    bench.cases.clear();
    for flavour in &FLAVOURS {
        bench.add(flavour, "bomb", |bench, _| {
            let (schema, bytes) = bomb(flavour.format);
            let id = bench.register(flavour, "bomb", &schema);
            plain(
                message(id, &bytes),
                "the message becomes more than 4194304 values",
            )
        });
    }
    fail_and_become_dead_letters(&stage, &worker, &bench.cases);
    let peak = worker.peak_memory();
    println!(
        "three sinks with a record of 10 MB, three with one that would be 60 million values: {} MiB at start, {} MiB after the \
         first, {} MiB at most",
        start / MIB,
        after_huge / MIB,
        peak / MIB
    );
    assert!(after_huge - start < 256 * MIB, "{} MiB", after_huge / MIB);
    // Three messages of four million values each at a time.
    assert!(peak - start < 768 * MIB, "{} MiB", peak / MIB);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_message_of_a_registry_s_schema_may_have_10_mb() {
    let Some(stage) = Stage::set_up("registry-10-mb") else {
        return;
    };
    let (kafka, registry) = (stage.kafka(), TestRegistry::start());
    let memory = ("wharf.task.memory.max.bytes", "67108864");
    let worker = stage.start(&[("offset.flush.interval.ms", "500"), memory], &[]);
    let long = "x".repeat(HUGE);
    for flavour in &FLAVOURS {
        let name = stage.named(flavour.format.name());
        kafka.create_topic(&name, 1, &[("max.message.bytes", "20000000")]);
        let schema = RegistrySchema::new(flavour.format, flavour.text);
        let (id, _) = registry.register(&format!("{name}-value"), &schema);
        let payload = [
            &text_of(flavour.format, HUGE, long.as_bytes())[..],
            flavour.after.as_bytes(),
        ]
        .concat();
        kafka.produce(&name, [(None, message(id, &payload).as_slice())]);
        let config = json!({
            "value.converter": flavour.converter, "value.converter.schema.registry.url": registry.url(),
            "record.file": stage.file(flavour.format.name())
        });
        worker.create(&name, recording(&stage, &name, config));
        until_committed(&stage, &name, &name, 1);
        let found = recorded_in(&stage, flavour.format.name(), 1);
        assert!(found == [(flavour.recorded)(&long)], "{name}");
    }
    assert_eq!(worker.terminate(), Some(143));
}
