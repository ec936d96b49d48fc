//! TLS to a server, as the parameters of a `jdbc:mysql:` or `jdbc:mariadb:` URL ask for it.

use mysql_async::{ClientIdentity, SslOpts};
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::X509;

use super::mysql_url::Parameters;
use crate::failure::{Answer, Failure, Trouble};

/// The parameters that are understood here.
pub(super) const PARAMETERS: [&str; 22] = [
    "sslmode",
    "usessl",
    "requiressl",
    "verifyservercertificate",
    "trustservercertificate",
    "disablesslhostnameverification",
    "serversslcert",
    "trustcertificatekeystoreurl",
    "trustcertificatekeystoretype",
    "trustcertificatekeystorepassword",
    "truststore",
    "truststoretype",
    "truststorepassword",
    "clientcertificatekeystoreurl",
    "clientcertificatekeystoretype",
    "clientcertificatekeystorepassword",
    "keystore",
    "keystoretype",
    "keystorepassword",
    "tlsversions",
    "enabledtlsprotocols",
    "enabledsslprotocolsuites",
];

const PEM: &[u8] = b"-----BEGIN";
/// How Java's own key stores begin.
const JKS: &[u8] = &[0xFE, 0xED, 0xFE, 0xED];

/// What is to be done about TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    Never,
    /// Where the server has it; nobody is asked who it is.
    IfOffered(SslOpts),
    Always(SslOpts),
}

/// Who is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    Chain,
    ChainAndName,
}

/// Reads the parameters. Without any, TLS is used where the server has it.
pub(super) fn tls(parameters: &Parameters<'_>) -> Answer<Tls> {
    let (needed, check) = match parameters.get("sslMode") {
        Some(mode) => match mode.to_ascii_lowercase().replace('_', "-").as_str() {
            "disabled" | "disable" => return Ok(Tls::Never),
            "preferred" => (false, Check::Nothing),
            "required" | "trust" => (true, Check::Nothing),
            "verify-ca" => (true, Check::Chain),
            "verify-identity" | "verify-full" => (true, Check::ChainAndName),
            _ => {
                return Err(wrong(format!(
                    "sslMode={mode} is not known; use DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY"
                )));
            }
        },
        None => match of_older_parameters(parameters)? {
            Some(asked) => asked,
            None => return Ok(Tls::Never),
        },
    };
    check_versions(parameters)?;
    let mut options = SslOpts::default()
        .with_danger_accept_invalid_certs(check == Check::Nothing)
        .with_danger_skip_domain_validation(check != Check::ChainAndName);
    if check != Check::Nothing
        && let Some(trusted) = trusted(parameters)?
    {
        options = options
            .with_root_certs(vec![trusted.into()])
            .with_disable_built_in_roots(true);
    }
    options = options.with_client_identity(identity(parameters)?);
    Ok(match needed {
        true => Tls::Always(options),
        false => Tls::IfOffered(options),
    })
}

/// `useSSL` and what goes with it; nothing when TLS is not to be used. MariaDB's driver checks everything unless it is told not to.
fn of_older_parameters(parameters: &Parameters<'_>) -> Answer<Option<(bool, Check)>> {
    let is = |name: &str| parameters.flag(name);
    Ok(Some(match is("useSSL")? {
        Some(false) => return Ok(None),
        Some(true) if parameters.is_mariadb => {
            if is("trustServerCertificate")? == Some(true) {
                (true, Check::Nothing)
            } else if is("disableSslHostnameVerification")? == Some(true) {
                (true, Check::Chain)
            } else {
                (true, Check::ChainAndName)
            }
        }
        _ => {
            if is("verifyServerCertificate")? == Some(true) {
                (true, Check::Chain)
            } else {
                (is("requireSSL")? == Some(true), Check::Nothing)
            }
        }
    }))
}

/// The versions are OpenSSL's: 1.2 and 1.3.
fn check_versions(parameters: &Parameters<'_>) -> Answer<()> {
    for name in ["tlsVersions", "enabledTLSProtocols", "enabledSslProtocolSuites"] {
        let Some(value) = parameters.get(name) else {
            continue;
        };
        let has = |version: &str| value.split(',').any(|item| item.trim() == version);
        if !(has("TLSv1.2") && has("TLSv1.3")) {
            return Err(wrong(format!(
                "{name}={value} cannot be held: TLSv1.2 and TLSv1.3 are spoken; leave it out, or name both"
            )));
        }
    }
    Ok(())
}

