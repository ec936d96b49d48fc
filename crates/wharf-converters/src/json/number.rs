//! A JSON number as it was written, and the exact conversions from it.

use num_bigint::BigInt;
use wharf_api::Decimal;

/// The text of a number that the reader has checked.
#[derive(Debug, Clone, Copy)]
pub struct Number<'a> {
    text: &'a str,
    is_integer: bool,
}

impl<'a> Number<'a> {
    /// A number whose text was checked; an integer has neither point nor exponent.
    #[must_use]
    pub fn new(text: &'a str, is_integer: bool) -> Self {
        Self { text, is_integer }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Whether it was written without fraction and exponent.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.is_integer
    }

    /// The value, if it was written as an integer and fits.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        if self.is_integer {
            self.text.parse().ok()
        } else {
            None
        }
    }

    /// The value, if it is whole and fits, however it was written: `1.0` and `1e3` are whole.
    #[must_use]
    pub fn whole(&self) -> Option<i64> {
        if self.is_integer {
            return self.text.parse().ok();
        }
        let (digits, scale) = self.parts();
        let significant = digits.trim_end_matches('0');
        let has_digit = significant.bytes().any(|digit| matches!(digit, b'1'..=b'9'));
        if !has_digit {
            return Some(0);
        }
        let zeros = i64::try_from(digits.len() - significant.len()).ok()? - scale?;
        // No more than 19 digits fit; one zero too many is noticed by the parser.
        let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros <= 19)?;
        format!("{significant}{}", "0".repeat(zeros)).parse().ok()
    }

    /// All digits without the point, and how many of them stand behind it; no scale when the exponent is absurd.
    fn parts(&self) -> (String, Option<i64>) {
        let (mantissa, exponent) = match self.text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()),
            None => (self.text, Some(0_i64)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // A number has at most a thousand characters.
        let places = fraction.len() as i64;
        (
            format!("{whole}{fraction}"),
            exponent.and_then(|exponent| places.checked_sub(exponent)),
        )
    }

    /// The exact value; `None` when the exponent has more than 32 bits.
    #[must_use]
    pub fn decimal(&self) -> Option<Decimal> {
        let (digits, scale) = self.parts();
        let unscaled: BigInt = digits.parse().ok()?;
        Some(Decimal::new(unscaled, i32::try_from(scale?).ok()?))
    }

    /// The nearest 64-bit number; infinite when it is too large.
    #[must_use]
    pub fn float64(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// The nearest 32-bit number; infinite when it is too large.
    #[must_use]
    pub fn float32(&self) -> f32 {
        self.text.parse().unwrap_or(f32::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::Reader;
    use super::*;

    fn number(text: &str) -> Number<'_> {
        Reader::new(text.as_bytes()).number().unwrap()
    }

    #[test]
    fn whole_numbers_are_recognised_in_any_form() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("007", Some(7)),
            ("-007", Some(-7)),
            ("1.0", Some(1)),
            ("1e3", Some(1000)),
            ("1.50E+1", Some(15)),
            ("100e-2", Some(1)),
            ("0e999999999999999999999", Some(0)),
            ("0.000e-7", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775807.0", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("9223372036854775808.0", None),
            ("1e19", None),
            ("1e400", None),
            ("1e999999999999999999999", None),
            ("1.9", None),
            ("1e-1", None),
        ] {
            assert_eq!(number(text).whole(), value, "{text}");
        }
    }

    #[test]
    fn decimals_keep_every_digit_and_the_scale() {
        for (text, printed) in [
            ("1.5600", "1.5600"),
            ("5e3", "5E+3"),
            ("1E-10", "1E-10"),
            ("-0.10", "-0.10"),
            (
                "123456789012345678901234567890.123",
                "123456789012345678901234567890.123",
            ),
            ("1e2147483647", "1E+2147483647"),
        ] {
            assert_eq!(number(text).decimal().unwrap().to_string(), printed);
        }
        assert_eq!(number("1e2147483649").decimal(), None);
        assert_eq!(number("1e99999999999999999999").decimal(), None);
    }

    #[test]
    fn floats_are_the_nearest() {
        assert_eq!(number("1e400").float64(), f64::INFINITY);
        assert_eq!(number("1e3").float64(), 1000.0);
        assert_eq!(number("0.1").float32(), 0.1);
        assert_eq!(number("3.4028236e38").float32(), f32::INFINITY);
    }
}
