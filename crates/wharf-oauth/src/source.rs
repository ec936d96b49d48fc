//! The token in force for all who have equal settings, and the thread that keeps it so.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::schedule::keep_for;
use crate::{Retriever, Token, TokenError, TokenSettings, endpoint};

/// A refused client is not asked about more often than this, whoever wants to know.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// A token that ends within this time may be refused already: clocks differ.
const CLOSE: u64 = 1_000;
/// How long after it was replaced a token may still be what a broker refuses.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// A source without clients is kept this long.
const LINGER: Duration = Duration::from_secs(10);
/// The wall clock, by which tokens end, may be set or may stand still; it is looked at this often.
const LOOK: Duration = Duration::from_secs(30);

/// Who wants each new token. Called on the thread of all sources, so nothing here may block.
pub trait TokenListener: Send + Sync {
    /// This is the token from now on.
    fn renewed(&self, token: &Token);

    /// There is no token that holds, and the last attempt failed like this.
    fn failed(&self, error: &TokenError);
}

#[derive(Default)]
struct Status {
    token: Option<Arc<Token>>,
    /// When it came, and how many milliseconds its predecessor still held then.
    came: Option<(Instant, Option<u64>)>,
    /// How the last attempt ended, unless well.
    problem: Option<TokenError>,
    /// Attempts that have ended.
    attempts: u64,
}

impl Status {
    fn valid(&self) -> Option<&Arc<Token>> {
        self.token.as_ref().filter(|token| token.left(now()) > 0)
    }
}

struct Shared {
    settings: TokenSettings,
    status: watch::Sender<Status>,
    listeners: Mutex<Vec<Weak<dyn TokenListener>>>,
}

/// A token that is kept fresh as long as somebody holds this, and a little longer.
pub struct TokenSource(Arc<Kept>);

struct Kept {
    shared: Arc<Shared>,
    /// Asks for an attempt; its end ends the task.
    wake: UnboundedSender<()>,
}

impl Drop for TokenSource {
    /// Clients come one after another, at a start above all: the next one shall find the token of the last.
    fn drop(&mut self) {
        let kept = Arc::clone(&self.0);
        runtime().spawn(async move {
            tokio::time::sleep(LINGER).await;
            drop(kept);
        });
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource")
            .field(&self.0.shared.settings)
            .finish()
    }
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these lists whole.
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The runtime of all sources, on a thread of its own that starts with the first.
fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a worker that gets no runtime cannot work");
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("oauth-tokens".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .expect("a worker that gets no thread cannot work");
        handle
    })
}

impl TokenSource {
    /// The source for these settings: the one there is, or a new one, which begins to fetch.
    ///
    /// # Panics
    /// When the system gives no thread.
    #[must_use]
    pub fn of(settings: &TokenSettings) -> Self {
        static SOURCES: Mutex<Option<HashMap<TokenSettings, Weak<Kept>>>> = Mutex::new(None);
        let mut sources = open(&SOURCES);
        let sources = sources.get_or_insert_default();
        if let Some(kept) = sources.get(settings).and_then(Weak::upgrade) {
            return Self(kept);
        }
        sources.retain(|_, kept| kept.strong_count() > 0);
        let (wake, orders) = unbounded_channel();
        let shared = Arc::new(Shared {
            settings: settings.clone(),
            status: watch::Sender::new(Status::default()),
            listeners: Mutex::default(),
        });
        runtime().spawn(keep(Arc::clone(&shared), orders));
        let kept = Arc::new(Kept { shared, wake });
        sources.insert(settings.clone(), Arc::downgrade(&kept));
        Self(kept)
    }

    /// Tells this listener the token in force, if there is one, and all that come.
    pub fn subscribe(&self, listener: Weak<dyn TokenListener>) {
        // Whoever publishes takes this lock after the status was set, so nothing is missed in between.
        let mut listeners = open(&self.0.shared.listeners);
        if let Some(at_once) = listener.upgrade() {
            let status = self.0.shared.status.borrow();
            match (status.valid(), &status.problem) {
                (Some(token), _) => at_once.renewed(token),
                // Somebody may have changed what was wrong: this one hears how the next attempt ends.
                (None, Some(problem)) if problem.is_final => drop(self.0.wake.send(())),
                (None, Some(problem)) => at_once.failed(problem),
                (None, None) => {}
            }
        }
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(listener);
    }

    /// The token in force; when there is none, that of the attempt that is under way.
    ///
    /// # Errors
    /// When that attempt fails, or the last one has failed and the next one has to wait.
    pub async fn token(&self) -> Result<Arc<Token>, TokenError> {
        let mut status = self.0.shared.status.subscribe();
        let before = {
            let status = status.borrow_and_update();
            match (status.valid(), &status.problem) {
                (Some(token), _) => return Ok(Arc::clone(token)),
                (None, Some(problem)) if problem.is_final => drop(self.0.wake.send(())),
                (None, Some(problem)) => return Err(problem.clone()),
                (None, None) => {}
            }
            status.attempts
        };
        loop {
            // The sender is in `self`.
            let _ = status.changed().await;
            let status = status.borrow_and_update();
            match (status.valid(), &status.problem) {
                (Some(token), _) => return Ok(Arc::clone(token)),
                (None, Some(problem)) if status.attempts > before => return Err(problem.clone()),
                _ => {}
            }
        }
    }

