//! `Float.toString` and `Double.toString`, as Java 19 and later print numbers.
//!
//! Of the decimals that mean the number and no other of its type, Java takes those with the fewest digits, of these the
//! closest, of two equally close ones that with the even last digit. Older Java sometimes prints a digit more
//! (`1.23456792E8`); Rust's own `{:e}` takes the higher of two equally close ones, so the digits come from `zmij`.

use crate::java_text::into_text;

/// Room for any number's text (`-1.2345678901234567E-308` is the longest).
const NUMBER_LENGTH: usize = 32;

/// `Float.toString`: the fewest digits that tell the number from its neighbours (`1.0`, `1.0E10`, `1.0E-5`).
#[must_use]
pub fn float32(number: f32) -> String {
    let mut out = Vec::with_capacity(NUMBER_LENGTH);
    write_float32(number, &mut out);
    into_text(out)
}

/// `Double.toString`: as [`float32`], for 64 bits.
#[must_use]
pub fn float64(number: f64) -> String {
    let mut out = Vec::with_capacity(NUMBER_LENGTH);
    write_float64(number, &mut out);
    into_text(out)
}

macro_rules! float_writer {
    ($name:ident, $type:ty, $text:literal) => {
        #[doc = concat!("As [`", $text, "`], appended to `out`.")]
        pub fn $name(number: $type, out: &mut Vec<u8>) {
            if number.is_nan() {
                out.extend_from_slice(b"NaN");
                return;
            }
            if number.is_sign_negative() {
                out.push(b'-');
            }
            let number = number.abs();
            if number.is_infinite() {
                out.extend_from_slice(b"Infinity");
                return;
            }
            let mut digits = Digits::read(zmij::Buffer::new().format_finite(number));
            // Java always shows two digits; where one would do, the second is the nearest that still means the number
            // (the smallest double is 4.9E-324, not 5.0E-324). Above the subnormal numbers it is always 0.
            if digits.count == 1 && !number.is_normal() {
                let two = format!("{number:.1e}");
                if two.parse() == Ok(number) {
                    digits = Digits::read(&two);
                }
            }
            digits.write_java(out);
        }
    };
}

float_writer!(write_float32, f32, "float32");
float_writer!(write_float64, f64, "float64");

/// A number as `d.ddd` times a power of ten, without zeros at either end; no digits are zero.
struct Digits {
    digits: [u8; NUMBER_LENGTH],
    count: usize,
    exponent: i32,
}

