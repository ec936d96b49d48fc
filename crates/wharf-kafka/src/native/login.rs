//! A client's login by tokens that this process fetches.
//!
//! Tokens are pushed: no call-back of librdkafka is used, so no thread has to poll for them. Until the first one comes, the
//! threads of the client's brokers wait without connecting.

use std::ffi::{CString, c_char};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use rdkafka::bindings as ffi;
use wharf_oauth::{Token, TokenError, TokenListener, TokenSettings, TokenSource};

use super::text;

/// How librdkafka begins to say that it was told that there is no token.
const NO_TOKEN: &str = "Failed to acquire SASL OAUTHBEARER token";
/// What librdkafka is told about a token's end, in milliseconds from now: it would ask for the next one by a rule of its own,
/// and tokens are replaced by ours. Ten years.
const NEVER: i64 = 10 * 365 * 86_400_000;

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether librdkafka only repeats what [`refuse`] told it.
pub(super) fn is_about_no_token(reason: &str) -> bool {
    reason.starts_with(NO_TOKEN)
}

/// A client's part in a source of tokens.
pub(super) struct Login {
    source: TokenSource,
    seat: Arc<Seat>,
}

impl Login {
    /// The login that the text of these settings describes; `None` when it is librdkafka's own affair.
    pub(super) fn new(text: &str) -> Option<Self> {
        let settings = TokenSettings::from_text(text)?;
        Some(Self {
            source: TokenSource::of(&settings),
            seat: Arc::new(Seat::default()),
        })
    }

    /// From now on this client gets every token. It has to be there until [`Login::end`].
    pub(super) fn begin(&self, client: NonNull<ffi::rd_kafka_t>) {
        open(&self.seat.client).replace(Handle(client));
        let listener: Arc<dyn TokenListener> = self.seat.clone();
        let listener: Weak<dyn TokenListener> = Arc::downgrade(&listener);
        self.source.subscribe(listener);
    }

    /// The client gets no token any more, and may be destroyed.
    pub(super) fn end(&self) {
        open(&self.seat.client).take();
    }

    /// Why there is no token, if that is so.
    pub(super) fn waits_because(&self) -> Option<String> {
        open(&self.seat.waits_because).clone()
    }

    /// Whether a refusal of the broker may be about a token that is being replaced.
    pub(super) fn is_changing(&self) -> bool {
        self.source.is_changing()
    }
}

struct Handle(NonNull<ffi::rd_kafka_t>);

// SAFETY: librdkafka's handles are thread-safe by design.
unsafe impl Send for Handle {}

/// Where tokens arrive.
#[derive(Default)]
struct Seat {
    /// Empty once the client is about to be destroyed; held while it is told something.
    client: Mutex<Option<Handle>>,
    waits_because: Mutex<Option<String>>,
}

impl TokenListener for Seat {
    fn renewed(&self, token: &Token) {
        open(&self.waits_because).take();
        if let Some(client) = &*open(&self.client)
            && let Err(reason) = set_token(client, token)
        {
            refuse(client, &reason);
            *open(&self.waits_because) = Some(reason);
        }
    }

    fn failed(&self, error: &TokenError) {
        let reason = error.to_string();
        *open(&self.waits_because) = Some(reason.clone());
        // Whoever waits for a passing failure goes on waiting.
        if error.is_final()
            && let Some(client) = &*open(&self.client)
        {
            refuse(client, &reason);
        }
    }
}

fn set_token(client: &Handle, token: &Token) -> Result<(), String> {
    let nul = |_| "the token or an extension holds a NUL character".to_owned();
    let value = CString::new(token.value()).map_err(nul)?;
    let subject = CString::new(token.subject()).map_err(nul)?;
    let extensions = token
        .extensions()
        .iter()
        .flat_map(|(name, value)| [name, value])
        .map(|text| CString::new(text.as_str()).map_err(nul))
        .collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<*const c_char> = extensions.iter().map(|text| text.as_ptr()).collect();
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or_default();
    let mut reason = [0 as c_char; 512];
    // SAFETY: the handle is valid while its lock is held, which the caller does; all texts are terminated and copied; the
    // array has the length that is given, and is not read when that is 0.
    let code = unsafe {
        ffi::rd_kafka_oauthbearer_set_token(
            client.0.as_ptr(),
            value.as_ptr(),
            now + NEVER,
            subject.as_ptr(),
            match pointers.is_empty() {
                true => ptr::null_mut(),
                false => pointers.as_mut_ptr(),
            },
            pointers.len(),
            reason.as_mut_ptr(),
            reason.len(),
        )
    };
    if code as i32 == 0 {
        return Ok(());
    }
    // SAFETY: librdkafka terminates the text.
    let reason = unsafe { text(reason.as_ptr()) };
    // It quotes what it does not like.
    Err(format!(
        "the client library does not take the token: {}",
        reason.replace(token.value(), "[hidden]")
    ))
}

/// Fails the client, as refused credentials do.
fn refuse(client: &Handle, reason: &str) {
    let reason = CString::new(reason.replace('\0', " ")).unwrap_or_default();
    // SAFETY: the handle is valid while its lock is held, which the caller does; the text is terminated and copied.
    unsafe { ffi::rd_kafka_oauthbearer_set_token_failure(client.0.as_ptr(), reason.as_ptr()) };
}
