//! Which columns a record fills, and from where.

use std::sync::Arc;

use wharf_api::schema::SchemaType;
use wharf_api::{ConnectError, Field, RecordRef, Result, Schema, SchemaRef, Value, ValueRef};

use super::cell::{Cell, Kind, Rows, at};
use super::config::{InsertMode, PkMode, SinkConfig};

/// A column that records of one shape fill.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Part of the key by which rows are found.
    pub(crate) key: bool,
    pub(crate) optional: bool,
    /// The schema's default, for new columns.
    pub(crate) default: Option<Value>,
    from: From,
    /// The field's own kind, where the column holds something else (`timestamp.fields.list`).
    read_as: Kind,
}

impl Column {
    /// Whether it holds instants that its field counts or writes (`timestamp.fields.list`).
    pub(crate) fn counts_instants(&self) -> bool {
        self.kind != self.read_as
    }
}

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// The field of the key with this index.
    KeyField(usize),
    Key,
    ValueField(usize),
    Value,
    Topic,
    Partition,
    Offset,
}

/// What is to be done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Write,
    Delete,
}

/// The columns of all records with the same schemas.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) operation: Operation,
    pub(crate) columns: Vec<Column>,
    /// By index of the key's field, the column it fills.
    key_slots: Vec<Option<usize>>,
    value_slots: Vec<Option<usize>>,
    key_schema: Option<SchemaRef>,
    value_schema: Option<SchemaRef>,
    tombstone: bool,
}

