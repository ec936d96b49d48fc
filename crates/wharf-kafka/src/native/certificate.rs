//! What a client thinks of a broker's certificate, beside what OpenSSL thinks of it.
//!
//! Only here can be had why one is refused; librdkafka says the same words for all reasons. What must stay true: nothing is
//! overlooked but the missing root of a certificate that the user trusts by itself.

use std::ffi::c_int;
use std::sync::{Mutex, PoisonError};

use openssl::x509::{X509, X509VerifyResult};

/// Judges the certificates of the brokers of one client.
pub(super) struct Judge {
    /// The certificates of the trust store, in DER.
    trusted: Vec<Vec<u8>>,
    refused: Mutex<Option<&'static str>>,
}

impl Judge {
    /// With a trust store as PEM text; what cannot be read of it is refused by librdkafka.
    pub(super) fn new(trusted: &str) -> Self {
        let certificates = X509::stack_from_pem(trusted.as_bytes()).unwrap_or_default();
        Self {
            trusted: certificates
                .iter()
                .filter_map(|certificate| certificate.to_der().ok())
                .collect(),
            refused: Mutex::new(None),
        }
    }

    /// Decides about one certificate of a broker's chain, after OpenSSL found this error with it; 0 is none.
    pub(super) fn judge(&self, error: c_int, certificate: &[u8]) -> Result<(), &'static str> {
        if error == 0 || self.is_trusted(error, certificate) {
            return Ok(());
        }
        // SAFETY: OpenSSL's own number.
        let why = unsafe { X509VerifyResult::from_raw(error) }.error_string();
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        Err(why)
    }

    /// Why a certificate was refused last; its connection fails right after.
    pub(super) fn refused(&self) -> Option<&'static str> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether OpenSSL only misses who issued a certificate that is in the trust store itself.
    ///
    /// Java trusts what is in a trust store, be it a root or not; OpenSSL wants a root. Signatures below the trusted one are
    /// checked all the same, and so are names and dates, which have numbers of their own.
    fn is_trusted(&self, error: c_int, certificate: &[u8]) -> bool {
        // Issuer not found, not found locally, and for a lone certificate: cannot verify its signature.
        matches!(error, 2 | 20 | 21) && self.trusted.iter().any(|one| one == certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_issuer_of_a_trusted_certificate_is_overlooked() {
        for (error, certificate, answer) in [
            (0, &[9][..], Ok(())),
            (2, &[3], Ok(())),
            (20, &[1, 2], Ok(())),
            (21, &[3], Ok(())),
            (20, &[1], Err("unable to get local issuer certificate")),
            (10, &[3], Err("certificate has expired")),
            (7, &[3], Err("certificate signature failure")),
            (62, &[3], Err("hostname mismatch")),
        ] {
            let judge = Judge {
                trusted: vec![vec![1, 2], vec![3]],
                refused: Mutex::new(None),
            };
            assert_eq!(judge.judge(error, certificate), answer, "{error}");
            assert_eq!(judge.refused(), answer.err());
        }
    }
}
