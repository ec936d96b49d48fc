//! Messages as they arrive when something went wrong on the way, or when somebody means harm.

use crate::Random;

/// Lengths and counts that no message can keep, as variable-length integers, plain and in zigzag form.
const HUGE: [&[u8]; 6] = [
    // 2^31 - 1 and 2^32 - 1.
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    // 2^41, which is 2^40 in zigzag form.
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
    // 2^63 - 1 and 2^64 - 1; the last is the smallest of 64 bits in zigzag form.
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    // Without end.
    &[0xff; 16],
];

/// Damages a message up to four times: flips a bit, cuts the end off, puts a huge number in place of a byte, repeats a part,
/// puts any bytes in. The first `kept` bytes stay.
pub fn damage(random: &mut Random, message: &mut Vec<u8>, kept: usize) {
    for _ in 0..=random.below(4) {
        let at = kept + random.below(message.len().saturating_sub(kept) + 1);
        if at > message.len() {
            return;
        }
        let to = at + random.below(message.len() - at + 1).min(64);
        match random.below(5) {
            0 => {
                if let Some(byte) = message.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 => message.truncate(at),
            2 => {
                let replaced = at..message.len().min(at + 1);
                message.splice(replaced, random.one_of(&HUGE).iter().copied());
            }
            3 => {
                let part = message[at..to].repeat(random.below(100));
                message.splice(to..to, part);
            }
            _ => {
                let bytes: Vec<u8> = (0..random.below(16))
                    .map(|_| random.bits().to_le_bytes()[0])
                    .collect();
                message.splice(at..at, bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_and_the_rest_is_damaged_in_every_way() {
        let mut random = Random::new(1);
        let whole: Vec<u8> = (0..20).collect();
        let (mut shorter, mut longer, mut huge, mut changed) = (0, 0, 0, 0);
        for _ in 0..500 {
            let mut message = whole.clone();
            damage(&mut random, &mut message, 5);
            assert_eq!(message[..5], whole[..5]);
            shorter += u32::from(message.len() < whole.len());
            longer += u32::from(message.len() > whole.len());
            huge += u32::from(
                HUGE.iter()
                    .any(|huge| message.windows(huge.len()).any(|part| part == *huge)),
            );
            changed += u32::from(message.len() == whole.len() && message != whole);
        }
        for count in [shorter, longer, huge, changed] {
            assert!(count > 25, "{shorter} {longer} {huge} {changed}");
        }
        let mut none = vec![1, 2];
        damage(&mut random, &mut none, 5);
        assert_eq!(none, [1, 2]);
    }
}
