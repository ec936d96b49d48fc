//! The layout byte for byte, and that quick ways of writing a record give the bytes of the plain way.

use super::*;
use crate::batch::RecordBatchRef;
use crate::flat::SchemaCache;
use crate::headers::Headers;
use crate::record::TimestampType;
use crate::schema::Schema;
use crate::value::Value;

/// The encoding of an offset, as the record's block holds it.
fn offset_of(entries: &[(&str, ValueRef<'_>)]) -> Vec<u8> {
    let partition = OffsetMap::new();
    let mut batch = RecordBatch::new();
    batch.push(&NewRecord::source("t", &partition, entries)).unwrap();
    let mut cache = SchemaCache::default();
    let read = RecordBatchRef::parse(batch.finish().unwrap(), &mut cache).unwrap();
    let record = read.iter().next().unwrap().unwrap();
    let crate::batch::OriginRef::Source(origin) = record.origin() else {
        panic!("not a source record");
    };
    origin.offset_bytes().unwrap().to_vec()
}

#[test]
fn a_source_record_is_laid_out_as_documented() {
    let partition = OffsetMap::new().with("f", "a");
    let entries = [("position", ValueRef::Int64(0x0102))];
    let mut batch = RecordBatch::new();
    let schema = Schema::string();
    let record = NewRecord::source("t", &partition, &entries)
        .kafka_partition(7)
        .timestamp(9)
        .value(Some(&schema), "hi");
    batch.push(&record).unwrap();
    let expected: &[&[u8]] = &[
        &[84, 0, 0, 0],
        &[0, 0, 0, 0],
        &[7, 0, 0, 0],
        &[9, 0, 0, 0, 0, 0, 0, 0],
        &[255, 255, 255, 255],
        &[0, 0, 0, 0],
        &[0],
        &[0, 0, 0, 0],
        &[31, 0, 0, 0],
        &[14, 26, 0, 0, 0, 1, 0, 0, 0],
        &[9, 8, 0, 0, 0],
        b"position",
        &[6, 2, 1, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0],
        &[7, 0, 0, 0, 9, 2, 0, 0, 0],
        b"hi",
        &[0, 0, 0, 0],
    ];
    assert_eq!(batch.buffer, expected.concat());
}

#[test]
fn offsets_are_map_values_whatever_their_keys_and_values() {
    let long = "a key that is longer than any quick way takes";
    let keys = (0..=20).map(|length| &long[..length]).chain([long, "ключ", "🦀"]);
    for key in keys {
        for value in [
            ValueRef::Int64(i64::MIN),
            ValueRef::Int64(-2),
            ValueRef::Int32(5),
            ValueRef::Null,
            ValueRef::String("x"),
        ] {
            let entries = [
                ("first", ValueRef::Int64(1)),
                (key, value),
                ("last", ValueRef::Int64(2)),
            ];
            let map = OffsetMap::from_iter(entries.iter().map(|(key, value)| (*key, value.to_value())));
            let mut expected = Vec::new();
            put_value(
                &mut expected,
                &map.to_value().as_ref(),
                None,
                &mut SchemaTable::default(),
            )
            .unwrap();
            assert_eq!(offset_of(&entries), expected, "{key} {value:?}");
        }
    }
}

#[test]
fn a_map_that_changes_between_records_is_another_partition() {
    let mut partition = OffsetMap::new().with("file", "a");
    let mut batch = RecordBatch::new();
    for name in ["a", "b", "b", "a"] {
        partition.insert("file", name);
        batch.push(&NewRecord::source("t", &partition, &[])).unwrap();
    }
    batch
        .push(&NewRecord::source("t", &OffsetMap::from([("file", "a")]), &[]))
        .unwrap();
    let mut cache = SchemaCache::default();
    let read = RecordBatchRef::parse(batch.finish().unwrap(), &mut cache).unwrap();
    let files: Vec<Value> = read
        .iter()
        .map(|record| match record.unwrap().to_record(&read).unwrap().origin {
            Origin::Source { partition, .. } => partition.unwrap().get("file").unwrap().clone(),
            Origin::Sink { .. } => panic!("not a source record"),
        })
        .collect();
    assert_eq!(files, ["a", "b", "b", "a", "a"].map(Value::from));
    assert_eq!(read.partition_count(), 2);
}

#[test]
fn a_topic_name_that_changes_in_place_is_another_topic() {
    let partition = OffsetMap::new();
    let mut batch = RecordBatch::new();
    let mut topic = String::with_capacity(16);
    for name in ["orders-1", "orders-2", "orders-2", "x", "orders-1"] {
        topic.clear();
        topic.push_str(name);
        batch.push(&NewRecord::source(&topic, &partition, &[])).unwrap();
    }
    let mut cache = SchemaCache::default();
    let read = RecordBatchRef::parse(batch.finish().unwrap(), &mut cache).unwrap();
    let topics: Vec<&str> = read.iter().map(|record| record.unwrap().topic()).collect();
    assert_eq!(topics, ["orders-1", "orders-2", "orders-2", "x", "orders-1"]);
    assert_eq!(read.topics(), ["orders-1", "orders-2", "x"]);
}

#[test]
fn the_quick_way_writes_the_bytes_of_the_general_way() {
    let (partition, schema) = (OffsetMap::new().with("f", "a"), Schema::string());
    let text = "0123456789".repeat(30);
    for name in ["", "p", "abc", "abcd", "position", "a name of 16 byt"] {
        for length in [0, 1, 5, 100, 255, 256, 300] {
            for value in [
                ValueRef::String(&text[..length]),
                ValueRef::Bytes(&text.as_bytes()[..length]),
            ] {
                let entries = [(name, ValueRef::Int64(-1))];
                let record = NewRecord::source("topic", &partition, &entries)
                    .value(Some(&schema), value)
                    .timestamp(-7);
                assert!(Line::of(&record).is_some());
                let mut quick = RecordBatch::new();
                quick.push(&record).unwrap();
                let mut general = RecordBatch::new();
                general.write_general(&record, [0, NONE, 0]).unwrap();
                assert_eq!(quick.buffer, general.buffer, "{name}, {length} bytes");
            }
        }
    }
}

#[test]
fn records_with_more_than_a_line_go_the_general_way() {
    let partition = OffsetMap::new();
    let mut headers = Headers::new();
    headers.push(Header::new("h", None, 1));
    let one = [("p", ValueRef::Int64(1))];
    let two = [one[0], one[0]];
    let long = [("a name of 17 byte", ValueRef::Int64(1))];
    let text = [("p", ValueRef::String("1"))];
    let line = |entries| NewRecord::source("t", &partition, entries).value(None, "x");
    let mut without_offset = line(&one);
    without_offset.origin = NewOrigin::Source {
        partition: Some(&partition),
        offset: None,
    };
    for record in [
        line(&two),
        line(&long),
        line(&text),
        line(&[]),
        line(&one).key(None, "k"),
        line(&one).headers(&headers),
        line(&one).value(None, 1_i64),
        without_offset,
    ] {
        assert!(Line::of(&record).is_none(), "{record:?}");
    }
    assert!(Line::of(&line(&one)).is_some());
}

/// A consumed record, to be changed by tests.
fn consumed<'a>(schema: &'a crate::schema::SchemaRef, value: ValueRef<'a>) -> NewRecord<'a> {
    NewRecord {
        topic: "topic",
        kafka_partition: Some(3),
        timestamp: Some(-7),
        key: Datum::default(),
        value: Datum::new(Some(schema), value),
        headers: &[],
        origin: NewOrigin::Sink {
            offset: -0x0102_0304_0506_0708,
            timestamp_type: TimestampType::LogAppendTime,
            original: None,
        },
    }
}

#[test]
fn a_consumed_record_is_laid_out_as_documented() {
    let schema = Schema::string();
    let mut record = consumed(&schema, ValueRef::String("hi"));
    record.key.schema = Some(&schema);
    record.origin = NewOrigin::Sink {
        offset: 0x0102,
        timestamp_type: TimestampType::CreateTime,
        original: None,
    };
    let mut batch = RecordBatch::new();
    batch.push(&record).unwrap();
    let expected: &[&[u8]] = &[
        &[58, 0, 0, 0],
        &[0, 0, 0, 0],
        &[3, 0, 0, 0],
        &[249, 255, 255, 255, 255, 255, 255, 255],
        &[0, 0, 0, 0],
        &[0, 0, 0, 0],
        &[1],
        &[2, 1, 0, 0, 0, 0, 0, 0],
        &[TimestampType::CreateTime as u8],
        &[255, 255, 255, 255],
        &[1, 0, 0, 0, 0],
        &[7, 0, 0, 0, 9, 2, 0, 0, 0],
        b"hi",
        &[0, 0, 0, 0],
    ];
    assert_eq!(batch.buffer, expected.concat());
}

#[test]
fn the_quick_way_of_consumed_records_writes_the_bytes_of_the_general_way() {
    let schema = Schema::optional_string();
    let text = "0123456789".repeat(7000);
    for length in [0, 1, 5, 100, 250, 251, 255, 256, 65_535, 70_000] {
        for value in [
            ValueRef::String(&text[..length]),
            ValueRef::Bytes(&text.as_bytes()[..length]),
        ] {
            let record = consumed(&schema, value);
            assert!(Consumed::of(&record).is_some());
            let mut quick = RecordBatch::new();
            quick.push(&record).unwrap();
            let mut general = RecordBatch::new();
            general.write_general(&record, [0, NONE, 0]).unwrap();
            assert_eq!(quick.buffer, general.buffer, "{length} bytes");
        }
    }
}

#[test]
fn consumed_records_with_more_than_a_value_go_the_general_way() {
    let schema = Schema::string();
    let mut headers = Headers::new();
    headers.push(Header::new("h", None, 1));
    let plain = || consumed(&schema, ValueRef::String("x"));
    let mut moved = plain();
    moved.origin = NewOrigin::Sink {
        offset: 1,
        timestamp_type: TimestampType::None,
        original: Some(("before", 0, 1)),
    };
    let partition = OffsetMap::new();
    for record in [
        moved,
        plain().key(None, "k"),
        plain().headers(&headers),
        plain().value(None, 1_i64),
        plain().value(None, ValueRef::Null),
        NewRecord::source("t", &partition, &[]).value(None, "x"),
    ] {
        assert!(Consumed::of(&record).is_none(), "{record:?}");
    }
    assert!(Consumed::of(&plain()).is_some());
}
