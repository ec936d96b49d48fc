//! Writes JSON scalars: what is escaped, how numbers look. The forms are those of upstream's writer, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_api::java_text;

/// How many bytes from the start are neither quotes, backslashes, control characters nor `special`. Looks at sixteen bytes in one
/// step, which compilers make a few instructions of.
pub(super) fn plain_run(bytes: &[u8], special: impl Fn(u8) -> bool) -> usize {
    const STEP: usize = 16;
    // Nothing here is decided early, so that it can be done for all bytes at once.
    let is_special = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\') | special(byte);
    let (blocks, _) = bytes.as_chunks::<STEP>();
    let has_none = |block: &[u8; STEP]| {
        let mut found = 0;
        for byte in block {
            found |= u8::from(is_special(*byte));
        }
        found == 0
    };
    let whole = blocks.iter().take_while(|block| has_none(block)).count() * STEP;
    let rest = &bytes[whole..];
    whole
        + rest
            .iter()
            .position(|byte| is_special(*byte))
            .unwrap_or(rest.len())
}

/// Whether it begins a character outside the basic plane, which is written as an escape.
fn begins_long_character(byte: u8) -> bool {
    byte >= 0xf0
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends a quoted string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut at = 0;
    loop {
        let plain = plain_run(&bytes[at..], begins_long_character);
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

    #[test]
    fn a_plain_run_ends_before_the_first_special_byte() {
        let is_special = |byte| byte == 0xff;
        for special in (0..0x20).chain([b'"', b'\\', 0xff]) {
            for position in 0..40 {
                let mut bytes = [b'x'; 40];
                bytes[position] = special;
                assert_eq!(plain_run(&bytes, is_special), position, "{special} at {position}");
            }
        }
        let plain: Vec<u8> = (0x20..0xff)
            .filter(|byte| !matches!(byte, b'"' | b'\\'))
            .collect();
        for length in 0..plain.len() {
            assert_eq!(plain_run(&plain[..length], is_special), length);
        }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
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
