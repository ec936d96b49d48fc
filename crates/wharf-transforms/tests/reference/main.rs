//! `docs/transforms.md`: its tables are those of the definitions, and its examples do what they say.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use wharf_api::config::ConfigDef;
use wharf_api::{ConfigMap, Converter, ConverterType, Encoded, Header, Headers, Record, SchemaRef, Value};
use wharf_converters::JsonConverter;
use wharf_transforms::{PREDICATES, TRANSFORMATIONS, predicate, transformation};

/// Everything but the tables.
const TEXT: &str = include_str!("text.md");
const MARKER: &str = "<!-- keys of ";

/// The class of a name as the document has it.
fn definition(name: &str) -> ConfigDef {
    let class = format!("org.apache.kafka.connect.transforms.{name}");
    if let Some(found) = transformation(&class) {
        return found.config();
    }
    let class = format!("org.apache.kafka.connect.transforms.predicates.{name}");
    predicate(&class)
        .unwrap_or_else(|| panic!("there is no class {name}"))
        .config()
}

fn table(name: &str) -> String {
    let definition = definition(name);
    if definition.keys().is_empty() {
        return "No keys.".to_owned();
    }
    let mut text =
        "| key | type | default | accepted | importance | what it says |\n|---|---|---|---|---|---|"
            .to_owned();
    for key in definition.keys() {
        let info = key.info();
        let default = match (info.default.is_required(), info.default_text()) {
            (true, _) => "required".to_owned(),
            (false, None) => "none".to_owned(),
            (false, Some(empty)) if empty.is_empty() => "empty".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
        };
        let accepted = match info.validator.as_deref() {
            None => "any",
            // Upstream's validator of distinct lists shows nothing of itself.
            Some("") => "distinct items, at least one",
            Some(text) => text,
        };
        text.push_str(&format!(
            "\n| `{}` | {} | {default} | {} | {} | {} |",
            key.name(),
            info.value_type.name(),
            accepted.replace('|', "\\|"),
            info.importance.name().to_lowercase(),
            info.documentation
        ));
    }
    text
}

fn document() -> String {
    let mut text = String::new();
    for line in TEXT.lines() {
        match line
            .strip_prefix(MARKER)
            .and_then(|rest| rest.strip_suffix(" -->"))
        {
            Some(name) => text.push_str(&table(name)),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// Run with `WHARF_WRITE_DOCS=1` to write the document anew.
#[test]
fn the_document_has_the_keys_of_the_definitions() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/transforms.md");
    let text = document();
    if std::env::var_os("WHARF_WRITE_DOCS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == text,
        "docs/transforms.md is not what the definitions say: run WHARF_WRITE_DOCS=1 cargo test -p wharf-transforms --test \
         reference"
    );
}

#[test]
fn every_class_has_its_section_and_key_and_value_have_the_same_keys() {
    let transformations = TRANSFORMATIONS.iter().map(|entry| entry.class);
    for class in transformations.chain(PREDICATES.iter().map(|entry| entry.class)) {
        let (_, name) = class.rsplit_once('.').unwrap();
        let simple = name.split('$').next().unwrap();
        assert_eq!(TEXT.matches(&format!("\n## {simple}\n")).count(), 1, "{simple}");
        match name.strip_suffix("$Key") {
            Some(simple) => assert_eq!(table(name), table(&format!("{simple}$Value"))),
            None => assert!(TEXT.contains(&format!("{MARKER}{name} -->")), "{name}"),
        }
    }
}

/// The settings of one section, and records before and after.
#[derive(Default)]
struct Section<'a> {
    title: &'a str,
    settings: ConfigMap,
    records: Vec<Json>,
}

/// The sections with their fenced blocks.
fn sections() -> Vec<Section<'static>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut lines = TEXT.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section {
                title,
                ..Section::default()
            });
        }
        let Some(kind) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let Some(section) = sections.last_mut() else {
            continue;
        };
        match kind {
            // Only what properties files do to these values: a backslash is written twice.
            "properties" => section.settings.extend(block.iter().map(|line| {
                let (key, value) = line.split_once('=').unwrap();
                (key.to_owned(), value.replace("\\\\", "\\"))
            })),
            "json" => section
                .records
                .push(serde_json::from_str(&block.join("\n")).unwrap()),
            other => panic!("a block of {other}"),
        }
    }
    sections
}

fn converter(with_schemas: bool) -> JsonConverter {
    let mut converter = JsonConverter::default();
    let config = [("schemas.enable".to_owned(), with_schemas.to_string())].into();
    converter.configure(&config, ConverterType::Value).unwrap();
    converter
}

