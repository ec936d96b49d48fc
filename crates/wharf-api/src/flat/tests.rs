//! Random schemas, values and batches: what is written is read back, and no damage to the bytes makes a reader panic.

use super::*;
use crate::batch::{OriginRef, RecordBatch, RecordBatchRef};
use crate::decimal::Decimal;
use crate::headers::{Header, Headers};
use crate::offset_map::OffsetMap;
use crate::record::{Origin, Record, TimestampType};
use crate::schema::{Schema, SchemaRef, SchemaType};
use crate::schema_builder::SchemaBuilder;
use crate::structs::Struct;
use crate::{Datum, NewOrigin, NewRecord, logical};

/// SplitMix64: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn chance(&mut self) -> bool {
        self.next() & 1 == 0
    }

    fn text(&mut self) -> String {
        let length = self.below(9);
        (0..length)
            .map(|_| ['a', 'Z', '0', ' ', 'ü', '€', '🦀', '"'][self.below(8)])
            .collect()
    }

    fn schema(&mut self, depth: usize) -> SchemaRef {
        let kind = if depth == 0 { self.below(9) } else { self.below(13) };
        let builder = match kind {
            9 => SchemaBuilder::array(self.schema(depth - 1)),
            10 => SchemaBuilder::map(self.schema(0), self.schema(depth - 1)),
            11 => (0..self.below(12)).fold(SchemaBuilder::structure(), |builder, index| {
                let schema = self.schema(depth - 1);
                builder.field(format!("f{index}"), schema)
            }),
            12 => {
                let optional = self.chance();
                return match (self.below(4), optional) {
                    (0, false) => logical::date(),
                    (0, true) => logical::optional_date(),
                    (1, _) => logical::time(),
                    (2, _) => logical::timestamp(),
                    (_, false) => logical::decimal(3),
                    (_, true) => logical::optional_decimal(-3),
                };
            }
            number => SchemaBuilder::new(SchemaType::ALL[number]),
        };
        let mut builder = if self.chance() {
            builder.optional()
        } else {
            builder
        };
        if self.chance() {
            builder = builder
                .name(format!("name {}", self.text()))
                .version(-7)
                .doc(self.text());
        }
        if self.chance() {
            builder = builder.parameter(self.text(), self.text()).parameter("p", "q");
        }
        if self.below(4) == 0 {
            let plain = builder.clone().build().unwrap();
            let default = self.value(&plain);
            builder = builder.default_value(default);
        }
        builder.build().unwrap()
    }

    fn value(&mut self, schema: &SchemaRef) -> Value {
        if schema.is_optional() && self.below(3) == 0 {
            return Value::Null;
        }
        let number = self.next().cast_signed();
        match (schema.schema_type(), schema.name()) {
            (SchemaType::Bytes, Some(logical::DECIMAL)) => {
                Value::Decimal(Decimal::new(number, logical::scale(schema).unwrap()))
            }
            (_, Some(logical::DATE | logical::TIME | logical::TIMESTAMP)) => Value::Date(number),
            (SchemaType::Int8, _) => Value::Int8(number as i8),
            (SchemaType::Int16, _) => Value::Int16(number as i16),
            (SchemaType::Int32, _) => Value::Int32(number as i32),
            (SchemaType::Int64, _) => Value::Int64(number),
            (SchemaType::Float32, _) => Value::Float32(f32::from_bits(number as u32)),
            (SchemaType::Float64, _) => Value::Float64(f64::from_bits(number as u64)),
            (SchemaType::Boolean, _) => Value::Boolean(self.chance()),
            (SchemaType::String, _) => Value::String(self.text()),
            (SchemaType::Bytes, _) => Value::Bytes(self.text().into_bytes()),
            (SchemaType::Array, _) => {
                let element = schema.value_schema.clone().unwrap();
                Value::Array((0..self.below(4)).map(|_| self.value(&element)).collect())
            }
            (SchemaType::Map, _) => {
                let (key, value) = (
                    schema.key_schema.clone().unwrap(),
                    schema.value_schema.clone().unwrap(),
                );
                Value::Map(
                    (0..self.below(4))
                        .map(|_| (self.value(&key), self.value(&value)))
                        .collect(),
                )
            }
            (SchemaType::Struct, _) => {
                // A default belongs to the schema before it had one.
                let values = schema
                    .fields
                    .iter()
                    .map(|field| self.value(field.schema()))
                    .collect();
                Value::from(Struct::from_values(SchemaRef::clone(schema), values))
            }
        }
    }

    fn record(&mut self, schemas: &[SchemaRef]) -> Record {
        let (key, value) = (
            &schemas[self.below(schemas.len())],
            &schemas[self.below(schemas.len())],
        );
        let position = OffsetMap::new().with("position", self.next().cast_signed());
        let file = OffsetMap::new()
            .with("file", ["a", "b"][self.below(2)])
            .with("n", Value::Null);
        let mut record = if self.chance() {
            let partition = self.chance().then_some(file);
            let offset = self.chance().then_some(position);
            Record::source("topic", partition, offset)
        } else {
            let mut record = Record::sink("sunk", 3, 1 << 40);
            if let Origin::Sink {
                original_topic,
                timestamp_type,
                ..
            } = &mut record.origin
            {
                *original_topic = "before".to_owned();
                *timestamp_type = TimestampType::LogAppendTime;
            }
            record
        };
        let (key_value, value_value) = (self.value(key), self.value(value));
        record = record.with_key(Some(SchemaRef::clone(key)), key_value);
        if self.chance() {
            record = record
                .with_value(Some(SchemaRef::clone(value)), value_value)
                .with_timestamp(-5);
        } else {
            record = record.with_value(None, value_value);
        }
        let mut headers = Headers::new();
        for _ in 0..self.below(3) {
            let schema = &schemas[self.below(schemas.len())];
            let header_value = self.value(schema);
            headers.push(Header::new(
                self.text(),
                self.chance().then(|| SchemaRef::clone(schema)),
                header_value,
            ));
        }
        record.with_headers(headers)
    }

    fn batch(&mut self) -> (Vec<Record>, Vec<u8>) {
        let schemas: Vec<SchemaRef> = (0..4).map(|_| self.schema(3)).collect();
        let records: Vec<Record> = (0..self.below(6)).map(|_| self.record(&schemas)).collect();
        let mut batch = RecordBatch::new();
        for record in &records {
            batch.push_record(record).unwrap();
        }
        (records, batch.finish().unwrap().to_vec())
    }
}

