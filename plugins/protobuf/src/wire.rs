//! Protobuf's wire format: tags, variable-length integers, blocks. Reading checks every length; nothing panics on any bytes.

use wharf_api::{ConnectError, Result};

/// How a field's value is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Block = 2,
    StartGroup = 3,
    EndGroup = 4,
    Fixed32 = 5,
}

impl WireType {
    fn from_bits(bits: u64) -> Result<Self> {
        Ok(match bits {
            0 => Self::Varint,
            1 => Self::Fixed64,
            2 => Self::Block,
            3 => Self::StartGroup,
            4 => Self::EndGroup,
            5 => Self::Fixed32,
            _ => return Err(malformed("Protocol message tag had invalid wire type.")),
        })
    }
}

/// An error in upstream's words, of the class that its parser throws.
#[cold]
pub(crate) fn malformed(what: &str) -> ConnectError {
    ConnectError::data(what).with_class("com.google.protobuf.InvalidProtocolBufferException")
}

#[cold]
fn truncated() -> ConnectError {
    malformed(
        "While parsing a protocol message, the input ended unexpectedly in the middle of a field.  This could mean either that the \
         input has been truncated or that an embedded message misreported its own length.",
    )
}

/// A position in a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        if let [byte @ 0..=0x7f, rest @ ..] = self.bytes {
            self.bytes = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0;
        for (position, byte) in self.bytes.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[position + 1..];
                return Ok(value);
            }
        }
        Err(if self.bytes.len() < 10 {
            truncated()
        } else {
            malformed("CodedInputStream encountered a malformed varint.")
        })
    }

    /// The next field's number and how its value is delimited.
    #[inline]
    pub(crate) fn tag(&mut self) -> Result<(u32, WireType)> {
        // Upstream reads 32 bits of it.
        let tag = self.varint()? & 0xffff_ffff;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if number == 0 {
            return Err(malformed("Protocol message contained an invalid tag (zero)."));
        }
        Ok((number, WireType::from_bits(tag & 7)?))
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (value, rest) = self.bytes.split_first_chunk::<N>().ok_or_else(truncated)?;
        self.bytes = rest;
        Ok(*value)
    }

    #[inline]
    pub(crate) fn block(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| truncated())?;
        let (block, rest) = self.bytes.split_at_checked(length).ok_or_else(truncated)?;
        self.bytes = rest;
        Ok(block)
    }

    /// Passes over a value of a field that nobody knows.
    pub(crate) fn skip(&mut self, number: u32, wire_type: WireType, depth: usize) -> Result<()> {
        match wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed::<8>().map(drop),
            WireType::Fixed32 => self.fixed::<4>().map(drop),
            WireType::Block => self.block().map(drop),
            WireType::StartGroup => self.group(number, depth).map(drop),
            WireType::EndGroup => Err(malformed(
                "Protocol message end-group tag did not match expected tag.",
            )),
        }
    }

    /// The content of a group whose start was read.
    pub(crate) fn group(&mut self, number: u32, depth: usize) -> Result<&'a [u8]> {
        if depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        let start = self.bytes;
        loop {
            let before = self.bytes.len();
            let (inner, wire_type) = self.tag()?;
            if wire_type == WireType::EndGroup {
                if inner != number {
                    return Err(malformed(
                        "Protocol message end-group tag did not match expected tag.",
                    ));
                }
                return Ok(&start[..start.len() - before]);
            }
            self.skip(inner, wire_type, depth + 1)?;
        }
    }
}

/// How deep messages may nest; the same as upstream's parser.
pub(crate) const MAX_DEPTH: usize = 100;

#[cold]
pub(crate) fn too_deep() -> ConnectError {
    malformed(
        "Protocol message had too many levels of nesting.  May be malicious.  Use setRecursionLimit() to increase the recursion depth \
         limit.",
    )
}

#[inline]
pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        // The low byte, marked as not the last.
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn write_tag(number: u32, wire_type: WireType, out: &mut Vec<u8>) {
    write_varint(u64::from(number) << 3 | wire_type as u64, out);
}

#[inline]
pub(crate) fn write_block(bytes: &[u8], out: &mut Vec<u8>) {
    write_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Puts the length before what was appended since `start`.
pub(crate) fn close_block(start: usize, out: &mut Vec<u8>) {
    let length = out.len() - start - 1;
    if length < 0x80 {
        // One byte was set aside.
        out[start] = length as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(10);
    write_varint(length as u64, &mut prefix);
    out.splice(start..=start, prefix);
}

/// Sets aside the byte that [`close_block`] fills.
#[inline]
pub(crate) fn open_block(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len() - 1
}

#[inline]
pub(crate) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

#[inline]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_survive() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_varint(value, &mut out);
            assert_eq!(Cursor::new(&out).varint().unwrap(), value);
            let signed = value.cast_signed();
            assert_eq!(unzigzag(zigzag(signed)), signed);
        }
        assert!(Cursor::new(&[0x80]).varint().is_err());
        assert!(Cursor::new(&[0xff; 11]).varint().is_err());
    }

    #[test]
    fn lengths_of_any_size_are_put_before_their_block() {
        for length in [0, 1, 127, 128, 20_000] {
            let mut out = vec![9];
            let start = open_block(&mut out);
            out.extend(std::iter::repeat_n(7, length));
            close_block(start, &mut out);
            let mut cursor = Cursor::new(&out[1..]);
            assert_eq!(cursor.block().unwrap().len(), length);
            assert!(cursor.is_empty());
        }
    }

    #[test]
    fn unknown_fields_are_passed_over_and_damaged_ones_refused() {
        for (bytes, ok) in [
            (&[0x08, 0x96, 0x01][..], true),
            (&[0x0a, 0x02, 1, 2], true),
            (&[0x0b, 0x08, 0x01, 0x0c], true),
            (&[0x0b, 0x08, 0x01, 0x14], false),
            (&[0x0b], false),
            (&[0x0a, 0x05, 1], false),
            (&[0x00], false),
            (&[0x0f], false),
        ] {
            let mut cursor = Cursor::new(bytes);
            let result = cursor
                .tag()
                .and_then(|(number, wire_type)| cursor.skip(number, wire_type, 0));
            assert_eq!(result.is_ok() && cursor.is_empty(), ok, "{bytes:?}");
        }
        let deep = vec![0x0b; 100_000];
        let mut cursor = Cursor::new(&deep);
        let (number, wire_type) = cursor.tag().unwrap();
        assert!(cursor.skip(number, wire_type, 0).is_err());
    }
}
