//! Bytes to and from a broker: TCP, and TLS over it.

use std::pin::Pin;
use std::task::{Context, Poll};

use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509VerifyResult};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use wharf_key_stores::{explain, is_refusal, system_authorities};

use crate::connection::BrokerAddress;
use crate::{ConnectionError, TlsSettings};

/// An open stream.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(SslStream<TcpStream>),
}

impl Transport {
    /// Connects, and shakes hands if TLS is asked for.
    pub(crate) async fn open(
        address: &BrokerAddress,
        tls: Option<&TlsSettings>,
    ) -> Result<Self, ConnectionError> {
        let failed = |reason: String| ConnectionError::Connect {
            address: address.to_string(),
            reason,
        };
        let tcp = TcpStream::connect((address.host.as_str(), address.port))
            .await
            .map_err(|error| failed(error.to_string()))?;
        // Requests are small and waited for.
        let _ = tcp.set_nodelay(true);
        let Some(tls) = tls else {
            return Ok(Self::Plain(tcp));
        };
        let ssl = session(tls, &address.host)?;
        let mut stream = SslStream::new(ssl, tcp).map_err(|error| failed(error.to_string()))?;
        Pin::new(&mut stream).connect().await.map_err(|error| {
            let verify = stream.ssl().verify_result();
            let text = format!("TLS: {error}");
            if verify != X509VerifyResult::OK {
                let why = format!("the broker's certificate is refused: {}", verify.error_string());
                refusal(address, &why)
            } else if is_refusal(&text) {
                refusal(address, &text)
            } else {
                failed(explain(&text, None))
            }
        })?;
        Ok(Self::Tls(stream))
    }
}

/// A refusal of either side, with what helps.
pub(crate) fn refusal(address: &BrokerAddress, reason: &str) -> ConnectionError {
    ConnectionError::Refused {
        address: address.to_string(),
        reason: explain(reason, None),
    }
}

fn session(tls: &TlsSettings, host: &str) -> Result<Ssl, ConnectionError> {
    fn wrong(key: &'static str, error: &dyn std::fmt::Display) -> ConnectionError {
        ConnectionError::Setting {
            key,
            reason: error.to_string(),
        }
    }
    let general = |error| wrong("security.protocol", &error);
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(general)?;
    if let Some(pem) = &tls.authorities {
        let mut store = X509StoreBuilder::new().map_err(general)?;
        for certificate in
            X509::stack_from_pem(pem.as_bytes()).map_err(|error| wrong("ssl.ca.pem", &error))?
        {
            store
                .add_cert(certificate)
                .map_err(|error| wrong("ssl.ca.pem", &error))?;
        }
        // Java trusts what is in a trust store, be it a root or not.
        store.set_flags(X509VerifyFlags::PARTIAL_CHAIN).map_err(general)?;
        builder.set_cert_store(store.build());
    } else if let Some(file) = system_authorities() {
        builder.set_ca_file(file).map_err(general)?;
    }
    if let Some(pem) = &tls.certificate {
        let mut chain = X509::stack_from_pem(pem.as_bytes())
            .map_err(|error| wrong("ssl.certificate.pem", &error))?
            .into_iter();
        if let Some(own) = chain.next() {
            builder
                .set_certificate(&own)
                .map_err(|error| wrong("ssl.certificate.pem", &error))?;
        }
        for certificate in chain {
            builder
                .add_extra_chain_cert(certificate)
                .map_err(|error| wrong("ssl.certificate.pem", &error))?;
        }
    }
    if let Some(pem) = &tls.key {
        let key = match &tls.key_password {
            Some(password) => PKey::private_key_from_pem_passphrase(pem.as_bytes(), password.as_bytes()),
            None => PKey::private_key_from_pem(pem.as_bytes()),
        };
        let key = key.map_err(|error| wrong("ssl.key.pem", &error))?;
        builder
            .set_private_key(&key)
            .map_err(|error| wrong("ssl.key.pem", &error))?;
    }
    builder.set_verify(SslVerifyMode::PEER);
    let mut configuration = builder.build().configure().map_err(general)?;
    configuration.set_verify_hostname(tls.verify_host);
    configuration.into_ssl(host).map_err(general)
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn without_a_trust_store_the_systems_authorities_are_trusted() {
        // Where these are set, as by cargo, OpenSSL finds them without help.
        const HELP: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
        if HELP.iter().any(|name| std::env::var_os(name).is_some()) {
            let mut again = Command::new(std::env::current_exe().unwrap());
            again.arg("without_a_trust_store_the_systems_authorities_are_trusted");
            for name in HELP {
                again.env_remove(name);
            }
            let output = again.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            return;
        }
        let session = session(&TlsSettings::default(), "broker.example").unwrap();
        let known = session.ssl_context().cert_store().all_certificates().len();
        assert_eq!(known > 0, system_authorities().is_some());
    }
}
