//! Writes JSON scalars: what is escaped, how numbers look. The forms are those of upstream's writer, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_api::java_text;

/// Which bytes end a run that can be copied as it is, besides quotes, backslashes and control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// No others.
    None,
    /// Those that begin a character outside the basic plane, which is written as an escape.
    LongCharacters,
}

/// How many bytes from the start are not special. Looks at sixteen bytes in one step, which compilers make a few instructions of,
/// and at the last ones as the parts of a word.
#[inline]
pub(super) fn plain_run(bytes: &[u8], special: Special) -> usize {
    let is_special = |byte: u8| {
        (byte < 0x20)
            | (byte == b'"')
            | (byte == b'\\')
            | ((byte >= LONG_CHARACTERS) & (special == Special::LongCharacters))
    };
    let (blocks, _) = bytes.as_chunks::<16>();
    // Nothing is decided early, so that all bytes of a block can be looked at at once.
    let has_none = |block: &[u8; 16]| {
        let mut found = 0;
        for byte in block {
            found |= u8::from(is_special(*byte));
        }
        found == 0
    };
    let mut at = blocks.iter().take_while(|block| has_none(block)).count() * 16;
    while let Some(word) = bytes[at..].first_chunk() {
        let found = special_bytes(u64::from_le_bytes(*word), special);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &bytes[at..];
    if let (Some(last), 1..8) = (bytes.last_chunk(), rest.len()) {
        // The zeros that come in behind the rest are special.
        let word = u64::from_le_bytes(*last) >> (64 - 8 * rest.len());
        return at + special_bytes(word, special).trailing_zeros() as usize / 8;
    }
    at + rest
        .iter()
        .position(|byte| is_special(*byte))
        .unwrap_or(rest.len())
}

const LONG_CHARACTERS: u8 = 0xf0;

/// The highest bit of the first special byte, counted from the lowest; bits above it say nothing.
fn special_bytes(word: u64, special: Special) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // A borrow from a byte that is below the bound reaches only bytes above it.
    let is_below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & HIGHS;
    let is_zero = |word: u64| is_below(word, 1);
    let others = is_zero(word ^ (ONES * u64::from(b'"'))) | is_zero(word ^ (ONES * u64::from(b'\\')));
    let long = match special {
        Special::None => 0,
        Special::LongCharacters => word & word << 1 & word << 2 & word << 3 & HIGHS,
    };
    others | is_below(word, 0x20) | long
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends a quoted string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut at = 0;
    loop {
        let plain = plain_run(&bytes[at..], Special::LongCharacters);
        out.extend_from_slice(&bytes[at..at + plain]);
        at += plain;
        if at == bytes.len() {
            break;
        }
        at += write_escaped(&text[at..], out);
    }
    out.push(b'"');
}

/// Appends the escaped form of the first character; gives its length in UTF-8.
fn write_escaped(text: &str, out: &mut Vec<u8>) -> usize {
    let Some(character) = text.chars().next() else {
        return 0;
    };
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\u{c}' => b'f',
        '\r' => b'r',
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                out.extend([12, 8, 4, 0].map(|shift| HEX[usize::from(*unit >> shift & 0xf)]));
            }
            return character.len_utf8();
        }
    };
    out.extend_from_slice(&[b'\\', short]);
    character.len_utf8()
}

/// Appends an integer.
pub fn write_integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a number in Java's form; one that JSON cannot express becomes a string.
pub fn write_float32(number: f32, out: &mut Vec<u8>) {
    if PLAIN_FLOATS.contains(&f64::from(number.abs())) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    } else {
        quoted_unless(number.is_finite(), out, |out| {
            java_text::write_float32(number, out)
        });
    }
}

/// As [`write_float32`], for 64 bits.
pub fn write_float64(number: f64, out: &mut Vec<u8>) {
    if PLAIN_FLOATS.contains(&number.abs()) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    } else {
        quoted_unless(number.is_finite(), out, |out| {
            java_text::write_float64(number, out)
        });
    }
}