fn data(json: &Json) -> (Option<SchemaRef>, Value) {
    let has_schema = json.get("schema").is_some() && json.get("payload").is_some();
    let bytes = json.to_string();
    let read = converter(has_schema)
        .decode("", &Headers::new(), Some(bytes.as_bytes()))
        .unwrap();
    (read.schema, read.value)
}

fn shown(schema: Option<&SchemaRef>, value: &Value) -> Json {
    let mut out = Vec::new();
    // A schema that only says what JSON says as well is of no interest in headers and texts.
    let encoded = converter(schema.is_some())
        .encode("", &mut Headers::new(), schema, value.as_ref(), &mut out)
        .unwrap();
    match encoded {
        Encoded::Null => Json::Null,
        Encoded::Bytes => serde_json::from_slice(&out).unwrap(),
    }
}

fn record(json: &Json) -> Record {
    let topic = json["topic"].as_str().unwrap_or("topic");
    let mut record = Record::source(topic, None, None);
    record.timestamp = json["timestamp"].as_i64();
    (record.key_schema, record.key) = data(&json["key"]);
    (record.value_schema, record.value) = data(&json["value"]);
    for header in json["headers"].as_array().into_iter().flatten() {
        let (schema, value) = data(&header[1]);
        record
            .headers
            .push(Header::new(header[0].as_str().unwrap(), schema, value));
    }
    record
}

/// What is shown of a record: the parts that the other one shows, and those that are not as usual.
fn outcome(record: Option<&Record>, like: &Json) -> Json {
    let Some(record) = record else {
        return Json::Null;
    };
    let headers: Vec<Json> = record
        .headers
        .iter()
        .map(|header| json!([header.key(), shown(None, header.value())]))
        .collect();
    let parts: BTreeMap<&str, Json> = [
        ("topic", json!(record.topic)),
        ("timestamp", json!(record.timestamp)),
        ("key", shown(record.key_schema.as_ref(), &record.key)),
        ("value", shown(record.value_schema.as_ref(), &record.value)),
        ("headers", Json::Array(headers)),
    ]
    .into();
    let usual = |name: &str, part: &Json| match name {
        "topic" => *part == json!("topic"),
        "headers" => *part == json!([]),
        _ => part.is_null(),
    };
    let kept = parts
        .into_iter()
        .filter(|(name, part)| like.get(name).is_some() || !usual(name, part));
    Json::Object(
        kept.map(|(name, part)| (name.to_owned(), part))
            .collect::<Map<_, _>>(),
    )
}

/// Settings that begin with this, without it.
fn below(settings: &ConfigMap, prefix: &str) -> ConfigMap {
    settings
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}

#[test]
fn every_example_does_what_it_says() {
    let mut run = 0;
    for section in sections() {
        if section.records.is_empty() {
            let is_text = section.title == "What to know";
            assert!(is_text, "{} has no example", section.title);
            continue;
        }
        let settings = &section.settings;
        let mut own = below(settings, &format!("transforms.{}.", settings["transforms"]));
        let class = own.remove("type").unwrap();
        let negate = own.remove("negate").is_some_and(|text| text == "true");
        let condition = own.remove("predicate").map(|name| {
            let mut own = below(settings, &format!("predicates.{name}."));
            let class = own.remove("type").unwrap();
            let mut condition = predicate(&class).unwrap();
            condition.configure(&own).unwrap();
            (class, condition)
        });
        let mentioned = [Some(&class), condition.as_ref().map(|(class, _)| class)];
        let is_shown = |class: &&String| {
            let name = class.rsplit('.').next().unwrap();
            name.split('$').next().unwrap() == section.title
        };
        assert!(
            mentioned.iter().flatten().any(is_shown),
            "{} is not what its example shows",
            section.title
        );
        let known = transformation(&class).unwrap().config();
        let unknown = own.keys().find(|key| known.key(key).is_none());
        assert_eq!(unknown, None, "{}", section.title);
        let mut made = transformation(&class).unwrap();
        made.configure(&own).unwrap();
        let mut condition = condition.map(|(_, condition)| condition);
        assert_eq!(section.records.len() % 2, 0, "{}", section.title);
        for pair in section.records.chunks(2) {
            let record = record(&pair[0]);
            let applies = match &mut condition {
                Some(condition) => condition.test(&record).unwrap() != negate,
                None => true,
            };
            let result = match applies {
                true => made.applied(record).unwrap(),
                false => Some(record),
            };
            assert_eq!(outcome(result.as_ref(), &pair[1]), pair[1], "{}", section.title);
            run += 1;
        }
    }
    assert!(
        run >= TRANSFORMATIONS
            .iter()
            .filter(|entry| !entry.class.ends_with("$Key"))
            .count()
    );
}
