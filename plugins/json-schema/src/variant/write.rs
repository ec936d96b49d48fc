//! JSON to the Variant encoding.

use std::collections::HashMap;

use num_bigint::BigInt;
use wharf_api::{ConnectError, Decimal, Result};
use wharf_converters::json::reader::{Kind, Reader};

use super::{MAX_DEPTH, basic, kind};

/// The longest text whose length fits the first byte.
const SHORT_STRING: usize = 63;
/// The most digits of a decimal.
const MAX_PRECISION: usize = 38;

/// Metadata and value of the next JSON value.
///
/// # Errors
/// A data error when the text is not JSON, or a number has more digits than the encoding takes.
pub(super) fn encode(reader: &mut Reader<'_>) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut writer = Writer::default();
    let mut value = Vec::new();
    writer.value(reader, 0, &mut value)?;
    Ok((writer.metadata(), value))
}

#[derive(Default)]
struct Writer {
    ids: HashMap<String, usize>,
    keys: Vec<String>,
}

impl Writer {
    fn metadata(&self) -> Vec<u8> {
        let total: usize = self.keys.iter().map(String::len).sum();
        let width = width(total.max(self.keys.len()));
        // Version 1, keys not sorted.
        let mut out = vec![1 | (width as u8 - 1) << 6];
        put(self.keys.len(), width, &mut out);
        let mut offset = 0;
        put(offset, width, &mut out);
        for key in &self.keys {
            offset += key.len();
            put(offset, width, &mut out);
        }
        self.keys
            .iter()
            .for_each(|key| out.extend_from_slice(key.as_bytes()));
        out
    }

    fn id(&mut self, key: &str) -> usize {
        if let Some(&id) = self.ids.get(key) {
            return id;
        }
        let id = self.keys.len();
        self.ids.insert(key.to_owned(), id);
        self.keys.push(key.to_owned());
        id
    }

    fn value(&mut self, reader: &mut Reader<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "a value without a type nests deeper than {MAX_DEPTH} levels; flatten it, or give it a schema"
            )));
        }
        match reader.peek()? {
            Kind::Null => {
                reader.null()?;
                out.push(kind::NULL << 2);
            }
            Kind::Boolean => out.push(
                if reader.boolean()? {
                    kind::TRUE
                } else {
                    kind::FALSE
                } << 2,
            ),
            Kind::String => string(&reader.string()?, out),
            Kind::Number => {
                let number = reader.number()?;
                match number.integer() {
                    Some(integer) => write_integer(integer, out),
                    None => {
                        let decimal = number.decimal().ok_or_else(|| too_long(number.text()))?;
                        write_decimal(&decimal, number.text(), out)?;
                    }
                }
            }
            Kind::Array => {
                let mut items = reader.begin()?;
                let (mut data, mut offsets) = (Vec::new(), vec![0]);
                while reader.next_element(&mut items)? {
                    self.value(reader, depth + 1, &mut data)?;
                    offsets.push(data.len());
                }
                let count = offsets.len() - 1;
                let (is_large, offset_width) = (count > 0xff, width(data.len()));
                out.push((u8::from(is_large) << 2 | (offset_width as u8 - 1)) << 2 | basic::ARRAY);
                put(count, if is_large { 4 } else { 1 }, out);
                offsets.iter().for_each(|&offset| put(offset, offset_width, out));
                out.extend_from_slice(&data);
            }
            Kind::Object => self.object(reader, depth, out)?,
        }
        Ok(())
    }

    fn object(&mut self, reader: &mut Reader<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        let mut items = reader.begin()?;
        let mut fields: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut places: HashMap<usize, usize> = HashMap::new();
        while let Some(name) = reader.next_member(&mut items)? {
            let id = self.id(&name);
            let mut data = Vec::new();
            self.value(reader, depth + 1, &mut data)?;
            // Of equal names the last counts.
            match places.get(&id) {
                Some(&place) => fields[place].1 = data,
                None => {
                    places.insert(id, fields.len());
                    fields.push((id, data));
                }
            }
        }
        // Java compares UTF-16 units.
        fields.sort_by(|(a, _), (b, _)| self.keys[*a].encode_utf16().cmp(self.keys[*b].encode_utf16()));
        let size = fields.iter().map(|(_, data)| data.len()).sum();
        let max_id = fields.iter().map(|(id, _)| *id).max().unwrap_or(0);
        let (is_large, id_width, offset_width) = (fields.len() > 0xff, width(max_id), width(size));
        let header = u8::from(is_large) << 4 | (id_width as u8 - 1) << 2 | (offset_width as u8 - 1);
        out.push(header << 2 | basic::OBJECT);
        put(fields.len(), if is_large { 4 } else { 1 }, out);
        fields.iter().for_each(|(id, _)| put(*id, id_width, out));
        let mut offset = 0;
        put(offset, offset_width, out);
        for (_, data) in &fields {
            offset += data.len();
            put(offset, offset_width, out);
        }
        fields.iter().for_each(|(_, data)| out.extend_from_slice(data));
        Ok(())
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    if text.len() <= SHORT_STRING {
        out.push((text.len() as u8) << 2 | basic::SHORT_STRING);
    } else {
        out.push(kind::STRING << 2);
        put(text.len(), 4, out);
    }
    out.extend_from_slice(text.as_bytes());
}

/// 32 bits when they do, as upstream's JSON reader decides.
fn write_integer(number: i64, out: &mut Vec<u8>) {
    match i32::try_from(number) {
        Ok(small) => {
            out.push(kind::INT32 << 2);
            out.extend_from_slice(&small.to_le_bytes());
        }
        Err(_) => {
            out.push(kind::INT64 << 2);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

fn write_decimal(decimal: &Decimal, text: &str, out: &mut Vec<u8>) -> Result<()> {
    let unscaled: &BigInt = decimal.unscaled();
    let precision = unscaled.magnitude().to_string().len();
    let scale = i8::try_from(decimal.scale()).map_err(|_| too_long(text))?;
    let (kind, length) = match precision {
        0..=9 => (kind::DECIMAL4, 4),
        10..=18 => (kind::DECIMAL8, 8),
        19..=MAX_PRECISION => (kind::DECIMAL16, 16),
        _ => return Err(too_long(text)),
    };
    let mut bytes = unscaled.to_signed_bytes_le();
    let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
        0xff
    } else {
        0
    };
    bytes.resize(length, fill);
    out.push(kind << 2);
    out.push(scale.cast_unsigned());
    out.extend_from_slice(&bytes);
    Ok(())
}

#[cold]
fn too_long(text: &str) -> ConnectError {
    let shown: String = text.chars().take(80).collect();
    ConnectError::data(format!(
        "the number {shown} has more digits or a larger scale than a Variant takes (38 and 127); give it a schema"
    ))
}

/// The fewest bytes that hold a number.
fn width(number: usize) -> usize {
    match number {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 4,
    }
}

fn put(number: usize, width: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes()[..width]);
}
