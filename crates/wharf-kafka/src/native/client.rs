//! Life of one `rd_kafka_t`: creation from translated properties, call-backs, metadata, destruction.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::bindings as ffi;

use super::certificate::Judge;
use super::lists::{Entry, entries};
use super::login::{self, Login};
use super::{c_string, describe, millis, text};
use crate::properties::ClientKind;
use crate::types::TopicMetadata;
use crate::{ErrorCode, KafkaError, logging};

/// The library's settings of tokens, or those of [`Login`].
const OAUTH_CONFIG: &str = "sasl.oauthbearer.config";
const ALL_BROKERS_DOWN: ErrorCode = ErrorCode(-187);

/// A rebalance that librdkafka waits for us to acknowledge.
pub(crate) enum Rebalance {
    Assign(Vec<Entry>),
    Revoke(Vec<Entry>),
}

/// What call-backs leave behind for the thread that polls. Lives on the heap until the client is destroyed.
pub(crate) struct Hooks {
    kind: ClientKind,
    client_id: String,
    failure: Mutex<Option<KafkaError>>,
    /// Why a connection failed last, though it may work again.
    trouble: Mutex<Option<String>>,
    judge: Judge,
    /// By tokens that this process fetches, if it is.
    login: Option<Login>,
    rebalances: Mutex<VecDeque<Rebalance>>,
}

/// The data behind a lock; a panic elsewhere leaves these plain values intact.
fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An owned `rd_kafka_t`.
pub(crate) struct Client {
    raw: NonNull<ffi::rd_kafka_t>,
    hooks: NonNull<Hooks>,
}

