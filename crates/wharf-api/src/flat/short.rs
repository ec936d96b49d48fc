//! Short texts without a call: comparing and writing names of a few bytes, which happens for every record.
//!
//! For 4 to 16 bytes two parts that may overlap cover the text, whatever its length. A slice comparison or copy of unknown
//! length is a call of the C library instead.

/// The longest text that a [`word`] holds.
pub(crate) const LONGEST: usize = 16;

/// Whether both are the same text.
#[inline]
pub(crate) fn is_equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    one.len() == other.len()
        && match one.len() {
            4..8 => {
                one.first_chunk::<4>() == other.first_chunk() && one.last_chunk::<4>() == other.last_chunk()
            }
            8..=LONGEST => {
                one.first_chunk::<8>() == other.first_chunk() && one.last_chunk::<8>() == other.last_chunk()
            }
            _ => one == other,
        }
}

/// The bytes of a text of at most [`LONGEST`] bytes, the first one lowest, zeros behind them; of a longer one, the first.
#[inline(always)]
pub(crate) fn word(text: &[u8]) -> u128 {
    // Where the two parts overlap they hold the same bytes.
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk())
        && text.len() <= LONGEST
    {
        u128::from(u64::from_le_bytes(*first))
            | u128::from(u64::from_le_bytes(*last)) << (8 * (text.len() - 8))
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk())
        && text.len() < 8
    {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        u128::from(u64::from(first) | u64::from(last) << (8 * (text.len() - 4)))
    } else {
        let bytes = text.iter().take(LONGEST).rev();
        bytes.fold(0, |word, byte| word << 8 | u128::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_compared_whole() {
        for length in 0..40 {
            let text: String = ('a'..='z').cycle().take(length).collect();
            assert!(is_equal(&text, &text.clone()));
            assert!(!is_equal(&text, &format!("{text}a")));
            for at in 0..length {
                let mut other = text.clone();
                other.replace_range(at..=at, "#");
                assert!(!is_equal(&text, &other), "{length} bytes, another one at {at}");
            }
        }
    }

    #[test]
    fn words_hold_texts_of_every_length_with_zeros_behind() {
        for length in 0..=LONGEST {
            let text: Vec<u8> = (1..).take(length).collect();
            let bytes = word(&text).to_le_bytes();
            assert_eq!(bytes[..length], text);
            assert!(bytes[length..].iter().all(|byte| *byte == 0), "{length} bytes");
        }
    }
}
