//! Arbitrary-precision decimal numbers: an unscaled integer and a scale, as `java.math.BigDecimal` has them.

use std::fmt;
use std::str::FromStr;

use num_bigint::{BigInt, Sign};

use crate::error::ConnectError;
use crate::values::digit_value;

/// `unscaled × 10^-scale`. Two decimals are equal only when both parts are, as upstream (`1.0` differs from `1.00`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    unscaled: BigInt,
    scale: i32,
}

impl Decimal {
    /// A decimal from its parts. The scale may be negative.
    #[must_use]
    pub fn new(unscaled: impl Into<BigInt>, scale: i32) -> Self {
        Self {
            unscaled: unscaled.into(),
            scale,
        }
    }

    /// From the logical type's encoding: the unscaled value as big-endian two's complement.
    #[must_use]
    pub fn from_be_bytes(bytes: &[u8], scale: i32) -> Self {
        Self {
            unscaled: BigInt::from_signed_bytes_be(bytes),
            scale,
        }
    }

    /// The logical type's encoding, of minimal length.
    #[must_use]
    pub fn to_be_bytes(&self) -> Vec<u8> {
        self.unscaled.to_signed_bytes_be()
    }

    /// The integer before scaling.
    #[must_use]
    pub fn unscaled(&self) -> &BigInt {
        &self.unscaled
    }

    /// How many digits stand behind the decimal point; negative for multiples of a power of ten.
    #[must_use]
    pub fn scale(&self) -> i32 {
        self.scale
    }
}

/// Conversions to the primitive number types.
impl Decimal {
    /// The number as a 64-bit integer, if it is one.
    #[must_use]
    pub fn to_i64_exact(&self) -> Option<i64> {
        let text = self.unscaled.magnitude().to_string();
        let significant = text.trim_end_matches('0');
        if significant.is_empty() {
            return Some(0);
        }
        let length = i64::try_from(text.len()).ok()? - i64::from(self.scale);
        let length = usize::try_from(length).ok()?;
        // An i64 has at most 19 digits.
        if length < significant.len() || length > 19 {
            return None;
        }
        let number: i128 = format!("{significant:0<length$}").parse().ok()?;
        i64::try_from(if self.unscaled.sign() == Sign::Minus {
            -number
        } else {
            number
        })
        .ok()
    }

    /// `BigDecimal.longValue`: what is behind the point is cut off, and of the rest the low 64 bits count.
    #[must_use]
    pub fn to_i64_wrapping(&self) -> i64 {
        // Beyond this, ten to that power is a multiple of 2^64.
        const ALL_ZERO: u32 = 64;
        let power = self.scale.unsigned_abs();
        let whole = if self.scale <= 0 {
            if power >= ALL_ZERO {
                return 0;
            }
            &self.unscaled * BigInt::from(10).pow(power)
        } else if u64::from(power) > self.unscaled.bits() {
            return 0;
        } else {
            &self.unscaled / BigInt::from(10).pow(power)
        };
        let low = whole.iter_u64_digits().next().unwrap_or(0).cast_signed();
        if whole.sign() == Sign::Minus {
            low.wrapping_neg()
        } else {
            low
        }
    }

    /// The nearest 32-bit floating-point number; infinite when it is too large.
    #[must_use]
    pub fn to_f32(&self) -> f32 {
        self.exponent_text().parse().unwrap_or(f32::NAN)
    }

    /// The nearest 64-bit floating-point number; infinite when it is too large.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.exponent_text().parse().unwrap_or(f64::NAN)
    }

    fn exponent_text(&self) -> String {
        format!("{}e{}", self.unscaled, -i64::from(self.scale))
    }
}

/// Reads what `new BigDecimal(text)` reads: an optional sign, digits with an optional point, an optional exponent.
/// Digits of other scripts count too. No blanks.
impl FromStr for Decimal {
    type Err = ConnectError;

    fn from_str(text: &str) -> Result<Self, ConnectError> {
        parse(text).ok_or_else(|| ConnectError::data(format!("\"{text}\" is not a decimal number")))
    }
}

fn parse(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (is_negative, mantissa) = split_sign(mantissa);
    let mut digits = String::with_capacity(mantissa.len() + 1);
    if is_negative {
        digits.push('-');
    }
    let mut point = None;
    for c in mantissa.chars() {
        match digit_value(c) {
            Some(digit) => digits.push(char::from(b'0' + digit)),
            None if c == '.' && point.is_none() => point = Some(digits.len()),
            None => return None,
        }
    }
    let behind = point.map_or(0, |point| digits.len() - point);
    let scale = i64::try_from(behind).ok()?.checked_sub(exponent)?;
    // A sign or a point alone has no digits, which is no integer either.
    Some(Decimal {
        unscaled: digits.parse().ok()?,
        scale: i32::try_from(scale).ok()?,
    })
}

