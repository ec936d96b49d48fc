//! The Variant encoding to JSON.

use wharf_api::calendar::gregorian_date_of;
use wharf_api::{Decimal, Result};
use wharf_converters::json::text::{write_bytes, write_float32, write_float64, write_integer, write_string};

use super::{MAX_DEPTH, basic, kind, malformed};

/// Appends the JSON of a variant.
///
/// # Errors
/// A data error when the bytes are not a variant.
pub(super) fn write_json(metadata: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut budget = value.len().saturating_add(1);
    Variant {
        keys: Keys::parse(metadata)?,
        budget: &mut budget,
    }
    .value(value, 0, out)
}

fn number(bytes: &[u8], at: usize, width: usize) -> Result<usize> {
    let part = at
        .checked_add(width)
        .and_then(|end| bytes.get(at..end))
        .ok_or_else(ends)?;
    let mut wide = [0; 8];
    wide[..width].copy_from_slice(part);
    usize::try_from(u64::from_le_bytes(wide)).map_err(|_| ends())
}

#[cold]
fn ends() -> wharf_api::ConnectError {
    malformed("it ends too early")
}

fn slice(bytes: &[u8], from: usize, to: usize) -> Result<&[u8]> {
    bytes.get(from..to).ok_or_else(ends)
}

fn fixed<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    slice(bytes, at, at + N)?.try_into().map_err(|_| ends())
}

/// The dictionary.
struct Keys<'a> {
    bytes: &'a [u8],
    width: usize,
    count: usize,
}

impl<'a> Keys<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self> {
        let header = *bytes.first().ok_or_else(ends)?;
        if header & 0x0f != 1 {
            return Err(malformed("its version is not 1"));
        }
        let width = usize::from(header >> 6) + 1;
        let count = number(bytes, 1, width)?;
        Ok(Self { bytes, width, count })
    }

    fn get(&self, id: usize) -> Result<&'a str> {
        if id >= self.count {
            return Err(malformed("a key is not in its dictionary"));
        }
        let offset = |position: usize| number(self.bytes, 1 + self.width + position * self.width, self.width);
        let data = 1 + self.width + (self.count + 1).checked_mul(self.width).ok_or_else(ends)?;
        let text = slice(self.bytes, data + offset(id)?, data + offset(id + 1)?)?;
        std::str::from_utf8(text).map_err(|_| malformed("a key is not UTF-8"))
    }
}

struct Variant<'a, 'b> {
    keys: Keys<'a>,
    /// How many values may still be visited. Offsets could point at the same bytes again and again.
    budget: &'b mut usize,
}

