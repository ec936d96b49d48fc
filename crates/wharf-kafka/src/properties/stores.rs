//! Trust and key stores, read into PEM text.
//!
//! PEM text, PEM files and PKCS12 stores are read; JKS is refused with the command that converts a store. All are read
//! here and not by librdkafka, so that a mistake is named by Java's key before any connection is tried, and so that every
//! client gets the same three texts: `ssl.ca.pem`, `ssl.certificate.pem`, `ssl.key.pem`. What must stay true: the whole
//! chain of a client's certificate is passed on, and no message repeats a password or a key.

use std::fs;
use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};
use openssl::pkey::{PKey, Private};
use openssl::provider::Provider;
use openssl::x509::{X509, X509VerifyResult};

use super::security::owned;
use super::{Draft, pem};

pub(super) fn apply(draft: &mut Draft<'_>) {
    for (key, found) in [trusted(draft), identity(draft)].into_iter().flatten().flatten() {
        match found {
            Ok((name, value)) => draft.set(name, value),
            Err(reason) => draft.problem(&key, format!("{key} {reason}")),
        }
    }
}

/// A librdkafka setting, or what is wrong with the Java key beside it. The reason follows the key in a message.
type Found = (String, Result<(&'static str, String), String>);

/// What a file of keys or certificates is, told by its first bytes, because Java's default type `JKS` also reads PKCS12.
enum Store {
    Pem(String),
    Pkcs12(Vec<u8>),
}

fn read_store(draft: &Draft<'_>, what: &str, path: &str) -> Result<Store, String> {
    let declared = draft
        .java(&format!("ssl.{what}.type"))
        .unwrap_or("JKS")
        .to_ascii_uppercase();
    let content = fs::read(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    let refuse = |kind: &str| {
        let (from, to) = (quoted(path), quoted(&format!("{path}.p12")));
        Err(format!(
            "{path} is a {kind} store, which this worker does not read; convert it with: keytool -importkeystore \
             -srckeystore {from} -srcstoretype {kind} -destkeystore {to} -deststoretype PKCS12"
        ))
    };
    match (declared.as_str(), content.first_chunk::<4>()) {
        (_, Some([0xfe, 0xed, 0xfe, 0xed])) => refuse("JKS"),
        (_, Some([0xce, 0xce, 0xce, 0xce])) => refuse("JCEKS"),
        ("PEM", _) => match String::from_utf8(content) {
            Ok(text) => Ok(Store::Pem(text)),
            Err(_) => Err(format!("{path} is not a PEM file; leave out ssl.{what}.type")),
        },
        ("JKS" | "PKCS12", Some([0x30, ..])) => Ok(Store::Pkcs12(content)),
        ("JKS" | "PKCS12", _) => Err(format!(
            "{path} is not a PKCS12 store; for a PEM file set ssl.{what}.type=PEM"
        )),
        (other, _) => Err(format!(
            "{path} cannot be read: ssl.{what}.type {other} is not known; use PEM or PKCS12"
        )),
    }
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    match path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

fn trusted(draft: &Draft<'_>) -> Option<Vec<Found>> {
    const INLINE: &str = "ssl.truststore.certificates";
    const LOCATION: &str = "ssl.truststore.location";
    let inline = owned(draft, INLINE);
    let location = owned(draft, LOCATION);
    let (key, found) = match (inline, location) {
        (Some(_), Some(_)) => (
            INLINE,
            Err(format!(
                "and {LOCATION} cannot both be set; leave one of them out"
            )),
        ),
        (Some(text), None) => (INLINE, certificates(&text)),
        (None, Some(path)) => (LOCATION, trusted_file(draft, &path)),
        // Without a trust store Java takes its own list of authorities; here the system's is looked for.
        (None, None) => return None,
    };
    Some(vec![(key.to_owned(), found.map(|pem| ("ssl.ca.pem", pem)))])
}

fn trusted_file(draft: &Draft<'_>, path: &str) -> Result<String, String> {
    let password = owned(draft, "ssl.truststore.password");
    let about = |reason: String| format!("{path}: {reason}");
    match read_store(draft, "truststore", path)? {
        Store::Pem(_) if password.is_some() => {
            Err("is a PEM file, which has no password; leave out ssl.truststore.password".to_owned())
        }
        Store::Pem(text) => certificates(&text).map_err(about),
        Store::Pkcs12(content) => {
            let store = open(&content, password.as_deref(), "ssl.truststore.password").map_err(about)?;
            let all: Vec<X509> = store
                .cert
                .into_iter()
                .chain(store.ca.into_iter().flatten())
                .collect();
            match all.is_empty() {
                true => Err(about("the store holds no certificate".to_owned())),
                false => text_of(&all).map_err(about),
            }
        }
    }
}

/// The certificates of a PEM text, checked one by one.
fn certificates(text: &str) -> Result<String, String> {
    let blocks = pem::blocks(text, pem::is_certificate);
    if blocks.is_empty() {
        return Err("holds no certificate; PEM text with -----BEGIN CERTIFICATE----- is needed".to_owned());
    }
    match blocks
        .iter()
        .position(|block| X509::from_pem(block.as_bytes()).is_err())
    {
        None => Ok(blocks.concat()),
        Some(at) => Err(format!(
            "cannot be read: certificate {} of {} is damaged",
            at + 1,
            blocks.len()
        )),
    }
}

fn text_of(certificates: &[X509]) -> Result<String, String> {
    let mut text = String::new();
    for certificate in certificates {
        let pem = certificate
            .to_pem()
            .map_err(|_| "a certificate of the store cannot be read")?;
        text.push_str(&String::from_utf8_lossy(&pem));
    }
    Ok(text)
}

/// The client's own key and certificates.
fn identity(draft: &Draft<'_>) -> Option<Vec<Found>> {
    const KEY: &str = "ssl.keystore.key";
    const CHAIN: &str = "ssl.keystore.certificate.chain";
    const LOCATION: &str = "ssl.keystore.location";
    let problem = |key: &str, reason: &str| Some(vec![(key.to_owned(), Err(reason.to_owned()))]);
    let (key, pair) = match (owned(draft, KEY), owned(draft, CHAIN), owned(draft, LOCATION)) {
        (Some(_), _, Some(_)) => {
            return problem(
                KEY,
                "and ssl.keystore.location cannot both be set; leave one of them out",
            );
        }
        (Some(_), None, None) => {
            return problem(CHAIN, "must be set together with ssl.keystore.key");
        }
        (None, Some(_), _) => {
            return problem(KEY, "must be set together with ssl.keystore.certificate.chain");
        }
        (Some(key), Some(chain), None) => {
            // Each of the two has a key of its own to name in a message.
            let chain = match certificates(&chain) {
                Ok(chain) => chain,
                Err(reason) => return problem(CHAIN, &reason),
            };
            (KEY, pair(draft, &key, &chain))
        }
        (None, None, Some(path)) => (LOCATION, identity_file(draft, &path)),
        (None, None, None) => return None,
    };
    Some(match pair {
        Ok((private, chain)) => vec![
            (key.to_owned(), Ok(("ssl.key.pem", private))),
            (key.to_owned(), Ok(("ssl.certificate.pem", chain))),
        ],
        Err(reason) => vec![(key.to_owned(), Err(reason))],
    })
}

fn identity_file(draft: &Draft<'_>, path: &str) -> Result<(String, String), String> {
    let password = owned(draft, "ssl.keystore.password");
    let about = |reason: String| format!("{path}: {reason}");
    match read_store(draft, "keystore", path)? {
        Store::Pem(_) if password.is_some() => Err(
            "is a PEM file, which has no password of its own; set ssl.key.password instead of ssl.keystore.password"
                .to_owned(),
        ),
        Store::Pem(text) => {
            let chain = certificates(&text).map_err(about)?;
            pair(draft, &text, &chain).map_err(about)
        }
        Store::Pkcs12(_) if password.is_none() => Err(format!(
            "{path} needs its password; set ssl.keystore.password"
        )),
        Store::Pkcs12(content) => {
            if owned(draft, "ssl.key.password").is_some_and(|own| Some(own) != password) {
                return Err(format!(
                    "{path}: ssl.key.password differs from ssl.keystore.password, but a PKCS12 store has one password \
                     for all it holds"
                ));
            }
            let store = open(&content, password.as_deref(), "ssl.keystore.password").map_err(about)?;
            let (Some(key), Some(certificate)) = (store.pkey, store.cert) else {
                return Err(about("the store holds no private key with its certificate".to_owned()));
            };
            let others = store.ca.into_iter().flatten().collect();
            Ok((
                key_text(&key).map_err(about)?,
                text_of(&chain(certificate, others)).map_err(about)?,
            ))
        }
    }
}

/// The certificate with those that lead from it to its authority; stores hold others too.
fn chain(own: X509, mut others: Vec<X509>) -> Vec<X509> {
    let mut chain = vec![own];
    while let Some(at) = chain.last().and_then(|last| {
        others
            .iter()
            .position(|other| other.issued(last) == X509VerifyResult::OK)
    }) {
        chain.push(others.swap_remove(at));
    }
    chain
}

/// Key and chain out of PEM text, the key without its password.
fn pair(draft: &Draft<'_>, text: &str, chain: &str) -> Result<(String, String), String> {
    let blocks = pem::blocks(text, pem::is_key);
    let Some(block) = blocks.first() else {
        return Err("holds no private key; PEM text with -----BEGIN PRIVATE KEY----- is needed".to_owned());
    };
    let password = owned(draft, "ssl.key.password");
    let encrypted = block.contains("ENCRYPTED");
    if encrypted && password.is_none() {
        return Err("holds an encrypted private key; set ssl.key.password".to_owned());
    }
    let password = password.unwrap_or_default();
    let read = || PKey::private_key_from_pem_passphrase(block.as_bytes(), password.as_bytes());
    let key = read().or_else(|_| with_old_ciphers(read)).map_err(|_| {
        if encrypted {
            "holds a private key that cannot be decrypted; check ssl.key.password"
        } else {
            "holds a private key that cannot be read"
        }
    })?;
    let own = X509::from_pem(chain.as_bytes()).and_then(|certificate| certificate.public_key());
    if !own.is_ok_and(|public| public.public_eq(&key)) {
        return Err("holds a private key that is not the first certificate's".to_owned());
    }
    Ok((key_text(&key)?, chain.to_owned()))
}

fn key_text(key: &PKey<Private>) -> Result<String, String> {
    key.private_key_to_pem_pkcs8()
        .map(|pem| String::from_utf8_lossy(&pem).into_owned())
        .map_err(|_| "the private key is of a kind that cannot be used".to_owned())
}

fn open(store: &[u8], password: Option<&str>, key: &str) -> Result<ParsedPkcs12_2, String> {
    let store = Pkcs12::from_der(store).map_err(|_| "the PKCS12 store is damaged")?;
    let read = || store.parse2(password.unwrap_or_default());
    let wrong_password = |errors: &ErrorStack| {
        errors.errors().iter().any(|error| {
            error
                .reason()
                .is_some_and(|reason| reason.contains("mac verify failure"))
        })
    };
    read()
        .or_else(|errors| match wrong_password(&errors) {
            true => Err(errors),
            false => with_old_ciphers(read),
        })
        .map_err(|errors| match wrong_password(&errors) {
            true => format!("the store cannot be opened; check {key}"),
            false => {
                "the store cannot be opened: it uses encryption that is not known here; write it again with: \
                      keytool -importkeystore"
                    .to_owned()
            }
        })
}

/// Tries once more with ciphers that OpenSSL keeps apart: keytool before Java 8u301 wrote stores with 40 bit RC2.
fn with_old_ciphers<T>(read: impl FnOnce() -> Result<T, ErrorStack>) -> Result<T, ErrorStack> {
    static OLD: OnceLock<Option<Provider>> = OnceLock::new();
    OLD.get_or_init(|| Provider::try_load(None, "legacy", true).ok());
    read()
}

#[cfg(test)]
mod tests;