impl Digits {
    /// Takes the digits from any decimal notation: `0.00123`, `123.0`, `1.23e-45`.
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut read = Self {
            digits: [b'0'; NUMBER_LENGTH],
            count: 0,
            exponent: exponent.parse().unwrap_or(0),
        };
        let mut length = 0;
        let mut is_whole = true;
        let mut places = -1;
        for &byte in mantissa.as_bytes() {
            if byte == b'.' {
                is_whole = false;
                continue;
            }
            if length == 0 && byte == b'0' {
                // Zeros before the first digit count only behind the point.
                places -= i32::from(!is_whole);
                continue;
            }
            places += i32::from(is_whole);
            // Nothing that is read here has more digits than there is room for.
            if let Some(place) = read.digits.get_mut(length) {
                *place = byte;
                length += 1;
            }
            if byte != b'0' {
                read.count = length;
            }
        }
        read.exponent = if length == 0 { 0 } else { read.exponent + places };
        read
    }

    /// Plain between 10^-3 and 10^7, else `d.dddE±n`; at least one digit on each side of the point.
    fn write_java(&self, out: &mut Vec<u8>) {
        match self.exponent {
            shift @ 0..=6 => {
                let whole = usize::try_from(shift).unwrap_or(0) + 1;
                out.extend_from_slice(&self.digits[..whole]);
                out.push(b'.');
                out.extend_from_slice(&self.digits[whole..self.count.max(whole + 1)]);
            }
            shift @ -3..=-1 => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + usize::try_from(-shift - 1).unwrap_or(0), b'0');
                out.extend_from_slice(&self.digits[..self.count]);
            }
            exponent => {
                out.push(self.digits[0]);
                out.push(b'.');
                out.extend_from_slice(&self.digits[1..self.count.max(2)]);
                out.push(b'E');
                crate::java_text::write_display(out, &exponent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_java_prints_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.5, "0.5"),
            (3.99, "3.99"),
            (100.0, "100.0"),
            (1_234_567.0, "1234567.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (1e10, "1.0E10"),
            (0.001, "0.001"),
            (0.002_5, "0.0025"),
            (0.000_99, "9.9E-4"),
            (1e-5, "1.0E-5"),
            (1e23, "1.0E23"),
            (2e23, "2.0E23"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::from_bits(1), "4.9E-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float64(number), text);
        }
    }

    #[test]
    fn floats_print_as_java_prints_them() {
        for (number, text) in [
            (1.1_f32, "1.1"),
            (123_456_789.0, "1.2345679E8"),
            (16_777_216.0, "1.6777216E7"),
            (-2.5, "-2.5"),
            (f32::MAX, "3.4028235E38"),
            (f32::from_bits(1), "1.4E-45"),
            (f32::NAN, "NaN"),
        ] {
            assert_eq!(float32(number), text);
        }
    }

    #[test]
    #[allow(
        clippy::excessive_precision,
        reason = "the numbers are exact: halfway between two texts"
    )]
    fn of_two_equally_close_texts_the_even_one_is_printed() {
        for (number, text) in [
            (4_155_485.25_f32, "4155485.2"),
            (4_155_485.75, "4155485.8"),
            (2_097_152.25, "2097152.2"),
            (-3_000_000.75, "-3000000.8"),
            (33_554_436.0, "3.3554436E7"),
        ] {
            assert_eq!(float32(number), text);
        }
        for (number, text) in [
            (1_125_899_906_842_624.25, "1.1258999068426242E15"),
            (1_125_899_906_842_624.75, "1.1258999068426248E15"),
            (2e-3, "0.002"),
            (9.007_199_254_740_993e15, "9.007199254740992E15"),
        ] {
            assert_eq!(float64(number), text);
        }
    }

    /// What is printed, checked against Rust's exact decimals: it means the number, is as short as can be, and is the
    /// exact number rounded to that many digits, half to even, wherever that rounding means the number.
    macro_rules! check_printed {
        ($number:expr, $text:expr) => {{
            let (number, text) = ($number, $text);
            assert_eq!(text.parse(), Ok(number), "{number:e} printed as {text}");
            let shortest = format!("{number:e}");
            let printed = Digits::read(&text.trim_start_matches('-').to_lowercase());
            let count = Digits::read(shortest.trim_start_matches('-')).count.max(1);
            assert!(printed.count <= count.max(2), "{text} is longer than {shortest}");
            let precision = count.max(2) - 1;
            let rounded = format!("{number:.precision$e}");
            if rounded.parse() == Ok(number) {
                let expected = Digits::read(rounded.trim_start_matches('-'));
                assert_eq!(
                    (&printed.digits[..printed.count], printed.exponent),
                    (&expected.digits[..expected.count], expected.exponent),
                    "{text} is not the closest to {number:e}"
                );
            }
        }};
    }

    #[test]
    fn what_is_printed_is_the_closest_of_the_shortest_that_mean_the_number() {
        // Numbers spread over all bit patterns, and quarters and halves of whole numbers, which are often in the middle.
        let mut state = 1_u64;
        for round in 0..60_000_u32 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let bits = state ^ (state >> 29);
            let single = f32::from_bits((bits >> 16) as u32);
            let double = f64::from_bits(bits);
            let quarter = (2_097_152 * 4 + (bits >> 33) as u32 % 8_388_608) as f32 / 4.0;
            let wide_quarter = ((1_u64 << 52) + (bits >> 14) % (1 << 51)) as f64 / 4.0;
            let smallest = (f32::from_bits(round), f64::from_bits(u64::from(round)));
            for number in [single, quarter, -quarter, smallest.0] {
                if number.is_finite() {
                    check_printed!(number, float32(number));
                }
            }
            for number in [double, wide_quarter, smallest.1] {
                if number.is_finite() {
                    check_printed!(number, float64(number));
                }
            }
        }
    }
}
