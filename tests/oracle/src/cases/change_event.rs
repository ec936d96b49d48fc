//! Debezium's transformations: each setting with each kind of event. Cases with the two keys that only Debezium before 3.2 has are
//! answered by that.

use wharf_api::{Header, Headers, Record, Schema, SchemaBuilder, SchemaRef, Value};

use super::{Table, array, built, fields, map, structure};
use crate::case::{Call, RecordPlugin};

const EXTRACT: &str = "io.debezium.transforms.ExtractNewRecordState";
const ROUTE: &str = "io.debezium.transforms.ByLogicalTableRouter";
const WRONG_SETTING: Option<&str> = Some("change-event-config");
const MODES: [&str; 5] = [
    "drop",
    "tombstone",
    "rewrite",
    "rewrite-with-tombstone",
    "delete-to-tombstone",
];

/// Settings of one case.
type Config<'c> = &'c [(&'c str, &'c str)];

fn add(
    table: &mut Table,
    class: &'static str,
    config: Config<'_>,
    record: Record,
    differs: Option<&'static str>,
) {
    let call = Call::Record {
        plugin: RecordPlugin::Transformation(class),
        config: config
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        record: Box::new(record),
    };
    table.add(class.rsplit('.').next().unwrap_or(class), call, differs);
}

fn extract(table: &mut Table, config: Config<'_>, record: Record) {
    add(table, EXTRACT, config, record, None);
}

/// `{id, note}`, where `note` has a default.
fn row() -> SchemaRef {
    let note = built(SchemaBuilder::string().optional().default_value("none"));
    built(
        fields(&[("id", Schema::int32()), ("note", note)])
            .name("V")
            .optional(),
    )
}

fn envelope(row: &SchemaRef, more: &[(&str, SchemaRef)]) -> SchemaRef {
    let mut all = vec![
        ("before", SchemaRef::clone(row)),
        ("after", SchemaRef::clone(row)),
        ("op", Schema::string()),
    ];
    all.extend(more.iter().cloned());
    built(fields(&all).name("db.t.Envelope"))
}

fn record(schema: &SchemaRef, values: Vec<Value>) -> Record {
    Record::sink("topic", 0, 3)
        .with_key(Some(Schema::int32()), 1)
        .with_value(Some(SchemaRef::clone(schema)), structure(schema, values))
}

/// Insert, update, delete, the same of which nothing was logged, truncation.
fn events() -> Vec<Record> {
    let row = row();
    let of = |id: i32, note: Option<&str>| structure(&row, vec![id.into(), note.into()]);
    let schema = envelope(&row, &[]);
    [
        vec![Value::Null, of(1, None), "c".into()],
        vec![of(1, Some("a")), of(1, Some("b")), "u".into()],
        vec![of(1, None), Value::Null, "d".into()],
        vec![Value::Null, Value::Null, "d".into()],
        vec![Value::Null, Value::Null, "t".into()],
    ]
    .map(|values| record(&schema, values))
    .to_vec()
}

/// An event with all that an envelope has beside the rows.
fn full(op: &str) -> Record {
    let row = row();
    let source = built(fields(&[
        ("lsn", Schema::optional_int64()),
        ("ts_ms", Schema::int64()),
        (
            "db",
            built(
                SchemaBuilder::string()
                    .default_value("main")
                    .doc("of it")
                    .version(2),
            ),
        ),
    ]));
    let transaction = built(fields(&[("id", Schema::string()), ("total_order", Schema::int64())]).optional());
    let more = [
        ("source", SchemaRef::clone(&source)),
        ("ts_ms", Schema::optional_int64()),
        ("transaction", SchemaRef::clone(&transaction)),
    ];
    let of = |note: &str| structure(&row, vec![1.into(), note.into()]);
    let is_delete = op == "d";
    let values = vec![
        if op == "c" { Value::Null } else { of("before") },
        if is_delete { Value::Null } else { of("after") },
        op.into(),
        structure(&source, vec![33_i64.into(), 1000_i64.into(), "shop".into()]),
        2000_i64.into(),
        if op == "c" {
            Value::Null
        } else {
            structure(&transaction, vec!["571".into(), 42_i64.into()])
        },
    ];
    record(&envelope(&row, &more), values)
}

