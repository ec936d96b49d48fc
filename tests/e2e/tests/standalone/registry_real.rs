//! Registry converters through a worker with a real registry, which has rules of its own and refuses by them.

use std::cell::RefCell;

use serde_json::{Value, json};
use wharf_e2e::{Seen, Stage, TopicReader, Worker};
use wharf_test_services::SchemaRegistry;

use crate::record_errors::{recorded_in, recording, trace_of_failed, until_committed, with};

/// A converter, and the schema that it makes of a line in a field.
struct Flavour {
    name: &'static str,
    converter: &'static str,
    /// As `schemaType` names it.
    format: &'static str,
    /// What the error says when the registry refuses.
    action: &'static str,
    /// A schema of a part, and the name by which others refer to it.
    part: (&'static str, &'static str),
    /// A line's schema with an optional field more, which is of that part.
    with_part: fn(&str) -> String,
    /// A schema that cannot read a line's.
    other: fn(&str) -> String,
}

const FLAVOURS: [Flavour; 3] = [
    Flavour {
        name: "avro",
        converter: "io.confluent.connect.avro.AvroConverter",
        format: "AVRO",
        action: "Error registering Avro schema",
        part: (
            "n.Part",
            r#"{"type":"record","name":"Part","namespace":"n","fields":[{"name":"x","type":"int"}]}"#,
        ),
        with_part: |text| {
            let field = json!({"name": "part", "type": ["null", "n.Part"], "default": null});
            edited(text, |schema| {
                schema["fields"].as_array_mut().unwrap().push(field)
            })
        },
        other: |text| {
            edited(text, |schema| {
                schema["fields"][0]["type"] = "int".into();
            })
        },
    },
    Flavour {
        name: "protobuf",
        converter: "io.confluent.connect.protobuf.ProtobufConverter",
        format: "PROTOBUF",
        action: "Error registering Protobuf schema",
        part: (
            "part.proto",
            "syntax = \"proto3\"; package n; message Part { int32 x = 1; }",
        ),
        with_part: |text| {
            text.replace("message ", "import \"part.proto\";\nmessage ")
                .replace("line = 1;", "line = 1; n.Part part = 2;")
        },
        other: |text| text.replace("string line", "bool line"),
    },
    Flavour {
        name: "json-schema",
        converter: "io.confluent.connect.json.JsonSchemaConverter",
        format: "JSON",
        action: "Error registering JSON schema",
        part: (
            "part.json",
            r#"{"type":"object","title":"Part","properties":{"x":{"type":"integer"}}}"#,
        ),
        with_part: |text| {
            let optional = json!({"oneOf": [{"type": "null"}, {"$ref": "part.json"}], "connect.index": 1});
            edited(text, |schema| schema["properties"]["part"] = optional)
        },
        other: |text| {
            edited(text, |schema| {
                schema["properties"]["line"]["type"] = "integer".into();
            })
        },
    },
];

fn edited(text: &str, edit: impl FnOnce(&mut Value)) -> String {
    let mut schema: Value = serde_json::from_str(text).unwrap();
    edit(&mut schema);
    schema.to_string()
}

/// A stage with a registry, and one topic of this stage.
struct Setting<'s> {
    stage: &'s Stage,
    registry: &'s SchemaRegistry,
    flavour: &'s Flavour,
    /// The topic's reader, and the ids that the messages read so far begin with.
    read: RefCell<(TopicReader, Vec<i32>)>,
}

impl Setting<'_> {
    fn named(&self, what: &str) -> String {
        self.stage.named(&format!("{}-{what}", self.flavour.name))
    }

    fn subject(&self) -> String {
        self.named("t-value")
    }

    fn converter(&self, more: &[(&str, &str)]) -> Value {
        // What is tried again takes minutes to fail, so that only what is not can end a test.
        let mut config = json!({
            "value.converter": self.flavour.converter, "value.converter.schema.registry.url": self.registry.url(),
            // Apicurio 3.3.3 leaves a request unanswered now and then; it is asked again once.
            "value.converter.http.read.timeout.ms": "10000", "value.converter.max.retries": "10",
            "value.converter.retries.wait.ms": "20000", "value.converter.retries.max.wait.ms": "20000"
        });
        for (key, value) in more {
            config[format!("value.converter.{key}")] = json!(value);
        }
        config
    }

    /// A source that writes these lines as structs of one field, which is of this type.
    fn write(
        &self,
        worker: &Worker,
        (what, lines): (&str, &str),
        field: &str,
        settings: &[(&str, &str)],
    ) -> String {
        let name = self.named(what);
        self.stage.write(&name, lines);
        let source = json!({
            "connector.class": "FileStreamSource", "topic": self.named("t"), "file": self.stage.file(&name),
            "errors.retry.timeout": "-1", "errors.retry.delay.max.ms": "3600000",
            "transforms": "hoist,cast",
            "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
            "transforms.hoist.field": "line",
            "transforms.cast.type": "org.apache.kafka.connect.transforms.Cast$Value",
            "transforms.cast.spec": format!("line:{field}")
        });
        worker.create(&name, with(source, self.converter(settings)));
        name
    }

    fn versions(&self) -> Vec<i32> {
        serde_json::from_str(&self.version_path("GET", "", None)).unwrap()
    }

    fn version_path(&self, method: &str, path: &str, body: Option<&Value>) -> String {
        let path = format!("/subjects/{}/versions{path}", self.subject());
        self.registry
            .call(method, &path, body.map(Value::to_string).as_deref())
    }

    /// The id and the text of a version.
    fn version(&self, version: &str) -> (i32, String) {
        let found: Value =
            serde_json::from_str(&self.version_path("GET", &format!("/{version}"), None)).unwrap();
        let id = found["id"].as_i64().unwrap();
        (
            id.try_into().unwrap(),
            found["schema"].as_str().unwrap().to_owned(),
        )
    }

    fn register(&self, subject: &str, text: &str, references: Value) {
        let body = json!({"schemaType": self.flavour.format, "schema": text, "references": references});
        self.registry.call(
            "POST",
            &format!("/subjects/{subject}/versions"),
            Some(&body.to_string()),
        );
    }

    fn rule(&self, level: &str) {
        let body = json!({"compatibility": level}).to_string();
        self.registry
            .call("PUT", &format!("/config/{}", self.subject()), Some(&body));
    }

    /// The ids that messages begin with, once there are `count`.
    fn ids(&self, count: usize) -> Vec<i32> {
        let (reader, ids) = &mut *self.read.borrow_mut();
        let id = |seen: &Seen| i32::from_be_bytes(seen.value.as_deref().unwrap()[1..5].try_into().unwrap());
        ids.extend(reader.read(count - ids.len()).iter().map(id));
        ids.clone()
    }
}