impl Variant<'_, '_> {
    fn value(&mut self, bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(malformed("it nests too deeply"));
        }
        *self.budget = self
            .budget
            .checked_sub(1)
            .ok_or_else(|| malformed("its parts overlap"))?;
        let header = *bytes.first().ok_or_else(ends)?;
        match header & 3 {
            basic::PRIMITIVE => primitive(header >> 2, bytes, out),
            basic::SHORT_STRING => string(slice(bytes, 1, 1 + usize::from(header >> 2))?, out),
            basic::OBJECT => self.object(header >> 2, bytes, depth, out),
            _ => self.array(header >> 2, bytes, depth, out),
        }
    }

    fn object(&mut self, header: u8, bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<()> {
        let offset_width = usize::from(header & 3) + 1;
        let id_width = usize::from(header >> 2 & 3) + 1;
        let size_width = if header & 0x10 == 0 { 1 } else { 4 };
        let count = number(bytes, 1, size_width)?;
        let ids = 1 + size_width;
        let offsets = count
            .checked_mul(id_width)
            .map(|length| ids + length)
            .ok_or_else(ends)?;
        let data = (count + 1)
            .checked_mul(offset_width)
            .map(|length| offsets + length)
            .ok_or_else(ends)?;
        out.push(b'{');
        for position in 0..count {
            if position > 0 {
                out.push(b',');
            }
            write_string(
                self.keys
                    .get(number(bytes, ids + position * id_width, id_width)?)?,
                out,
            );
            out.push(b':');
            let offset = number(bytes, offsets + position * offset_width, offset_width)?;
            self.value(slice(bytes, data + offset, bytes.len())?, depth + 1, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn array(&mut self, header: u8, bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<()> {
        let offset_width = usize::from(header & 3) + 1;
        let size_width = if header & 4 == 0 { 1 } else { 4 };
        let count = number(bytes, 1, size_width)?;
        let offsets = 1 + size_width;
        let data = (count + 1)
            .checked_mul(offset_width)
            .map(|length| offsets + length)
            .ok_or_else(ends)?;
        out.push(b'[');
        for position in 0..count {
            if position > 0 {
                out.push(b',');
            }
            let offset = number(bytes, offsets + position * offset_width, offset_width)?;
            self.value(slice(bytes, data + offset, bytes.len())?, depth + 1, out)?;
        }
        out.push(b']');
        Ok(())
    }
}

fn string(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("a text is not UTF-8"))?;
    write_string(text, out);
    Ok(())
}

fn primitive(kind: u8, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    match kind {
        kind::NULL => out.extend_from_slice(b"null"),
        kind::TRUE => out.extend_from_slice(b"true"),
        kind::FALSE => out.extend_from_slice(b"false"),
        kind::INT8 => write_integer(i8::from_le_bytes(fixed(bytes, 1)?), out),
        kind::INT16 => write_integer(i16::from_le_bytes(fixed(bytes, 1)?), out),
        kind::INT32 => write_integer(i32::from_le_bytes(fixed(bytes, 1)?), out),
        kind::INT64 => write_integer(i64::from_le_bytes(fixed(bytes, 1)?), out),
        kind::DOUBLE => write_float64(f64::from_le_bytes(fixed(bytes, 1)?), out),
        kind::FLOAT => write_float32(f32::from_le_bytes(fixed(bytes, 1)?), out),
        kind::DECIMAL4 => decimal(&fixed::<4>(bytes, 2)?, bytes[1], out),
        kind::DECIMAL8 => decimal(&fixed::<8>(bytes, 2)?, bytes[1], out),
        kind::DECIMAL16 => decimal(&fixed::<16>(bytes, 2)?, bytes[1], out),
        kind::BINARY => {
            let length = number(bytes, 1, 4)?;
            write_bytes(slice(bytes, 5, length.saturating_add(5))?, out);
        }
        kind::STRING => {
            let length = number(bytes, 1, 4)?;
            string(slice(bytes, 5, length.saturating_add(5))?, out)?;
        }
        kind::UUID => {
            let hex: String = fixed::<16>(bytes, 1)?
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            write_string(&parts.join("-"), out);
        }
        kind::DATE => {
            let days = i32::from_le_bytes(fixed(bytes, 1)?);
            write_string(&date(i64::from(days)), out);
        }
        kind::TIMESTAMP_MICROS
        | kind::TIMESTAMP_MICROS_NTZ
        | kind::TIMESTAMP_NANOS
        | kind::TIMESTAMP_NANOS_NTZ => {
            let value = i64::from_le_bytes(fixed(bytes, 1)?);
            let is_micros = matches!(kind, kind::TIMESTAMP_MICROS | kind::TIMESTAMP_MICROS_NTZ);
            let nanos = i128::from(value) * if is_micros { 1000 } else { 1 };
            let zone = if matches!(kind, kind::TIMESTAMP_MICROS | kind::TIMESTAMP_NANOS) {
                "Z"
            } else {
                ""
            };
            const NANOS_PER_DAY: i128 = 86_400_000_000_000;
            // Both fit: a day is far more than 2^64 nanoseconds divided by 2^63.
            let days = i64::try_from(nanos.div_euclid(NANOS_PER_DAY)).unwrap_or(0);
            let of_day = i64::try_from(nanos.rem_euclid(NANOS_PER_DAY)).unwrap_or(0);
            write_string(&format!("{}T{}{zone}", date(days), time(of_day)), out);
        }
        kind::TIME_MICROS_NTZ => {
            let micros = i64::from_le_bytes(fixed(bytes, 1)?);
            let nanos = micros
                .checked_mul(1000)
                .ok_or_else(|| malformed("a time is beyond a day"))?;
            write_string(&time(nanos), out);
        }
        other => return Err(malformed(&format!("unknown primitive {other}"))),
    }
    Ok(())
}

fn decimal(unscaled: &[u8], scale: u8, out: &mut Vec<u8>) {
    let mut bytes = unscaled.to_vec();
    bytes.reverse();
    let decimal = Decimal::from_be_bytes(&bytes, i32::from(scale.cast_signed()));
    out.extend_from_slice(decimal.to_string().as_bytes());
}

/// `yyyy-mm-dd` of a day since 1970-01-01, in the proleptic Gregorian calendar.
fn date(days: i64) -> String {
    let (year, month, day) = gregorian_date_of(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `hh:mm:ss` with no, three, six or nine digits behind.
fn time(nanos: i64) -> String {
    let (seconds, fraction) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let fraction = match fraction {
        0 => String::new(),
        _ if fraction % 1_000_000 == 0 => format!(".{:03}", fraction / 1_000_000),
        _ if fraction % 1000 == 0 => format!(".{:06}", fraction / 1000),
        _ => format!(".{fraction:09}"),
    };
    format!(
        "{:02}:{:02}:{:02}{fraction}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
