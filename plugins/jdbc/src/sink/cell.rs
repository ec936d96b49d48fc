//! Values on their way into a table: what a column holds, and rows that wait.

use wharf_api::schema::SchemaType;
use wharf_api::{ConnectError, Decimal, Result, Schema, ValueRef, logical};

/// What the values of a column are, by the schema of their field. Statements are made for kinds, never for single values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Text,
    Bytes,
    /// With its scale.
    Decimal(i32),
    Date,
    Time,
    Timestamp,
    Array(Box<Kind>),
}

impl Kind {
    /// The kind of a field.
    ///
    /// # Errors
    /// When no column can hold such values.
    pub(crate) fn of(schema: &Schema, name: &str) -> Result<Self> {
        if let Some(logical) = schema.name() {
            match logical {
                logical::DECIMAL => return Ok(Self::Decimal(logical::scale(schema)?)),
                logical::DATE => return Ok(Self::Date),
                logical::TIME => return Ok(Self::Time),
                logical::TIMESTAMP => return Ok(Self::Timestamp),
                _ => {}
            }
        }
        Ok(match schema.schema_type() {
            SchemaType::Boolean => Self::Boolean,
            SchemaType::Int8 => Self::Int8,
            SchemaType::Int16 => Self::Int16,
            SchemaType::Int32 => Self::Int32,
            SchemaType::Int64 => Self::Int64,
            SchemaType::Float32 => Self::Float32,
            SchemaType::Float64 => Self::Float64,
            SchemaType::String => Self::Text,
            SchemaType::Bytes => Self::Bytes,
            SchemaType::Array => {
                let element = schema
                    .value_schema()?
                    .ok_or_else(|| no_column(name, "ARRAY without element schema"))?;
                match Self::of(element, name)? {
                    Self::Array(_) => return Err(no_column(name, "ARRAY of arrays")),
                    element => Self::Array(Box::new(element)),
                }
            }
            nested => return Err(no_column(name, nested.name())),
        })
    }
}

fn no_column(name: &str, what: &str) -> ConnectError {
    ConnectError::data(format!(
        "field '{name}' is of type {what}, for which there is no column type; flatten it, for example with the transform \
         org.apache.kafka.connect.transforms.Flatten$Value, or leave it out with fields.whitelist"
    ))
}

/// Bytes in the store of the rows they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// One value. Texts and bytes lie beside it, in [`Rows`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Boolean(bool),
    /// Of any width.
    Integer(i64),
    Float32(f32),
    Float64(f64),
    Decimal(Box<Decimal>),
    Text(Span),
    Bytes(Span),
    /// Days since the epoch.
    Date(i64),
    /// Milliseconds after midnight.
    Time(i64),
    /// An instant: seconds since the epoch, and nanoseconds after it.
    Timestamp(i64, u32),
    Array(Box<[Cell]>),
}

/// Rows that wait, one after the other; how many cells a row has is known to who keeps it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    cells: Vec<Cell>,
    store: Vec<u8>,
    /// Bytes of arrays and decimals, which lie elsewhere.
    elsewhere: usize,
}

/// Where a row begins that may be taken back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    pub(crate) start: usize,
    store: usize,
    elsewhere: usize,
}

