//! Java's key and trust store settings, read into PEM text, login modules ([`jaas`]), and what helps where a connection is refused.
//!
//! Used by the worker for its Kafka clients and its group, and by plugins for their clients, so that the same stores work for
//! all of them and the same mistake has the same message.
//!
//! PEM text, PEM files and PKCS12 stores are read; JKS is refused with the command that converts a store. What must stay
//! true: a mistake is named by its key, with the prefix it was set under; the whole chain of a client's certificate is passed
//! on; no message repeats a password or a key.

pub mod jaas;
mod pem;
mod remedy;
mod system;

use std::fs;
use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};
use openssl::pkey::{PKey, Private};
use openssl::provider::Provider;
use openssl::x509::{X509, X509VerifyResult};

pub use self::remedy::{explain, is_refusal};
pub use self::system::authorities as system_authorities;

/// The `ssl.*` settings that name stores, keys and certificates.
pub struct Settings<'a> {
    prefix: &'a str,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

/// What the settings gave, as PEM text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The certificates to trust; `None` means the system's.
    pub trusted: Option<String>,
    /// The client's own key without its password, and its certificate with those that lead to its authority.
    pub identity: Option<(String, String)>,
}

impl std::fmt::Debug for Found {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("trusted", &self.trusted)
            .field("identity", &self.identity.as_ref().map(|(_, chain)| chain))
            .finish()
    }
}

/// A setting that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its key, with prefix.
    pub key: String,
    /// What is wrong and what to do, beginning with the key.
    pub message: String,
}

impl<'a> Settings<'a> {
    /// Settings that `lookup` finds by names without `prefix`, as in `ssl.truststore.location`. Messages name them with it.
    #[must_use]
    pub fn new(prefix: &'a str, lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { prefix, lookup }
    }

    /// Reads trusted certificates and the client's own.
    ///
    /// # Errors
    /// The first setting that does not hold; [`read_all`](Self::read_all) gives all of them.
    pub fn read(&self) -> Result<Found, Problem> {
        let (found, problems) = self.read_all();
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(found),
        }
    }

    /// Reads what can be read, and says what cannot.
    #[must_use]
    pub fn read_all(&self) -> (Found, Vec<Problem>) {
        let mut found = Found::default();
        let mut problems = Vec::new();
        let mut problem = |(key, reason): Mistake| {
            let key = self.key(key);
            let message = format!("{key} {reason}");
            problems.push(Problem { key, message });
        };
        match trusted(self) {
            Ok(trusted) => found.trusted = trusted,
            Err(mistake) => problem(mistake),
        }
        match identity(self) {
            Ok(identity) => found.identity = identity,
            Err(mistake) => problem(mistake),
        }
        (found, problems)
    }

    /// The value of a setting, unless it is empty.
    fn get(&self, key: &str) -> Option<String> {
        (self.lookup)(key).filter(|value| !value.is_empty())
    }

    /// The key as the user wrote it.
    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// The password of a private key, whatever holds it.
const KEY_PASSWORD: &str = "ssl.key.password";