// SAFETY: librdkafka's handles are thread-safe by design; `Hooks` is only reached through locks.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// Makes a client of librdkafka's properties; nothing is sent yet.
    pub(crate) fn new(kind: ClientKind, properties: &BTreeMap<String, String>) -> Result<Self, KafkaError> {
        let create = |detail: String| KafkaError::Create {
            client: kind.name(),
            detail,
        };
        // SAFETY: plain allocation.
        let conf = unsafe { ffi::rd_kafka_conf_new() };
        let login = properties.get(OAUTH_CONFIG).and_then(|text| Login::new(text));
        for (key, value) in properties {
            // What this process looks after itself holds a secret that the library has no use for.
            if key == OAUTH_CONFIG && login.is_some() {
                continue;
            }
            if let Err(error) = set(conf, key, value) {
                // SAFETY: not handed to a client, so ours to destroy.
                unsafe { ffi::rd_kafka_conf_destroy(conf) };
                return Err(create(error));
            }
        }
        let hooks = Box::new(Hooks {
            kind,
            client_id: properties.get("client.id").cloned().unwrap_or_default(),
            failure: Mutex::new(None),
            trouble: Mutex::new(None),
            judge: Judge::new(properties.get("ssl.ca.pem").map_or("", String::as_str)),
            login,
            rebalances: Mutex::new(VecDeque::new()),
        });
        let hooks = NonNull::from(Box::leak(hooks));
        let mut reason = [0 as c_char; 512];
        // SAFETY: `conf` is alive; the call-backs match the declared types and get `hooks` as their opaque, which
        // outlives the client (freed only after `rd_kafka_destroy_flags`). On success the client owns `conf`.
        let raw = unsafe {
            ffi::rd_kafka_conf_set_opaque(conf, hooks.as_ptr().cast());
            ffi::rd_kafka_conf_set_log_cb(conf, Some(on_log));
            ffi::rd_kafka_conf_set_error_cb(conf, Some(on_error));
            ffi::rd_kafka_conf_set_ssl_cert_verify_cb(conf, Some(on_certificate));
            let rk_type = if kind == ClientKind::Consumer {
                ffi::rd_kafka_conf_set_rebalance_cb(conf, Some(on_rebalance));
                ffi::rd_kafka_conf_set_events(conf, ffi::RD_KAFKA_EVENT_OFFSET_COMMIT);
                ffi::rd_kafka_type_t::RD_KAFKA_CONSUMER
            } else {
                ffi::rd_kafka_conf_set_events(conf, ffi::RD_KAFKA_EVENT_DR);
                ffi::rd_kafka_type_t::RD_KAFKA_PRODUCER
            };
            ffi::rd_kafka_new(rk_type, conf, reason.as_mut_ptr(), reason.len())
        };
        match NonNull::new(raw) {
            Some(raw) => {
                let client = Self { raw, hooks };
                if let Some(login) = &client.hooks().login {
                    login.begin(raw);
                }
                Ok(client)
            }
            None => {
                // SAFETY: creation failed, so `conf` and `hooks` are still ours and nobody else holds them;
                // librdkafka terminated `reason`.
                let reason = unsafe {
                    ffi::rd_kafka_conf_destroy(conf);
                    drop(Box::from_raw(hooks.as_ptr()));
                    text(reason.as_ptr())
                };
                Err(create(reason))
            }
        }
    }

    /// The handle for a C call; valid as long as `self`.
    pub(crate) fn raw(&self) -> *mut ffi::rd_kafka_t {
        self.raw.as_ptr()
    }

    fn hooks(&self) -> &Hooks {
        // SAFETY: allocated in `new`, freed only after `drop`; reached by shared reference only.
        unsafe { self.hooks.as_ref() }
    }

    /// The client id, for messages.
    pub(crate) fn id(&self) -> &str {
        &self.hooks().client_id
    }

    /// Takes the failure that makes this client useless (authentication, TLS, fencing), if one was reported.
    pub(crate) fn take_failure(&self) -> Option<KafkaError> {
        open(&self.hooks().failure).take()
    }

    /// Why a connection failed last; it is tried again all the same.
    pub(crate) fn last_trouble(&self) -> Option<String> {
        let hooks = self.hooks();
        let waiting = hooks.login.as_ref().and_then(Login::waits_because);
        waiting.or_else(|| open(&hooks.trouble).clone())
    }

    /// Takes the oldest rebalance that waits to be acknowledged.
    pub(crate) fn next_rebalance(&self) -> Option<Rebalance> {
        open(&self.hooks().rebalances).pop_front()
    }

    /// Id of the cluster, asked for at most `timeout` long.
    pub(crate) fn cluster_id(&self, timeout: Duration) -> Option<String> {
        // SAFETY: the handle is valid; the returned string is ours and freed with librdkafka's own function.
        unsafe {
            let id = ffi::rd_kafka_clusterid(self.raw(), millis(timeout));
            if id.is_null() {
                return None;
            }
            let copy = text(id);
            ffi::rd_kafka_mem_free(self.raw(), id.cast());
            Some(copy)
        }
    }

    /// Lets errors that came up meanwhile be noted; see [`Client::take_failure`].
    pub(crate) fn serve(&self) {
        // SAFETY: the handle is valid.
        unsafe { ffi::rd_kafka_poll(self.raw(), 0) };
    }

    /// Notes an error that came as an event: queues that are polled for events get errors in no other way.
    pub(crate) fn note_error_event(&self, event: &Event) {
        if event.kind() == ffi::RD_KAFKA_EVENT_ERROR {
            // SAFETY: the event is valid; the text belongs to it and is copied. The code is read as an integer.
            let (code, reason) = unsafe {
                let code = ffi::rd_kafka_event_error(event.raw());
                (
                    (&raw const code).cast::<i32>().read(),
                    text(ffi::rd_kafka_event_error_string(event.raw())),
                )
            };
            self.hooks().note(self.raw(), ErrorCode(code), reason);
        }
    }

    /// Asks which brokers there are; whether an answer came in this time.
    pub(crate) fn ask_for_brokers(&self, timeout: Duration) -> bool {
        let mut found: *const ffi::rd_kafka_metadata = ptr::null();
        // SAFETY: the handle is valid; on success `found` points to a structure that is ours until destroyed.
        unsafe {
            let code =
                ffi::rd_kafka_metadata(self.raw(), 0, ptr::null_mut(), &raw mut found, millis(timeout));
            let is_answered = code as i32 == 0;
            if is_answered {
                ffi::rd_kafka_metadata_destroy(found);
            }
            is_answered
        }
    }

    /// All topics of the cluster with their number of partitions.
    pub(crate) fn topics(&self, timeout: Duration) -> Result<Vec<TopicMetadata>, KafkaError> {
        let mut found: *const ffi::rd_kafka_metadata = ptr::null();
        // SAFETY: the handle is valid; on success `found` points to a structure that is ours until destroyed below,
        // whose counts describe its arrays.
        unsafe {
            let code =
                ffi::rd_kafka_metadata(self.raw(), 1, ptr::null_mut(), &raw mut found, millis(timeout));
            if code as i32 != 0 {
                return Err(KafkaError::operation(
                    "listing topics",
                    code as i32,
                    describe(code),
                ));
            }
            let topics = (0..(*found).topic_cnt as usize)
                .map(|at| {
                    let topic = (*found).topics.add(at);
                    TopicMetadata {
                        name: text((*topic).topic),
                        partitions: (*topic).partition_cnt as usize,
                    }
                })
                .collect();
            ffi::rd_kafka_metadata_destroy(found);
            Ok(topics)
        }
    }

    /// First and next offset of a partition as the broker knows them now.
    pub(crate) fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        let name = c_string(topic, "a topic name")?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: all pointers are valid for the call.
        let code = unsafe {
            ffi::rd_kafka_query_watermark_offsets(
                self.raw(),
                name.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
                millis(timeout),
            )
        };
        match code as i32 {
            0 => Ok((low, high)),
            number => Err(KafkaError::operation(
                format!("asking for the offsets of {topic}-{partition}"),
                number,
                describe(code),
            )),
        }
    }
}