/// Nothing that a transformation of events should touch, but for the tombstones.
fn others() -> Vec<Record> {
    let named = |name: &str| built(fields(&[("ts_ms", Schema::int64())]).name(name));
    let other = |schema: &SchemaRef| record(schema, vec![7_i64.into()]);
    let plain = Record::sink("topic", 0, 3).with_key(None, "k");
    vec![
        plain.clone(),
        plain
            .clone()
            .with_value(Some(named("db.t.Envelope")), Value::Null),
        plain
            .clone()
            .with_value(Some(Schema::optional_string()), Value::Null),
        plain
            .clone()
            .with_value(None, Value::Map(vec![("op".into(), "c".into())])),
        plain.clone().with_value(Some(Schema::string()), "text"),
        other(&named("io.debezium.connector.common.Heartbeat")),
        other(&named("io.debezium.connector.mysql.SchemaChangeValue")),
        other(&named("db.t.Envelope2")),
        other(&built(fields(&[("ts_ms", Schema::int64())]))),
        // An envelope by its name only.
        other(&named("db.t.Envelope")),
        other(&named("Envelope")),
    ]
}

pub(super) fn fill(table: &mut Table) {
    deletes(table);
    additions(table);
    routes(table);
    drops(table);
    nulls(table);
    router(table);
}

fn deletes(table: &mut Table) {
    for record in events().into_iter().chain(others()) {
        extract(table, &[], record);
    }
    for mode in MODES {
        let config = [("delete.tombstone.handling.mode", mode), ("add.headers", "op")];
        for record in events().into_iter().chain(others().into_iter().take(2)) {
            extract(table, &config, record);
        }
    }
    for drop_tombstones in ["true", "false"] {
        for handling in ["drop", "rewrite", "none"] {
            let config = [
                ("drop.tombstones", drop_tombstones),
                ("delete.handling.mode", handling),
            ];
            for record in events().into_iter().take(3).chain(others().into_iter().take(1)) {
                extract(table, &config, record);
            }
        }
    }
    let tombstone = || Record::sink("topic", 0, 3);
    for config in [
        &[("drop.tombstones", "false")][..],
        &[("delete.handling.mode", "REWRITE")],
        &[
            ("drop.tombstones", "false"),
            ("delete.tombstone.handling.mode", "rewrite"),
        ],
        &[("delete.tombstone.handling.mode", " Rewrite-With-Tombstone ")],
    ] {
        extract(table, config, tombstone());
        extract(table, config, events().remove(2));
    }
    for wrong in [
        ("delete.tombstone.handling.mode", "nothing"),
        ("delete.tombstone.handling.mode", ""),
        ("delete.handling.mode", "nothing"),
        ("drop.tombstones", "maybe"),
    ] {
        add(table, EXTRACT, &[wrong], tombstone(), WRONG_SETTING);
    }
}

fn additions(table: &mut Table) {
    let lists = [
        "op",
        "op,lsn,ts_ms",
        " op , source.lsn,source.ts_ms,db ",
        "source.db,source.nothing",
        "transaction.id,total_order,id",
        "op:OP,source.lsn:LSN,ts_ms:",
        "op,,lsn,",
        "nothing,before.note,after.note",
        "op,op",
        "source",
        "nobody.x",
        "op.x",
        "op:a:b",
        ":",
        ".",
        "id",
        "source.lsn.x,:name",
    ];
    for (position, list) in lists.iter().enumerate() {
        let differs = WRONG_SETTING.filter(|_| ["op:a:b", ":", "."].contains(list));
        add(table, EXTRACT, &[("add.fields", *list)], full("c"), differs);
        if position % 2 == 0 {
            add(table, EXTRACT, &[("add.headers", *list)], full("u"), differs);
        }
    }
    let rewrite = ("delete.tombstone.handling.mode", "rewrite");
    for config in [
        &[rewrite, ("add.fields", "op,lsn,id")][..],
        &[
            rewrite,
            ("add.fields", "op,source.lsn"),
            ("add.fields.prefix", ""),
        ],
        &[
            rewrite,
            ("add.headers", "op,source.lsn,transaction.id"),
            ("add.headers.prefix", "h."),
        ],
        &[rewrite, ("add.fields", "op:deleted")],
        &[("add.fields", "note"), ("add.fields.prefix", "")],
        &[("add.headers", "op,lsn")],
    ] {
        extract(table, config, full("d"));
    }
    extract(
        table,
        &[
            ("add.headers", "op,lsn"),
            ("delete.tombstone.handling.mode", "rewrite-with-tombstone"),
        ],
        Record::sink("topic", 0, 3),
    );
    // What is in the envelope and not in source, when there is no source in it.
    extract(table, &[("add.fields", "lsn")], events().remove(0));
    containers(table);
}

