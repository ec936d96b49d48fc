//! What becomes of the columns that are read: the field of each, and its values.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use num_bigint::BigInt;
use wharf_api::{ConnectError, Decimal, Result, Schema, SchemaBuilder, SchemaRef, Value, logical};

use super::config::{Granularity, NumericMapping, SourceConfig};

/// The type of a column, as far as it matters for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceType {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    /// Digits in all, and after the point; no scale where the column has none.
    Numeric {
        precision: u32,
        scale: Option<i32>,
    },
    Text,
    Bytes,
    /// So many bits, as a text of zeros and ones.
    Bits(u32),
    Date,
    Time,
    Timestamp {
        zoned: bool,
        /// After the second.
        digits: u32,
    },
    Array(Box<SourceType>),
    /// Anything else, as the database writes it as a text.
    Other,
}

impl SourceType {
    /// Whether the JVM's connector knows no field for such columns.
    fn is_complex(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Other)
    }
}

/// A column as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceColumn {
    pub(crate) name: String,
    pub(crate) source_type: SourceType,
    pub(crate) optional: bool,
    /// Whether what the database holds in place of a date is read as a null, also where nulls are not allowed.
    pub(crate) zero_is_null: bool,
    /// Whether it is the primary key or a part of it, which in SQLite may be null and is not.
    pub(crate) is_key: bool,
    /// Whether the database counts its values up by itself.
    pub(crate) counts: bool,
    /// What is done to it in the select list, such as `::text`.
    pub(crate) cast: &'static str,
}

/// A value as it came from the database.
pub(crate) enum Raw<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Float32(f32),
    Float64(f64),
    Decimal(Decimal),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Days since the epoch.
    Date(i64),
    /// Milliseconds after midnight.
    Time(i64),
    /// Seconds since the epoch, and nanoseconds after them.
    Timestamp(i64, u32),
    Array(Vec<Value>),
}

/// What it is, and not what it holds: that may be long, and nobody else's business.
impl fmt::Display for Raw<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => to.write_str("NULL"),
            Self::Boolean(_) => to.write_str("a boolean"),
            Self::Integer(_) => to.write_str("an integer"),
            Self::Float32(_) | Self::Float64(_) => to.write_str("a floating-point number"),
            Self::Decimal(_) => to.write_str("a decimal"),
            Self::Text(text) => write!(to, "a text of {} bytes", text.len()),
            Self::Bytes(bytes) => write!(to, "{} bytes that are no text", bytes.len()),
            Self::Date(_) | Self::Time(_) | Self::Timestamp(..) => to.write_str("a time"),
            Self::Array(_) => to.write_str("an array"),
        }
    }
}

/// How values of a column become values of its field.
#[derive(Debug, Clone)]
enum How {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal(i32),
    Text,
    Bytes,
    Date,
    Time,
    Timestamp(Granularity, TimeZone),
    Bits(u32),
    Array(Box<How>),
}

/// The field of a column.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    name: Arc<str>,
    how: How,
    optional: bool,
}

/// The scale of decimals from columns that have none, as the JVM's connector has it: more digits after the point than numbers of
/// such columns are likely to have.
const UNLIMITED_SCALE: i32 = 127;

impl Reading {
    /// The field of a column; nothing where it is left out.
    pub(crate) fn of(column: &SourceColumn, config: &SourceConfig) -> Option<Self> {
        if column.source_type.is_complex() && !config.complex_types {
            return None;
        }
        Some(Self {
            name: column.name.as_str().into(),
            how: How::of(&column.source_type, config),
            optional: column.optional || column.zero_is_null,
        })
    }

    /// The field's schema.
    pub(crate) fn schema(&self) -> Result<SchemaRef> {
        self.how.schema(self.optional)
    }

