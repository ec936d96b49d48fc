//! Avro's binary form, straight between Connect values and bytes.
//!
//! A plan is made once per pair of schemas and then walked per record, so that no tree of Avro values comes between. Reading
//! checks every length against what is left, so hostile bytes cost no more memory than they could describe.

mod anything;
mod cursor;
mod decode;
mod decode_plan;
mod encode;
mod encode_plan;
mod skip;

pub(crate) use cursor::Cursor;
pub(crate) use decode::Decode;
pub(crate) use decode_plan::decoder;
pub(crate) use encode::Encode;
pub(crate) use encode_plan::encoder;

/// Appends a number: zig-zag, seven bits per byte.
#[inline]
pub(crate) fn write_long(number: i64, out: &mut Vec<u8>) {
    // The sign moves to the lowest bit.
    #[allow(clippy::cast_sign_loss)]
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

/// Appends a count or a length.
#[inline]
pub(crate) fn write_count(count: usize, out: &mut Vec<u8>) {
    write_long(i64::try_from(count).unwrap_or(i64::MAX), out);
}

/// Appends bytes after their length.
#[inline]
pub(crate) fn write_block(bytes: &[u8], out: &mut Vec<u8>) {
    write_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}
