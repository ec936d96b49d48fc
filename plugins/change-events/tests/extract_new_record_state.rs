//! `ExtractNewRecordState`: what becomes of each kind of event by each setting. `tests/oracle` holds the same against Debezium's class.

use std::sync::Arc;

use wharf_api::{
    Header, Headers, Record, Result, Schema, SchemaBuilder, SchemaRef, Struct, Transformation as _, Value,
};
use wharf_change_events::ExtractNewRecordState;

fn fields(fields: &[(&str, SchemaRef)]) -> SchemaBuilder {
    fields
        .iter()
        .fold(SchemaBuilder::structure(), |builder, (name, schema)| {
            builder.field(*name, SchemaRef::clone(schema))
        })
}

fn structure(schema: &SchemaRef, values: Vec<Value>) -> Value {
    let made = Struct::from_values(SchemaRef::clone(schema), values);
    made.validate().unwrap();
    made.into()
}

/// A table `{id, name, city}` whose events tell of the source and of a transaction.
struct Table {
    row: SchemaRef,
    source: SchemaRef,
    transaction: SchemaRef,
    envelope: SchemaRef,
}

impl Table {
    fn new() -> Self {
        let city = SchemaBuilder::string().default_value("nowhere").build().unwrap();
        let row = fields(&[
            ("id", Schema::int32()),
            ("name", Schema::optional_string()),
            ("city", city),
        ]);
        let row = row.name("db.t.Value").optional().build().unwrap();
        let source = fields(&[("lsn", Schema::optional_int64()), ("ts_ms", Schema::int64())])
            .build()
            .unwrap();
        let transaction = fields(&[("id", Schema::string()), ("total_order", Schema::int64())]);
        let transaction = transaction.optional().build().unwrap();
        let envelope = fields(&[
            ("before", SchemaRef::clone(&row)),
            ("after", SchemaRef::clone(&row)),
            ("source", SchemaRef::clone(&source)),
            ("op", Schema::string()),
            ("ts_ms", Schema::optional_int64()),
            ("transaction", SchemaRef::clone(&transaction)),
        ]);
        Self {
            envelope: envelope.name("db.t.Envelope").build().unwrap(),
            row,
            source,
            transaction,
        }
    }

    fn row(&self, id: i32, name: &str) -> Value {
        structure(&self.row, vec![id.into(), name.into(), "here".into()])
    }

    fn event(&self, op: &str, before: Value, after: Value) -> Record {
        let source = structure(&self.source, vec![7_i64.into(), 1000_i64.into()]);
        let transaction = structure(&self.transaction, vec!["tx".into(), 2_i64.into()]);
        let values = vec![before, after, source, op.into(), 2000_i64.into(), transaction];
        Record::sink("db.t", 0, 0)
            .with_key(Some(Schema::int32()), 1)
            .with_value(
                Some(SchemaRef::clone(&self.envelope)),
                structure(&self.envelope, values),
            )
    }

    fn insert(&self) -> Record {
        self.event("c", Value::Null, self.row(1, "new"))
    }

    fn delete(&self) -> Record {
        self.event("d", self.row(1, "old"), Value::Null)
    }
}

fn configured(config: &[(&str, &str)]) -> Result<ExtractNewRecordState> {
    let mut made = ExtractNewRecordState::default();
    let pairs = config
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    made.configure(&pairs.collect())?;
    Ok(made)
}

fn applied(config: &[(&str, &str)], record: Record) -> Result<Option<Record>> {
    configured(config)?.applied(record)
}