/// Runs a test for each format, with one worker.
fn for_each_format(name: &str, test: impl Fn(&Setting<'_>, &Worker)) {
    let Some(stage) = Stage::set_up(name) else {
        return;
    };
    let Some(registry) = SchemaRegistry::shared() else {
        return;
    };
    let worker = stage.start(&[("offset.flush.interval.ms", "300")], &[]);
    for flavour in &FLAVOURS {
        let (kafka, topic) = (stage.kafka(), stage.named(&format!("{}-t", flavour.name)));
        kafka.create_topic(&topic, 1, &[]);
        let setting = Setting {
            stage: &stage,
            registry,
            flavour,
            read: RefCell::new((kafka.reader(&topic), Vec::new())),
        };
        test(&setting, &worker);
    }
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_schema_that_the_registry_finds_incompatible_fails_its_record_at_once_and_says_why() {
    for_each_format("registry-rules", |setting, worker| {
        setting.write(worker, ("first", "one\n"), "string", &[]);
        let first = setting.ids(1)[0];
        setting.rule("BACKWARD");
        // The same schema in its normal form, too.
        let normal = [("normalize.schemas", "true")];
        setting.write(worker, ("normal", "one again\n"), "string", &normal);
        assert_eq!(setting.ids(2), [first, first]);
        let second = setting.write(worker, ("second", "1\n2\n"), "boolean", &[]);
        let trace = trace_of_failed(worker, &second);
        let subject = setting.subject();
        for part in [
            format!("topic {}", setting.named("t")),
            setting.flavour.action.to_owned(),
            // The registry's own words name the subject, and what is different.
            format!("Incompatible artifact: {subject} [{}]", setting.flavour.format),
            "error code: 409".to_owned(),
        ] {
            assert!(trace.contains(&part), "no '{part}' in {trace}");
        }
        assert_eq!(setting.versions(), [1]);
        // Nothing is lost: when the rule is gone, the task goes on with the same record.
        setting.rule("NONE");
        let restart = format!("/connectors/{second}/restart?includeTasks=true&onlyFailed=true");
        worker.call("POST", &restart, None, 202);
        let ids = setting.ids(4);
        assert_eq!(setting.versions(), [1, 2]);
        assert_eq!(ids[2..], [setting.version("2").0; 2]);
    });
}

#[test]
fn records_are_written_and_read_with_the_latest_version_and_what_that_refers_to() {
    let latest = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    for_each_format("registry-latest", |setting, worker| {
        let flavour = setting.flavour;
        setting.write(worker, ("first", "one\n"), "string", &[]);
        let first = setting.ids(1)[0];
        let (_, text) = setting.version("1");
        let (part, part_text) = flavour.part;
        setting.register(&setting.named("part"), part_text, json!([]));
        let references = json!([{"name": part, "subject": setting.named("part"), "version": 1}]);
        setting.register(&setting.subject(), &(flavour.with_part)(&text), references);
        let (second, _) = setting.version("latest");
        assert_ne!(first, second);
        setting.write(worker, ("second", "two\n"), "string", &latest);
        assert_eq!(setting.ids(2), [first, second]);

        // Each is read as it was written, or all with the latest schema: then those from before have the new field, too.
        let extract = json!({
            "transforms": "part", "transforms.part.type": "org.apache.kafka.connect.transforms.ExtractField$Value",
            "transforms.part.field": "part"
        });
        for (what, settings, transform, expected) in [
            (
                "own",
                &[][..],
                json!({}),
                ["Struct{line=one}", "Struct{line=two}"],
            ),
            ("latest", &latest[1..], extract, ["null", "null"]),
        ] {
            let (name, topic) = (setting.named(what), setting.named("t"));
            let file = json!({"record.file": setting.stage.file(&name)});
            let config = with(with(setting.converter(settings), file), transform);
            worker.create(&name, recording(setting.stage, &topic, config));
            assert_eq!(recorded_in(setting.stage, &name, 2), expected, "{name}");
            until_committed(setting.stage, &name, &topic, 2);
        }

        // A latest version that cannot read the record is refused, unless that is not looked at.
        setting.rule("NONE");
        setting.register(&setting.subject(), &(flavour.other)(&text), json!([]));
        let refused = setting.write(worker, ("third", "three\n"), "string", &latest);
        let trace = trace_of_failed(worker, &refused);
        for part in [
            format!("Incompatible schema of type '{}'", flavour.format),
            "latest.compatibility.strict=false".to_owned(),
        ] {
            assert!(trace.contains(&part), "no '{part}' in {trace}");
        }
        assert_eq!(setting.versions(), [1, 2, 3]);
    });
}