    /// Sets the field's value.
    ///
    /// # Errors
    /// A data error naming the column.
    pub(crate) fn set(&self, to: &mut Value, raw: Raw<'_>) -> Result<()> {
        if matches!(raw, Raw::Null) {
            if !self.optional {
                return Err(ConnectError::data(format!(
                    "column '{}' is NULL though it is declared NOT NULL",
                    self.name
                )));
            }
            *to = Value::Null;
            return Ok(());
        }
        // Texts are most of what is read: their memory is used again.
        if let (How::Text, Raw::Text(text), Value::String(old)) = (&self.how, &raw, &mut *to) {
            old.clear();
            old.push_str(text);
            return Ok(());
        }
        *to = self
            .how
            .value(raw)
            .map_err(|reason| ConnectError::data(format!("column '{}': {reason}", self.name)))?;
        Ok(())
    }

    /// A value of an element of an array.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn element(&self, raw: Raw<'_>) -> Result<Value> {
        match (&self.how, raw) {
            (_, Raw::Null) => Ok(Value::Null),
            (How::Array(element), raw) => element
                .value(raw)
                .map_err(|reason| ConnectError::data(format!("column '{}': {reason}", self.name))),
            _ => Err(ConnectError::data(format!(
                "column '{}' is an array against its description",
                self.name
            ))),
        }
    }
}

impl How {
    fn of(source_type: &SourceType, config: &SourceConfig) -> Self {
        match source_type {
            SourceType::Boolean | SourceType::Bits(1) => Self::Boolean,
            SourceType::Int8 => Self::Int8,
            SourceType::Int16 => Self::Int16,
            SourceType::Int32 => Self::Int32,
            SourceType::Int64 => Self::Int64,
            SourceType::Float32 => Self::Float32,
            SourceType::Float64 => Self::Float64,
            SourceType::Numeric { precision, scale } => numeric(*precision, *scale, config),
            SourceType::Text | SourceType::Other => Self::Text,
            SourceType::Bytes => Self::Bytes,
            SourceType::Bits(count) => Self::Bits(*count),
            SourceType::Date => Self::Date,
            SourceType::Time => Self::Time,
            SourceType::Timestamp { .. } => {
                Self::Timestamp(config.granularity, config.connection.zone.clone())
            }
            SourceType::Array(element) => Self::Array(Box::new(Self::of(element, config))),
        }
    }

    fn schema(&self, optional: bool) -> Result<SchemaRef> {
        let (plain, nullable) = match self {
            Self::Boolean => (Schema::boolean(), Schema::optional_boolean()),
            Self::Int8 => (Schema::int8(), Schema::optional_int8()),
            Self::Bits(count) if *count <= 8 => (Schema::int8(), Schema::optional_int8()),
            Self::Int16 => (Schema::int16(), Schema::optional_int16()),
            Self::Int32 => (Schema::int32(), Schema::optional_int32()),
            Self::Int64 => (Schema::int64(), Schema::optional_int64()),
            Self::Float32 => (Schema::float32(), Schema::optional_float32()),
            Self::Float64 => (Schema::float64(), Schema::optional_float64()),
            Self::Decimal(scale) => (logical::decimal(*scale), logical::optional_decimal(*scale)),
            Self::Text => (Schema::string(), Schema::optional_string()),
            Self::Bytes | Self::Bits(_) => (Schema::bytes(), Schema::optional_bytes()),
            Self::Date => (logical::date(), logical::optional_date()),
            Self::Time => (logical::time(), logical::optional_time()),
            Self::Timestamp(granularity, _) => match granularity {
                Granularity::Millis => (logical::timestamp(), logical::optional_timestamp()),
                Granularity::MicrosLong | Granularity::NanosLong => {
                    (Schema::int64(), Schema::optional_int64())
                }
                _ => (Schema::string(), Schema::optional_string()),
            },
            Self::Array(element) => {
                let builder = SchemaBuilder::array(element.schema(true)?);
                return if optional { builder.optional() } else { builder }.build();
            }
        };
        Ok(if optional { nullable } else { plain })
    }

