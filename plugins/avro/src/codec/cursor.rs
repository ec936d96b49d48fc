//! Reading bytes one after the other, with bounds.

use wharf_api::{ConnectError, Result};
use wharf_converters::value_budget::ValueBudget;

/// Elements that take no bytes (nulls, empty records) are counted over a whole message, since their number is not bounded by
/// its length.
const MAX_EMPTY_ELEMENTS: usize = 1 << 16;

/// Bytes that are left to read.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    empty_elements: usize,
    budget: &'a ValueBudget,
}

/// A message that is not what its schema says.
#[cold]
pub(super) fn malformed(reason: impl Into<String>) -> ConnectError {
    ConnectError::data(reason).with_class("org.apache.avro.AvroRuntimeException")
}

#[cold]
fn ends_early() -> ConnectError {
    ConnectError::data("the message ends within a value").with_class("java.io.EOFException")
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], budget: &'a ValueBudget) -> Self {
        Self {
            rest: bytes,
            empty_elements: 0,
            budget,
        }
    }

    /// Counts values that the schema adds to what the message holds.
    #[inline]
    pub(super) fn take_values(&self, count: usize) -> Result<()> {
        self.budget.take(count)
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.rest.split_first().ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(*byte)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(*bytes)
    }

    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn long(&mut self) -> Result<i64> {
        // Most numbers, lengths and union branches are one byte.
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(i64::from(byte >> 1) ^ -i64::from(byte & 1));
        }
        self.long_of_many_bytes()
    }

    fn long_of_many_bytes(&mut self) -> Result<i64> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift.min(63);
            if byte < 0x80 {
                // The sign is in the lowest bit.
                #[allow(clippy::cast_possible_wrap)]
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(malformed("Invalid long encoding"))
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<i32> {
        i32::try_from(self.long()?).map_err(|_| malformed("Invalid int encoding"))
    }

    /// Bytes after their length.
    #[inline]
    pub(super) fn block(&mut self) -> Result<&'a [u8]> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) => Err(malformed(format!("Malformed data. Length is negative: {length}"))),
        }
    }

    #[inline]
    pub(super) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.block()?).map_err(|_| malformed("a string is not UTF-8"))
    }

    /// The number of elements in the next block of an array or map, 0 at its end, when each takes at least so many bytes.
    pub(super) fn block_count(&mut self, least: usize) -> Result<usize> {
        let mut count = self.long()?;
        if count < 0 {
            // The block's length in bytes follows, for those who want to skip it.
            self.long()?;
            count = count
                .checked_neg()
                .ok_or_else(|| malformed("an array is too long"))?;
        }
        let count = usize::try_from(count).map_err(|_| malformed("an array is too long"))?;
        if least == 0 {
            self.empty_elements = self.empty_elements.saturating_add(count);
            if self.empty_elements > MAX_EMPTY_ELEMENTS {
                return Err(malformed(format!(
                    "a message holds more than {MAX_EMPTY_ELEMENTS} elements that take no bytes"
                )));
            }
        } else if count > self.len() / least {
            return Err(ends_early());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::write_long;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let budget = ValueBudget::new(0);
        for number in [
            0,
            -1,
            1,
            63,
            64,
            -64,
            -65,
            1 << 40,
            i64::MAX,
            i64::MIN,
            i64::from(i32::MIN),
        ] {
            let mut bytes = Vec::new();
            write_long(number, &mut bytes);
            assert_eq!(Cursor::new(&bytes, &budget).long().unwrap(), number);
        }
        let mut bytes = Vec::new();
        write_long(1 << 40, &mut bytes);
        assert!(Cursor::new(&bytes, &budget).int().is_err());
        assert!(Cursor::new(&[0xff; 11], &budget).long().is_err());
        assert!(Cursor::new(&[0x80], &budget).long().is_err());
    }

    #[test]
    fn counts_are_bounded_by_what_is_left() {
        let budget = ValueBudget::new(0);
        let mut bytes = Vec::new();
        write_long(1 << 40, &mut bytes);
        assert!(Cursor::new(&bytes, &budget).block_count(1).is_err());
        assert!(Cursor::new(&bytes, &budget).block_count(0).is_err());
        assert!(Cursor::new(&bytes, &budget).block().is_err());
        let mut bytes = Vec::new();
        write_long(-2, &mut bytes);
        bytes.extend([4, 1, 1]);
        assert_eq!(Cursor::new(&bytes, &budget).block_count(1).unwrap(), 2);
    }
}