impl Drop for Client {
    /// Hands the client to a thread that destroys it, because destruction joins the library's threads and a thread that
    /// waits for a name server or a dead broker may take seconds.
    fn drop(&mut self) {
        struct Remains(NonNull<ffi::rd_kafka_t>, NonNull<Hooks>);
        // SAFETY: the only remaining owner moves to one other thread.
        unsafe impl Send for Remains {}
        impl Drop for Remains {
            fn drop(&mut self) {
                // SAFETY: last owner; the hooks are freed after the last call-back can have run.
                unsafe {
                    ffi::rd_kafka_destroy_flags(self.0.as_ptr(), ffi::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
                    drop(Box::from_raw(self.1.as_ptr()));
                }
            }
        }
        if let Some(login) = &self.hooks().login {
            login.end();
        }
        let remains = Remains(self.raw, self.hooks);
        // When no thread can be had, the closure is dropped here and destroys the client on this thread.
        let _ = std::thread::Builder::new()
            .name("kafka-close".to_owned())
            .spawn(move || drop(remains));
    }
}

/// Waits until every client of this process is destroyed; `false` when `timeout` was not enough.
pub(crate) fn wait_destroyed(timeout: Duration) -> bool {
    // SAFETY: the function only waits on a counter of the library.
    unsafe { ffi::rd_kafka_wait_destroyed(millis(timeout)) == 0 }
}

/// An owned `rd_kafka_queue_t`; the holder keeps the client alive.
pub(crate) struct Queue(NonNull<ffi::rd_kafka_queue_t>);

// SAFETY: queues are locked inside librdkafka.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// Takes over a reference the caller owns.
    pub(crate) fn adopt(raw: *mut ffi::rd_kafka_queue_t) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    /// A fresh queue of `client`.
    ///
    /// # Panics
    /// When memory is exhausted.
    pub(crate) fn new(client: &Client) -> Self {
        // SAFETY: the handle is valid.
        Self::adopt(unsafe { ffi::rd_kafka_queue_new(client.raw()) }).expect("librdkafka is out of memory")
    }

    pub(crate) fn raw(&self) -> *mut ffi::rd_kafka_queue_t {
        self.0.as_ptr()
    }

