//! The session key: what internal requests between workers are signed with, and when the leader replaces it (KIP-507).
//!
//! The leader writes it to the config topic, all workers read it there. Old keys are not kept.
//!
//! What must stay true: the bytes of a key reach the config topic and the signatures, never a log. Randomness and time come
//! from the caller.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

use crate::config_state::{IgnoreReason, integer_field, text_field};
use crate::java_json::{Object, ObjectWriter};
use crate::signature::{MacAlgorithm, UnknownAlgorithm};

const KEY: &str = "key";
const ALGORITHM: &str = "algorithm";
const CREATION_TIMESTAMP: &str = "creation-timestamp";
/// The smallest key that Java's generators make, in bits.
const MIN_KEY_BITS: u32 = 40;

/// Base64 as Java's basic decoder takes it: padding may be missing, and left-over bits are not looked at.
pub(crate) const JAVA_BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A session key as it stands in the config topic.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    key: Vec<u8>,
    algorithm: String,
    created_at_ms: i64,
}

impl SessionKey {
    /// A key of these bytes, made for this algorithm at this time (milliseconds since 1970).
    #[must_use]
    pub fn new(key: Vec<u8>, algorithm: impl Into<String>, created_at_ms: i64) -> Self {
        Self {
            key,
            algorithm: algorithm.into(),
            created_at_ms,
        }
    }

    /// The bytes to sign with.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.key
    }

    /// Name of the algorithm it was generated for.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// When it was made, in milliseconds since 1970.
    #[must_use]
    pub fn created_at_ms(&self) -> i64 {
        self.created_at_ms
    }

    pub(crate) fn to_record_value(&self) -> Vec<u8> {
        ObjectWriter::new()
            .text(KEY, Some(&JAVA_BASE64.encode(&self.key)))
            .text(ALGORITHM, Some(&self.algorithm))
            .int(CREATION_TIMESTAMP, self.created_at_ms)
            .finish()
    }

    pub(crate) fn from_json(members: &Object) -> Result<Self, IgnoreReason> {
        let key = JAVA_BASE64
            .decode(text_field(members, KEY)?)
            .ok()
            .filter(|key| !key.is_empty())
            .ok_or(IgnoreReason::UnusableSessionKey)?;
        Ok(Self {
            key,
            algorithm: text_field(members, ALGORITHM)?.to_owned(),
            created_at_ms: integer_field(members, CREATION_TIMESTAMP)?,
        })
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey")
            .field("key", &"[hidden]")
            .field("algorithm", &self.algorithm)
            .field("created_at_ms", &self.created_at_ms)
            .finish()
    }
}

/// Why no keys can be generated as the worker's configuration wants them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyGeneratorError {
    /// `inter.worker.key.generation.algorithm` is none that is known.
    #[error("inter.worker.key.generation.algorithm: {0}")]
    Algorithm(#[from] UnknownAlgorithm),
    /// `inter.worker.key.size` is too small.
    #[error("inter.worker.key.size is {0} bits; give at least {MIN_KEY_BITS}")]
    Size(u32),
}

/// What kind of key this worker makes when it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGenerator {
    algorithm: String,
    length: usize,
}

impl KeyGenerator {
    /// A generator for `inter.worker.key.generation.algorithm` and `inter.worker.key.size` (bits; none for the
    /// algorithm's own size).
    ///
    /// # Errors
    /// When the algorithm is not known or the size too small.
    pub fn new(algorithm: &str, size_bits: Option<u32>) -> Result<Self, KeyGeneratorError> {
        let known = MacAlgorithm::new(algorithm)?;
        let length = match size_bits {
            None => known.default_key_length(),
            Some(bits) if bits < MIN_KEY_BITS => return Err(KeyGeneratorError::Size(bits)),
            Some(bits) => usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX),
        };
        Ok(Self {
            algorithm: algorithm.to_owned(),
            length,
        })
    }

    /// Makes a key at this time; `fill_random` fills its bytes from a cryptographically strong source.
    ///
    /// # Errors
    /// Those of `fill_random`.
    pub fn generate<E>(
        &self,
        now_ms: i64,
        fill_random: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<SessionKey, E> {
        let mut key = vec![0; self.length];
        fill_random(&mut key)?;
        Ok(SessionKey::new(key, self.algorithm.clone(), now_ms))
    }

    fn would_make(&self, key: &SessionKey) -> bool {
        key.algorithm == self.algorithm && key.key.len() == self.length
    }
}

/// The key in use, with the time at which a leader replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldKey {
    key: Arc<SessionKey>,
    expires_at_ms: Option<i64>,
}

impl HeldKey {
    /// A key that was read while this worker was running. With `inter.worker.key.ttl.ms` 0 it never expires.
    #[must_use]
    pub fn received(key: Arc<SessionKey>, ttl_ms: i64) -> Self {
        let expires_at_ms = (ttl_ms > 0).then(|| key.created_at_ms.saturating_add(ttl_ms));
        Self { key, expires_at_ms }
    }