/// Reads everything there is to read.
fn read_all(bytes: &[u8]) -> Result<Vec<Record>> {
    let mut cache = SchemaCache::default();
    let batch = RecordBatchRef::parse(bytes, &mut cache)?;
    for index in 0..batch.partition_count() {
        batch.partition(u32::try_from(index).unwrap_or(NONE))?;
    }
    batch
        .iter()
        .map(|record| {
            let record = record?;
            if let OriginRef::Source(origin) = record.origin() {
                origin
                    .offset_bytes()
                    .map(crate::batch::offset_entries)
                    .transpose()?;
            }
            record.to_record(&batch)
        })
        .collect()
}

#[test]
fn schemas_survive_the_border() {
    let mut random = Random(1);
    for _ in 0..500 {
        let schema = random.schema(4);
        let mut bytes = Vec::new();
        put_schema(&mut bytes, &schema).unwrap();
        assert_eq!(get_schema(&bytes).unwrap(), schema);
    }
}

#[test]
fn values_survive_the_border() {
    let mut random = Random(2);
    for _ in 0..500 {
        let schema = random.schema(4);
        let value = random.value(&schema);
        let mut bytes = Vec::new();
        encode_value(&value, &mut bytes).unwrap();
        assert_eq!(decode_value(&bytes).unwrap(), value);
    }
}

#[test]
fn batches_survive_the_border() {
    let mut random = Random(3);
    for _ in 0..300 {
        let (records, bytes) = random.batch();
        let read = read_all(&bytes).unwrap();
        assert_eq!(read.len(), records.len());
        for (read, record) in read.iter().zip(&records) {
            assert_eq!(read, record);
        }
    }
}

#[test]
fn damaged_batches_are_errors_or_other_batches_but_never_panics() {
    let mut random = Random(4);
    let mut refused = 0;
    for _ in 0..150 {
        let (_, bytes) = random.batch();
        for _ in 0..60 {
            let mut damaged = bytes.clone();
            match random.below(4) {
                0 => damaged.truncate(random.below(bytes.len())),
                1 => {
                    let at = random.below(bytes.len());
                    damaged[at] ^= 1 << random.below(8);
                }
                2 => {
                    let at = random.below(bytes.len());
                    damaged[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)];
                }
                _ => {
                    let (from, to) = (random.below(bytes.len()), random.below(bytes.len()));
                    let count = random.below(bytes.len() - from.max(to) + 1);
                    damaged.copy_within(from..from + count, to);
                }
            }
            refused += usize::from(read_all(&damaged).is_err());
        }
    }
    assert!(
        refused > 3000,
        "only {refused} of 9000 damaged batches were refused"
    );
}

#[test]
fn damaged_schemas_and_noise_are_errors_but_never_panics() {
    let mut random = Random(5);
    for _ in 0..400 {
        let mut bytes = Vec::new();
        put_schema(&mut bytes, &random.schema(4)).unwrap();
        for _ in 0..20 {
            let mut damaged = bytes.clone();
            let at = random.below(bytes.len());
            damaged[at] = random.next() as u8;
            let _ = get_schema(&damaged);
            assert!(get_schema(&bytes[..at]).is_err(), "a schema that was cut");
        }
        let noise: Vec<u8> = (0..random.below(200))
            .map(|_| random.next() as u8 & 0x1f)
            .collect();
        let _ = get_schema(&noise);
        let _ = decode_value(&noise);
        let _ = read_all(&noise);
    }
}

