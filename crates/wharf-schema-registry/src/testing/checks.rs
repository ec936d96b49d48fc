//! What holds of every converter that uses a registry, each in its own format.

use std::time::{Duration, Instant};

use wharf_api::{
    ConfigMap, Converter, ConverterType, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value,
};

use super::TestRegistry;
use crate::model::RegistrySchema;

/// The longest time that a machine which is busy with other things may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks that these are the subjects by topic, by record and by both. `write` makes a converter for values with the given entry,
/// and writes a record.
///
/// # Panics
/// When a schema is registered under another subject.
pub fn check_subject_names(subjects: [&str; 3], write: impl Fn(&TestRegistry, (&str, &str))) {
    let strategies = [
        "TopicNameStrategy",
        "RecordNameStrategy",
        "TopicRecordNameStrategy",
    ];
    for (strategy, subject) in strategies.into_iter().zip(subjects) {
        let registry = TestRegistry::start();
        let class = format!("io.confluent.kafka.serializers.subject.{strategy}");
        write(&registry, ("value.subject.name.strategy", &class));
        assert_eq!(registry.subjects(), [subject], "{strategy}");
    }
}

/// Checks that with `use.latest.version` a converter uses the latest version of a subject as long as `latest.cache.ttl.sec` says, and
/// then asks for it again, for both ways.
///
/// The subject has first the one, then the other of `versions`, which has one field more. `make` makes a converter for values with the
/// given entries, `write` gives the message of a record to the subject's topic, `read` how many fields a message of that topic has.
///
/// # Panics
/// When the converter uses another version.
pub fn check_latest_is_kept_for_its_time<C>(
    subject: &str,
    versions: [&RegistrySchema; 2],
    make: impl Fn(&TestRegistry, &[(&str, &str)]) -> C,
    write: impl Fn(&mut C) -> Vec<u8>,
    read: impl Fn(&mut C, &[u8]) -> usize,
) {
    let id = |message: Vec<u8>| i32::from_be_bytes(message[1..5].try_into().expect("four bytes"));
    let latest = format!("GET /subjects/{subject}/versions/latest");
    let is_latest = |request: &String| *request == latest;
    let entries = |time: &'static str| {
        [
            ("auto.register.schemas", "false"),
            ("use.latest.version", "true"),
            ("latest.cache.ttl.sec", time),
        ]
    };
    for time in ["-1", "100000", "1"] {
        let registry = TestRegistry::start();
        registry.register(subject, versions[0]);
        let begun = Instant::now();
        let (mut writer, mut reader) = (make(&registry, &entries(time)), make(&registry, &entries(time)));
        let first = write(&mut writer);
        let fields = read(&mut reader, &first);
        assert_eq!(id(first.clone()), 1, "a record is written with the only version");
        registry.register(subject, versions[1]);
        let asked = || {
            registry
                .requests()
                .iter()
                .filter(|request| is_latest(request))
                .count()
        };
        assert_eq!(asked(), 2, "{:?}", registry.requests());
        if time != "1" {
            for _ in 0..5 {
                assert_eq!(id(write(&mut writer)), 1, "kept for {time} s");
                assert_eq!(read(&mut reader, &first), fields, "kept for {time} s");
            }
            assert_eq!(asked(), 2, "kept for {time} s: {:?}", registry.requests());
            continue;
        }
        let until_new = |mut is_new: Box<dyn FnMut() -> bool + '_>| {
            while !is_new() {
                assert!(begun.elapsed() < PATIENCE, "the new version is not used");
                std::thread::sleep(Duration::from_millis(10));
            }
            // What was there before `begun` cannot be old sooner.
            assert!(begun.elapsed() >= Duration::from_secs(1), "the time was not over");
        };
        until_new(Box::new(|| id(write(&mut writer)) == 2));
        until_new(Box::new(|| read(&mut reader, &first) == fields + 1));
        // What was the latest is still asked for once in its time only, by each of the two.
        assert_eq!(id(write(&mut writer)), 2);
    }
}

/// Checks that a converter asks for a schema again when neither it nor its client keeps it any more, by `schemas.cache.config` and
/// `max.schemas.per.subject`, that it does not before, and that records are the same either way.
///
/// # Panics
/// When it asks more or less often.
pub fn check_schemas_are_kept_within_bounds<C: Converter + Default>() {
    for (of_converter, of_client, asked) in [("0", "0", 4), ("1", "1", 4), ("2", "1", 2), ("1", "2", 2)] {
        let registry = TestRegistry::start();
        let config: ConfigMap = [
            ("schema.registry.url", registry.url().as_str()),
            (
                "value.subject.name.strategy",
                "io.confluent.kafka.serializers.subject.TopicNameStrategy",
            ),
            ("schemas.cache.config", of_converter),
            ("max.schemas.per.subject", of_client),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        let configured = || {
            let mut converter = C::default();
            let result = converter.configure(&config, ConverterType::Value);
            result.expect("the configuration is right");
            converter
        };
        let requests = |start: &str| {
            let asked = registry.requests();
            asked.iter().filter(|request| request.starts_with(start)).count()
        };
        let mut writer = configured();
        let messages = [1, 2, 1, 2].map(|fields| {
            let (schema, value) = struct_of(fields);
            let mut message = Vec::new();
            writer
                .encode(
                    "t",
                    &mut Headers::new(),
                    Some(&schema),
                    value.as_ref(),
                    &mut message,
                )
                .expect("a struct of numbers can be written");
            message
        });
        let bounds = format!("{of_converter} and {of_client}");
        assert_eq!(messages[..2], messages[2..], "{bounds}");
        assert_eq!(requests("POST /subjects/t-value/versions"), asked, "{bounds}");
        let mut reader = configured();
        for (message, fields) in messages.iter().zip([1, 2, 1, 2]) {
            let read = reader.decode("t", &Headers::new(), Some(message));
            let read = read.expect("what was written can be read").value;
            let found = read.as_struct().map(|value| value.values().len());
            assert_eq!(found, Some(fields), "{bounds}");
        }
        assert_eq!(requests("GET /schemas/ids/"), asked, "{bounds}");
    }
}

/// A struct of so many numbers.
fn struct_of(fields: i64) -> (SchemaRef, Value) {
    let schema = (0..fields)
        .fold(
            SchemaBuilder::structure().name(format!("R{fields}")),
            |schema, number| schema.field(format!("f{number}"), Schema::int64()),
        )
        .build()
        .expect("the names of the fields differ");
    let value = Struct::from_values(SchemaRef::clone(&schema), (0..fields).map(Value::Int64).collect());
    (schema, value.into())
}
