//! An in-memory Kafka broker for the demo and for hermetic tests: no JVM, no network, no files.
//!
//! A thin shell around the test broker of the `krafka` crate, with a runtime of its own so that synchronous code
//! can use it. It keeps every record in memory until it is dropped, knows no transactions of librdkafka and no
//! DescribeConfigs: whatever depends on those belongs to the tests with a real broker. Nothing that ships may
//! depend on this crate; `cargo xtask tidy` checks it.

use std::fmt;
use std::io;
use std::time::Duration;

use krafka::testing::FakeBroker;
use tokio::runtime::{Builder, Runtime};

/// The inner broker remembers every request it ever got, for assertions that nobody makes here.
const FORGET_EVERY: Duration = Duration::from_secs(5);

/// A running broker; dropping it ends it.
#[derive(Debug)]
pub struct EmbeddedBroker {
    bootstrap: String,
    /// Owns the broker: it lives in a task of this runtime.
    _runtime: Runtime,
}

/// The broker could not be started.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start the embedded broker: {}", self.0)
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl EmbeddedBroker {
    /// Starts a broker on a free port of the loopback interface; it answers when this returns.
    ///
    /// Topics are created on first use with one partition, as with a broker's own default.
    pub fn start() -> Result<Self, StartError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let broker = runtime
            .block_on(FakeBroker::start())
            .map_err(|e| StartError(e.to_string()))?;
        let bootstrap = broker.bootstrap_servers();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(FORGET_EVERY).await;
                broker.clear_requests();
            }
        });
        Ok(Self {
            bootstrap,
            _runtime: runtime,
        })
    }

    /// Address for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    #[test]
    fn the_broker_answers_as_soon_as_it_is_started_and_is_gone_when_dropped() {
        let broker = EmbeddedBroker::start().unwrap();
        let address = broker.bootstrap().to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        // ApiVersions, version 0, correlation id 7, no client id.
        stream
            .write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff])
            .unwrap();
        let mut head = [0; 10];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(head[4..10], [0, 0, 0, 7, 0, 0], "correlation id and no error");
        drop(broker);
        assert!(TcpStream::connect(&address).is_err(), "the port is still served");
    }
}