#[test]
fn nesting_is_limited_on_both_sides() {
    let nested = |levels: usize| (0..levels).fold(Value::Null, |value, _| Value::Array(vec![value]));
    let mut bytes = Vec::new();
    encode_value(&nested(MAX_DEPTH), &mut bytes).unwrap();
    assert_eq!(decode_value(&bytes).unwrap(), nested(MAX_DEPTH));
    assert!(
        encode_value(&nested(MAX_DEPTH + 1), &mut Vec::new())
            .unwrap_err()
            .message()
            .contains("too deeply")
    );

    // Bytes of foreign code that no writer of ours makes: an array in an array, 100,000 times.
    let mut body: Vec<u8> = vec![tag::NULL];
    let levels = 100_000_usize;
    let mut heads = Vec::new();
    let mut length = body.len();
    for _ in 0..levels {
        let mut head = vec![tag::ARRAY];
        head.extend_from_slice(&u32::try_from(length + 4).unwrap().to_le_bytes());
        head.extend_from_slice(&1_u32.to_le_bytes());
        length += head.len();
        heads.push(head);
    }
    body = heads.into_iter().rev().flatten().chain(body).collect();
    assert!(
        ValueRef::decode(&body, None, &[])
            .unwrap_err()
            .message()
            .contains("too deeply")
    );

    let deep = (0..=MAX_DEPTH).fold(Schema::int8(), |schema, _| {
        SchemaBuilder::array(schema).build().unwrap()
    });
    assert!(put_schema(&mut Vec::new(), &deep).is_err());
}

#[test]
fn counts_beyond_the_bytes_are_refused_before_anything_is_made() {
    for kind in [tag::ARRAY, tag::MAP] {
        let bytes = [kind, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        assert!(ValueRef::decode(&bytes, None, &[]).is_err());
    }
    let schema = SchemaBuilder::structure()
        .field("a", Schema::int8())
        .build()
        .unwrap();
    let too_few = [tag::STRUCT, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    assert!(ValueRef::decode(&too_few, Some(&schema), &[]).is_err());
    assert!(
        ValueRef::decode(&too_few, Some(&Schema::int8()), &[]).is_err(),
        "not a struct"
    );
    assert!(ValueRef::decode(&too_few, None, &[]).is_err(), "no schema");

    let mut batch = RecordBatch::new();
    batch
        .push(&NewRecord::source("t", &OffsetMap::new(), &[]))
        .unwrap();
    let bytes = batch.finish().unwrap().to_vec();
    let count_at = bytes.len() - 8;
    for (count, fine) in [(0, false), (1, true), (2, false), (u8::MAX, false)] {
        let mut changed = bytes.clone();
        changed[count_at] = count;
        assert_eq!(read_all(&changed).is_ok(), fine, "{count} records");
    }
}

#[test]
fn a_batch_goes_on_after_it_was_finished() {
    let partition = OffsetMap::new().with("file", "a");
    let mut batch = RecordBatch::new();
    for text in ["one", "two", "three"] {
        batch
            .push(&NewRecord::source("t", &partition, &[]).value(Some(&Schema::string()), text))
            .unwrap();
        batch.finish().unwrap();
    }
    let read = read_all(batch.finish().unwrap()).unwrap();
    let texts: Vec<&str> = read.iter().filter_map(|record| record.value.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    batch.clear();
    assert!(read_all(batch.finish().unwrap()).unwrap().is_empty());
}

#[test]
fn a_record_that_cannot_be_written_leaves_the_batch_as_it_was() {
    let mut batch = RecordBatch::new();
    let partition = OffsetMap::new();
    let deep = (0..200).fold(Value::Null, |value, _| Value::Array(vec![value]));
    batch
        .push(&NewRecord::source("t", &partition, &[]).value(None, 1_i64))
        .unwrap();
    assert!(
        batch
            .push(&NewRecord::source("t", &partition, &[]).value(None, &deep))
            .is_err()
    );
    assert_eq!(batch.len(), 1);
    assert_eq!(read_all(batch.finish().unwrap()).unwrap().len(), 1);
}

#[test]
fn coordinates_before_a_transform_are_the_record_s_own_unless_given() {
    let mut batch = RecordBatch::new();
    batch
        .push(&NewRecord {
            topic: "t",
            kafka_partition: Some(3),
            timestamp: None,
            key: Datum::default(),
            value: Datum::default(),
            headers: &[],
            origin: NewOrigin::Sink {
                offset: 9,
                timestamp_type: TimestampType::CreateTime,
                original: None,
            },
        })
        .unwrap();
    let read = read_all(batch.finish().unwrap()).unwrap();
    let Origin::Sink {
        original_topic,
        original_partition,
        original_offset,
        ..
    } = &read[0].origin
    else {
        panic!("not a sink record");
    };
    assert_eq!(
        (original_topic.as_str(), *original_partition, *original_offset),
        ("t", 3, 9)
    );
}