    /// The next event, waited for at most `timeout` long.
    pub(crate) fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is valid; a returned event is ours.
        NonNull::new(unsafe { ffi::rd_kafka_queue_poll(self.raw(), millis(timeout)) }).map(Event)
    }

    /// Ends the wait of whoever polls, or else the next one, at once.
    pub(crate) fn end_wait(&self) {
        // SAFETY: the queue is valid.
        unsafe { ffi::rd_kafka_queue_yield(self.raw()) };
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once, while the client lives.
        unsafe { ffi::rd_kafka_queue_destroy(self.raw()) };
    }
}

/// An owned event.
pub(crate) struct Event(NonNull<ffi::rd_kafka_event_t>);

impl Event {
    pub(crate) fn raw(&self) -> *mut ffi::rd_kafka_event_t {
        self.0.as_ptr()
    }

    /// One of `RD_KAFKA_EVENT_…`.
    pub(crate) fn kind(&self) -> i32 {
        // SAFETY: the event is valid.
        unsafe { ffi::rd_kafka_event_type(self.raw()) }
    }

    /// The error of the whole operation.
    pub(crate) fn error(&self) -> Option<(i32, String)> {
        // SAFETY: the event is valid; the string belongs to it and is copied.
        unsafe {
            match ffi::rd_kafka_event_error(self.raw()) as i32 {
                0 => None,
                code => Some((code, text(ffi::rd_kafka_event_error_string(self.raw())))),
            }
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::rd_kafka_event_destroy(self.raw()) };
    }
}

fn set(conf: *mut ffi::rd_kafka_conf_t, key: &str, value: &str) -> Result<(), String> {
    let nul = |_| format!("property {key} must not contain a NUL character");
    let (name, content) = (
        c_string(key, key).map_err(nul)?,
        c_string(value, key).map_err(nul)?,
    );
    let mut reason = [0 as c_char; 512];
    // SAFETY: all pointers are valid for the call and the texts terminated.
    let outcome = unsafe {
        ffi::rd_kafka_conf_set(
            conf,
            name.as_ptr(),
            content.as_ptr(),
            reason.as_mut_ptr(),
            reason.len(),
        )
    };
    match outcome {
        ffi::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
        // The library quotes the value in its reason, which may be a secret: only the key is repeated.
        _ => Err(format!(
            "the client library does not accept the value given for {key}"
        )),
    }
}

unsafe extern "C" fn on_log(
    client: *const ffi::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: librdkafka passes valid strings; the opaque is the `Hooks` set in `new` or, while the client is
    // still being created, may be missing.
    unsafe {
        if client.is_null() || facility.is_null() || line.is_null() {
            return;
        }
        let hooks = ffi::rd_kafka_opaque(client).cast::<Hooks>();
        let facility = CStr::from_ptr(facility).to_string_lossy();
        let line = CStr::from_ptr(line).to_string_lossy();
        if let Some(hooks) = hooks.as_ref() {
            let line = match &*facility {
                "FAIL" => Cow::from(wharf_key_stores::explain(&line, hooks.judge.refused())),
                _ => line,
            };
            logging::log(hooks.kind, level, &hooks.client_id, &facility, &line);
        }
    }
}

impl Hooks {
    /// Keeps an error that makes the client useless; writes another one to the log.
    fn note(&self, client: *mut ffi::rd_kafka_t, mut code: ErrorCode, mut reason: String) {
        if code == ErrorCode::FATAL {
            let mut detail = [0 as c_char; 512];
            // SAFETY: callers give the handle that these hooks belong to; librdkafka terminates the text.
            unsafe {
                let cause = ffi::rd_kafka_fatal_error(client, detail.as_mut_ptr(), detail.len());
                code = ErrorCode(cause as i32);
                reason = text(detail.as_ptr());
            }
        } else {
            if wharf_key_stores::is_refusal(&reason) {
                code = ErrorCode::SSL;
            }
            let changes = |login: &Login| code == ErrorCode::AUTHENTICATION && login.is_changing();
            if let Some(login) = self.login.as_ref().filter(|_| login::is_about_no_token(&reason)) {
                // There may be one again by now.
                let Some(why) = login.waits_because() else {
                    return;
                };
                return self.fail(code, why);
            }
            if !matches!(code, ErrorCode::AUTHENTICATION | ErrorCode::SSL)
                || is_passing(&reason)
                || self.login.as_ref().is_some_and(changes)
            {
                // That all brokers are down says nothing about why, and is said again and again.
                let level = if code == ALL_BROKERS_DOWN { 7 } else { 5 };
                logging::log(self.kind, level, &self.client_id, code.name(), &reason);
                if code != ALL_BROKERS_DOWN {
                    *open(&self.trouble) = Some(wharf_key_stores::explain(&reason, None));
                }
                return;
            }
            let refused = self.judge.refused();
            reason = wharf_key_stores::explain(&reason, refused.filter(|_| code == ErrorCode::SSL));
        }
        self.fail(code, reason);
    }