    fn value(&self, raw: Raw<'_>) -> std::result::Result<Value, String> {
        let wrong = |raw: &Raw<'_>| {
            format!("{raw} is no value of this column's type; correct the row, or cast the column in a query")
        };
        Ok(match (self, raw) {
            (Self::Boolean, Raw::Boolean(value)) => Value::Boolean(value),
            (Self::Boolean, Raw::Integer(number)) => Value::Boolean(number != 0),
            (Self::Boolean, Raw::Text("1")) => Value::Boolean(true),
            (Self::Boolean, Raw::Text("0")) => Value::Boolean(false),
            (Self::Int8, raw) => Value::Int8(narrow(&integer(raw)?, "8")?),
            (Self::Int16, raw) => Value::Int16(narrow(&integer(raw)?, "16")?),
            (Self::Int32, raw) => Value::Int32(narrow(&integer(raw)?, "32")?),
            (Self::Int64, raw) => Value::Int64(integer(raw)?),
            (Self::Float32, Raw::Float32(number)) => Value::Float32(number),
            (Self::Float64, Raw::Float64(number)) => Value::Float64(number),
            (Self::Float64, Raw::Float32(number)) => Value::Float64(number.into()),
            (Self::Float64, Raw::Decimal(number)) => Value::Float64(number.to_f64()),
            #[allow(
                clippy::cast_precision_loss,
                reason = "a column of floats that holds an integer beyond their precision"
            )]
            (Self::Float64, Raw::Integer(number)) => Value::Float64(number as f64),
            (Self::Decimal(scale), Raw::Decimal(number)) => Value::Decimal(rescaled(&number, *scale)?),
            (Self::Decimal(scale), Raw::Integer(number)) => {
                Value::Decimal(rescaled(&Decimal::new(number, 0), *scale)?)
            }
            (Self::Decimal(scale), Raw::Text(text)) => Value::Decimal(rescaled(&parsed(text)?, *scale)?),
            (Self::Decimal(_), Raw::Float64(number)) if !number.is_finite() => {
                return Err(format!(
                    "{number} has no place in a Decimal; exclude the row by a query, or read the column as a double with \
                     numeric.mapping=best_fit"
                ));
            }
            (Self::Decimal(scale), Raw::Float64(number)) => {
                Value::Decimal(rescaled(&parsed(&format!("{number}"))?, *scale)?)
            }
            (Self::Text, Raw::Text(text)) => Value::String(text.to_owned()),
            (Self::Text, Raw::Integer(number)) => Value::String(number.to_string()),
            (Self::Text, Raw::Float64(number)) => Value::String(number.to_string()),
            (Self::Text, Raw::Decimal(number)) => Value::String(number.to_string()),
            (Self::Bytes, Raw::Bytes(bytes)) => Value::Bytes(bytes.to_vec()),
            (Self::Bytes, Raw::Text(text)) => Value::Bytes(text.as_bytes().to_vec()),
            (Self::Bits(count), Raw::Text(text)) => bits(*count, text),
            (Self::Date, Raw::Date(days)) => Value::Date(days * logical::MILLIS_PER_DAY),
            (Self::Time, Raw::Time(millis)) => Value::Date(millis),
            (Self::Timestamp(granularity, zone), Raw::Timestamp(seconds, nanos)) => {
                timestamp(*granularity, zone, seconds, nanos)?
            }
            (Self::Array(_), Raw::Array(items)) => Value::Array(items),
            (_, raw) => return Err(wrong(&raw)),
        })
    }
}

fn numeric(precision: u32, scale: Option<i32>, config: &SourceConfig) -> How {
    // Upstream's own bound of scales.
    const LEAST_SCALE: i32 = -84;
    const OF_INT64: u32 = 18;
    let Some(scale) = scale else {
        return match config.numeric_mapping {
            NumericMapping::BestFit | NumericMapping::BestFitEagerDouble => How::Float64,
            NumericMapping::None | NumericMapping::PrecisionOnly if config.unlimited_as_text => How::Text,
            NumericMapping::None | NumericMapping::PrecisionOnly => How::Decimal(UNLIMITED_SCALE),
        };
    };
    let digits = precision + scale.min(0).unsigned_abs();
    let whole = (LEAST_SCALE..=0).contains(&scale) && digits <= OF_INT64;
    match config.numeric_mapping {
        NumericMapping::None => How::Decimal(scale),
        _ if whole => match digits {
            10.. => How::Int64,
            5..=9 => How::Int32,
            3..=4 => How::Int16,
            _ => How::Int8,
        },
        NumericMapping::BestFit if scale > 0 && precision <= OF_INT64 => How::Float64,
        NumericMapping::BestFitEagerDouble if scale > 0 => How::Float64,
        _ => How::Decimal(scale),
    }
}

