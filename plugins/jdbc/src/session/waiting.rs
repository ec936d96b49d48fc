//! Waiting for a server: for its answer, until the time is over, until the task is to stop.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use super::{Stop, is_stopping, stopping};
use crate::failure::{Answer, Failure, Trouble};

/// How often it is looked whether the task is to stop.
const STOP_INTERVAL: Duration = Duration::from_millis(50);
/// How long a statement that is cancelled may take to end before its connection is closed.
const CANCEL_PATIENCE: Duration = Duration::from_secs(2);
/// How much longer than a statement may take on the server its answer is waited for.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// How long answers are waited for, and by whom it is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// For ever where statements have no limit.
    pub(super) patience: Option<Duration>,
    /// The settings that it follows from, for a message.
    pub(super) settings: &'static str,
}

impl Bound {
    /// For statements that have this limit on the server; zero is none.
    pub(super) fn of_statements(limit: Duration) -> Self {
        Self {
            patience: (!limit.is_zero()).then(|| limit + ANSWER_PATIENCE),
            settings: "wharf.statement.timeout.ms",
        }
    }

    /// The same where the URL has a limit of its own for each answer.
    pub(super) fn of_statements_and_socket(limit: Duration, socket: Option<Duration>) -> Self {
        let of_statements = Self::of_statements(limit);
        Self {
            patience: of_statements.patience.into_iter().chain(socket).min(),
            settings: "wharf.statement.timeout.ms or the URL's socketTimeout",
        }
    }
}

/// A runtime that waits for nobody at its end: a name that is still being looked up, in a thread that nothing can break off, holds no
/// task.
struct Unwaiting(Option<Runtime>);

impl Unwaiting {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        runtime.block_on(future)
    }
}

impl Drop for Unwaiting {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What waits for the answers of one connection, in a runtime of its own.
pub(super) struct Waiting {
    runtime: Unwaiting,
    stop: Stop,
    bound: Bound,
}

impl Waiting {
    /// Connects, unless the task is to stop before.
    pub(super) fn connect<T>(
        stop: Stop,
        bound: Bound,
        connecting: impl Future<Output = Answer<T>>,
    ) -> Answer<(Self, T)> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                Failure::new(
                    Trouble::Capacity,
                    format!("no runtime for the connection: {error}"),
                )
            })?;
        let runtime = Unwaiting(Some(runtime));
        let connection = runtime.block_on(async {
            tokio::select! {
                connected = connecting => connected,
                () = stopped(&stop) => Err(stopping()),
            }
        })?;
        Ok((Self { runtime, stop, bound }, connection))
    }

    /// Waits for an answer, whether the task is to stop or not.
    pub(super) fn finish<T, E: Into<Failure>>(&self, asked: impl Future<Output = Result<T, E>>) -> Answer<T> {
        self.runtime.block_on(async {
            tokio::select! {
                answer = asked => answer.map_err(Into::into),
                () = self.no_answer() => Err(self.silent()),
            }
        })
    }

    /// Waits for an answer. When the task is to stop, the statement is cancelled first; one that is begun when the stop is known
    /// already has a moment, for the last rows.
    pub(super) fn run<T, E: Into<Failure>>(
        &self,
        asked: impl Future<Output = Result<T, E>>,
        cancel: impl Future<Output = ()>,
    ) -> Answer<T> {
        self.runtime.block_on(async {
            let mut asked = std::pin::pin!(asked);
            let why = match self.answer(asked.as_mut()).await {
                Ok(answer) => return answer.map_err(Into::into),
                Err(why) => why,
            };
            // A server that is left alone with it would go on; where it cannot be told, the statement ends with its connection, at
            // last.
            let ended = async {
                cancel.await;
                asked.await
            };
            match timeout(CANCEL_PATIENCE, ended).await {
                // It was done before it could be cancelled.
                Ok(Ok(answer)) => Ok(answer),
                _ => Err(why),
            }
        })
    }

    /// Waits for an answer as [`run`](Self::run) does. What was asked is dropped when it is no longer waited for, and the outer error
    /// says why: where only the connection itself can cancel, that is the caller's.
    pub(super) fn wait<T, E>(&self, asked: impl Future<Output = Result<T, E>>) -> Answer<Result<T, E>> {
        self.runtime.block_on(self.answer(asked))
    }

    async fn answer<T>(&self, asked: impl Future<Output = T>) -> Answer<T> {
        let moment = if is_stopping(&self.stop) {
            CANCEL_PATIENCE
        } else {
            Duration::ZERO
        };
        let stop = async {
            stopped(&self.stop).await;
            sleep(moment).await;
        };
        tokio::select! {
            answer = asked => Ok(answer),
            () = self.no_answer() => Err(self.silent()),
            () = stop => Err(stopping()),
        }
    }

    /// Breaks off what the connection is doing; it is of no more use.
    pub(super) fn break_off(&self, cancel: impl Future<Output = ()>) {
        // Without it the statement ends with its connection.
        let _ = self
            .runtime
            .block_on(async { timeout(CANCEL_PATIENCE, cancel).await });
    }

    /// Ends when an answer is no longer waited for.
    async fn no_answer(&self) {
        match self.bound.patience {
            Some(patience) => sleep(patience).await,
            None => std::future::pending().await,
        }
    }

    fn silent(&self) -> Failure {
        let text = format!(
            "the server has not answered for longer than {}, and what was asked of it is broken off",
            self.bound.settings
        );
        Failure::new(Trouble::Unreachable, text)
    }
}

/// Ends when the task is to stop.
async fn stopped(stop: &Stop) {
    while !is_stopping(stop) {
        sleep(STOP_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn a_name_that_is_still_being_looked_up_holds_nobody() {
        let (begins, begun) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        // As names are looked up.
        let connecting = async move {
            tokio::task::spawn_blocking(move || {
                begins.send(()).unwrap();
                held.recv()
            });
            Ok(())
        };
        let bound = Bound::of_statements(Duration::ZERO);
        let (waiting, ()) = Waiting::connect(Arc::new(|_| false), bound, connecting).unwrap();
        begun.recv().unwrap();
        let (ends, ended) = mpsc::channel();
        let stopper = thread::spawn(move || {
            drop(waiting);
            ends.send(()).unwrap();
        });
        let in_time = ended.recv_timeout(Duration::from_secs(30));
        drop(release);
        stopper.join().unwrap();
        assert!(in_time.is_ok(), "the runtime waits for the look-up");
    }
}