    fn fail(&self, code: ErrorCode, reason: String) {
        let operation = format!("connection of kafka {} {}", self.kind.name(), self.client_id);
        *open(&self.failure) = Some(KafkaError::operation(operation, code.0, reason));
    }
}

/// Whether a failed handshake only says that the connection broke: the library reports a broker that goes down in
/// the middle of one as refused authentication, and a restart of a broker must not fail a task.
fn is_passing(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    [
        "transport failure",
        "disconnected",
        "timed out",
        "connection reset",
    ]
    .iter()
    .any(|word| reason.contains(word))
}

/// Has the last word about a broker's certificate.
unsafe extern "C" fn on_certificate(
    _: *mut ffi::rd_kafka_t,
    _: *const c_char,
    _: i32,
    error: *mut c_int,
    _: c_int,
    certificate: *const c_char,
    size: usize,
    reason: *mut c_char,
    reason_size: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: the opaque is the `Hooks` set in `new`; `error` is valid, `certificate` points to `size` bytes, and `reason`
    // has room for `reason_size`.
    unsafe {
        let Some(hooks) = opaque.cast::<Hooks>().as_ref() else {
            return 0;
        };
        if certificate.is_null() {
            return c_int::from(*error == 0);
        }
        match hooks
            .judge
            .judge(*error, slice::from_raw_parts(certificate.cast(), size))
        {
            Ok(()) => {
                *error = 0;
                1
            }
            Err(why) => {
                if reason_size > 0 {
                    let length = why.len().min(reason_size - 1);
                    ptr::copy_nonoverlapping(why.as_ptr().cast(), reason, length);
                    *reason.add(length) = 0;
                }
                0
            }
        }
    }
}

unsafe extern "C" fn on_error(
    client: *mut ffi::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: the opaque is the `Hooks` set in `new`; the reason is a valid string.
    unsafe {
        let Some(hooks) = opaque.cast::<Hooks>().as_ref() else {
            return;
        };
        hooks.note(client, ErrorCode(code), text(reason));
    }
}

unsafe extern "C" fn on_rebalance(
    client: *mut ffi::rd_kafka_t,
    code: ffi::rd_kafka_resp_err_t,
    partitions: *mut ffi::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: the opaque is the `Hooks` set in `new`; the list is valid during the call and copied. The rebalance is
    // acknowledged later, by the thread that polls; until then librdkafka waits. `rd_kafka_yield` makes the poll
    // return at once so that this is soon.
    unsafe {
        let Some(hooks) = opaque.cast::<Hooks>().as_ref() else {
            return;
        };
        let partitions = entries(partitions);
        let rebalance = match code {
            ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            _ => Rebalance::Revoke(partitions),
        };
        open(&hooks.rebalances).push_back(rebalance);
        ffi::rd_kafka_yield(client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_breaks_during_the_handshake_is_not_a_refusal() {
        for (reason, passing) in [
            (
                "SASL PLAIN mechanism handshake failed: Local: Broker transport failure",
                true,
            ),
            ("SSL handshake failed: Disconnected", true),
            (
                "SASL authentication error: Authentication failed: Invalid username or password",
                false,
            ),
            ("SSL handshake failed: certificate verify failed", false),
        ] {
            assert_eq!(is_passing(reason), passing, "{reason}");
        }
    }
}