/// Fields with parts, and rows of which more is known than names and types.
fn containers(table: &mut Table) {
    let row = built(
        fields(&[("id", Schema::int32())])
            .name("V")
            .version(2)
            .doc("a row")
            .parameter("p", "1"),
    );
    let more = [
        ("source", built(fields(&[]))),
        ("tags", array(Schema::string())),
        ("labels", map(Schema::string(), Schema::int32())),
    ];
    let values = vec![
        structure(&row, vec![1.into()]),
        structure(&row, vec![2.into()]),
        "u".into(),
        structure(&more[0].1, vec![]),
        Value::Array(vec!["x".into()]),
        Value::Map(vec![("y".into(), 1.into())]),
    ];
    let event = record(&envelope(&row, &more), values);
    for key in ["add.fields", "add.headers"] {
        extract(table, &[(key, "tags")], event.clone());
        add(
            table,
            EXTRACT,
            &[(key, "labels")],
            event.clone(),
            Some("change-event-map"),
        );
    }
}

fn routes(table: &mut Table) {
    for field in ["note", "id", "nothing", "__op", "__deleted"] {
        for record in ["c", "d"].map(full) {
            let config = [
                ("route.by.field", field),
                ("add.fields", "op"),
                ("delete.tombstone.handling.mode", "rewrite"),
            ];
            extract(table, &config, record);
        }
    }
    for mode in MODES {
        let config = [
            ("route.by.field", "note"),
            ("delete.tombstone.handling.mode", mode),
        ];
        extract(table, &config, full("d"));
        // A null that has a default.
        extract(table, &config, events().remove(0));
        extract(table, &config, events().remove(2));
    }
    let row = row();
    let schema = envelope(&row, &[]);
    for note in ["", " \t", "\u{a0}", "x y"] {
        let after = structure(&row, vec![1.into(), note.into()]);
        let event = record(&schema, vec![Value::Null, after, "c".into()]);
        extract(table, &[("route.by.field", "note")], event);
    }
}

/// The record with a header that says what is left out.
fn dropping(names: &[&str], record: Record) -> Record {
    let names = Value::Array(names.iter().map(|name| Value::from(*name)).collect());
    let mut headers = Headers::new();
    headers.push(Header::new("drop", Some(array(Schema::string())), names));
    record.with_headers(headers)
}

fn drops(table: &mut Table) {
    let header = ("drop.fields.header.name", "drop");
    let incompatible = ("drop.fields.keep.schema.compatible", "false");
    let from_key = ("drop.fields.from.key", "true");
    let rewrite = ("delete.tombstone.handling.mode", "rewrite");
    let key = built(
        fields(&[("id", Schema::int32()), ("note", Schema::optional_string())])
            .name("db.t.Key")
            .optional(),
    );
    let keyed = |record: Record| {
        let value = structure(&key, vec![1.into(), "k".into()]);
        record.with_key(Some(SchemaRef::clone(&key)), value)
    };
    for config in [
        &[header][..],
        &[header, incompatible],
        &[header, from_key],
        &[header, from_key, incompatible],
        &[
            header,
            from_key,
            incompatible,
            rewrite,
            ("add.fields", "op:note,lsn"),
            ("add.fields.prefix", "__"),
        ],
        &[header, rewrite, ("replace.null.with.default", "false")],
    ] {
        for names in [&["id", "note"][..], &["note", "__deleted"], &["nothing"]] {
            let adds = config.len() > 4;
            let deleted = if adds { full("d") } else { events().remove(2) };
            for event in [(!adds).then(|| events().remove(0)), Some(deleted)]
                .into_iter()
                .flatten()
            {
                extract(table, config, dropping(names, keyed(event)));
            }
        }
    }
    extract(table, &[header, incompatible], dropping(&[], events().remove(0)));
    let mut null = Headers::new();
    null.push(Header::new("drop", Some(Schema::optional_string()), Value::Null));
    extract(table, &[header], events().remove(0).with_headers(null));
    let mut text = Headers::new();
    text.push(Header::new("drop", Some(Schema::string()), "note"));
    extract(table, &[header], events().remove(0).with_headers(text));
    extract(table, &[header, from_key], dropping(&["id"], events().remove(0)));
    // A key that is no struct, and one without a schema.
    let plain = events()
        .remove(0)
        .with_key(None, Value::Map(vec![("id".into(), 1.into())]));
    extract(
        table,
        &[header, from_key, incompatible],
        dropping(&["id"], plain.clone()),
    );
    let differs = Some("change-event-null");
    add(
        table,
        EXTRACT,
        &[header, from_key],
        dropping(&["id"], plain),
        differs,
    );
    let bare = [header, ("delete.tombstone.handling.mode", "delete-to-tombstone")];
    add(
        table,
        EXTRACT,
        &bare,
        dropping(&["id"], events().remove(2)),
        differs,
    );
}

