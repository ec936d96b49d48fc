//! TLS to the registry: OpenSSL under the HTTP client, set up from the `schema.registry.ssl.*` keys.
//!
//! Keys and certificates are read by [`wharf_key_stores`], as for the worker's own clients. Without a trust store the system's
//! list of authorities is used; Java has a list of its own.

use std::fmt;
use std::io::{Read as _, Write as _};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod, SslStream, SslVersion};
use openssl::x509::X509;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};
use wharf_api::{ConnectError, Result};

use crate::config::{RegistryConfig, SSL_PREFIX};

/// Java's keys that have no counterpart here, with those of their values that mean what is done anyway; others are refused.
const REFUSED: [(&str, &[&str]); 5] = [
    ("ssl.provider", &[]),
    ("ssl.keymanager.algorithm", &["SunX509", "PKIX"]),
    ("ssl.trustmanager.algorithm", &["PKIX", "SunX509"]),
    ("ssl.secure.random.implementation", &[]),
    ("ssl.engine.factory.class", &[]),
];

/// Puts TLS on connections to `https` addresses.
pub(crate) struct TlsConnector {
    /// None where no address is `https`: reading the system's authorities takes longer than most requests.
    connector: Option<SslConnector>,
    verify_hostname: bool,
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConnector")
    }
}

impl TlsConnector {
    /// Sets TLS up.
    pub(crate) fn new(config: &RegistryConfig) -> Result<Self> {
        for (key, usual) in REFUSED {
            let key = format!("{SSL_PREFIX}{key}");
            if let Some(value) = config.original(&key)
                && !usual.contains(&value)
            {
                return Err(ConnectError::invalid_config(
                    &key,
                    value,
                    "cannot be honoured here; leave it out",
                ));
            }
        }
        if !config.urls.iter().any(|url| url.starts_with("https")) {
            return Ok(Self {
                connector: None,
                verify_hostname: true,
            });
        }
        let lookup = |key: &str| {
            let key = format!("{SSL_PREFIX}{key}");
            let value = config.parsed.get(&key).ok()?;
            value
                .as_str()
                .or_else(|| config.secret(&key))
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let stores = wharf_key_stores::Settings::new(SSL_PREFIX, &lookup);
        let mut found = stores
            .read()
            .map_err(|problem| ConnectError::config(problem.message))?;
        let algorithm = config
            .parsed
            .get_string("schema.registry.ssl.endpoint.identification.algorithm");
        let verify_hostname = match algorithm.unwrap_or_default().to_ascii_lowercase().as_str() {
            "https" => true,
            "" => false,
            other => {
                return Err(ConnectError::invalid_config(
                    "schema.registry.ssl.endpoint.identification.algorithm",
                    other,
                    "must be https or empty",
                ));
            }
        };
        let ciphers = config
            .parsed
            .get_list("schema.registry.ssl.cipher.suites")
            .unwrap_or_default()
            .to_vec();
        let connector = connector(&mut found, versions(config)?, &ciphers).map_err(|errors| {
            ConnectError::config(format!("TLS to the schema registry cannot be set up: {errors}"))
        })?;
        Ok(Self {
            connector: Some(connector),
            verify_hostname,
        })
    }
}

/// The oldest and the newest version to speak.
fn versions(config: &RegistryConfig) -> Result<(SslVersion, SslVersion)> {
    const KEY: &str = "schema.registry.ssl.enabled.protocols";
    let mut known = Vec::new();
    for name in config.parsed.get_list(KEY).unwrap_or_default() {
        known.push(match name.as_str() {
            "TLSv1.2" => (2, SslVersion::TLS1_2),
            "TLSv1.3" => (3, SslVersion::TLS1_3),
            other => {
                return Err(ConnectError::invalid_config(
                    KEY,
                    other,
                    "must be TLSv1.2 or TLSv1.3",
                ));
            }
        });
    }
    known.sort_by_key(|(order, _)| *order);
    match (known.first(), known.last()) {
        (Some((_, oldest)), Some((_, newest))) => Ok((*oldest, *newest)),
        _ => Ok((SslVersion::TLS1_2, SslVersion::TLS1_3)),
    }
}

fn connector(
    found: &mut wharf_key_stores::Found,
    (oldest, newest): (SslVersion, SslVersion),
    ciphers: &[String],
) -> std::result::Result<SslConnector, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(oldest))?;
    builder.set_max_proto_version(Some(newest))?;
    let (new, old): (Vec<_>, Vec<_>) = ciphers
        .iter()
        .map(String::as_str)
        .partition(|name| name.starts_with("TLS_AES") || name.starts_with("TLS_CHACHA20"));
    if !new.is_empty() {
        builder.set_ciphersuites(&new.join(":"))?;
    }
    if !old.is_empty() {
        builder.set_cipher_list(&old.join(":"))?;
    }
    match found.trusted.take() {
        Some(pem) => {
            let store = builder.cert_store_mut();
            for certificate in X509::stack_from_pem(pem.as_bytes())? {
                store.add_cert(certificate)?;
            }
        }
        None => {
            if let Some(file) = wharf_key_stores::system_authorities() {
                builder.set_ca_file(file)?;
            }
        }
    }
    if let Some((key, chain)) = found.identity.take() {
        let mut certificates = X509::stack_from_pem(chain.as_bytes())?.into_iter();
        if let Some(own) = certificates.next() {
            builder.set_certificate(&own)?;
        }
        for other in certificates {
            builder.add_extra_chain_cert(other)?;
        }
        builder.set_private_key(PKey::private_key_from_pem(key.as_bytes())?.as_ref())?;
    }
    Ok(builder.build())
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> std::result::Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let connector = self.connector.as_ref().ok_or(ureq::Error::Tls(
            "an http address led to an https one; configure that one",
        ))?;
        let mut setup = connector
            .configure()
            .map_err(|errors| ureq::Error::Io(std::io::Error::other(errors)))?;
        setup.set_verify_hostname(self.verify_hostname);
        let mut adapter = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        adapter.set_timeout(details.timeout);
        let stream = setup.connect(host, adapter).map_err(|error| match error {
            HandshakeError::SetupFailure(errors) => ureq::Error::Io(std::io::Error::other(errors)),
            HandshakeError::Failure(stream) | HandshakeError::WouldBlock(stream) => {
                let verified = stream.ssl().verify_result();
                let error = stream.into_error();
                match error.into_io_error() {
                    Ok(error) => error.into(),
                    Err(error) if verified == openssl::x509::X509VerifyResult::OK => {
                        ureq::Error::Io(std::io::Error::other(error))
                    }
                    // OpenSSL's text says only that verification failed, not why.
                    Err(_) => ureq::Error::Io(std::io::Error::other(format!(
                        "the server's certificate is not accepted: {}",
                        verified.error_string()
                    ))),
                }
            }
        })?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport { buffers, stream })))
    }
}

