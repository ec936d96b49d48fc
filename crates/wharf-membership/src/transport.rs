//! Bytes to and from a broker: TCP, and TLS over it.

use std::pin::Pin;
use std::task::{Context, Poll};

use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

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
            let reason = if verify == openssl::x509::X509VerifyResult::OK {
                format!("TLS: {error}")
            } else {
                format!(
                    "TLS: the broker's certificate is refused: {}",
                    verify.error_string()
                )
            };
            failed(reason)
        })?;
        Ok(Self::Tls(stream))
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
        builder.set_cert_store(store.build());
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