impl Shape {
    /// Whether a record's columns are these. Schemas are compared by identity: a converter gives equal ones the same.
    pub(crate) fn fits(&self, record: &RecordRef<'_>) -> bool {
        let same = |ours: &Option<SchemaRef>, theirs: Option<&SchemaRef>| match (ours, theirs) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        };
        same(&self.key_schema, record.key_schema())
            && same(&self.value_schema, record.value_schema())
            && self.tombstone == is_null(&record.value())
    }

    /// The columns that a record fills.
    ///
    /// # Errors
    /// When the record has not the key or the value that the configuration asks for.
    pub(crate) fn of(record: &RecordRef<'_>, config: &SinkConfig) -> Result<Self> {
        let tombstone = is_null(&record.value());
        if tombstone && !config.delete_enabled {
            return Err(ConnectError::data(
                "the value is null, and delete.enabled is false; set delete.enabled=true to delete the row, or drop such \
                 records with the transform Filter and the predicate RecordIsTombstone",
            ));
        }
        let mut shape = Self {
            operation: if tombstone {
                Operation::Delete
            } else {
                Operation::Write
            },
            columns: Vec::new(),
            key_slots: Vec::new(),
            value_slots: Vec::new(),
            key_schema: record.key_schema().cloned(),
            value_schema: record.value_schema().cloned(),
            tombstone,
        };
        shape.add_keys(record, config)?;
        if !tombstone {
            shape.add_values(record, config)?;
        }
        if shape.columns.is_empty() {
            return Err(ConnectError::data(
                "no column is left to write: look at pk.mode, pk.fields and fields.whitelist",
            ));
        }
        shape.order();
        Ok(shape)
    }

    fn add_keys(&mut self, record: &RecordRef<'_>, config: &SinkConfig) -> Result<()> {
        match config.pk_mode {
            PkMode::None => Ok(()),
            PkMode::Kafka => {
                let names: [&str; 3] = match config.pk_fields.as_slice() {
                    [topic, partition, offset] => [topic, partition, offset],
                    _ => ["__connect_topic", "__connect_partition", "__connect_offset"],
                };
                for (name, kind, from) in [
                    (names[0], Kind::Text, From::Topic),
                    (names[1], Kind::Int32, From::Partition),
                    (names[2], Kind::Int64, From::Offset),
                ] {
                    self.columns.push(Column {
                        name: name.to_owned(),
                        read_as: kind.clone(),
                        kind,
                        key: true,
                        optional: false,
                        default: None,
                        from,
                    });
                }
                Ok(())
            }
            PkMode::RecordKey => {
                let Some(schema) = record.key_schema() else {
                    return Err(ConnectError::data(
                        "pk.mode=record_key asks for a key with a schema, and the record's key has none; set key.converter to \
                         one that keeps schemas, or another pk.mode",
                    ));
                };
                if is_null(&record.key()) {
                    return Err(ConnectError::data(
                        "pk.mode=record_key asks for a key, and the record's key is null",
                    ));
                }
                if schema.schema_type() == SchemaType::Struct {
                    return self.add_fields_of_key(
                        schema.fields()?,
                        &config.pk_fields,
                        From::KeyField,
                        "key",
                        config,
                    );
                }
                let [name] = config.pk_fields.as_slice() else {
                    return Err(ConnectError::data(format!(
                        "the record's key is of type {}, for which pk.fields has to name one column, and it names {}",
                        schema.schema_type().name(),
                        config.pk_fields.len()
                    )));
                };
                self.add(name, schema, true, From::Key, config)
            }
            PkMode::RecordValue => {
                let Some(schema) = record
                    .value_schema()
                    .filter(|schema| schema.schema_type() == SchemaType::Struct)
                else {
                    return Err(ConnectError::data(
                        "pk.mode=record_value asks for a value that is a Struct with a schema",
                    ));
                };
                self.add_fields_of_key(
                    schema.fields()?,
                    &config.pk_fields,
                    From::ValueField,
                    "value",
                    config,
                )
            }
        }
    }

    fn add_fields_of_key(
        &mut self,
        fields: &[Field],
        wanted: &[String],
        from: fn(usize) -> From,
        of: &str,
        config: &SinkConfig,
    ) -> Result<()> {
        for name in wanted {
            if !fields.iter().any(|field| field.name() == name) {
                let known: Vec<&str> = fields.iter().map(Field::name).collect();
                return Err(ConnectError::data(format!(
                    "pk.fields names '{name}', which the record's {of} does not have; it has {}",
                    known.join(", ")
                )));
            }
        }
        for field in fields {
            if wanted.is_empty() || wanted.iter().any(|name| name == field.name()) {
                self.add(field.name(), field.schema(), true, from(field.index()), config)?;
            }
        }
        Ok(())
    }

    fn add_values(&mut self, record: &RecordRef<'_>, config: &SinkConfig) -> Result<()> {
        let Some(schema) = record.value_schema() else {
            return Err(ConnectError::data(
                "the record's value has no schema, so its columns are not known; use a value.converter that keeps schemas, \
                 such as JsonConverter with schemas.enable=true, Avro, Protobuf or JSON Schema",
            ));
        };
        match schema.schema_type() {
            SchemaType::Struct => {
                for field in schema.fields()? {
                    let name = field.name();
                    let wanted = config.fields_whitelist.is_empty()
                        || config.fields_whitelist.iter().any(|wanted| wanted == name);
                    if wanted && !self.columns.iter().any(|column| column.name == name) {
                        self.add(
                            name,
                            field.schema(),
                            false,
                            From::ValueField(field.index()),
                            config,
                        )?;
                    }
                }
                Ok(())
            }
            SchemaType::String if schema.name().is_none() => {
                self.add(&config.string_column, schema, false, From::Value, config)
            }
            other => Err(ConnectError::data(format!(
                "the record's value is of type {}, and rows are made of Structs; wrap it, for example with the transform \
                 org.apache.kafka.connect.transforms.HoistField$Value",
                other.name()
            ))),
        }
    }

    fn add(&mut self, name: &str, schema: &Schema, key: bool, from: From, config: &SinkConfig) -> Result<()> {
        let read_as = Kind::of(schema, name)?;
        let instant = matches!(read_as, Kind::Int64 | Kind::Text)
            && config.timestamp_fields.iter().any(|field| field == name);
        self.columns.push(Column {
            name: name.to_owned(),
            kind: if instant { Kind::Timestamp } else { read_as.clone() },
            key,
            optional: !key && schema.is_optional(),
            default: schema.default_value().cloned(),
            from,
            read_as,
        });
        Ok(())
    }

    /// Columns in the order of the value's fields, then the others by name.
    fn order(&mut self) {
        let schema = self.value_schema.clone();
        let fields = schema
            .as_deref()
            .and_then(|schema| schema.fields().ok())
            .unwrap_or_default();
        let place = |column: &Column| fields.iter().position(|field| field.name() == column.name);
        self.columns.sort_by(|a, b| match (place(a), place(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => a.name.cmp(&b.name),
        });
        for (slot, column) in self.columns.iter().enumerate() {
            let (slots, index) = match column.from {
                From::KeyField(index) => (&mut self.key_slots, index),
                From::ValueField(index) => (&mut self.value_slots, index),
                _ => continue,
            };
            if slots.len() <= index {
                slots.resize(index + 1, None);
            }
            slots[index] = Some(slot);
        }
    }

    /// The columns of the key, as indexes.
    pub(crate) fn keys(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|&index| self.columns[index].key)
    }

    /// Adds the record's row; answers where it begins.
    ///
    /// # Errors
    /// When a value is not what its schema says. No row was added then.
    pub(crate) fn read(&self, record: &RecordRef<'_>, rows: &mut Rows, config: &SinkConfig) -> Result<usize> {
        let beginning = rows.begin(self.columns.len());
        let start = beginning.start;
        let read = self
            .fill(record, rows, start, config)
            .and_then(|()| self.check_keys(rows, start, config));
        if read.is_err() {
            rows.take_back(beginning);
        }
        read.map(|()| start)
    }

    /// A row is found by its key, and nothing is found by a null.
    fn check_keys(&self, rows: &Rows, start: usize, config: &SinkConfig) -> Result<()> {
        if self.operation == Operation::Write && config.insert_mode == InsertMode::Insert {
            return Ok(());
        }
        match self.keys().find(|key| *rows.cell_at(start + key) == Cell::Null) {
            None => Ok(()),
            Some(key) => Err(ConnectError::data(format!(
                "column '{}' is part of the key by which rows are found, and its value is null",
                self.columns[key].name
            ))),
        }
    }

    fn fill(&self, record: &RecordRef<'_>, rows: &mut Rows, start: usize, config: &SinkConfig) -> Result<()> {
        self.fill_fields(&self.key_slots, &record.key(), rows, start, config)?;
        self.fill_fields(&self.value_slots, &record.value(), rows, start, config)?;
        for (slot, column) in self.columns.iter().enumerate() {
            let cell = match column.from {
                From::KeyField(_) | From::ValueField(_) => continue,
                From::Key => column.cell(&record.key(), None, rows, config)?,
                From::Value => column.cell(&record.value(), None, rows, config)?,
                From::Topic => rows.cell_of_text(record.topic())?,
                From::Partition => Cell::Integer(record.kafka_partition().unwrap_or(-1).into()),
                From::Offset => Cell::Integer(record.kafka_offset()),
            };
            rows.set(start + slot, cell);
        }
        Ok(())
    }

    fn fill_fields(
        &self,
        slots: &[Option<usize>],
        value: &ValueRef<'_>,
        rows: &mut Rows,
        start: usize,
        config: &SinkConfig,
    ) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let ValueRef::Struct(fields) = value else {
            return Err(ConnectError::data(
                "a Struct was expected, and the record has none",
            ));
        };
        for ((field, value), slot) in fields.fields().zip(slots) {
            let Some(slot) = *slot else { continue };
            let default = field.schema().default_value();
            let cell = self.columns[slot].cell(&value, default, rows, config)?;
            rows.set(start + slot, cell);
        }
        Ok(())
    }
}