/// A connection under TLS.
pub(crate) struct TlsTransport {
    buffers: LazyBuffers,
    stream: SslStream<TransportAdapter>,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(
        &mut self,
        amount: usize,
        timeout: NextTimeout,
    ) -> std::result::Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> std::result::Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = self.stream.read(input)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::ConfigMap;

    use super::*;

    #[test]
    fn parts_of_java_are_refused_unless_they_are_the_usual_ones() {
        for (key, value, is_taken) in [
            ("ssl.keymanager.algorithm", "SunX509", true),
            ("ssl.keymanager.algorithm", "Mine", false),
            ("ssl.trustmanager.algorithm", "PKIX", true),
            ("ssl.trustmanager.algorithm", "Mine", false),
            ("ssl.provider", "SunJSSE", false),
            ("ssl.secure.random.implementation", "SHA1PRNG", false),
            ("ssl.engine.factory.class", "com.example.Mine", false),
        ] {
            let key = format!("{SSL_PREFIX}{key}");
            let config = ConfigMap::from([
                ("schema.registry.url".to_owned(), "http://localhost:1".to_owned()),
                (key.clone(), value.to_owned()),
            ]);
            let result = TlsConnector::new(&RegistryConfig::parse(&config).unwrap());
            assert_eq!(result.is_ok(), is_taken, "{key}={value}");
            if let Err(error) = result {
                assert!(error.message().contains(&key), "{error}");
            }
        }
    }
}