fn exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = split_sign(text);
    let mut number: i64 = 0;
    if digits.is_empty() {
        return None;
    }
    for c in digits.chars() {
        number = number.checked_mul(10)?.checked_add(i64::from(digit_value(c)?))?;
    }
    i32::try_from(if is_negative { -number } else { number })
        .ok()
        .map(i64::from)
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Java's canonical text (`BigDecimal.toString`): plain when the scale is not negative and the adjusted exponent is at
/// least -6, else scientific with one digit before the point.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.unscaled.magnitude().to_string();
        if self.unscaled.sign() == Sign::Minus {
            f.write_str("-")?;
        }
        let digits = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let scale = i64::from(self.scale);
        let adjusted = digits - 1 - scale;
        if scale == 0 {
            f.write_str(&text)
        } else if scale > 0 && adjusted >= -6 {
            if digits > scale {
                let point = text.len() - usize::try_from(scale).unwrap_or(0);
                write!(f, "{}.{}", &text[..point], &text[point..])
            } else {
                let zeros = usize::try_from(scale - digits).unwrap_or(0);
                write!(f, "0.{}{text}", "0".repeat(zeros))
            }
        } else {
            f.write_str(&text[..1])?;
            if text.len() > 1 {
                write!(f, ".{}", &text[1..])?;
            }
            if adjusted != 0 {
                write!(f, "E{adjusted:+}")?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_that_of_big_decimal() {
        for (unscaled, scale, text) in [
            (156, 2, "1.56"),
            (-156, 2, "-1.56"),
            (15600, 4, "1.5600"),
            (5, -3, "5E+3"),
            (1, 10, "1E-10"),
            (1, 6, "0.000001"),
            (1, 7, "1E-7"),
            (12345, 10, "0.0000012345"),
            (12345, 12, "1.2345E-8"),
            (0, 0, "0"),
            (0, 2, "0.00"),
            (123, -2, "1.23E+4"),
        ] {
            assert_eq!(Decimal::new(unscaled, scale).to_string(), text);
        }
    }

    #[test]
    fn text_is_read_as_big_decimal_reads_it() {
        for (text, unscaled, scale) in [
            ("1.50", 150, 2),
            ("-0", 0, 0),
            ("+5", 5, 0),
            ("007", 7, 0),
            ("1.", 1, 0),
            (".5", 5, 1),
            ("-.5", -5, 1),
            ("1e3", 1, -3),
            ("1.5E+3", 15, -2),
            ("1e-3", 1, 3),
            ("١٢", 12, 0),
        ] {
            assert_eq!(
                text.parse::<Decimal>().unwrap(),
                Decimal::new(unscaled, scale),
                "{text}"
            );
        }
        for text in [
            "",
            "-",
            "+",
            ".",
            "1_000",
            "0x1F",
            "1f",
            "NaN",
            "1e",
            "e5",
            "1e2147483649",
            " 1",
            "--1",
            "+-1",
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_truncated_and_wrap_as_long_value() {
        for (text, exact, wrapping) in [
            ("1.9", None, 1),
            ("-1.9", None, -1),
            ("1.0", Some(1), 1),
            ("1e18", Some(1_000_000_000_000_000_000), 1_000_000_000_000_000_000),
            ("9223372036854775807", Some(i64::MAX), i64::MAX),
            ("-9223372036854775808", Some(i64::MIN), i64::MIN),
            ("9223372036854775808", None, i64::MIN),
            ("18446744073709551617", None, 1),
            ("1e400", None, 0),
            ("1e-400", None, 0),
            ("0e400", Some(0), 0),
            ("120e-1", Some(12), 12),
        ] {
            let decimal: Decimal = text.parse().unwrap();
            assert_eq!(
                (decimal.to_i64_exact(), decimal.to_i64_wrapping()),
                (exact, wrapping),
                "{text}"
            );
        }
    }

    #[test]
    fn bytes_are_minimal_two_s_complement() {
        assert_eq!(Decimal::new(156, 2).to_be_bytes(), [0x00, 0x9c]);
        assert_eq!(Decimal::new(-156, 2).to_be_bytes(), [0xff, 0x64]);
        assert_eq!(Decimal::from_be_bytes(&[0xff, 0x64], 2), Decimal::new(-156, 2));
        assert_eq!(Decimal::from_be_bytes(&[0], 0).to_be_bytes(), [0]);
    }
}
