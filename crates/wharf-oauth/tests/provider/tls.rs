//! TLS in front of a provider that speaks plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

/// A listener that ends TLS; its certificate is for `localhost` and nothing else.
pub(crate) struct Front {
    port: u16,
    certificate: X509,
}

impl Front {
    /// Passes single requests on to `address`, until the process ends.
    pub(crate) fn before(address: &str) -> Self {
        let (key, certificate) = identity();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_private_key(&key).unwrap();
        acceptor.set_certificate(&certificate).unwrap();
        let acceptor = acceptor.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = address.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who does not trust the certificate goes away.
                let Ok(mut client) = acceptor.accept(stream) else {
                    continue;
                };
                let mut server = TcpStream::connect(&address).unwrap();
                let mut request = vec![0; 16_384];
                let mut length = 0;
                while !is_whole(&request[..length]) {
                    match client.read(&mut request[length..]) {
                        Ok(count) if count > 0 => length += count,
                        _ => break,
                    }
                }
                server.write_all(&request[..length]).unwrap();
                let mut answer = Vec::new();
                server.read_to_end(&mut answer).unwrap();
                let _ = client.write_all(&answer);
                let _ = client.shutdown();
            }
        });
        Self { port, certificate }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its certificate, PEM.
    pub(crate) fn certificate(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }
}

/// Every request of these tests ends with its scope.
fn is_whole(request: &[u8]) -> bool {
    request.ends_with(b"scope=a+b")
}

fn identity() -> (PKey<Private>, X509) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "wharf-test-endpoint")
        .unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(2).unwrap())
        .unwrap();
    let basic = BasicConstraints::new().ca().build().unwrap();
    builder.append_extension(basic).unwrap();
    let names = SubjectAlternativeName::new()
        .dns("localhost")
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (key, builder.build())
}