    /// Whether a broker that refuses this client may mean a token that has ended, about to be replaced or just replaced:
    /// then another attempt to log in may succeed.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        let status = self.0.shared.status.borrow();
        let late = |left: Option<u64>| left.is_some_and(|left| left < 2 * CLOSE);
        status
            .token
            .as_ref()
            .is_none_or(|token| token.left(now()) < CLOSE)
            || status
                .came
                .is_some_and(|(at, left)| late(left) && at.elapsed() < ON_ITS_WAY)
    }
}

impl Shared {
    /// Makes the outcome of an attempt known.
    fn publish(&self, outcome: Result<Token, TokenError>) {
        match outcome {
            Ok(token) => {
                let token = Arc::new(token);
                let mut healed = false;
                self.status.send_modify(|status| {
                    let left = status.token.as_ref().map(|old| old.left(now()));
                    healed = status.problem.take().is_some();
                    status.came = Some((Instant::now(), left));
                    status.token = Some(Arc::clone(&token));
                    status.attempts += 1;
                });
                let (place, subject) = (self.settings.place(), token.subject());
                let life = token.left(now()) / 1_000;
                if healed {
                    tracing::info!("an OAuth token of {subject} came from {place} after all, for {life} s");
                } else {
                    tracing::debug!("an OAuth token of {subject} came from {place}, for {life} s");
                }
                self.tell(|listener| listener.renewed(&token));
            }
            Err(error) => {
                let (mut is_news, mut is_urgent) = (false, false);
                self.status.send_modify(|status| {
                    is_news = status.problem.as_ref() != Some(&error);
                    is_urgent = status.valid().is_none();
                    status.problem = Some(error.clone());
                    status.attempts += 1;
                });
                if is_news {
                    tracing::warn!("{error}; it is asked for again");
                }
                if is_urgent {
                    self.tell(|listener| listener.failed(&error));
                }
            }
        }
    }

    fn tell(&self, say: impl Fn(&dyn TokenListener)) {
        for listener in open(&self.listeners).iter().filter_map(Weak::upgrade) {
            say(&*listener);
        }
    }

    async fn attempt(&self) -> Result<Token, TokenError> {
        let wrong = |reason: String| TokenError {
            place: self.settings.place().to_owned(),
            reason,
            is_final: false,
        };
        let text = match &self.settings.retriever {
            Retriever::Endpoint(endpoint) => endpoint::ask(endpoint).await?,
            Retriever::File(path) => tokio::task::spawn_blocking({
                let path = path.clone();
                move || std::fs::read_to_string(path)
            })
            .await
            .map_err(|error| wrong(error.to_string()))?
            .map_err(|error| wrong(format!("{error}; see that the worker may read the file")))?,
        };
        let token = Token::read(&text, &self.settings).map_err(wrong)?;
        if token.left(now()) == 0 {
            let over = Duration::from_millis(now().saturating_sub(token.ends)).as_secs();
            return Err(wrong(format!(
                "the token ended {over} s ago; see that something replaces it, and that the clocks agree"
            )));
        }
        Ok(token)
    }
}

/// Fetches and replaces the token until nobody wants it any more.
async fn keep(shared: Arc<Shared>, mut orders: UnboundedReceiver<()>) {
    let mut backoff = shared.settings.retry_backoff;
    loop {
        let outcome = tokio::select! {
            outcome = shared.attempt() => outcome,
            () = abandoned(&mut orders) => return,
        };
        let ended = Instant::now();
        let (wait, hurried) = match &outcome {
            Ok(token) => {
                backoff = shared.settings.retry_backoff;
                let at = now();
                let kept = keep_for(at, token.starts, token.ends, &shared.settings.refresh, chance());
                (Wait::Until(at + kept), None)
            }
            Err(error) if error.is_final => {
                let wait = shared.settings.retry_backoff_max.max(AFTER_REFUSAL);
                (Wait::For(wait), Some(AFTER_REFUSAL))
            }
            Err(_) => {
                let wait = backoff;
                backoff = (backoff * 2).min(shared.settings.retry_backoff_max);
                (Wait::For(wait), None)
            }
        };
        shared.publish(outcome);
        if !pause(wait, hurried, ended, &mut orders).await {
            return;
        }
    }
}

enum Wait {
    /// Milliseconds since 1970.
    Until(u64),
    For(Duration),
}

/// Waits; an order shortens that to `hurried`. `false` when nobody wants a token any more.
async fn pause(
    mut wait: Wait,
    hurried: Option<Duration>,
    since: Instant,
    orders: &mut UnboundedReceiver<()>,
) -> bool {
    loop {
        let (left, is_last) = match wait {
            Wait::Until(at) => {
                let left = Duration::from_millis(at.saturating_sub(now()));
                (left.min(LOOK), left <= LOOK)
            }
            Wait::For(time) => (time.saturating_sub(since.elapsed()), true),
        };
        tokio::select! {
            () = tokio::time::sleep(left) => if is_last {
                return true;
            },
            order = orders.recv() => match (order, hurried) {
                (None, _) => return false,
                (Some(()), Some(hurried)) => wait = Wait::For(hurried),
                (Some(()), None) => {}
            },
        }
    }
}

async fn abandoned(orders: &mut UnboundedReceiver<()>) {
    while orders.recv().await.is_some() {}
}

/// A number between 0 and 1.
fn chance() -> f64 {
    let mut bytes = [0; 2];
    // Without randomness all workers renew at the same moment, which is no harm.
    let _ = openssl::rand::rand_bytes(&mut bytes);
    f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX)
}