/// Nulls of fields that have defaults.
fn nulls(table: &mut Table) {
    let quantity = built(SchemaBuilder::int32().default_value(5));
    let optional = built(SchemaBuilder::int32().optional().default_value(6));
    let row = built(fields(&[("q", quantity), ("o", optional)]).optional());
    let schema = envelope(&row, &[]);
    let of = |values: Vec<Value>| structure(&row, values);
    for values in [
        vec![Value::Null, of(vec![1.into(), Value::Null]), "c".into()],
        vec![Value::Null, of(vec![Value::Null, 2.into()]), "c".into()],
        vec![of(vec![Value::Null, Value::Null]), Value::Null, "d".into()],
    ] {
        for mode in ["tombstone", "rewrite"] {
            for replace in ["true", "false"] {
                let config = [
                    ("delete.tombstone.handling.mode", mode),
                    ("replace.null.with.default", replace),
                ];
                extract(table, &config, record(&schema, values.clone()));
            }
        }
    }
}

fn router(table: &mut Table) {
    let key = built(fields(&[("id", Schema::int32())]).name("topic.Key").version(3));
    let keyed = |record: Record| {
        let value = structure(&key, vec![1.into()]);
        record.with_key(Some(SchemaRef::clone(&key)), value)
    };
    let to = |replacement: &'static str| [("topic.regex", "(.*)pic"), ("topic.replacement", replacement)];
    let [regex, replacement] = to("all.$1-x");
    for config in [
        &[regex, replacement][..],
        &[regex, replacement, ("key.enforce.uniqueness", "false")],
        &[regex, replacement, ("key.field.name", "shard")],
        &[
            regex,
            replacement,
            ("key.field.regex", "t(.*)c"),
            ("key.field.replacement", "$1"),
        ],
        &[
            regex,
            replacement,
            ("key.field.regex", "x(.*)"),
            ("key.field.replacement", "$1"),
        ],
        &[regex, replacement, ("key.field.name", "id")],
        &[regex, replacement, ("schema.name.adjustment.mode", "avro")],
        &[
            regex,
            replacement,
            ("schema.name.adjustment.mode", "AVRO_UNICODE"),
        ],
        &[regex, replacement, ("logical.table.cache.size", "2")],
        &[regex, ("topic.replacement", "$2")],
        &[("topic.regex", "top"), replacement],
    ] {
        add(table, ROUTE, config, keyed(events().remove(1)), None);
    }
    for wrong in [
        &[regex, replacement, ("key.field.regex", "x(.*)")][..],
        &[regex, replacement, ("schema.name.adjustment.mode", "other")],
        &[regex, replacement, ("logical.table.cache.size", "x")],
        &[regex, ("topic.replacement", "")],
        &[regex],
        &[("topic.regex", "("), replacement],
        &[("topic.regex", ""), replacement],
    ] {
        add(table, ROUTE, wrong, Record::sink("topic", 0, 3), WRONG_SETTING);
    }
    let config = [regex, replacement];
    for record in events().into_iter().chain([full("d")]) {
        add(table, ROUTE, &config, keyed(record), None);
    }
    for other in others() {
        add(table, ROUTE, &config, other.clone(), None);
        let mut unkeyed = other.clone();
        (unkeyed.key, unkeyed.key_schema) = (Value::Null, Some(Schema::optional_string()));
        add(table, ROUTE, &config, unkeyed, None);
        add(table, ROUTE, &config, keyed(other), None);
    }
}
