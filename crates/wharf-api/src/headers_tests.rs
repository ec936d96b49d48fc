//! Tests of headers: order, lookup, and the typed ways to add one.

use super::*;
use crate::schema_builder::SchemaBuilder;

fn keys(headers: &Headers) -> String {
    headers
        .iter()
        .map(|header| format!("{}{}", header.key(), header.value().as_i64().unwrap()))
        .collect()
}

fn sample() -> Headers {
    let mut headers = Headers::new();
    headers
        .add_int("a", 1)
        .add_int("b", 2)
        .add_int("a", 3)
        .add_int("b", 4)
        .add_int("a", 5);
    headers
}

#[test]
fn values_must_suit_their_schema_at_the_outermost_level() {
    let mut headers = Headers::new();
    let strings = SchemaBuilder::array(Schema::string()).build().unwrap();
    headers.add("list", Some(strings), vec![Value::from(1)]).unwrap();
    headers.add("schemaless", None, 1).unwrap();
    headers
        .add("date", Some(logical::date()), Value::Date(0))
        .unwrap();
    // As upstream, the base class of a logical type is as good as the logical one here.
    headers.add("days", Some(logical::date()), 5).unwrap();
    for (schema, value, message) in [
        (
            Schema::string(),
            Value::Null,
            "A null value requires an optional schema but was Schema{STRING}",
        ),
        (
            Schema::int32(),
            Value::from("x"),
            "The value x is not compatible with the schema Schema{INT32}",
        ),
        (
            logical::date(),
            Value::from("x"),
            "The value x is not compatible with the schema Schema{org.apache.kafka.connect.data.Date:INT32}",
        ),
    ] {
        assert_eq!(
            headers.add("k", Some(schema), value).unwrap_err().message(),
            message
        );
    }
    assert_eq!(headers.len(), 4);
}

#[test]
fn nulls_have_the_schema_that_upstream_gives_them() {
    let mut headers = Headers::new();
    headers
        .add_string("s", None)
        .add_bytes("y", None)
        .add_decimal("d", None)
        .add_struct("t", None);
    headers.add_list("l", None, Schema::string()).unwrap();
    headers.add_map("m", None, Schema::string()).unwrap();
    headers.add_date("e", None).unwrap().add_timestamp("p", None);
    let schemas: Vec<String> = headers
        .iter()
        .map(|header| {
            header
                .schema()
                .map_or("none".to_owned(), |s| format!("{s} {}", s.is_optional()))
        })
        .collect();
    assert_eq!(
        schemas,
        [
            "Schema{STRING} true",
            "Schema{BYTES} true",
            "none",
            "none",
            "none",
            "none",
            "Schema{org.apache.kafka.connect.data.Date:INT32} false",
            "Schema{org.apache.kafka.connect.data.Timestamp:INT64} false",
        ]
    );
}

#[test]
fn lists_and_maps_need_schemas_of_their_type() {
    let mut headers = Headers::new();
    let list = headers.add_list("k", Some(vec![]), Schema::string()).unwrap_err();
    assert_eq!(list.message(), "Expecting ARRAY but instead found STRING");
    let map = headers.add_map("k", Some(vec![]), Schema::string()).unwrap_err();
    assert_eq!(map.message(), "Expecting MAP but instead found STRING");
    assert!(headers.add_date("k", Some(1)).is_err());
    assert!(headers.add_time("k", Some(-1)).is_err());
    assert!(headers.is_empty());
}

#[test]
fn lookups_and_removals_go_by_key() {
    let headers = sample();
    assert_eq!(headers.last_with_name("b").unwrap().value(), &Value::from(4));
    assert_eq!(headers.all_with_name("a").count(), 3);
    assert!(headers.last_with_name("c").is_none());
    assert_eq!(keys(sample().remove("a")), "b2b4");
    assert_eq!(keys(sample().retain_latest()), "b4a5");
    assert_eq!(keys(sample().retain_latest_of("a")), "b2b4a5");
    assert_eq!(keys(sample().retain_latest_of("c")), "a1b2a3b4a5");
}

#[test]
fn headers_can_be_changed_and_dropped() {
    let mut headers = sample();
    headers.apply_to("a", |header| {
        (header.value().as_i64() != Some(3)).then(|| header.rename("c"))
    });
    assert_eq!(keys(&headers), "c1b2b4c5");
    headers.apply(|_| None);
    assert!(headers.is_empty());
}

#[test]
fn a_struct_without_schema_reports_its_own() {
    let schema = SchemaBuilder::structure()
        .field("a", Schema::int8())
        .build()
        .unwrap();
    let value = Struct::new(SchemaRef::clone(&schema)).unwrap();
    let header = Header::new("k", None, value.clone());
    assert_eq!(header.schema(), Some(&schema));
    assert_eq!(header, Header::new("k", Some(schema), value));
}

#[test]
fn text_forms_are_upstream_s() {
    assert_eq!(Headers::new().to_string(), "ConnectHeaders(headers=)");
    let mut headers = Headers::new();
    headers.add_string("k", "v").add("n", None, Value::Null).unwrap();
    assert_eq!(
        headers.to_string(),
        "ConnectHeaders(headers=[ConnectHeader(key=k, value=v, schema=Schema{STRING}), \
         ConnectHeader(key=n, value=null, schema=null)])"
    );
}
