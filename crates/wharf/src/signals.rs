//! SIGTERM and SIGINT: the first asks for an orderly stop, the second ends the process at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// The signals that end a worker.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on signals no longer end the process by themselves.
    ///
    /// # Errors
    /// The system does not let them be caught.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The first signal, as the exit it asks for. Another one after it ends the process.
    pub(crate) async fn stop(mut self) -> Exit {
        let first = self.next().await;
        tokio::spawn(async move {
            let second = self.next().await;
            tracing::warn!("a second signal came: ending at once, without waiting for tasks");
            std::process::exit(second.code().into());
        });
        first
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.interrupt.recv() => Exit::Interrupted,
        }
    }
}
