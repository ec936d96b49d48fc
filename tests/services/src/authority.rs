//! Authorities and certificates within the process, made anew for each test.
//!
//! For tests that start no broker, and so need no tools; what a broker and its clients have is in
//! [`Certificates`](crate::Certificates). What must stay true: nothing lives longer than two days.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

/// A key with its certificate.
#[derive(Debug)]
pub struct Identity {
    /// The key.
    pub key: PKey<Private>,
    /// The certificate.
    pub certificate: X509,
}

/// This is test code: all of it panics when OpenSSL cannot do something, which fails the test.
impl Identity {
    /// An authority of its own.
    pub fn authority(name: &str) -> Self {
        Self::make(name, None)
    }

    /// What this authority certifies, for the address 127.0.0.1.
    pub fn issue(&self, name: &str) -> Self {
        Self::make(name, Some(self))
    }

    fn make(name: &str, by: Option<&Self>) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial
            .rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false)
            .unwrap();
        builder
            .set_serial_number(&serial.to_asn1_integer().unwrap())
            .unwrap();
        builder
            .set_not_before(&Asn1Time::days_from_now(0).unwrap())
            .unwrap();
        builder
            .set_not_after(&Asn1Time::days_from_now(2).unwrap())
            .unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder.set_pubkey(&key).unwrap();
        let (issuer, signer) = match by {
            Some(by) => (by.certificate.subject_name(), &by.key),
            None => (&*subject, &key),
        };
        builder.set_issuer_name(issuer).unwrap();
        if by.is_none() {
            let extension = BasicConstraints::new().critical().ca().build().unwrap();
            builder.append_extension(extension).unwrap();
        } else {
            let context = builder.x509v3_context(None, None);
            let extension = SubjectAlternativeName::new()
                .ip("127.0.0.1")
                .build(&context)
                .unwrap();
            builder.append_extension(extension).unwrap();
        }
        builder.sign(signer, MessageDigest::sha256()).unwrap();
        Self {
            key,
            certificate: builder.build(),
        }
    }

    /// The certificate as text.
    pub fn certificate_pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    /// The key as text, without a password.
    pub fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }
}
