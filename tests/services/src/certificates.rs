//! Keys, certificates and stores for tests, made anew for each broker by the tools that administrators use.
//!
//! `openssl` makes keys and PEM files, `keytool` the stores that are Java's own. What must stay true: the client's
//! certificate comes from an intermediate authority that the broker's trust store does not hold, so that only a client that
//! sends its whole chain is let in; nothing lives longer than two days; every password is a constant, so that a test can look for it in
//! logs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ServiceError;
use crate::process::on_path;

/// Extensions of every certificate, by section.
const EXTENSIONS: &str = "\
[req]
distinguished_name=dn
[dn]
[authority]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[broker]
basicConstraints=CA:FALSE
subjectAltName=DNS:localhost,IP:127.0.0.1
[elsewhere]
basicConstraints=CA:FALSE
subjectAltName=DNS:elsewhere.example
[client]
basicConstraints=CA:FALSE
extendedKeyUsage=clientAuth
";

/// A folder with keys, certificates and stores of a broker and of its clients.
#[derive(Debug, Clone)]
pub struct Certificates {
    folder: PathBuf,
}

/// What the folder holds for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFile {
    /// The root authority that all certificates of the broker lead to, PEM.
    Authority,
    /// The intermediate authority alone, PEM: Java trusts it without its root.
    Intermediate,
    /// The first authority in a store as keytool writes it, PKCS12.
    TrustPkcs12,
    /// The same in a store as keytool wrote it before 2021, PKCS12 with 40 bit RC2.
    TrustPkcs12Legacy,
    /// The same in Java's old format.
    TrustJks,
    /// An authority that has nothing to do with this broker, PEM.
    Stranger,
    /// The client's key, PEM.
    ClientKey,
    /// The client's key under [`Certificates::KEY_PASSWORD`], PEM.
    ClientKeyEncrypted,
    /// The client's certificate and the intermediate one, PEM.
    ClientChain,
    /// Key and chain in one file, PEM.
    ClientPem,
    /// Encrypted key and chain in one file, PEM.
    ClientPemEncrypted,
    /// Key and chain, PKCS12.
    ClientPkcs12,
    /// The same in Java's old format.
    ClientJks,
}

impl CertificateFile {
    fn name(self) -> &'static str {
        match self {
            Self::Authority => "ca.pem",
            Self::Intermediate => "intermediate.pem",
            Self::TrustPkcs12 => "trust.p12",
            Self::TrustPkcs12Legacy => "trust-legacy.p12",
            Self::TrustJks => "trust.jks",
            Self::Stranger => "stranger.pem",
            Self::ClientKey => "client.key",
            Self::ClientKeyEncrypted => "client-encrypted.key",
            Self::ClientChain => "client-chain.pem",
            Self::ClientPem => "client-all.pem",
            Self::ClientPemEncrypted => "client-encrypted-all.pem",
            Self::ClientPkcs12 => "client.p12",
            Self::ClientJks => "client.jks",
        }
    }
}

impl Certificates {
    /// Password of every store.
    pub const PASSWORD: &'static str = "st0re-s3cret";
    /// Password of encrypted keys.
    pub const KEY_PASSWORD: &'static str = "k3y-s3cret";

    /// Makes everything in `folder`, which it creates.
    pub(crate) fn make(folder: &Path) -> Result<Self, ServiceError> {
        for tool in ["openssl", "keytool"] {
            if !on_path(tool) {
                return Err(ServiceError::unavailable(format!(
                    "`{tool}` is needed to make certificates for a secured kafka, and there is none"
                )));
            }
        }
        let cannot = |error: std::io::Error| {
            ServiceError::failed(format!(
                "cannot write certificates into {}: {error}",
                folder.display()
            ))
        };
        std::fs::create_dir_all(folder).map_err(cannot)?;
        std::fs::write(folder.join("extensions.cnf"), EXTENSIONS).map_err(cannot)?;
        let made = Self {
            folder: folder.to_owned(),
        };
        made.certify("ca", "authority", None)?;
        made.certify("stranger", "authority", None)?;
        made.certify("intermediate", "authority", Some("ca"))?;
        made.certify("broker", "broker", Some("intermediate"))?;
        made.certify("elsewhere", "elsewhere", Some("ca"))?;
        made.certify("client", "client", Some("intermediate"))?;
        made.openssl(&format!(
            "pkcs8 -topk8 -in client.key -out client-encrypted.key -v2 aes-256-cbc -passout pass:{}",
            Self::KEY_PASSWORD
        ))?;
        for (target, parts) in [
            ("broker-chain.pem", &["broker.pem", "intermediate.pem"][..]),
            ("client-chain.pem", &["client.pem", "intermediate.pem"][..]),
            ("client-all.pem", &["client.key", "client-chain.pem"][..]),
            (
                "client-encrypted-all.pem",
                &["client-encrypted.key", "client-chain.pem"][..],
            ),
        ] {
            let texts: Result<Vec<_>, _> = parts
                .iter()
                .map(|part| std::fs::read_to_string(folder.join(part)))
                .collect();
            let all = texts.map_err(cannot)?.concat();
            std::fs::write(folder.join(target), all).map_err(cannot)?;
        }
        made.export("broker", "broker-chain.pem")?;
        made.export("elsewhere", "elsewhere.pem")?;
        made.export("client", "client-chain.pem")?;
        made.java_stores()?;
        Ok(made)
    }