/// Java writes these without exponent, just as a faster algorithm does that writes others differently.
const PLAIN_FLOATS: std::ops::Range<f64> = 1e-3..1e7;

fn quoted_unless(bare: bool, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if bare {
        write(out);
    } else {
        out.push(b'"');
        write(out);
        out.push(b'"');
    }
}

/// Appends bytes as padded Base64 in quotes.
pub fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exactly what the encoding needs; were it not, the rest would be cut.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_run_ends_before_the_first_special_byte() {
        for (set, first_beyond) in [(Special::None, 0x100), (Special::LongCharacters, 0xf0)] {
            let is_plain = |byte: u16| byte >= 0x20 && byte < first_beyond && !matches!(byte, 0x22 | 0x5c);
            for byte in 0..=0xff_u8 {
                for position in 0..40 {
                    // What follows a special byte must not matter, nor what is before it.
                    for (before, after) in [(b'x', b'x'), (0x7f, 0), (0xef, 0xff), (b' ', b'"')] {
                        let mut bytes = [after; 41];
                        bytes[..position].fill(before);
                        bytes[position] = byte;
                        bytes[40] = b'"';
                        let expected = bytes.iter().position(|byte| !is_plain(u16::from(*byte)));
                        assert_eq!(Some(plain_run(&bytes, set)), expected, "{byte} at {position}");
                    }
                }
            }
        }
        for length in 0..50 {
            assert_eq!(plain_run(&vec![b'x'; length], Special::None), length);
        }
    }

    #[test]
    fn strings_are_escaped_as_upstream_does() {
        for (text, json) in [
            ("", r#""""#),
            ("plain", r#""plain""#),
            ("a\"b\\c/d", r#""a\"b\\c/d""#),
            (
                "\u{8}\t\n\u{c}\r\0\u{1f}\u{7f}",
                "\"\\b\\t\\n\\f\\r\\u0000\\u001F\u{7f}\"",
            ),
            ("é日", "\"é日\""),
            ("x😀y", r#""x\uD83D\uDE00y""#),
            ("\u{10ffff}", r#""\uDBFF\uDFFF""#),
        ] {
            assert_eq!(written(|out| write_string(text, out)), json);
        }
    }

    #[test]
    fn numbers_have_java_s_form() {
        assert_eq!(
            written(|out| write_integer(i64::MIN, out)),
            "-9223372036854775808"
        );
        for (number, json) in [
            (1.0, "1.0"),
            (1e10, "1.0E10"),
            (1e-5, "1.0E-5"),
            (-0.0, "-0.0"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(written(|out| write_float64(number, out)), json);
        }
        assert_eq!(written(|out| write_float32(12.34, out)), "12.34");
        assert_eq!(written(|out| write_float32(f32::NAN, out)), "\"NaN\"");
    }

    #[test]
    fn plain_numbers_are_the_shortest_that_mean_the_same() {
        // Between two equally near and short ones Java takes the even digit.
        assert_eq!(written(|out| write_float32(16_621_941.0 / 4.0, out)), "4155485.2");
        for (number, json) in [
            (0.001, "0.001"),
            (9_999_999.5, "9999999.5"),
            (1e7, "1.0E7"),
            (9.9e-4, "9.9E-4"),
        ] {
            assert_eq!(written(|out| write_float64(number, out)), json);
        }
        let mut bits = 1_u64;
        for round in 1..20_000_u32 {
            bits = bits
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            let number = f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(round);
            let text = written(|out| write_float64(number, out));
            assert_eq!(text.parse(), Ok(number));
            assert_eq!(text.len(), java_text::float64(number).len(), "{text}");
            assert_eq!(
                text.contains('E'),
                !(1e-3..1e7).contains(&number) && number != 0.0,
                "{text}"
            );
        }
    }

    #[test]
    fn bytes_are_padded_base64() {
        for (bytes, json) in [
            (&b""[..], "\"\""),
            (b"test-string", "\"dGVzdC1zdHJpbmc=\""),
            (b"\xfb\xff", "\"+/8=\""),
        ] {
            assert_eq!(written(|out| write_bytes(bytes, out)), json);
        }
    }
}