/// A key without prefix, and what is wrong with it. The reason follows the key in a message.
type Mistake = (&'static str, String);

/// What a file of keys or certificates is, told by its first bytes, because Java's default type `JKS` also reads PKCS12.
enum Store {
    Pem(String),
    Pkcs12(Vec<u8>),
}

fn read_store(settings: &Settings<'_>, what: &str, path: &str) -> Result<Store, String> {
    let type_key = settings.key(&format!("ssl.{what}.type"));
    let declared = settings
        .get(&format!("ssl.{what}.type"))
        .map_or_else(|| "JKS".to_owned(), |name| name.to_ascii_uppercase());
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
            Err(_) => Err(format!("{path} is not a PEM file; leave out {type_key}")),
        },
        ("JKS" | "PKCS12", Some([0x30, ..])) => Ok(Store::Pkcs12(content)),
        ("JKS" | "PKCS12", _) => Err(format!(
            "{path} is not a PKCS12 store; for a PEM file set {type_key}=PEM"
        )),
        (other, _) => Err(format!(
            "{path} cannot be read: {type_key} {other} is not known; use PEM or PKCS12"
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

fn trusted(settings: &Settings<'_>) -> Result<Option<String>, Mistake> {
    const INLINE: &str = "ssl.truststore.certificates";
    const LOCATION: &str = "ssl.truststore.location";
    match (settings.get(INLINE), settings.get(LOCATION)) {
        (Some(_), Some(_)) => Err((
            INLINE,
            format!(
                "and {} cannot both be set; leave one of them out",
                settings.key(LOCATION)
            ),
        )),
        (Some(text), None) => certificates(&text).map(Some).map_err(|reason| (INLINE, reason)),
        (None, Some(path)) => trusted_file(settings, &path)
            .map(Some)
            .map_err(|reason| (LOCATION, reason)),
        // Without a trust store Java takes its own list of authorities; here the system's is looked for.
        (None, None) => Ok(None),
    }
}

fn trusted_file(settings: &Settings<'_>, path: &str) -> Result<String, String> {
    const PASSWORD: &str = "ssl.truststore.password";
    let password = settings.get(PASSWORD);
    let password_key = settings.key(PASSWORD);
    let about = |reason: String| format!("{path}: {reason}");
    match read_store(settings, "truststore", path)? {
        Store::Pem(_) if password.is_some() => Err(format!(
            "is a PEM file, which has no password; leave out {password_key}"
        )),
        Store::Pem(text) => certificates(&text).map_err(about),
        Store::Pkcs12(content) => {
            let store = open(&content, password.as_deref(), &password_key).map_err(about)?;
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
fn identity(settings: &Settings<'_>) -> Result<Option<(String, String)>, Mistake> {
    const KEY: &str = "ssl.keystore.key";
    const CHAIN: &str = "ssl.keystore.certificate.chain";
    const LOCATION: &str = "ssl.keystore.location";
    let together = |key: &str| format!("must be set together with {}", settings.key(key));
    match (settings.get(KEY), settings.get(CHAIN), settings.get(LOCATION)) {
        (Some(_), _, Some(_)) => Err((
            KEY,
            format!(
                "and {} cannot both be set; leave one of them out",
                settings.key(LOCATION)
            ),
        )),
        (Some(_), None, None) => Err((CHAIN, together(KEY))),
        (None, Some(_), _) => Err((KEY, together(CHAIN))),
        (Some(key), Some(chain), None) => {
            // Each of the two has a key of its own to name in a message.
            let chain = certificates(&chain).map_err(|reason| (CHAIN, reason))?;
            let pair = pair(settings, &key, &chain).map_err(|reason| (KEY, reason))?;
            Ok(Some(pair))
        }
        (None, None, Some(path)) => identity_file(settings, &path)
            .map(Some)
            .map_err(|reason| (LOCATION, reason)),
        (None, None, None) => Ok(None),
    }
}

fn identity_file(settings: &Settings<'_>, path: &str) -> Result<(String, String), String> {
    const PASSWORD: &str = "ssl.keystore.password";
    let password = settings.get(PASSWORD);
    let password_key = settings.key(PASSWORD);
    let own_key = settings.key(KEY_PASSWORD);
    let about = |reason: String| format!("{path}: {reason}");
    match read_store(settings, "keystore", path)? {
        Store::Pem(_) if password.is_some() => Err(format!(
            "is a PEM file, which has no password of its own; set {own_key} instead of {password_key}"
        )),
        Store::Pem(text) => {
            let chain = certificates(&text).map_err(about)?;
            pair(settings, &text, &chain).map_err(about)
        }
        Store::Pkcs12(_) if password.is_none() => {
            Err(format!("{path} needs its password; set {password_key}"))
        }
        Store::Pkcs12(content) => {
            if settings
                .get(KEY_PASSWORD)
                .is_some_and(|own| Some(own) != password)
            {
                return Err(format!(
                    "{path}: {own_key} differs from {password_key}, but a PKCS12 store has one password for all it \
                     holds"
                ));
            }
            let store = open(&content, password.as_deref(), &password_key).map_err(about)?;
            let (Some(key), Some(certificate)) = (store.pkey, store.cert) else {
                return Err(about(
                    "the store holds no private key with its certificate".to_owned(),
                ));
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
fn pair(settings: &Settings<'_>, text: &str, chain: &str) -> Result<(String, String), String> {
    let blocks = pem::blocks(text, pem::is_key);
    let Some(block) = blocks.first() else {
        return Err("holds no private key; PEM text with -----BEGIN PRIVATE KEY----- is needed".to_owned());
    };
    let password = settings.get(KEY_PASSWORD);
    let password_key = settings.key(KEY_PASSWORD);
    let encrypted = block.contains("ENCRYPTED");
    if encrypted && password.is_none() {
        return Err(format!("holds an encrypted private key; set {password_key}"));
    }
    let password = password.unwrap_or_default();
    let read = || PKey::private_key_from_pem_passphrase(block.as_bytes(), password.as_bytes());
    let key = read().or_else(|_| with_old_ciphers(read)).map_err(|_| {
        if encrypted {
            format!("holds a private key that cannot be decrypted; check {password_key}")
        } else {
            "holds a private key that cannot be read".to_owned()
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