impl Column {
    fn cell(
        &self,
        value: &ValueRef<'_>,
        default: Option<&Value>,
        rows: &mut Rows,
        config: &SinkConfig,
    ) -> Result<Cell> {
        let value = match (value, default) {
            (ValueRef::Null, Some(default)) if config.replace_null_with_default => default.as_ref(),
            (value, _) => *value,
        };
        if self.kind == Kind::Timestamp && self.read_as != Kind::Timestamp {
            return self.instant(&value, config);
        }
        rows.cell(&self.kind, &value, &self.name)
    }

    /// A field of `timestamp.fields.list`: a number of units since the epoch, as a number or as digits, or a time in ISO 8601.
    fn instant(&self, value: &ValueRef<'_>, config: &SinkConfig) -> Result<Cell> {
        let unit = config.timestamp_unit;
        match value {
            ValueRef::Null => Ok(Cell::Null),
            ValueRef::Int64(count) => Ok(at(*count, unit.per_second())),
            ValueRef::String(text) => {
                if let Ok(count) = text.parse() {
                    return Ok(at(count, unit.per_second()));
                }
                let zoned: std::result::Result<jiff::Timestamp, _> = text.parse();
                let instant = zoned.or_else(|_| {
                    let civil: jiff::civil::DateTime = text.parse()?;
                    Ok::<_, jiff::Error>(civil.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
                });
                let nanos = instant.map(|instant| instant.as_nanosecond()).map_err(|error| {
                    let said = match config.trim_sensitive_log {
                        true => String::new(),
                        false => format!(": {error}"),
                    };
                    ConnectError::data(format!(
                        "field '{}' stands in timestamp.fields.list, and its text is neither a number nor a time{said}",
                        self.name
                    ))
                })?;
                let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or_default();
                let rest = u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default();
                Ok(Cell::Timestamp(seconds, rest))
            }
            _ => Err(ConnectError::data(format!(
                "field '{}' stands in timestamp.fields.list, and its value is neither a number nor a text",
                self.name
            ))),
        }
    }
}

fn is_null(value: &ValueRef<'_>) -> bool {
    matches!(value, ValueRef::Null)
}