    /// Where a file is.
    pub fn path(&self, file: CertificateFile) -> PathBuf {
        self.folder.join(file.name())
    }

    /// What a PEM file holds.
    ///
    /// # Panics
    /// When the file is gone or is no text, which fails the test.
    pub fn pem(&self, file: CertificateFile) -> String {
        let path = self.path(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The broker's own key store, JKS.
    pub(crate) fn broker_store(&self) -> PathBuf {
        self.folder.join("broker.jks")
    }

    /// Key store of a broker that says to be another host, PKCS12.
    pub(crate) fn elsewhere_store(&self) -> PathBuf {
        self.folder.join("elsewhere.p12")
    }

    /// Key and certificate `name`, by itself or by another one.
    fn certify(&self, name: &str, section: &str, by: Option<&str>) -> Result<(), ServiceError> {
        let signer = by.map_or_else(String::new, |by| format!(" -CA {by}.pem -CAkey {by}.key"));
        self.openssl(&format!(
            "req -x509 -config extensions.cnf -extensions {section} -subj /CN=wharf-test-{name} -days 2 -nodes -newkey ec \
             -pkeyopt ec_paramgen_curve:P-256 -keyout {name}.key -out {name}.pem{signer}"
        ))
    }

    fn export(&self, name: &str, certificates: &str) -> Result<(), ServiceError> {
        self.openssl(&format!(
            "pkcs12 -export -name {name} -inkey {name}.key -in {certificates} -out {name}.p12 -passout pass:{}",
            Self::PASSWORD
        ))
    }

    /// keytool starts a JVM each time, so they run side by side.
    fn java_stores(&self) -> Result<(), ServiceError> {
        let password = Self::PASSWORD;
        let import = format!("-importcert -noprompt -alias ca -file ca.pem -storepass {password} -keystore");
        let convert = |name: &str| {
            format!(
                "-importkeystore -noprompt -srckeystore {name}.p12 -srcstoretype PKCS12 -srcstorepass {password} \
                 -destkeystore {name}.jks -deststoretype JKS -deststorepass {password}"
            )
        };
        let commands = [
            convert("broker"),
            convert("client"),
            format!("{import} trust.jks -storetype JKS"),
            format!("{import} trust.p12 -storetype PKCS12"),
            format!("{import} trust-legacy.p12 -storetype PKCS12 -J-Dkeystore.pkcs12.legacy"),
        ];
        std::thread::scope(|scope| {
            let running: Vec<_> = commands
                .iter()
                .map(|arguments| scope.spawn(|| self.run("keytool", arguments)))
                .collect();
            running.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(ServiceError::failed("a thread that runs keytool panicked")))
            })
        })
    }

    fn openssl(&self, arguments: &str) -> Result<(), ServiceError> {
        self.run("openssl", arguments)
    }

    fn run(&self, program: &str, arguments: &str) -> Result<(), ServiceError> {
        let output = Command::new(program)
            .args(arguments.split(' '))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| ServiceError::failed(format!("cannot run {program}: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        Err(ServiceError::failed(format!(
            "`{program} {arguments}` failed: {}{}",
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_for_clients_is_there_and_the_stores_are_what_they_are_called() {
        let folder = crate::target_dir()
            .join("services")
            .join(format!("certificates-{}", std::process::id()));
        let Some(made) = crate::available(Certificates::make(&folder)) else {
            return;
        };
        for (file, start) in [
            (CertificateFile::Authority, &b"-----BEGIN CERT"[..]),
            (CertificateFile::Intermediate, b"-----BEGIN CERT"),
            (CertificateFile::TrustPkcs12, b"\x30"),
            (CertificateFile::TrustPkcs12Legacy, b"\x30"),
            (CertificateFile::TrustJks, b"\xfe\xed\xfe\xed"),
            (CertificateFile::Stranger, b"-----BEGIN CERT"),
            (CertificateFile::ClientKey, b"-----BEGIN PRIVATE"),
            (CertificateFile::ClientKeyEncrypted, b"-----BEGIN ENCRYPTED"),
            (CertificateFile::ClientChain, b"-----BEGIN CERT"),
            (CertificateFile::ClientPem, b"-----BEGIN PRIVATE"),
            (CertificateFile::ClientPemEncrypted, b"-----BEGIN ENCRYPTED"),
            (CertificateFile::ClientPkcs12, b"\x30"),
            (CertificateFile::ClientJks, b"\xfe\xed\xfe\xed"),
        ] {
            let content = std::fs::read(made.path(file)).unwrap();
            assert!(content.starts_with(start), "{file:?}");
        }
        let chain = made.pem(CertificateFile::ClientChain);
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