impl Rows {
    /// About how many bytes all rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.store.len() + self.elsewhere + self.cells.len() * size_of::<Cell>()
    }

    /// Begins a row of so many cells, all null.
    pub(crate) fn begin(&mut self, cells: usize) -> Beginning {
        let beginning = Beginning {
            start: self.cells.len(),
            store: self.store.len(),
            elsewhere: self.elsewhere,
        };
        self.cells.resize(beginning.start + cells, Cell::Null);
        beginning
    }

    /// Takes back the row that began there.
    pub(crate) fn take_back(&mut self, beginning: Beginning) {
        self.cells.truncate(beginning.start);
        self.store.truncate(beginning.store);
        self.elsewhere = beginning.elsewhere;
    }

    /// Forgets everything; the memory is used again.
    pub(crate) fn clear(&mut self) {
        self.cells.clear();
        self.store.clear();
        self.elsewhere = 0;
    }

    pub(crate) fn cell_at(&self, position: usize) -> &Cell {
        &self.cells[position]
    }

    pub(crate) fn set(&mut self, position: usize, cell: Cell) {
        self.cells[position] = cell;
    }

    pub(crate) fn stored(&self, span: Span) -> &[u8] {
        &self.store[span.start as usize..span.end as usize]
    }

    fn store(&mut self, bytes: &[u8]) -> Result<Span> {
        let place = |at: usize| {
            u32::try_from(at).map_err(|_| {
                ConnectError::data("more than 4 GiB of texts wait to be written; lower batch.size")
            })
        };
        let start = place(self.store.len())?;
        let end = place(self.store.len() + bytes.len())?;
        self.store.extend_from_slice(bytes);
        Ok(Span { start, end })
    }

    /// A text of our own, such as a topic's name.
    pub(crate) fn cell_of_text(&mut self, text: &str) -> Result<Cell> {
        Ok(Cell::Text(self.store(text.as_bytes())?))
    }

    /// A value of a field of this kind.
    ///
    /// # Errors
    /// When the value is not what its schema says.
    pub(crate) fn cell(&mut self, kind: &Kind, value: &ValueRef<'_>, name: &str) -> Result<Cell> {
        Ok(match (kind, value) {
            (_, ValueRef::Null) => Cell::Null,
            (Kind::Boolean, ValueRef::Boolean(value)) => Cell::Boolean(*value),
            (Kind::Int8, ValueRef::Int8(value)) => Cell::Integer((*value).into()),
            (Kind::Int16, ValueRef::Int16(value)) => Cell::Integer((*value).into()),
            (Kind::Int32, ValueRef::Int32(value)) => Cell::Integer((*value).into()),
            (Kind::Int64, ValueRef::Int64(value)) => Cell::Integer(*value),
            (Kind::Float32, ValueRef::Float32(value)) => Cell::Float32(*value),
            (Kind::Float64, ValueRef::Float64(value)) => Cell::Float64(*value),
            (Kind::Text, ValueRef::String(text)) => Cell::Text(self.store(text.as_bytes())?),
            (Kind::Bytes, ValueRef::Bytes(bytes)) => Cell::Bytes(self.store(bytes)?),
            (Kind::Decimal(_), ValueRef::Decimal(decimal)) => {
                self.elsewhere += size_of::<Decimal>() + decimal.be_bytes().len();
                Cell::Decimal(Box::new(decimal.to_decimal()))
            }
            (Kind::Date, ValueRef::Date(millis)) => Cell::Date(millis.div_euclid(logical::MILLIS_PER_DAY)),
            // The end of a day, which PostgreSQL tells from its beginning.
            (Kind::Time, ValueRef::Date(logical::MILLIS_PER_DAY)) => Cell::Time(logical::MILLIS_PER_DAY),
            (Kind::Time, ValueRef::Date(millis)) => Cell::Time(millis.rem_euclid(logical::MILLIS_PER_DAY)),
            (Kind::Timestamp, ValueRef::Date(millis)) => at(*millis, 1000),
            (Kind::Array(kind), ValueRef::Array(items)) => {
                self.elsewhere += items.len() * size_of::<Cell>();
                let mut cells = Vec::with_capacity(items.len());
                for item in items.iter() {
                    cells.push(self.cell(kind, &item, name)?);
                }
                Cell::Array(cells.into())
            }
            (kind, _) => {
                return Err(ConnectError::data(format!(
                    "the value of field '{name}' is not of the type that its schema says ({kind:?})"
                )));
            }
        })
    }
}

/// An instant that is counted in so many units a second.
pub(crate) fn at(count: i64, units_per_second: i64) -> Cell {
    let nanos = count.rem_euclid(units_per_second) * (1_000_000_000 / units_per_second);
    Cell::Timestamp(
        count.div_euclid(units_per_second),
        u32::try_from(nanos).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_api::{SchemaBuilder, Value};

    #[test]
    fn every_kind_of_field_finds_its_cell() {
        let mut rows = Rows::default();
        for (schema, value, kind, cell) in [
            (Schema::int8(), Value::Int8(-3), Kind::Int8, Cell::Integer(-3)),
            (Schema::int64(), Value::Int64(7), Kind::Int64, Cell::Integer(7)),
            (
                Schema::boolean(),
                Value::Boolean(true),
                Kind::Boolean,
                Cell::Boolean(true),
            ),
            (
                Schema::float32(),
                Value::Float32(0.5),
                Kind::Float32,
                Cell::Float32(0.5),
            ),
            (
                logical::date(),
                Value::Date(-86_400_000),
                Kind::Date,
                Cell::Date(-1),
            ),
            (logical::time(), Value::Date(1500), Kind::Time, Cell::Time(1500)),
            (
                logical::time(),
                Value::Date(86_400_000),
                Kind::Time,
                Cell::Time(86_400_000),
            ),
            (
                logical::timestamp(),
                Value::Date(-1),
                Kind::Timestamp,
                Cell::Timestamp(-1, 999_000_000),
            ),
            (
                logical::decimal(2),
                Value::Decimal(Decimal::new(314, 2)),
                Kind::Decimal(2),
                Cell::Decimal(Box::new(Decimal::new(314, 2))),
            ),
            (
                SchemaBuilder::array(Schema::int32()).build().unwrap(),
                Value::Array(vec![Value::Int32(1), Value::Null]),
                Kind::Array(Box::new(Kind::Int32)),
                Cell::Array([Cell::Integer(1), Cell::Null].into()),
            ),
        ] {
            assert_eq!(Kind::of(&schema, "f").unwrap(), kind);
            assert_eq!(rows.cell(&kind, &value.as_ref(), "f").unwrap(), cell);
        }
        let text = rows.cell(&Kind::Text, &ValueRef::String("grüße"), "f").unwrap();
        let Cell::Text(span) = text else {
            panic!("{text:?}")
        };
        assert_eq!(rows.stored(span), "grüße".as_bytes());
    }

    #[test]
    fn what_no_column_can_hold_is_named() {
        let map = SchemaBuilder::map(Schema::string(), Schema::int32())
            .build()
            .unwrap();
        let error = Kind::of(&map, "tags").unwrap_err();
        assert!(
            error.message().starts_with("field 'tags' is of type MAP"),
            "{error}"
        );
        let wrong = Rows::default().cell(&Kind::Int32, &ValueRef::Boolean(true), "n");
        assert!(wrong.unwrap_err().message().contains("field 'n'"));
    }
}
