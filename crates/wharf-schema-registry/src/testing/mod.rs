//! A registry in this process, for tests without network.
//!
//! It answers the calls that converters make as Confluent's does: ids that are the same for the same schema in all subjects,
//! versions counted per subject, GUIDs, and the codes 40401, 40402, 40403, 409 and 42201. It checks no compatibility by itself;
//! a test that wants a conflict says when ([`TestRegistry::refuse`]). One request per connection.

mod checks;
mod keys;
mod recorded;
mod server;
mod state;

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};

pub use checks::{
    check_latest_is_kept_for_its_time, check_schemas_are_kept_within_bounds, check_subject_names,
};
pub use keys::check_keys;
pub use recorded::{PayloadText, check_recorded, check_shared_keys};
use server::Server;
use state::State;

use crate::model::{Guid, RegistrySchema};

/// A running registry; dropping it ends it.
#[derive(Debug)]
pub struct TestRegistry {
    state: Arc<Mutex<State>>,
    server: Server,
}

impl TestRegistry {
    /// Starts one on a free port of this machine.
    ///
    /// # Panics
    /// When no port can be had, which fails the test as it should.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(TcpListener::bind("127.0.0.1:0").expect("this machine has a free port"))
    }

    /// Starts one where somebody listens, as one that comes back where it was; it knows nothing of what the one before it knew.
    #[must_use]
    pub fn start_at(listener: TcpListener) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(listener, move |request| lock(&shared).answer(request));
        Self { state, server }
    }

    /// Its address, as `schema.registry.url` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Registers a schema: its id and its version.
    ///
    /// # Panics
    /// When the schema is refused.
    pub fn register(&self, subject: &str, schema: &RegistrySchema) -> (i32, i32) {
        let (id, version) = lock(&self.state)
            .register(subject, &schema.to_json())
            .unwrap_or_else(|answer| panic!("{subject} was refused: {}", answer.body));
        (id, version)
    }

    /// Registers a schema with metadata, as `{"properties": {…}}`: its id and its version.
    ///
    /// # Panics
    /// When the schema is refused.
    pub fn register_with_metadata(
        &self,
        subject: &str,
        schema: &RegistrySchema,
        properties: &[(&str, &str)],
    ) -> (i32, i32) {
        let mut body = schema.to_json();
        let properties: serde_json::Map<_, _> = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        body["metadata"] = serde_json::json!({ "properties": properties });
        lock(&self.state)
            .register(subject, &body)
            .unwrap_or_else(|answer| panic!("{subject} was refused: {}", answer.body))
    }

    /// Registers a schema with rules, as `{"domainRules": […]}`: its id and its version. As in Confluent's, versions that are
    /// registered after it without rules inherit them.
    ///
    /// # Panics
    /// When the schema is refused.
    pub fn register_with_rules(
        &self,
        subject: &str,
        schema: &RegistrySchema,
        rules: &serde_json::Value,
    ) -> (i32, i32) {
        let mut body = schema.to_json();
        body["ruleSet"] = rules.clone();
        lock(&self.state)
            .register(subject, &body)
            .unwrap_or_else(|answer| panic!("{subject} was refused: {}", answer.body))
    }

    /// The GUID of a schema.
    #[must_use]
    pub fn guid(&self, id: i32) -> Option<Guid> {
        lock(&self.state).guid(id)
    }

    /// The text of a schema as it was registered.
    #[must_use]
    pub fn text(&self, id: i32) -> Option<String> {
        lock(&self.state).text(id)
    }

    /// A schema as it was registered.
    #[must_use]
    pub fn schema(&self, id: i32) -> Option<RegistrySchema> {
        lock(&self.state).schema(id)
    }

    /// A version of a subject.
    #[must_use]
    pub fn version(&self, subject: &str, version: i32) -> Option<RegistrySchema> {
        lock(&self.state).schema_of(subject, version)
    }

    /// The subjects there are.
    #[must_use]
    pub fn subjects(&self) -> Vec<String> {
        lock(&self.state)
            .subjects
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Forgets how many requests came; see [`requests`](Self::requests).
    pub fn clear_requests(&self) {
        lock(&self.state).requests.clear();
    }

    /// The requests that came, as `GET /path`, failed ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }

    /// The header of the last request, by its name in lower case.
    #[must_use]
    pub fn last_header(&self, name: &str) -> Option<String> {
        lock(&self.state).headers.get(name).cloned()
    }

    /// The body of the last request that was answered; null without one.
    #[must_use]
    pub fn last_body(&self) -> serde_json::Value {
        lock(&self.state).body.clone()
    }

    /// Answers the next requests with these statuses, before it answers as usual again.
    pub fn fail_next(&self, statuses: &[u16]) {
        lock(&self.state).failures.extend(statuses);
    }

    /// Answers as usual again, whatever was still to fail.
    pub fn stop_failing(&self) {
        lock(&self.state).failures.clear();
    }

    /// Wants this `Authorization` from now on; others get 401.
    pub fn require_authorization(&self, text: &str) {
        lock(&self.state).authorization = Some(text.to_owned());
    }

    /// Takes no schema any more whose text holds this: 409, as when it is not compatible.
    pub fn refuse(&self, part: &str) {
        lock(&self.state).refused = Some(part.to_owned());
    }

    /// Associates a subject with the keys or values of a topic.
    pub fn associate(&self, topic: &str, is_key: bool, subject: &str) {
        lock(&self.state)
            .associations
            .insert((topic.to_owned(), is_key), subject.to_owned());
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A test that panicked while it held the lock has failed already.
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