/// The certificates that are trusted, in PEM.
fn trusted(parameters: &Parameters<'_>) -> Answer<Option<Vec<u8>>> {
    if let Some(text) = parameters
        .get("serverSslCert")
        .filter(|text| text.as_bytes().starts_with(PEM))
    {
        return Ok(Some(text.as_bytes().to_vec()));
    }
    for (name, password) in [
        ("serverSslCert", ""),
        ("trustCertificateKeyStoreUrl", "trustCertificateKeyStorePassword"),
        ("trustStore", "trustStorePassword"),
    ] {
        let Some(path) = parameters.get(name) else {
            continue;
        };
        let bytes = read(name, path)?;
        if bytes.starts_with(PEM) {
            return Ok(Some(bytes));
        }
        let store = open(name, path, &bytes, parameters.get(password))?;
        let mut pem = Vec::new();
        for certificate in store.ca.into_iter().flatten().chain(store.cert) {
            let text = certificate
                .to_pem()
                .map_err(|error| unreadable(name, path, &error))?;
            pem.extend_from_slice(&text);
        }
        if pem.is_empty() {
            return Err(wrong(format!("{name}={path} holds no certificates")));
        }
        return Ok(Some(pem));
    }
    Ok(None)
}

/// The client's own certificate and key.
fn identity(parameters: &Parameters<'_>) -> Answer<Option<ClientIdentity>> {
    for (name, password) in [
        (
            "clientCertificateKeyStoreUrl",
            "clientCertificateKeyStorePassword",
        ),
        ("keyStore", "keyStorePassword"),
    ] {
        let Some(path) = parameters.get(name) else {
            continue;
        };
        let bytes = read(name, path)?;
        let password = parameters.get(password).unwrap_or_default();
        if !bytes.starts_with(PEM) {
            // Read here so that what is wrong with it is said.
            open(name, path, &bytes, Some(password))?;
            let identity = ClientIdentity::new(bytes.into()).with_password(password.to_owned());
            return Ok(Some(identity));
        }
        let store = of_pem(&bytes, password).map_err(|error| unreadable(name, path, &error))?;
        return Ok(Some(ClientIdentity::new(store.into())));
    }
    Ok(None)
}

/// Certificates and their key in one file, as PKCS12.
fn of_pem(bytes: &[u8], password: &str) -> Result<Vec<u8>, openssl::error::ErrorStack> {
    let key = PKey::private_key_from_pem_passphrase(bytes, password.as_bytes())?;
    let mut certificates = X509::stack_from_pem(bytes)?.into_iter();
    let mut builder = Pkcs12::builder();
    builder.pkey(&key);
    if let Some(own) = certificates.next() {
        builder.cert(&own);
    }
    let mut others = Stack::new()?;
    for certificate in certificates {
        others.push(certificate)?;
    }
    builder.ca(others);
    builder.build2("")?.to_der()
}

pub(super) fn read(name: &str, path: &str) -> Answer<Vec<u8>> {
    let plain = path.strip_prefix("file:").unwrap_or(path);
    // `file:///path` is the same as `file:/path`.
    let plain = plain.strip_prefix("//").unwrap_or(plain);
    std::fs::read(plain).map_err(|error| wrong(format!("{name}={path} cannot be read: {error}")))
}

pub(super) fn open(
    name: &str,
    path: &str,
    bytes: &[u8],
    password: Option<&str>,
) -> Answer<openssl::pkcs12::ParsedPkcs12_2> {
    if bytes.starts_with(JKS) {
        return Err(wrong(format!(
            "{name}={path} is in Java's own format; convert it by keytool -importkeystore -deststoretype PKCS12, or use PEM"
        )));
    }
    Pkcs12::from_der(bytes)
        .and_then(|store| store.parse2(password.unwrap_or_default()))
        .map_err(|error| unreadable(name, path, &error))
}

fn unreadable(name: &str, path: &str, error: &openssl::error::ErrorStack) -> Failure {
    wrong(format!("{name}={path} cannot be read as PEM or PKCS12: {error}"))
}

fn wrong(text: String) -> Failure {
    Failure::new(Trouble::Statement, text)
}
