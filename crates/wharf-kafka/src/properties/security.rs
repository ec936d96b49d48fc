//! TLS and SASL: Java's key stores and login modules in librdkafka's terms.
//!
//! PEM text, PEM files and PKCS12 stores are read; JKS is refused with the command that converts a store. Nothing here
//! repeats a password, a key or a login in a message.

use std::fs;

use openssl::pkcs12::Pkcs12;

use super::{Draft, jaas};

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

pub(super) fn apply(draft: &mut Draft<'_>) {
    let Some(protocol) = draft.java("security.protocol").map(str::to_ascii_lowercase) else {
        return;
    };
    draft.set("security.protocol", protocol.clone());
    if protocol.ends_with("ssl") {
        tls(draft);
    }
    if protocol.starts_with("sasl") {
        sasl(draft);
    }
}

/// What a file of keys or certificates is, told by its first bytes, because Java's default type `JKS` also reads PKCS12.
#[derive(Debug, PartialEq, Eq)]
enum Store {
    Pem,
    Pkcs12(Vec<u8>),
}

fn read_store(draft: &mut Draft<'_>, what: &str, path: &str) -> Option<Store> {
    let key = format!("ssl.{what}.location");
    let declared = draft
        .java(&format!("ssl.{what}.type"))
        .unwrap_or("JKS")
        .to_ascii_uppercase();
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) => {
            draft.problem(&key, format!("{key} {path} cannot be read: {error}"));
            return None;
        }
    };
    let refuse = |draft: &mut Draft<'_>, kind: &str| {
        let message = format!(
            "{key} {path} is a {kind} store, which this worker does not read; convert it with: keytool -importkeystore \
             -srckeystore {path} -destkeystore {path}.p12 -deststoretype PKCS12"
        );
        draft.problem(&key, message);
        None
    };
    match (declared.as_str(), content.first_chunk::<4>()) {
        (_, Some([0xfe, 0xed, 0xfe, 0xed])) => refuse(draft, "JKS"),
        (_, Some([0xce, 0xce, 0xce, 0xce])) => refuse(draft, "JCEKS"),
        ("PEM", _) => Some(Store::Pem),
        ("JKS" | "PKCS12", Some([0x30, ..])) => Some(Store::Pkcs12(content)),
        ("JKS" | "PKCS12", _) => {
            draft.problem(
                &key,
                format!("{key} {path} is not a PKCS12 store; for a PEM file set ssl.{what}.type=PEM"),
            );
            None
        }
        (other, _) => {
            let other = other.to_owned();
            draft.problem(
                &format!("ssl.{what}.type"),
                format!("ssl.{what}.type {other} is not known; use PEM or PKCS12"),
            );
            None
        }
    }
}

fn owned(draft: &Draft<'_>, key: &str) -> Option<String> {
    draft
        .java(key)
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

fn tls(draft: &mut Draft<'_>) {
    match draft
        .java("ssl.endpoint.identification.algorithm")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("https") => draft.set("ssl.endpoint.identification.algorithm", "https"),
        Some("") | None => draft.set("ssl.endpoint.identification.algorithm", "none"),
        Some(_) => draft.problem(
            "ssl.endpoint.identification.algorithm",
            "ssl.endpoint.identification.algorithm must be https, or empty for no check of host names",
        ),
    }
    let protocols = owned(draft, "ssl.enabled.protocols").unwrap_or_default();
    for protocol in protocols
        .split(',')
        .filter(|name| !["TLSv1.2", "TLSv1.3", ""].contains(name))
    {
        let message =
            format!("ssl.enabled.protocols cannot be honoured by this worker: {protocol} is not supported");
        draft.problem("ssl.enabled.protocols", message);
    }
    match protocols.as_str() {
        "TLSv1.3" => draft.problem(
            "ssl.enabled.protocols",
            "ssl.enabled.protocols cannot be honoured by this worker: TLS 1.2 cannot be switched off in the client; \
             forbid it on the broker and leave the property out",
        ),
        "TLSv1.2" => {
            let warning = "ssl.enabled.protocols=TLSv1.2: TLS 1.3 is used where the broker offers it";
            draft.out.warnings.push(warning.to_owned());
        }
        _ => {}
    }
    trust_store(draft);
    key_store(draft);
}

fn trust_store(draft: &mut Draft<'_>) {
    if let Some(pem) = owned(draft, "ssl.truststore.certificates") {
        return draft.set("ssl.ca.pem", pem);
    }
    // Without a trust store Java takes its own list of authorities; here the system's is looked for.
    let Some(path) = owned(draft, "ssl.truststore.location") else {
        return;
    };
    match read_store(draft, "truststore", &path) {
        Some(Store::Pem) => draft.set("ssl.ca.location", path),
        Some(Store::Pkcs12(content)) => {
            let password = owned(draft, "ssl.truststore.password").unwrap_or_default();
            match certificates(&content, &password) {
                Ok(pem) => draft.set("ssl.ca.pem", pem),
                Err(reason) => {
                    draft.problem(
                        "ssl.truststore.location",
                        format!("ssl.truststore.location {path}: {reason}"),
                    );
                }
            }
        }
        None => {}
    }
}

