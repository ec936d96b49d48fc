//! The row that is being read.

use wharf_api::{ConnectError, Result, SchemaBuilder, SchemaRef, Struct, Value};

use super::column::{Raw, Reading};
use super::config::SourceConfig;
use super::offset::{At, Position};
use super::scan::Scan;

/// One row: the value of its record, and where it stands. Used again for each row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    value: Struct,
    incrementing: Option<i64>,
    /// Whether the column that counts is not NULL, be it a whole number or not.
    counts: bool,
    timestamp: Option<At>,
}

/// What becomes of each column.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) schema: SchemaRef,
    /// For each column its field and the field's place; nothing for those that are left out.
    readings: Vec<Option<(usize, Reading)>>,
    incrementing_at: Option<usize>,
    timestamp_at: Option<usize>,
}

impl Shape {
    /// For the columns of a statement; `name` is the schema's.
    ///
    /// # Errors
    /// When two columns have one name.
    pub(crate) fn of(name: Option<&str>, scan: &Scan, config: &SourceConfig) -> Result<Self> {
        let columns = &scan.columns;
        let mut builder = SchemaBuilder::structure();
        if let Some(name) = name {
            builder = builder.name(name);
        }
        let mut readings = Vec::with_capacity(columns.len());
        let mut fields = 0;
        for (at, column) in columns.iter().enumerate() {
            if columns[..at].iter().any(|other| other.name == column.name) {
                return Err(ConnectError::config(format!(
                    "two columns are named '{}'; give one of them another name with AS",
                    column.name
                )));
            }
            let is_of_record = scan.timestamp_at != Some(at);
            let reading = is_of_record.then(|| Reading::of(column, config)).flatten();
            if let Some(reading) = &reading {
                builder = builder.field(column.name.as_str(), reading.schema()?);
                fields += 1;
            }
            readings.push(reading.map(|reading| (fields - 1, reading)));
        }
        Ok(Self {
            schema: builder.build()?,
            readings,
            incrementing_at: scan.incrementing_at,
            timestamp_at: scan.timestamp_at,
        })
    }

    /// For a statement whose only column holds numbers such as the column that counts does.
    ///
    /// # Errors
    /// None in fact.
    pub(crate) fn of_number() -> Result<Self> {
        Ok(Self {
            schema: SchemaBuilder::structure().build()?,
            readings: vec![None],
            incrementing_at: Some(0),
            timestamp_at: None,
        })
    }

    /// A row before anything was read.
    pub(crate) fn row(&self) -> Row {
        Row {
            value: Struct::from_values(self.schema.clone(), Vec::new()),
            incrementing: None,
            counts: false,
            timestamp: None,
        }
    }

    /// The field of an array, for its elements.
    pub(crate) fn reading(&self, column: usize) -> Option<&Reading> {
        self.readings[column].as_ref().map(|(_, reading)| reading)
    }
}

impl Row {
    /// The value of a column.
    ///
    /// # Errors
    /// A data error naming the column.
    pub(crate) fn set(&mut self, shape: &Shape, column: usize, raw: Raw<'_>) -> Result<()> {
        if shape.incrementing_at == Some(column) {
            self.counts = !matches!(raw, Raw::Null);
            self.incrementing = match &raw {
                Raw::Integer(number) => Some(*number),
                Raw::Decimal(number) => number.to_i64_exact(),
                _ => None,
            };
        }
        if shape.timestamp_at == Some(column) {
            self.timestamp = match &raw {
                Raw::Timestamp(seconds, nanos) => Some((*seconds, *nanos)),
                _ => None,
            };
            return Ok(());
        }
        let Some((place, reading)) = &shape.readings[column] else {
            return Ok(());
        };
        let schema = shape.schema.clone();
        self.value.reshape(schema, |values| {
            if values.len() <= *place {
                values.resize(place + 1, Value::Null);
            }
            reading.set(&mut values[*place], raw)
        })
    }

    pub(crate) fn value(&self) -> &Struct {
        &self.value
    }

    /// Where it stands.
    ///
    /// # Errors
    /// When it does not say so: nobody could go on after it.
    pub(crate) fn position(&self, shape: &Shape) -> Result<Position> {
        if shape.incrementing_at.is_some() && self.incrementing.is_none() {
            return Err(no_number());
        }
        Ok(Position {
            incrementing: self.incrementing,
            timestamp: self.timestamp,
        })
    }

    /// The number of the column that counts, unless it is NULL.
    ///
    /// # Errors
    /// When something else stands there.
    pub(crate) fn number(&self) -> Result<Option<i64>> {
        match self.incrementing {
            None if self.counts => Err(no_number()),
            number => Ok(number),
        }
    }
}

fn no_number() -> ConnectError {
    ConnectError::data(
        "the incrementing column of a row is NULL or no integer of 64 bits; no row can be read after it",
    )
}
