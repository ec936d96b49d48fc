//! Arbitrary-precision decimal numbers: an unscaled integer and a scale, as `java.math.BigDecimal` has them.

use std::fmt;

use num_bigint::BigInt;

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

/// Java's canonical text (`BigDecimal.toString`): plain when the scale is not negative and the adjusted exponent is at
/// least -6, else scientific with one digit before the point.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.unscaled.magnitude().to_string();
        if self.unscaled.sign() == num_bigint::Sign::Minus {
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
    fn bytes_are_minimal_two_s_complement() {
        assert_eq!(Decimal::new(156, 2).to_be_bytes(), [0x00, 0x9c]);
        assert_eq!(Decimal::new(-156, 2).to_be_bytes(), [0xff, 0x64]);
        assert_eq!(Decimal::from_be_bytes(&[0xff, 0x64], 2), Decimal::new(-156, 2));
        assert_eq!(Decimal::from_be_bytes(&[0], 0).to_be_bytes(), [0]);
    }
}