/// A record as its value shows it, with what is known of schema and headers; `-` when it was dropped.
fn shown(config: &[(&str, &str)], record: Record) -> String {
    let Some(record) = applied(config, record).unwrap() else {
        return "-".to_owned();
    };
    let value = match &record.value {
        Value::Struct(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        other => format!("{other:?}"),
    };
    let schema = match &record.value_schema {
        Some(schema) => schema.name().unwrap_or("?").to_owned(),
        None => "none".to_owned(),
    };
    let headers: String = record.headers.iter().map(|header| format!(" {header}")).collect();
    format!("{value} {schema}{headers}")
}

#[test]
fn each_mode_has_its_way_with_deletes_and_tombstones() {
    let table = Table::new();
    let plain = "Struct{id=1,name=new,city=here} db.t.Value";
    let marked = "Struct{id=1,name=new,city=here,__deleted=false} db.t.Value";
    let deleted = "Struct{id=1,name=old,city=here,__deleted=true} db.t.Value";
    for (config, insert, delete, tombstone) in [
        (&[][..], plain, "null db.t.Value", "-"),
        (&[("delete.tombstone.handling.mode", "drop")], plain, "-", "-"),
        (
            &[("delete.tombstone.handling.mode", "Tombstone")],
            plain,
            "null db.t.Value",
            "-",
        ),
        (
            &[("delete.tombstone.handling.mode", "rewrite")],
            marked,
            deleted,
            "-",
        ),
        (
            &[("delete.tombstone.handling.mode", "rewrite-with-tombstone")],
            marked,
            deleted,
            "null none",
        ),
        (
            &[("delete.tombstone.handling.mode", "delete-to-tombstone")],
            plain,
            "null none",
            "-",
        ),
        (&[("drop.tombstones", "true")], plain, "-", "-"),
        (&[("drop.tombstones", "false")], plain, "-", "null none"),
        (&[("delete.handling.mode", "drop")], plain, "-", "-"),
        (&[("delete.handling.mode", "none")], plain, "null db.t.Value", "-"),
        (&[("delete.handling.mode", "rewrite")], marked, deleted, "-"),
        (
            &[("delete.handling.mode", "rewrite"), ("drop.tombstones", "false")],
            marked,
            deleted,
            "null none",
        ),
        // The key of today wins.
        (
            &[
                ("delete.tombstone.handling.mode", "drop"),
                ("delete.handling.mode", "rewrite"),
            ],
            plain,
            "-",
            "-",
        ),
    ] {
        assert_eq!(shown(config, table.insert()), insert, "{config:?}");
        assert_eq!(shown(config, table.delete()), delete, "{config:?}");
        assert_eq!(shown(config, Record::sink("db.t", 0, 0)), tombstone, "{config:?}");
    }
}

#[test]
fn events_without_rows_go_no_further() {
    let table = Table::new();
    for mode in [
        "drop",
        "tombstone",
        "rewrite",
        "rewrite-with-tombstone",
        "delete-to-tombstone",
    ] {
        for op in ["t", "d"] {
            let event = table.event(op, Value::Null, Value::Null);
            assert_eq!(
                shown(&[("delete.tombstone.handling.mode", mode)], event),
                "-",
                "{mode}"
            );
        }
    }
}

#[test]
fn what_is_no_envelope_stays_as_it_is() {
    let named = |name: &str| fields(&[("op", Schema::string())]).name(name).build().unwrap();
    let of = |schema: &SchemaRef| {
        Record::sink("t", 0, 0).with_value(
            Some(SchemaRef::clone(schema)),
            structure(schema, vec!["c".into()]),
        )
    };
    let config = [
        ("add.headers", "op"),
        ("add.fields", "op"),
        ("route.by.field", "op"),
    ];
    for record in [
        of(&named("io.debezium.connector.common.Heartbeat")),
        of(&named("io.debezium.connector.postgresql.MessageValue")),
        of(&named("io.debezium.connector.mysql.SchemaChangeValue")),
        of(&named("db.t.EnvelopeX")),
        of(&fields(&[("op", Schema::string())]).build().unwrap()),
        Record::sink("t", 0, 0).with_value(None, Value::Map(vec![("op".into(), "c".into())])),
        Record::sink("t", 0, 0).with_value(Some(Schema::string()), "text"),
    ] {
        assert_eq!(applied(&config, record.clone()).unwrap(), Some(record));
    }
}

#[test]
fn fields_are_added_in_their_order_under_their_names() {
    let table = Table::new();
    let start = "Struct{id=1,name=new,city=here";
    for (config, added) in [
        (&[("add.fields", "op")][..], "__op=c"),
        (&[("add.fields", " ts_ms , op ")], "__ts_ms=2000,__op=c"),
        (
            &[("add.fields", "source.ts_ms,lsn,source.lsn:LSN,none")],
            "__source_ts_ms=1000,__lsn=7,__LSN=7",
        ),
        (
            &[("add.fields", "id,transaction.total_order")],
            "__id=tx,__transaction_total_order=2",
        ),
        (
            &[("add.fields", "op,lsn"), ("add.fields.prefix", "x.")],
            "x.op=c,x.lsn=7",
        ),
        (&[("add.fields", "op:OP"), ("add.fields.prefix", "")], "OP=c"),
        (
            &[
                ("add.fields", "op"),
                ("delete.tombstone.handling.mode", "rewrite"),
            ],
            "__deleted=false,__op=c",
        ),
    ] {
        let expected = format!("{start},{added}}} db.t.Value");
        assert_eq!(shown(config, table.insert()), expected);
    }
    let record = applied(&[("add.fields", "source.ts_ms")], table.insert())
        .unwrap()
        .unwrap();
    let schema = record.value_schema.unwrap();
    assert!(!schema.is_optional());
    let field = schema.field("__source_ts_ms").unwrap().unwrap();
    assert_eq!(*field.schema(), Schema::optional_int64());
}

#[test]
fn headers_are_added_behind_those_that_are_there() {
    let table = Table::new();
    let config = [
        ("add.headers", "op,source.ts_ms,none"),
        ("add.headers.prefix", "h."),
    ];
    let mut headers = Headers::new();
    headers.add_string("mine", "x");
    let record = applied(&config, table.insert().with_headers(headers))
        .unwrap()
        .unwrap();
    let names: Vec<&str> = record.headers.iter().map(Header::key).collect();
    assert_eq!(names, ["mine", "h.op", "h.source_ts_ms"]);
    assert_eq!(
        record.headers.as_slice()[1].schema(),
        Some(&Schema::optional_string())
    );
    assert_eq!(record.headers.as_slice()[2].value(), &Value::Int64(1000));

    let keeps = [
        ("add.headers", "lsn,op"),
        ("delete.tombstone.handling.mode", "rewrite-with-tombstone"),
    ];
    let tombstone = applied(&keeps, Record::sink("db.t", 0, 0)).unwrap().unwrap();
    let headers: Vec<_> = tombstone
        .headers
        .iter()
        .map(|header| (header.key(), header.value()))
        .collect();
    assert_eq!(headers, [("__op", &Value::from("d"))]);
}

#[test]
fn a_field_is_the_topic_unless_it_is_blank() {
    let table = Table::new();
    let topic = |mode: &str, event: Record| {
        let config = [
            ("route.by.field", "name"),
            ("delete.tombstone.handling.mode", mode),
        ];
        applied(&config, event).unwrap().unwrap().topic
    };
    for mode in ["tombstone", "rewrite", "delete-to-tombstone"] {
        assert_eq!(topic(mode, table.insert()), "new");
        assert_eq!(topic(mode, table.delete()), "old");
        assert_eq!(
            topic(mode, table.event("u", Value::Null, table.row(1, " "))),
            "db.t"
        );
    }
    let by = |field: &str| applied(&[("route.by.field", field), ("add.fields", "op")], table.insert());
    assert_eq!(
        by("nothing").unwrap_err().message(),
        "nothing is not a valid field name"
    );
    assert_eq!(
        by("__op").unwrap_err().message(),
        "__op is not a valid field name"
    );
    assert_eq!(
        by("id").unwrap_err().message(),
        "Field 'id' is not of type STRING"
    );
}

/// A record whose header `drop` names what is left out, with a struct as key.
fn dropping(record: Record, names: &[&str]) -> Record {
    let names = names.iter().map(|name| Value::from(*name)).collect();
    let list = SchemaBuilder::array(Schema::string()).build().unwrap();
    let mut headers = Headers::new();
    headers.push(Header::new("drop", Some(list), Value::Array(names)));
    let key = fields(&[("id", Schema::int32()), ("name", Schema::optional_string())])
        .build()
        .unwrap();
    let value = structure(&key, vec![1.into(), "k".into()]);
    record.with_key(Some(key), value).with_headers(headers)
}

#[test]
fn a_header_says_which_fields_are_left_out() {
    let table = Table::new();
    let header = ("drop.fields.header.name", "drop");
    let incompatible = ("drop.fields.keep.schema.compatible", "false");
    let from_key = ("drop.fields.from.key", "true");
    for (config, names, key, value) in [
        (
            &[header][..],
            &["id", "name"][..],
            "Struct{id=1,name=k}",
            "Struct{id=1,city=here}",
        ),
        (
            &[header],
            &[],
            "Struct{id=1,name=k}",
            "Struct{id=1,name=new,city=here}",
        ),
        (
            &[header, from_key],
            &["id", "name"],
            "Struct{id=1}",
            "Struct{id=1,city=here}",
        ),
        (
            &[header, incompatible],
            &["id", "name"],
            "Struct{id=1,name=k}",
            "Struct{city=here}",
        ),
        (
            &[header, incompatible, from_key],
            &["id"],
            "Struct{name=k}",
            "Struct{name=new,city=here}",
        ),
        (
            &[header, ("add.fields", "op")],
            &["__op"],
            "Struct{id=1,name=k}",
            "Struct{id=1,name=new,city=here}",
        ),
    ] {
        let record = applied(config, dropping(table.insert(), names)).unwrap().unwrap();
        assert_eq!(
            record.key.as_struct().unwrap().to_string(),
            key,
            "{config:?} {names:?}"
        );
        let inner = record.value.as_struct().unwrap();
        assert_eq!(inner.to_string(), value, "{config:?} {names:?}");
        assert_eq!(Some(inner.schema()), record.value_schema.as_ref());
    }
    // Of deletes, fields are added after others were left out.
    let config = [
        header,
        ("add.fields", "op"),
        ("delete.tombstone.handling.mode", "rewrite"),
    ];
    let record = applied(&config, dropping(table.delete(), &["__op", "__deleted", "name"]))
        .unwrap()
        .unwrap();
    assert_eq!(
        record.value.as_struct().unwrap().to_string(),
        "Struct{id=1,city=here,__op=d}"
    );
    // Nothing is left out of a null.
    for mode in ["tombstone", "delete-to-tombstone"] {
        let config = [header, ("delete.tombstone.handling.mode", mode)];
        assert!(
            applied(&config, dropping(table.delete(), &["name"]))
                .unwrap()
                .unwrap()
                .value
                .is_null()
        );
    }
    let mut headers = Headers::new();
    headers.add_string("drop", "name");
    let error = applied(&[header], table.insert().with_headers(headers)).unwrap_err();
    assert!(
        error.message().contains("header drop has to hold a list"),
        "{error}"
    );
}

#[test]
fn nulls_become_defaults_where_rows_are_rewritten() {
    let table = Table::new();
    let nameless = Struct::from_values(
        SchemaRef::clone(&table.row),
        vec![1.into(), Value::Null, Value::Null],
    );
    let event = || table.event("c", Value::Null, nameless.clone().into());
    let with = |mode: &str, replace: &str| {
        let config = [
            ("delete.tombstone.handling.mode", mode),
            ("replace.null.with.default", replace),
        ];
        applied(&config, event())
    };
    let city = |record: Result<Option<Record>>| {
        record
            .unwrap()
            .unwrap()
            .value
            .as_struct()
            .unwrap()
            .get("city")
            .cloned()
    };
    assert_eq!(city(with("rewrite", "true")).unwrap(), Value::from("nowhere"));
    // Null in a required field, which a default does not excuse: as upstream.
    for (mode, replace) in [("rewrite", "false"), ("tombstone", "true")] {
        let error = with(mode, replace).unwrap_err();
        assert!(
            error.message().contains("null used for required field: \"city\""),
            "{error}"
        );
    }
}

#[test]
fn equal_schemas_become_one_schema_and_a_changed_one_another() {
    let table = Table::new();
    let mut made = configured(&[("add.fields", "op"), ("drop.fields.header.name", "drop")]).unwrap();
    let mut schema_of = |event: Record| made.applied(event).unwrap().unwrap().value_schema.unwrap();
    let first = schema_of(table.insert());
    assert!(Arc::ptr_eq(&first, &schema_of(table.insert())));
    let smaller = schema_of(dropping(table.insert(), &["name"]));
    assert!(Arc::ptr_eq(
        &smaller,
        &schema_of(dropping(table.insert(), &["name"]))
    ));
    // The same table after a column has come: nothing of the old plan is used.
    let wider = fields(&[("id", Schema::int32()), ("started", Schema::optional_int64())])
        .optional()
        .build()
        .unwrap();
    let envelope = fields(&[
        ("before", SchemaRef::clone(&wider)),
        ("after", SchemaRef::clone(&wider)),
        ("op", Schema::string()),
    ])
    .name("db.t.Envelope")
    .build()
    .unwrap();
    let after = structure(&wider, vec![1.into(), 5_i64.into()]);
    let event = Record::sink("db.t", 0, 0).with_value(
        Some(SchemaRef::clone(&envelope)),
        structure(&envelope, vec![Value::Null, after, "u".into()]),
    );
    let names: Vec<String> = schema_of(event)
        .fields()
        .unwrap()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    assert_eq!(names, ["id", "started", "__op"]);
}

#[test]
fn wrong_settings_are_told_before_a_record_comes() {
    for (key, value, message) in [
        ("delete.tombstone.handling.mode", "keep", "String must be one of"),
        ("delete.tombstone.handling.mode", "", "String must be one of"),
        ("delete.handling.mode", "keep", "String must be one of"),
        (
            "drop.tombstones",
            "maybe",
            "Expected value to be either true or false",
        ),
        ("add.fields", "a:b:c", "Unexpected field name: a:b:c"),
        ("add.headers", "x,.", "Unexpected field name: ."),
    ] {
        let error = configured(&[(key, value)]).err().unwrap();
        assert!(
            error.message().contains(key) && error.message().contains(message),
            "{error}"
        );
        let config = [(key.to_owned(), value.to_owned())].into();
        let validated = ExtractNewRecordState::default().config().validate(&config);
        let found = validated.iter().find(|found| found.name == key).unwrap();
        assert!(found.errors[0].contains(message), "{found:?}");
    }
}

#[test]
fn envelopes_that_lack_what_is_asked_for_fail_by_name() {
    let row = fields(&[("id", Schema::int32())]).optional().build().unwrap();
    let of = |names: &[&str]| {
        let parts: Vec<_> = names.iter().map(|name| (*name, SchemaRef::clone(&row))).collect();
        let schema = fields(&parts).name("db.t.Envelope").build().unwrap();
        let value = structure(&schema, vec![structure(&row, vec![1.into()]); names.len()]);
        Record::sink("t", 0, 0).with_value(Some(schema), value)
    };
    assert_eq!(shown(&[], of(&["after"])), "Struct{id=1} ?");
    assert_eq!(
        applied(&[], of(&["before"])).unwrap_err().message(),
        "Unknown field: after"
    );
    let error = applied(&[("add.fields", "op,lsn")], of(&["after"])).unwrap_err();
    assert!(error.message().contains("no field \"source\""), "{error}");
    let error = applied(
        &[("add.fields", "before.id:x,after.id:x")],
        of(&["before", "after"]),
    )
    .unwrap_err();
    assert!(error.message().contains("__x"), "{error}");
}

#[test]
fn a_row_that_is_not_of_its_schema_fails_its_record() {
    let table = Table::new();
    let other = fields(&[("id", Schema::int32())]).build().unwrap();
    let stranger = Struct::from_values(SchemaRef::clone(&other), vec![1.into()]);
    let mut record = table.insert();
    let Value::Struct(envelope) = &mut record.value else {
        unreachable!("an event is a struct")
    };
    let (schema, mut values) = envelope.as_ref().clone().into_parts();
    values[1] = stranger.into();
    **envelope = Struct::from_values(schema, values);
    assert_eq!(
        applied(&[("add.fields", "op")], record).unwrap_err().message(),
        "Struct schemas do not match."
    );
}
