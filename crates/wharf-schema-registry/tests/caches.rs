//! What the client keeps of the registry's answers, and what it asks for again.
//!
//! At a bound the answer that was not used for longest makes room, and is asked for again when it is wanted: no record fails for it.

use wharf_api::ConfigMap;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistryConfig, RegistrySchema, SchemaRegistryClient};

fn client(registry: &TestRegistry, entries: &[(&str, &str)]) -> SchemaRegistryClient {
    let url = registry.url();
    let config: ConfigMap = [("schema.registry.url", url.as_str())]
        .iter()
        .chain(entries)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    SchemaRegistryClient::new(&RegistryConfig::parse(&config).unwrap()).unwrap()
}

/// A registry whose subjects `first` and `second` have one schema each, with the ids 1 and 2.
fn two_subjects(metadata: &[(&str, &str)]) -> (TestRegistry, [RegistrySchema; 2]) {
    let registry = TestRegistry::start();
    let schemas = ["\"int\"", "\"long\""].map(|text| RegistrySchema::new(Format::Avro, text));
    for (subject, schema) in ["first", "second"].into_iter().zip(&schemas) {
        match metadata {
            [] => registry.register(subject, schema),
            metadata => registry.register_with_metadata(subject, schema, metadata),
        };
    }
    (registry, schemas)
}

/// Asks for the id of the first, the second, the first and the second, and says how many requests that took.
fn requests(registry: &TestRegistry, mut ask: impl FnMut(usize) -> i32) -> usize {
    registry.clear_requests();
    for (position, id) in [(0, 1), (1, 2), (0, 1), (1, 2)] {
        assert_eq!(ask(position), id);
    }
    registry.requests().len()
}

const SUBJECTS: [&str; 2] = ["first", "second"];
const IDS: [i32; 2] = [1, 2];

#[test]
fn as_many_schemas_are_kept_as_max_schemas_per_subject_says() {
    let (registry, schemas) = two_subjects(&[]);
    for (most, expected) in [("0", 4), ("1", 4), ("2", 2), ("1000", 2)] {
        let mut client = client(&registry, &[("max.schemas.per.subject", most)]);
        let found = [
            requests(&registry, |at| {
                client.register(SUBJECTS[at], &schemas[at], false).unwrap().id
            }),
            requests(&registry, |at| {
                client.lookup(SUBJECTS[at], &schemas[at], true).unwrap().id
            }),
            requests(&registry, |at| client.schema_by_id(IDS[at], None).unwrap().id),
            requests(&registry, |at| {
                let guid = registry.guid(IDS[at]).unwrap();
                client.schema_by_guid(guid).unwrap().id
            }),
            requests(&registry, |at| client.version(SUBJECTS[at], 1).unwrap().id),
        ];
        assert_eq!(found, [expected; 5], "{most}");
    }
}

#[test]
fn the_schema_that_was_not_used_for_longest_makes_room() {
    let (registry, _) = two_subjects(&[]);
    registry.register("third", &RegistrySchema::new(Format::Avro, "\"float\""));
    let mut client = client(&registry, &[("max.schemas.per.subject", "2")]);
    for id in [1, 2, 1, 3] {
        client.schema_by_id(id, None).unwrap();
    }
    registry.clear_requests();
    for id in [1, 3, 2] {
        client.schema_by_id(id, None).unwrap();
    }
    assert_eq!(registry.requests(), ["GET /schemas/ids/2?fetchMaxId=false"]);
}

#[test]
fn as_many_latest_versions_are_kept_as_the_larger_of_two_keys_says() {
    let (registry, _) = two_subjects(&[("stage", "test")]);
    for (of_latest, of_schemas, expected) in [
        ("0", "0", 4),
        ("1", "1", 4),
        ("2", "1", 2),
        ("1", "2", 2),
        ("0", "1000", 2),
    ] {
        let entries = [
            ("latest.cache.size", of_latest),
            ("max.schemas.per.subject", of_schemas),
        ];
        let mut client = client(&registry, &entries);
        let found = [
            requests(&registry, |at| client.latest(SUBJECTS[at]).unwrap().id),
            requests(&registry, |at| {
                let metadata = [("stage".to_owned(), "test".to_owned())];
                client.latest_with_metadata(SUBJECTS[at], &metadata).unwrap().id
            }),
        ];
        assert_eq!(found, [expected; 2], "{of_latest} and {of_schemas}");
    }
}

#[test]
fn a_latest_version_is_asked_for_again_when_its_time_is_over() {
    let (registry, _) = two_subjects(&[]);
    for (time, expected) in [("-1", 2), ("100000", 2), ("0", 4)] {
        let mut client = client(&registry, &[("latest.cache.ttl.sec", time)]);
        let found = requests(&registry, |at| client.latest(SUBJECTS[at]).unwrap().id);
        assert_eq!(found, expected, "{time}");
        // What cannot change has no such time.
        let found = requests(&registry, |at| client.schema_by_id(IDS[at], None).unwrap().id);
        assert_eq!(found, 2, "{time}");
    }
}