/// All certificates of a PKCS12 store, as PEM text.
fn certificates(store: &[u8], password: &str) -> Result<String, &'static str> {
    let opened = Pkcs12::from_der(store)
        .and_then(|store| store.parse2(password))
        .map_err(|_| "the store cannot be opened; check ssl.truststore.password")?;
    let mut pem = String::new();
    for certificate in opened
        .cert
        .iter()
        .map(|certificate| certificate.as_ref())
        .chain(opened.ca.iter().flatten())
    {
        let text = certificate
            .to_pem()
            .map_err(|_| "a certificate of the store cannot be read")?;
        pem.push_str(&String::from_utf8_lossy(&text));
    }
    if pem.is_empty() {
        Err("the store holds no certificate")
    } else {
        Ok(pem)
    }
}

fn key_store(draft: &mut Draft<'_>) {
    let key_password = owned(draft, "ssl.key.password");
    if let Some(key) = owned(draft, "ssl.keystore.key") {
        let Some(chain) = owned(draft, "ssl.keystore.certificate.chain") else {
            let message = "ssl.keystore.certificate.chain must be set together with ssl.keystore.key";
            return draft.problem("ssl.keystore.certificate.chain", message);
        };
        draft.set("ssl.key.pem", key);
        draft.set("ssl.certificate.pem", chain);
        if let Some(password) = key_password {
            draft.set("ssl.key.password", password);
        }
        return;
    }
    let Some(path) = owned(draft, "ssl.keystore.location") else {
        return;
    };
    match read_store(draft, "keystore", &path) {
        Some(Store::Pem) => {
            draft.set("ssl.key.location", path.clone());
            draft.set("ssl.certificate.location", path);
            if let Some(password) = key_password {
                draft.set("ssl.key.password", password);
            }
        }
        Some(Store::Pkcs12(_)) => {
            let Some(password) = owned(draft, "ssl.keystore.password") else {
                let message = "ssl.keystore.password must be set together with ssl.keystore.location";
                return draft.problem("ssl.keystore.password", message);
            };
            draft.set("ssl.keystore.location", path);
            draft.set("ssl.keystore.password", password);
        }
        None => {}
    }
}

fn sasl(draft: &mut Draft<'_>) {
    const KEY: &str = "sasl.mechanism";
    let mechanism = owned(draft, KEY).unwrap_or_default();
    let class = match mechanism.as_str() {
        "PLAIN" => PLAIN,
        "SCRAM-SHA-256" | "SCRAM-SHA-512" => SCRAM,
        "OAUTHBEARER" => OAUTH,
        "GSSAPI" if !draft.is_given(KEY) => {
            let message = "sasl.mechanism is GSSAPI unless set, and Kerberos is not built in; set PLAIN, SCRAM-SHA-256, \
                           SCRAM-SHA-512 or OAUTHBEARER";
            return draft.problem(KEY, message);
        }
        other => {
            let message = format!(
                "sasl.mechanism {other} is not built in; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
            );
            return draft.problem(KEY, message);
        }
    };
    draft.set(KEY, mechanism.clone());
    let Some(config) = owned(draft, "sasl.jaas.config") else {
        let message = format!(
            "sasl.jaas.config must be set for {mechanism}; files of java.security.auth.login.config are not read"
        );
        return draft.problem("sasl.jaas.config", message);
    };
    match jaas::parse(&config) {
        Err(reason) => draft.problem(
            "sasl.jaas.config",
            format!("Invalid value [hidden] for configuration sasl.jaas.config: {reason}"),
        ),
        Ok(module) if module.class != class => {
            let message = format!(
                "sasl.jaas.config names {}, but {mechanism} needs {class}",
                module.class
            );
            draft.problem("sasl.jaas.config", message);
        }
        Ok(module) => login(draft, &module),
    }
}

fn login(draft: &mut Draft<'_>, module: &jaas::LoginModule) {
    if module.class == OAUTH {
        let Some(subject) = module.options.get("unsecuredLoginStringClaim_sub") else {
            let message = "sasl.jaas.config: OAuthBearerLoginModule works here with unsecuredLoginStringClaim_sub only; \
                           token endpoints are not built in";
            return draft.problem("sasl.jaas.config", message);
        };
        draft.set("enable.sasl.oauthbearer.unsecure.jwt", "true");
        return draft.set("sasl.oauthbearer.config", format!("principal={subject}"));
    }
    if module
        .options
        .get("tokenauth")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return draft.problem(
            "sasl.jaas.config",
            "sasl.jaas.config: delegation tokens (tokenauth) are not built in",
        );
    }
    for (option, key) in [("username", "sasl.username"), ("password", "sasl.password")] {
        match module.options.get(option) {
            Some(value) => draft.set(key, value.clone()),
            None => draft.problem(
                "sasl.jaas.config",
                format!("sasl.jaas.config lacks the option {option}"),
            ),
        }
    }
}