fn integer(raw: Raw<'_>) -> std::result::Result<i64, String> {
    match raw {
        Raw::Integer(number) => Ok(number),
        Raw::Boolean(value) => Ok(value.into()),
        Raw::Decimal(number) => number
            .to_i64_exact()
            .ok_or_else(|| format!("{number} is no integer of 64 bits")),
        Raw::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| format!("a text of {} bytes is no integer of 64 bits", text.len())),
        other => Err(format!(
            "{other} is no integer; correct the row, or cast the column in a query"
        )),
    }
}

fn narrow<T: TryFrom<i64>>(number: &i64, bits: &str) -> std::result::Result<T, String> {
    T::try_from(*number).map_err(|_| format!("{number} does not fit in {bits} bits"))
}

fn parsed(text: &str) -> std::result::Result<Decimal, String> {
    let wrong = || format!("a text of {} bytes is no number", text.len());
    let (digits, exponent) = match text.trim().split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().map_err(|_| wrong())?),
        None => (text.trim(), 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let unscaled: BigInt = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    let scale = i32::try_from(fraction.len()).map_err(|_| wrong())? - exponent;
    Ok(Decimal::new(unscaled, scale))
}

/// The same number with so many digits after the point.
fn rescaled(number: &Decimal, scale: i32) -> std::result::Result<Decimal, String> {
    let ten = BigInt::from(10);
    let difference = scale - number.scale();
    if difference >= 0 {
        let factor = ten.pow(difference.unsigned_abs());
        return Ok(Decimal::new(number.unscaled() * factor, scale));
    }
    let factor = ten.pow(difference.unsigned_abs());
    let quotient = number.unscaled() / &factor;
    if &quotient * &factor == *number.unscaled() {
        Ok(Decimal::new(quotient, scale))
    } else {
        Err(format!("{number} has more than {scale} digits after the point"))
    }
}

/// From a text of zeros and ones: a number where eight bits are enough, else bytes, the first bit the highest of the first byte.
fn bits(count: u32, text: &str) -> Value {
    if count <= 8 {
        let number = text.bytes().fold(0u8, |number, bit| number << 1 | (bit & 1));
        return Value::Int8(number.cast_signed());
    }
    let bytes = text.as_bytes().chunks(8).map(|chunk| {
        let number = chunk.iter().fold(0u8, |number, bit| number << 1 | (bit & 1));
        number << (8 - chunk.len())
    });
    Value::Bytes(bytes.collect())
}

fn timestamp(
    granularity: Granularity,
    zone: &TimeZone,
    seconds: i64,
    nanos: u32,
) -> std::result::Result<Value, String> {
    let count = |per_second: i64| {
        seconds
            .checked_mul(per_second)
            .and_then(|whole| whole.checked_add(i64::from(nanos) / (1_000_000_000 / per_second)))
            .ok_or_else(|| "the time is beyond what 64 bits can count; use connect_logical".to_owned())
    };
    let text = |digits: usize| {
        let at = Timestamp::new(seconds, nanos.cast_signed())
            .map_err(|_| "the time is beyond the year 9999; use connect_logical".to_owned())?;
        let local = at.to_zoned(zone.clone()).datetime();
        let fraction = format!("{nanos:09}");
        Ok::<_, String>(Value::String(format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second(),
            &fraction[..digits]
        )))
    };
    Ok(match granularity {
        Granularity::Millis => Value::Date(count(1_000)?),
        Granularity::MicrosLong => Value::Int64(count(1_000_000)?),
        Granularity::NanosLong => Value::Int64(count(1_000_000_000)?),
        Granularity::MicrosString => Value::String(count(1_000_000)?.to_string()),
        Granularity::NanosString => Value::String(count(1_000_000_000)?.to_string()),
        Granularity::MicrosIso => text(6)?,
        Granularity::NanosIso => text(9)?,
    })
}
