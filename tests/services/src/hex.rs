//! Bytes as text, as recordings and other programs have them.

/// Two lower-case digits for each byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of such a text, which may have blanks in it for those who read it.
///
/// # Panics
/// When it is none, which fails the test as it should.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    assert!(
        digits.len().is_multiple_of(2),
        "the last byte lacks a digit: {text}"
    );
    let byte =
        |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or_else(|error| panic!("{text}: {error}"));
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_their_text() {
        assert_eq!(hex(&[0, 0x7f, 0xff]), "007fff");
        assert_eq!(unhex("007fff"), [0, 0x7f, 0xff]);
        assert_eq!(unhex("007f \n ff"), [0, 0x7f, 0xff]);
        assert!(unhex("").is_empty());
    }
}
