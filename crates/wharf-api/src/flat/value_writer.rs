//! Writing a value part by part, by one who reads it from other bytes: no tree comes between.

use super::write::put_any;
use super::{NONE, SchemaTable, length_u32, put_datum, put_u32, set_length, tag, too_deep};
use crate::converter::SchemaAndValue;
use crate::error::{ConnectError, Result};
use crate::schema::SchemaRef;
use crate::value_ref::ValueRef;

/// The place of a value and its schema; left alone, they are null and none.
#[derive(Debug)]
pub struct DatumWriter<'a> {
    out: &'a mut Vec<u8>,
    table: &'a mut SchemaTable,
    /// The schema's index in the table.
    schema: &'a mut u32,
}

impl<'a> DatumWriter<'a> {
    /// Runs `write`; gives the index of the schema that it chose. After a failure what was written is of no use.
    pub(crate) fn run(
        out: &'a mut Vec<u8>,
        table: &'a mut SchemaTable,
        write: impl FnOnce(DatumWriter<'_>) -> Result<()>,
    ) -> Result<u32> {
        let start = out.len();
        let mut schema = NONE;
        write(DatumWriter {
            out: &mut *out,
            table: &mut *table,
            schema: &mut schema,
        })?;
        if out.len() == start {
            put_datum(out, &ValueRef::Null, None, table)?;
        }
        Ok(schema)
    }

    /// Writes the value that `write` gives, which is of this schema.
    ///
    /// # Errors
    /// What `write` fails with, and a data error when it did not write one value.
    #[inline]
    pub fn write(
        self,
        schema: Option<&SchemaRef>,
        write: impl FnOnce(&mut ValueWriter<'_>) -> Result<()>,
    ) -> Result<()> {
        *self.schema = schema.map_or(NONE, |schema| self.table.index(schema));
        let at = self.out.len();
        put_u32(self.out, 0);
        let mut writer = ValueWriter {
            out: self.out,
            table: self.table,
            depth: 0,
            count: 0,
        };
        write(&mut writer)?;
        expect(writer.count, 1, "a datum")?;
        set_length(self.out, at)
    }
}

impl SchemaAndValue {
    /// What `write` writes, as a tree.
    ///
    /// # Errors
    /// What `write` fails with.
    pub fn read_from(write: impl FnOnce(DatumWriter<'_>) -> Result<()>) -> Result<Self> {
        const LENGTH: usize = 4;
        let (mut out, mut table) = (Vec::new(), SchemaTable::default());
        let index = DatumWriter::run(&mut out, &mut table, write)?;
        let schema = table.schemas().get(index as usize).cloned();
        let value = ValueRef::decode(&out[LENGTH..], schema.as_ref(), table.schemas())?.to_value();
        Ok(Self { schema, value })
    }
}

/// Writes one value, or the values within an array, map or struct.
///
/// After a failure what was written is of no use.
#[derive(Debug)]
pub struct ValueWriter<'a> {
    out: &'a mut Vec<u8>,
    table: &'a mut SchemaTable,
    depth: usize,
    /// Values in the innermost container that is being written.
    count: u32,
}

impl ValueWriter<'_> {
    /// Writes a whole value. `declared` is the schema that its place declares; only structs have use for it.
    ///
    /// # Errors
    /// A data error when it is too large or nests too deep for the encoding.
    #[inline]
    pub fn value(&mut self, value: ValueRef<'_>, declared: Option<&SchemaRef>) -> Result<()> {
        self.count += 1;
        put_any(self.out, &value, declared, self.table, self.depth)
    }

    /// Writes an array of the values that `items` writes.
    ///
    /// # Errors
    /// What `items` fails with; a data error when it is too large or nests too deep.
    pub fn array(&mut self, items: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.container(tag::ARRAY, |writer| {
            let at = writer.out.len();
            put_u32(writer.out, 0);
            items(writer)?;
            writer.set_count(at, writer.count)
        })
    }

    /// Writes a map; `entries` writes keys and values in turn.
    ///
    /// # Errors
    /// What `entries` fails with; a data error when a key has no value, or when it is too large or nests too deep.
    pub fn map(&mut self, entries: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.container(tag::MAP, |writer| {
            let at = writer.out.len();
            put_u32(writer.out, 0);
            entries(writer)?;
            expect(writer.count, writer.count / 2 * 2, "a map")?;
            writer.set_count(at, writer.count / 2)
        })
    }

    /// Writes a struct of `schema`, which is what its place declares; `fields` writes the value of each field in order.
    ///
    /// # Errors
    /// What `fields` fails with; a data error when it does not write as many values as there are fields, or when it is
    /// too large or nests too deep.
    pub fn structure(
        &mut self,
        schema: &SchemaRef,
        fields: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.container(tag::STRUCT, |writer| {
            put_u32(writer.out, NONE);
            fields(writer)?;
            expect(writer.count, length_u32(schema.fields.len())?, "a struct")
        })
    }

    fn container(&mut self, tag: u8, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.depth >= super::MAX_DEPTH {
            return Err(too_deep("value"));
        }
        let before = std::mem::take(&mut self.count);
        self.depth += 1;
        self.out.push(tag);
        let at = self.out.len();
        put_u32(self.out, 0);
        write(self)?;
        set_length(self.out, at)?;
        self.depth -= 1;
        self.count = before + 1;
        Ok(())
    }

    fn set_count(&mut self, at: usize, count: u32) -> Result<()> {
        self.out[at..at + 4].copy_from_slice(&length_u32(count as usize)?.to_le_bytes());
        Ok(())
    }
}

#[inline]
fn expect(count: u32, expected: u32, what: &str) -> Result<()> {
    if count == expected {
        Ok(())
    } else {
        Err(wrong_count(count, expected, what))
    }
}

#[cold]
#[inline(never)]
fn wrong_count(count: u32, expected: u32, what: &str) -> ConnectError {
    ConnectError::data(format!(
        "a converter wrote {count} values for {what} instead of {expected}; this is a defect of the converter"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;
    use crate::schema_builder::SchemaBuilder;
    use crate::structs::Struct;
    use crate::value::Value;

    fn written(
        schema: Option<&SchemaRef>,
        write: impl FnOnce(&mut ValueWriter<'_>) -> Result<()>,
    ) -> Result<SchemaAndValue> {
        SchemaAndValue::read_from(|out| out.write(schema, write))
    }

    #[test]
    fn parts_come_to_the_same_value_as_a_tree() {
        let inner = SchemaBuilder::structure()
            .field("n", Schema::int32())
            .build()
            .unwrap();
        let schema = SchemaBuilder::structure()
            .field("text", Schema::string())
            .field("list", SchemaBuilder::array(inner.clone()).build().unwrap())
            .field(
                "map",
                SchemaBuilder::map(Schema::string(), Schema::int64())
                    .build()
                    .unwrap(),
            )
            .build()
            .unwrap();
        let entry = Value::from(Struct::from_values(inner.clone(), vec![7.into()]));
        let expected = Value::from(Struct::from_values(
            schema.clone(),
            vec![
                "a".into(),
                Value::Array(vec![entry, Value::Null]),
                Value::Map(vec![("k".into(), Value::Int64(-1))]),
            ],
        ));
        let found = written(Some(&schema), |out| {
            out.structure(&schema, |out| {
                out.value("a".into(), None)?;
                out.array(|out| {
                    out.structure(&inner, |out| out.value(7.into(), None))?;
                    out.value(ValueRef::Null, None)
                })?;
                out.map(|out| {
                    out.value("k".into(), None)?;
                    out.value(ValueRef::Int64(-1), None)
                })
            })
        })
        .unwrap();
        assert_eq!(found.value, expected);
        assert_eq!(found.schema, Some(schema.clone()));
        let whole = written(Some(&schema), |out| out.value(expected.as_ref(), Some(&schema))).unwrap();
        assert_eq!(whole, found);
    }

    #[test]
    fn what_is_not_written_is_null() {
        assert_eq!(
            SchemaAndValue::read_from(|_| Ok(())).unwrap(),
            SchemaAndValue::NULL
        );
    }

    #[test]
    fn wrong_numbers_of_values_are_refused() {
        let schema = SchemaBuilder::structure()
            .field("n", Schema::int32())
            .build()
            .unwrap();
        let one = |out: &mut ValueWriter<'_>| out.value(ValueRef::Null, None);
        let message = |result: Result<SchemaAndValue>| result.unwrap_err().message().to_owned();
        let nothing = message(written(None, |_| Ok(())));
        assert!(nothing.contains("0 values for a datum instead of 1"), "{nothing}");
        let two = message(written(None, |out| one(out).and_then(|()| one(out))));
        assert!(two.contains("2 values for a datum"), "{two}");
        let key = message(written(None, |out| out.map(one)));
        assert!(key.contains("1 values for a map instead of 0"), "{key}");
        let empty = message(written(Some(&schema), |out| out.structure(&schema, |_| Ok(()))));
        assert!(empty.contains("0 values for a struct instead of 1"), "{empty}");
    }

    #[test]
    fn nesting_has_a_limit() {
        fn nest(out: &mut ValueWriter<'_>, levels: usize) -> Result<()> {
            match levels {
                0 => out.value(ValueRef::Null, None),
                _ => out.array(|out| nest(out, levels - 1)),
            }
        }
        assert!(written(None, |out| nest(out, super::super::MAX_DEPTH)).is_ok());
        let error = written(None, |out| nest(out, super::super::MAX_DEPTH + 1)).unwrap_err();
        assert!(error.message().contains("nests too deeply"), "{error}");
    }
}
