//! Signatures of internal requests between workers (KIP-507): the bytes of the body, signed with the session key.
//!
//! Nothing but the body is signed; no body is the empty body. The checks of the receiver come in a fixed order, each with
//! the status that a JVM worker answers, because senders retry and log by it.

use base64::Engine as _;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use thiserror::Error;

use crate::session_key::{JAVA_BASE64, SessionKey};

/// Header with the signature, Base64.
pub const SIGNATURE_HEADER: &str = "X-Connect-Authorization";
/// Header with the name of the algorithm.
pub const SIGNATURE_ALGORITHM_HEADER: &str = "X-Connect-Request-Signature-Algorithm";
/// How long a refused signature is probably a session key that has just been replaced.
const ROTATION_GRACE_MS: u64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// An algorithm name that is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not supported; use one of HmacSHA256, HmacSHA1, HmacSHA224, HmacSHA384 and HmacSHA512")]
pub struct UnknownAlgorithm(String);

/// A MAC algorithm under the name by which somebody asked for it. Java finds algorithms whatever the case of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacAlgorithm {
    name: String,
    hash: Hash,
}

impl MacAlgorithm {
    /// The algorithm of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(name: &str) -> Result<Self, UnknownAlgorithm> {
        let hash = match name.to_ascii_lowercase().as_str() {
            "hmacsha1" => Hash::Sha1,
            "hmacsha224" => Hash::Sha224,
            "hmacsha256" => Hash::Sha256,
            "hmacsha384" => Hash::Sha384,
            "hmacsha512" => Hash::Sha512,
            _ => return Err(UnknownAlgorithm(name.chars().take(80).collect())),
        };
        Ok(Self {
            name: name.to_owned(),
            hash,
        })
    }

    /// The name by which it was asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes Java's key generator gives a key of this algorithm.
    #[must_use]
    pub fn default_key_length(&self) -> usize {
        match self.hash {
            Hash::Sha224 => 28,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha1 | Hash::Sha512 => 64,
        }
    }

    fn mac(&self, key: &[u8], body: &[u8]) -> Code {
        macro_rules! code {
            ($variant:ident, $hash:ty) => {{
                // Infallible: the construction takes keys of every length.
                let mut mac = Hmac::<$hash>::new_from_slice(key).expect("every length is a key");
                mac.update(body);
                Code::$variant(mac)
            }};
        }
        match self.hash {
            Hash::Sha1 => code!(Sha1, Sha1),
            Hash::Sha224 => code!(Sha224, Sha224),
            Hash::Sha256 => code!(Sha256, Sha256),
            Hash::Sha384 => code!(Sha384, Sha384),
            Hash::Sha512 => code!(Sha512, Sha512),
        }
    }

    /// The signature of a body.
    #[must_use]
    pub fn sign(&self, key: &[u8], body: &[u8]) -> Vec<u8> {
        self.mac(key, body).into_bytes()
    }

    /// Whether this is the signature of a body. Takes as long for a wrong one as for the right one.
    #[must_use]
    pub fn verify(&self, key: &[u8], body: &[u8], signature: &[u8]) -> bool {
        self.mac(key, body).verify(signature)
    }
}