    /// A key that was there when this worker started. With `inter.worker.key.ttl.ms` 0 it is to be replaced, once.
    #[must_use]
    pub fn from_snapshot(key: Arc<SessionKey>, ttl_ms: i64) -> Self {
        let expires_at_ms = Some(key.created_at_ms.saturating_add(ttl_ms));
        Self { key, expires_at_ms }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &Arc<SessionKey> {
        &self.key
    }

    /// When a leader replaces it; none for never. An upper bound of how long a leader may sleep.
    #[must_use]
    pub fn expires_at_ms(&self) -> Option<i64> {
        self.expires_at_ms
    }
}

/// Why a leader writes a new session key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationReason {
    /// No key is known.
    NoKey,
    /// The key is too old.
    Expired,
    /// Algorithm or length are not those that this worker is configured for.
    OtherKind,
}

/// Whether a leader must write a new key now. Asked at every tick, in the protocol `sessioned` only.
#[must_use]
pub fn rotation_needed(
    held: Option<&HeldKey>,
    generator: &KeyGenerator,
    now_ms: i64,
) -> Option<RotationReason> {
    let Some(held) = held else {
        return Some(RotationReason::NoKey);
    };
    if held.expires_at_ms.is_some_and(|expires| expires <= now_ms) {
        Some(RotationReason::Expired)
    } else if !generator.would_make(&held.key) {
        Some(RotationReason::OtherKind)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::java_json::Json;

    const TTL: i64 = 3_600_000;

    fn key(length: usize, algorithm: &str) -> Arc<SessionKey> {
        Arc::new(SessionKey::new(vec![7; length], algorithm, 1000))
    }

    fn read(json: &str) -> Result<SessionKey, IgnoreReason> {
        SessionKey::from_json(Json::parse(json.as_bytes()).unwrap().as_object().unwrap())
    }

    #[test]
    fn keys_have_the_length_that_java_would_give_them() {
        for (algorithm, bits, length) in [
            ("HmacSHA256", None, 32),
            ("HmacSHA1", None, 64),
            ("HmacSHA384", None, 48),
            ("HmacSHA512", None, 64),
            ("HmacSHA256", Some(40), 5),
            ("HmacSHA256", Some(41), 6),
            ("HmacSHA256", Some(512), 64),
        ] {
            let generator = KeyGenerator::new(algorithm, bits).unwrap();
            let made = generator
                .generate(5, |bytes| {
                    bytes.fill(9);
                    Ok::<_, Infallible>(())
                })
                .unwrap();
            assert_eq!(made, SessionKey::new(vec![9; length], algorithm, 5));
        }
        assert_eq!(
            KeyGenerator::new("HmacSHA256", Some(39)),
            Err(KeyGeneratorError::Size(39))
        );
        assert!(KeyGenerator::new("AES", None).is_err());
    }

    #[test]
    fn a_key_is_replaced_when_it_is_missing_old_or_of_another_kind() {
        let generator = KeyGenerator::new("HmacSHA256", None).unwrap();
        let good = key(32, "HmacSHA256");
        let received = |key: &Arc<SessionKey>, ttl| HeldKey::received(Arc::clone(key), ttl);
        let from_snapshot = |key: &Arc<SessionKey>, ttl| HeldKey::from_snapshot(Arc::clone(key), ttl);
        for (held, now, expected) in [
            (None, 0, Some(RotationReason::NoKey)),
            (Some(received(&good, TTL)), 1000 + TTL - 1, None),
            (
                Some(received(&good, TTL)),
                1000 + TTL,
                Some(RotationReason::Expired),
            ),
            (Some(from_snapshot(&good, TTL)), 1000 + TTL - 1, None),
            (
                Some(from_snapshot(&good, TTL)),
                1000 + TTL,
                Some(RotationReason::Expired),
            ),
            (Some(received(&good, 0)), i64::MAX, None),
            (Some(from_snapshot(&good, 0)), 1000, Some(RotationReason::Expired)),
            (
                Some(received(&key(64, "HmacSHA256"), TTL)),
                1000,
                Some(RotationReason::OtherKind),
            ),
            (
                Some(received(&key(32, "HmacSHA512"), TTL)),
                1000,
                Some(RotationReason::OtherKind),
            ),
        ] {
            assert_eq!(
                rotation_needed(held.as_ref(), &generator, now),
                expected,
                "{held:?} {now}"
            );
        }
    }

    #[test]
    fn a_record_needs_all_three_fields() {
        let good = r#"{"key":"AQI=","algorithm":"HmacSHA256","creation-timestamp":5,"more":1}"#;
        assert_eq!(read(good), Ok(SessionKey::new(vec![1, 2], "HmacSHA256", 5)));
        assert_eq!(read(&good.replace("AQI=", "AQI")).unwrap().bytes(), [1, 2]);
        for (from, to) in [
            ("AQI=", ""),
            ("AQI=", "A*I="),
            ("\"AQI=\"", "1"),
            ("\"HmacSHA256\"", "null"),
            (":5", ":\"5\""),
            (":5", ":5.0"),
            ("creation-timestamp", "created"),
        ] {
            assert!(read(&good.replace(from, to)).is_err(), "{from} → {to}");
        }
    }

    #[test]
    fn the_bytes_of_a_key_are_not_shown() {
        let shown = format!("{:?}", SessionKey::new(b"secret".to_vec(), "HmacSHA256", 5));
        assert!(shown.contains("[hidden]") && !shown.contains("115"), "{shown}");
    }
}
