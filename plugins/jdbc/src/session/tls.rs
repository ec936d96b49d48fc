//! TLS to a server, as the parameters of a `jdbc:postgresql:` URL ask for it.

use std::collections::BTreeMap;

use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVerifyMode};
use postgres_openssl::MakeTlsConnector;
use tokio_postgres::config::SslMode;

use crate::failure::{Answer, Failure, Trouble};

/// The parameters that are understood here.
pub(super) const PARAMETERS: [&str; 5] = ["ssl", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/// Parameters that change who is trusted in ways that are not built in. They are refused, never passed over.
pub(super) const REFUSED: [(&str, &str); 7] = [
    ("sslfactory", "a Java class; use sslmode with sslrootcert"),
    ("sslhostnameverifier", "a Java class; use sslmode=verify-full"),
    (
        "sslpassword",
        "decrypt the key file, or protect it by its permissions",
    ),
    ("socketFactory", "a Java class"),
    ("requireAuth", "set what the server's pg_hba.conf asks for"),
    (
        "channelBinding",
        "leave it out: it is used where the server offers it",
    ),
    (
        "gssEncMode",
        "Kerberos is not built in; use a password or a client certificate",
    ),
];

/// What is to be done about TLS.
pub(super) struct Tls {
    pub(super) mode: SslMode,
    pub(super) connector: MakeTlsConnector,
}

/// What is asked for, as far as the text says it.
pub(super) struct Wanted {
    pub(super) mode: SslMode,
    checks_chain: bool,
    checks_name: bool,
}

fn wrong(text: String) -> Failure {
    Failure::new(Trouble::Statement, text)
}

/// Reads the parameters, and none of the files that they name.
pub(super) fn wanted(parameters: &BTreeMap<String, String>) -> Answer<Wanted> {
    let get = |key: &str| parameters.get(key).map(String::as_str);
    // As the JVM's driver: ssl=true alone asks for everything.
    let default = match get("ssl") {
        Some("" | "true") => "verify-full",
        _ => "prefer",
    };
    let wanted = get("sslmode").unwrap_or(default);
    let (mode, checks_chain, checks_name) = match wanted {
        "disable" => (SslMode::Disable, false, false),
        "allow" | "prefer" => (SslMode::Prefer, false, false),
        "require" => (SslMode::Require, false, false),
        "verify-ca" => (SslMode::Require, true, false),
        "verify-full" => (SslMode::Require, true, true),
        other => {
            return Err(wrong(format!(
                "sslmode={other} is not known; use disable, allow, prefer, require, verify-ca or verify-full"
            )));
        }
    };
    if get("sslcert").is_some() != get("sslkey").is_some() {
        return Err(wrong(
            "sslcert and sslkey go together: set both or none".to_owned(),
        ));
    }
    Ok(Wanted {
        mode,
        checks_chain,
        checks_name,
    })
}

/// Reads the parameters and the files.
pub(super) fn tls(parameters: &BTreeMap<String, String>) -> Answer<Tls> {
    let get = |key: &str| parameters.get(key).map(String::as_str);
    let wanted = wanted(parameters)?;
    let openssl = |what: &str, error: openssl::error::ErrorStack| wrong(format!("{what}: {error}"));
    let mut builder =
        SslConnector::builder(SslMethod::tls_client()).map_err(|error| openssl("TLS", error))?;
    if wanted.checks_chain {
        match get("sslrootcert") {
            Some(path) => builder.set_ca_file(path).map_err(|error| {
                openssl(
                    &format!("the certificates of sslrootcert={path} cannot be read"),
                    error,
                )
            })?,
            None => builder
                .set_default_verify_paths()
                .map_err(|error| openssl("the system's certificates cannot be read", error))?,
        }
    } else {
        builder.set_verify(SslVerifyMode::NONE);
    }
    if let (Some(certificate), Some(key)) = (get("sslcert"), get("sslkey")) {
        builder.set_certificate_chain_file(certificate).map_err(|error| {
            openssl(
                &format!("the certificate of sslcert={certificate} cannot be read"),
                error,
            )
        })?;
        let pem = builder.set_private_key_file(key, SslFiletype::PEM);
        // The JVM's driver takes keys in DER.
        pem.or_else(|_| builder.set_private_key_file(key, SslFiletype::ASN1))
            .map_err(|error| openssl(&format!("the key of sslkey={key} cannot be read"), error))?;
    }
    let mut connector = MakeTlsConnector::new(builder.build());
    connector.set_callback(move |connection, _| {
        connection.set_verify_hostname(wanted.checks_name);
        Ok(())
    });
    Ok(Tls {
        mode: wanted.mode,
        connector,
    })
}