/// A finished computation, which can be compared in constant time as well as printed.
enum Code {
    Sha1(Hmac<Sha1>),
    Sha224(Hmac<Sha224>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Code {
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Sha1(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha224(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha256(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha384(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha512(mac) => mac.finalize().into_bytes().to_vec(),
        }
    }

    fn verify(self, signature: &[u8]) -> bool {
        match self {
            Self::Sha1(mac) => mac.verify_slice(signature).is_ok(),
            Self::Sha224(mac) => mac.verify_slice(signature).is_ok(),
            Self::Sha256(mac) => mac.verify_slice(signature).is_ok(),
            Self::Sha384(mac) => mac.verify_slice(signature).is_ok(),
            Self::Sha512(mac) => mac.verify_slice(signature).is_ok(),
        }
    }
}

/// The two headers of a signed request. A worker that knows a session key signs, whatever the protocol.
#[must_use]
pub fn headers(key: &SessionKey, algorithm: &MacAlgorithm, body: &[u8]) -> [(&'static str, String); 2] {
    [
        (
            SIGNATURE_HEADER,
            JAVA_BASE64.encode(algorithm.sign(key.bytes(), body)),
        ),
        (SIGNATURE_ALGORITHM_HEADER, algorithm.name().to_owned()),
    ]
}

/// Why an internal request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The algorithm in the header is not known.
    #[error(transparent)]
    UnknownAlgorithm(#[from] UnknownAlgorithm),
    /// The signature in the header is not Base64.
    #[error("the header {SIGNATURE_HEADER} is not Base64")]
    NotBase64,
    /// One of the headers is missing.
    #[error("Internal request missing required signature")]
    Missing,
    /// The algorithm is not among `inter.worker.verification.algorithms`.
    #[error(
        "This worker does not support the '{algorithm}' key signing algorithm used by other workers. This worker is \
         currently configured to use: [{}]; give all workers the same inter.worker.verification.algorithms",
        .allowed.join(", ")
    )]
    NotAllowed {
        /// What the request was signed with.
        algorithm: String,
        /// What this worker accepts.
        allowed: Vec<String>,
    },
    /// No session key is known here yet.
    #[error(
        "This worker is still starting up and has not been able to read a session key from the config topic yet"
    )]
    NoSessionKey,
    /// The signature is another one.
    #[error("Internal request contained invalid signature.")]
    Invalid,
}

impl Refusal {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::UnknownAlgorithm(_) | Self::NotBase64 | Self::Missing | Self::NotAllowed { .. } => 400,
            Self::NoSessionKey => 503,
            Self::Invalid => 403,
        }
    }
}

/// The signature that came with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSignature {
    algorithm: MacAlgorithm,
    signature: Vec<u8>,
}

impl RequestSignature {
    /// Reads the values of the two headers; none when one of them is missing. Done under every protocol.
    ///
    /// # Errors
    /// When both are there and cannot be used.
    pub fn from_headers(signature: Option<&str>, algorithm: Option<&str>) -> Result<Option<Self>, Refusal> {
        let (Some(signature), Some(algorithm)) = (signature, algorithm) else {
            return Ok(None);
        };
        Ok(Some(Self {
            algorithm: MacAlgorithm::new(algorithm)?,
            signature: JAVA_BASE64.decode(signature).map_err(|_| Refusal::NotBase64)?,
        }))
    }
}

/// What a worker asks of internal requests.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    /// Whether the group's protocol is `sessioned`. Under the others nothing is asked.
    pub is_sessioned: bool,
    /// `inter.worker.verification.algorithms`; compared as they are written.
    pub algorithms: &'a [String],
    /// The session key, once it was read.
    pub key: Option<&'a SessionKey>,
}

impl Verifier<'_> {
    /// Checks the signature of a request with this body.
    ///
    /// What follows when it holds, in this order: whether this worker leads (else it forwards or answers 409), whether the
    /// connector is there (404), and what the request itself asks (400).
    ///
    /// # Errors
    /// Why the request is refused.
    pub fn verify(&self, signature: Option<&RequestSignature>, body: &[u8]) -> Result<(), Refusal> {
        if !self.is_sessioned {
            return Ok(());
        }
        let request = signature.ok_or(Refusal::Missing)?;
        if !self
            .algorithms
            .iter()
            .any(|name| name == request.algorithm.name())
        {
            return Err(Refusal::NotAllowed {
                algorithm: request.algorithm.name().to_owned(),
                allowed: self.algorithms.to_vec(),
            });
        }
        let key = self.key.ok_or(Refusal::NoSessionKey)?;
        if request.algorithm.verify(key.bytes(), body, &request.signature) {
            Ok(())
        } else {
            Err(Refusal::Invalid)
        }
    }
}

/// Whether a request refused with 403, so long after its first attempt, was probably signed with a key that has just been
/// replaced. It is retried like every other, but there is nothing to tell anybody.
#[must_use]
pub const fn is_probably_rotation(status: u16, since_first_attempt_ms: u64) -> bool {
    status == 403 && since_first_attempt_ms < ROTATION_GRACE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn session_key() -> SessionKey {
        SessionKey::new(KEY.to_vec(), "HmacSHA256", 0)
    }

    #[test]
    fn signatures_are_those_of_java() {
        for (algorithm, body, expected) in [
            ("HmacSHA256", "", "eWzTB4rxRjZ1PSaztVVUIv9Vo+Jhz4R7SOlTcbm9CqI="),
            ("HmacSHA256", "[]", "rRL9sT/wq4b/bHEYZ9cTStz3nTP4NKdBvhKYj/hGt+I="),
            ("hmacsha256", "[]", "rRL9sT/wq4b/bHEYZ9cTStz3nTP4NKdBvhKYj/hGt+I="),
            ("HmacSHA1", "[]", "cRHzSfMvLW41fThFIyX3S31Xx/E="),
            ("HmacSHA224", "[]", "bRd9fEM6SnnoqO2exCZHXTRLfHXYwCRHFzDbJA=="),
            (
                "HmacSHA384",
                "[]",
                "Fqr4qloyCTq43oI43Gr9ryKIVCh3b9iTxxBNQvpG7cFja7UjzxscirlzesB3nLi/",
            ),
            (
                "HmacSHA512",
                "[]",
                "UKR0EPRyEu6yHPvadCxp4eEn6mNteyLmYyS6YN9d+OEqFYCy44VUkbgAq7sxSF8895zUsOgZ8tiLjfJS3ptvmw==",
            ),
        ] {
            let key = session_key();
            let algorithm = MacAlgorithm::new(algorithm).unwrap();
            assert_eq!(
                headers(&key, &algorithm, body.as_bytes()),
                [
                    (SIGNATURE_HEADER, expected.to_owned()),
                    (SIGNATURE_ALGORITHM_HEADER, algorithm.name().to_owned())
                ]
            );
            let signature = JAVA_BASE64.decode(expected).unwrap();
            assert!(algorithm.verify(KEY, body.as_bytes(), &signature));
            assert!(!algorithm.verify(KEY, b"other", &signature));
            assert!(!algorithm.verify(&KEY[1..], body.as_bytes(), &signature));
            assert!(!algorithm.verify(KEY, body.as_bytes(), &signature[1..]));
        }
    }

    #[test]
    fn checks_come_in_order_with_their_status() {
        let (key, other_key) = (session_key(), SessionKey::new(vec![1; 32], "HmacSHA256", 0));
        let algorithms = ["HmacSHA256".to_owned()];
        let signed = "rRL9sT/wq4b/bHEYZ9cTStz3nTP4NKdBvhKYj/hGt+I=";
        let hmac = Some("HmacSHA256");
        for (signature, algorithm, known, is_sessioned, expected) in [
            (Some(signed), hmac, Some(&key), true, 204),
            (Some(signed), hmac, Some(&other_key), true, 403),
            (Some("AAAA"), hmac, Some(&key), true, 403),
            (Some(signed), hmac, None, true, 503),
            // The name must be allowed as it is written, though any case is known.
            (Some(signed), Some("hmacsha256"), None, true, 400),
            (Some(signed), Some("HmacSHA512"), Some(&key), true, 400),
            (None, hmac, None, true, 400),
            (Some(signed), None, None, true, 400),
            (None, None, None, true, 400),
            // Headers that are both there are read under every protocol, but nothing else is asked.
            (Some("*"), hmac, Some(&key), false, 400),
            (Some(signed), Some("Crc32"), Some(&key), false, 400),
            (Some("*"), None, None, false, 204),
            (Some("AAAA"), Some("HmacSHA512"), None, false, 204),
            (None, None, None, false, 204),
        ] {
            let verifier = Verifier {
                is_sessioned,
                algorithms: &algorithms,
                key: known,
            };
            let outcome = RequestSignature::from_headers(signature, algorithm)
                .and_then(|signature| verifier.verify(signature.as_ref(), b"[]"));
            let status = outcome.as_ref().err().map_or(204, Refusal::status);
            assert_eq!(status, expected, "{signature:?} {algorithm:?} {outcome:?}");
        }
    }

    #[test]
    fn a_refusal_soon_after_the_first_attempt_is_probably_a_rotation() {
        assert!(is_probably_rotation(403, 59_999));
        assert!(!is_probably_rotation(403, 60_000));
        assert!(!is_probably_rotation(503, 0));
    }
}
