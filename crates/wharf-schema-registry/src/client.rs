//! The calls of the registry's REST API, with caches, retries and fail-over.
//!
//! Every address gets the first try and its retries before the next one is asked; the one that answered is asked first from
//! then on. What a registry never changes (the schema of an id, the id of a schema) is kept without end but within bounds; what
//! may change (a subject's latest version) as long as the configuration says. Failures are not kept.

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use wharf_api::Result;
use wharf_converters::cache::LruCache;

use crate::auth::{self, Credentials};
use crate::config::RegistryConfig;
use crate::error::RegistryError;
use crate::http::{self, Http, REGISTRY_JSON};
use crate::model::{Guid, RegisteredSchema, RegistrySchema};
use crate::retry::{Backoff, random};

/// What stays as it is in a part of a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A subject, and the metadata that its version shall have.
type LatestKey = (String, Vec<(String, String)>);

/// The result of a call.
pub type Attempted<T> = Result<T, RegistryError>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SchemaKey {
    subject: String,
    schema: RegistrySchema,
    normalize: bool,
    purpose: Purpose,
}

/// What a schema is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    LookUp,
    Register,
    /// The registry copies tags of the version before into it.
    RegisterWithTags,
}

/// A blocking client, for one thread at a time.
pub struct SchemaRegistryClient {
    http: Http,
    /// Addresses without credentials, and the credentials of each.
    urls: Vec<(String, Option<String>)>,
    /// The address to ask first.
    current: usize,
    credentials: Credentials,
    headers: Vec<(String, String)>,
    backoff: Backoff,
    /// Waits, and says whether what is waited for is no longer wanted.
    wait: Box<dyn Fn(Duration) -> bool + Send>,
    by_schema: LruCache<SchemaKey, Arc<RegisteredSchema>>,
    by_id: LruCache<(Option<String>, i32), Arc<RegisteredSchema>>,
    by_guid: LruCache<Guid, Arc<RegisteredSchema>>,
    by_version: LruCache<(String, i32), Arc<RegisteredSchema>>,
    latest: LruCache<LatestKey, Arc<RegisteredSchema>>,
}

impl std::fmt::Debug for SchemaRegistryClient {
    /// Without credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let urls: Vec<_> = self.urls.iter().map(|(url, _)| url).collect();
        f.debug_struct("SchemaRegistryClient")
            .field("urls", &urls)
            .finish()
    }
}

impl SchemaRegistryClient {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// A config error when credentials or stores do not hold.
    pub fn new(config: &RegistryConfig) -> Result<Self> {
        let urls: Vec<_> = config
            .urls
            .iter()
            .map(|url| (http::without_user_info(url), auth::of_url(url)))
            .collect();
        let current = if config.randomize_urls && !urls.is_empty() {
            usize::try_from(random()).unwrap_or(0) % urls.len()
        } else {
            0
        };
        let mut headers = vec![("accept".to_owned(), format!("{REGISTRY_JSON}, application/json"))];
        headers.extend(auth::bearer_headers(config)?);
        headers.extend(config.headers.iter().cloned());
        Ok(Self {
            http: Http::new(config)?,
            urls,
            current,
            credentials: Credentials::new(config)?,
            headers,
            backoff: Backoff {
                max_retries: config.max_retries,
                first: config.retry_wait,
                longest: config.retry_max_wait,
            },
            wait: Box::new(|time| {
                std::thread::sleep(time);
                false
            }),
            by_schema: LruCache::new(config.max_schemas),
            by_id: LruCache::new(config.max_schemas),
            by_guid: LruCache::new(config.max_schemas),
            by_version: LruCache::new(config.max_schemas),
            // Upstream's serializer keeps the one number, its client behind it the other.
            latest: LruCache::with_time_to_live(
                config.latest_cache.max(config.max_schemas),
                config.latest_time_to_live,
            ),
        })
    }

    /// Waits between tries by `wait` from now on. It says whether the answer is no longer wanted, which is asked before each
    /// request, too, with no time to wait.
    pub fn wait_by(&mut self, wait: impl Fn(Duration) -> bool + Send + 'static) {
        self.wait = Box::new(wait);
    }

    /// Registers a schema, or finds it registered.
    ///
    /// # Errors
    /// What the registry answered, 409 for a schema that is not compatible with those before it, or why it did not answer.
    pub fn register(
        &mut self,
        subject: &str,
        schema: &RegistrySchema,
        normalize: bool,
    ) -> Attempted<Arc<RegisteredSchema>> {
        self.of_schema(subject, schema, normalize, Purpose::Register)
    }

    /// As [`register`](Self::register); a new version gets the tags of the one before it. The registry copies them.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_with_tags(
        &mut self,
        subject: &str,
        schema: &RegistrySchema,
        normalize: bool,
    ) -> Attempted<Arc<RegisteredSchema>> {
        self.of_schema(subject, schema, normalize, Purpose::RegisterWithTags)
    }

    /// Looks a schema up under its subject, deleted versions included.
    ///
    /// # Errors
    /// Answer 404 with code 40401 without such a subject, 40403 without such a schema.
    pub fn lookup(
        &mut self,
        subject: &str,
        schema: &RegistrySchema,
        normalize: bool,
    ) -> Attempted<Arc<RegisteredSchema>> {
        self.of_schema(subject, schema, normalize, Purpose::LookUp)
    }

    fn of_schema(
        &mut self,
        subject: &str,
        schema: &RegistrySchema,
        normalize: bool,
        purpose: Purpose,
    ) -> Attempted<Arc<RegisteredSchema>> {
        let key = SchemaKey {
            subject: subject.to_owned(),
            schema: schema.clone(),
            normalize,
            purpose,
        };
        if let Some(known) = self.by_schema.get(&key) {
            return Ok(Arc::clone(known));
        }
        let subject = encode(subject);
        let path = match (purpose, normalize) {
            (Purpose::LookUp, false) => format!("/subjects/{subject}?deleted=true"),
            (Purpose::LookUp, true) => format!("/subjects/{subject}?normalize=true&deleted=true"),
            (_, false) => format!("/subjects/{subject}/versions"),
            (_, true) => format!("/subjects/{subject}/versions?normalize=true"),
        };
        let mut request = schema.to_json();
        if purpose == Purpose::RegisterWithTags {
            request["propagateSchemaTags"] = true.into();
        }
        let body = self.call("POST", &path, Some(&request))?;
        let found = Arc::new(RegisteredSchema::from_json(&body, None, Some(schema))?);
        self.by_schema.insert(key, Arc::clone(&found));
        Ok(found)
    }

    /// The schema of an id. The subject tells apart ids of several contexts.
    ///
    /// # Errors
    /// Answer 404 with code 40403 when there is none.
    pub fn schema_by_id(&mut self, id: i32, subject: Option<&str>) -> Attempted<Arc<RegisteredSchema>> {
        let key = (subject.map(str::to_owned), id);
        if let Some(known) = self.by_id.get(&key) {
            return Ok(Arc::clone(known));
        }
        let subject = subject.map_or_else(String::new, |subject| format!("&subject={}", encode(subject)));
        let body = self.call(
            "GET",
            &format!("/schemas/ids/{id}?fetchMaxId=false{subject}"),
            None,
        )?;
        let found = Arc::new(RegisteredSchema::from_json(&body, Some(id), None)?);
        self.by_id.insert(key, Arc::clone(&found));
        Ok(found)
    }

    /// The subjects and versions that have the schema of an id. What is asked for may change, and is not kept.
    ///
    /// # Errors
    /// Answer 404 with code 40403 when there is no such schema.
    pub fn versions_of_id(&mut self, id: i32) -> Attempted<Vec<(String, i32)>> {
        let body = self.call("GET", &format!("/schemas/ids/{id}/versions?deleted=false"), None)?;
        let version = |item: &Value| {
            let subject = item.get("subject")?.as_str()?.to_owned();
            Some((subject, i32::try_from(item.get("version")?.as_i64()?).ok()?))
        };
        let items = body.as_array().map(Vec::as_slice).unwrap_or_default();
        items
            .iter()
            .map(version)
            .collect::<Option<_>>()
            .ok_or_else(|| RegistryError::Unreadable("a version has no subject or number".to_owned()))
    }

    /// The schema of a GUID. Its id is -1 when the answer names none.
    ///
    /// # Errors
    /// Answer 404 with code 40403 when there is none.
    pub fn schema_by_guid(&mut self, guid: Guid) -> Attempted<Arc<RegisteredSchema>> {
        if let Some(known) = self.by_guid.get(&guid) {
            return Ok(Arc::clone(known));
        }
        let body = self.call("GET", &format!("/schemas/guids/{guid}"), None)?;
        let mut found = RegisteredSchema::from_json(&body, Some(-1), None)?;
        found.guid = Some(guid);
        let found = Arc::new(found);
        self.by_guid.insert(guid, Arc::clone(&found));
        Ok(found)
    }

    /// One version of a subject, also a deleted one; -1 is the latest.
    ///
    /// # Errors
    /// Answer 404 with code 40401 without such a subject, 40402 without such a version.
    pub fn version(&mut self, subject: &str, version: i32) -> Attempted<Arc<RegisteredSchema>> {
        if version < 0 {
            return self.latest(subject);
        }
        let key = (subject.to_owned(), version);
        if let Some(known) = self.by_version.get(&key) {
            return Ok(Arc::clone(known));
        }
        let path = format!("/subjects/{}/versions/{version}?deleted=true", encode(subject));
        let body = self.call("GET", &path, None)?;
        let found = Arc::new(RegisteredSchema::from_json(&body, None, None)?);
        self.by_version.insert(key, Arc::clone(&found));
        Ok(found)
    }

    /// The latest version of a subject.
    ///
    /// # Errors
    /// Answer 404 with code 40401 without such a subject.
    pub fn latest(&mut self, subject: &str) -> Attempted<Arc<RegisteredSchema>> {
        let path = format!("/subjects/{}/versions/latest", encode(subject));
        self.latest_at(subject, Vec::new(), &path)
    }

    /// The latest version of a subject that has these metadata.
    ///
    /// # Errors
    /// Answer 404 when there is none.
    pub fn latest_with_metadata(
        &mut self,
        subject: &str,
        metadata: &[(String, String)],
    ) -> Attempted<Arc<RegisteredSchema>> {
        let query: String = metadata
            .iter()
            .map(|(name, value)| format!("&key={}&value={}", encode(name), encode(value)))
            .collect();
        let path = format!("/subjects/{}/metadata?deleted=true{query}", encode(subject));
        self.latest_at(subject, metadata.to_vec(), &path)
    }

    fn latest_at(
        &mut self,
        subject: &str,
        metadata: Vec<(String, String)>,
        path: &str,
    ) -> Attempted<Arc<RegisteredSchema>> {
        let key = (subject.to_owned(), metadata);
        if let Some(known) = self.latest.get(&key) {
            return Ok(Arc::clone(known));
        }
        let body = self.call("GET", path, None)?;
        let found = Arc::new(RegisteredSchema::from_json(&body, None, None)?);
        self.latest.insert(key, Arc::clone(&found));
        Ok(found)
    }

    /// The schemas that a schema uses, those that these use before them, each name once.
    ///
    /// # Errors
    /// As [`version`](Self::version). References that lead in a circle end where they begin.
    pub fn references(&mut self, schema: &RegistrySchema) -> Attempted<Vec<(String, Arc<RegisteredSchema>)>> {
        let mut found = Vec::new();
        let mut seen = Vec::new();
        self.references_into(schema, &mut seen, &mut found)?;
        Ok(found)
    }

    fn references_into(
        &mut self,
        schema: &RegistrySchema,
        seen: &mut Vec<String>,
        found: &mut Vec<(String, Arc<RegisteredSchema>)>,
    ) -> Attempted<()> {
        for reference in &schema.references {
            if seen.contains(&reference.name) {
                continue;
            }
            seen.push(reference.name.clone());
            let used = self.version(&reference.subject, reference.version)?;
            self.references_into(&used.schema, seen, found)?;
            found.push((reference.name.clone(), used));
        }
        Ok(())
    }

    /// The subject that the registry associates with a topic of a Kafka cluster (`-` is any); `None` when there is none, or the
    /// registry knows no associations.
    ///
    /// # Errors
    /// A config error when there are several, or why the registry did not answer.
    pub fn associated_subject(
        &mut self,
        cluster: &str,
        topic: &str,
        is_key: bool,
    ) -> Attempted<Option<String>> {
        let kind = if is_key { "key" } else { "value" };
        let path = format!(
            "/associations/resources/{}/{}?resourceType=topic&associationType={kind}&offset=0&limit=-1",
            encode(cluster),
            encode(topic)
        );
        let body = match self.call("GET", &path, None) {
            Ok(body) => body,
            // Registries without associations do not know the path, or not this method for it.
            Err(RegistryError::Answer {
                status: 404 | 405 | 501,
                ..
            }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = body.as_array().map(Vec::as_slice).unwrap_or_default();
        match found {
            [] => Ok(None),
            [one] => Ok(one.get("subject").and_then(Value::as_str).map(str::to_owned)),
            _ => Err(RegistryError::Incompatible(format!(
                "Multiple associated subjects found for topic {topic}"
            ))),
        }
    }

    /// Sends a request until an address answers, with retries. The answer's body is JSON.
    fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Attempted<Value> {
        let mut last = RegistryError::Config("no address of the schema registry is configured".to_owned());
        for _ in 0..self.urls.len() {
            match self.call_current(method, path, body) {
                Err(error) if error.is_retriable() => {
                    let (url, _) = &self.urls[self.current];
                    tracing::warn!(url, %error, "the schema registry failed, asking the next address if there is one");
                    self.current = (self.current + 1) % self.urls.len();
                    last = error;
                }
                result => return result,
            }
        }
        Err(last)
    }

    fn call_current(&mut self, method: &str, path: &str, body: Option<&Value>) -> Attempted<Value> {
        let mut retry = 0;
        // Where each request takes its whole time to fail, a stop must not wait for one record after the other.
        if (self.wait)(Duration::ZERO) {
            return Err(interrupted(&format_args!("{method} {path} was not begun")));
        }
        loop {
            match self.call_once(method, path, body) {
                Err(error) if error.is_retriable() && retry < self.backoff.max_retries => {
                    let wait = self.backoff.wait(retry);
                    tracing::debug!(%error, ?wait, "the schema registry failed, trying again");
                    if (self.wait)(wait) {
                        return Err(interrupted(&error));
                    }
                    retry += 1;
                }
                result => return result,
            }
        }
    }

    fn call_once(&mut self, method: &str, path: &str, body: Option<&Value>) -> Attempted<Value> {
        let (url, of_url) = &self.urls[self.current];
        let mut headers = self.headers.clone();
        if let Some(text) = self.credentials.authorization(of_url.as_deref())? {
            headers.push(("authorization".to_owned(), text));
        }
        let url = format!("{}{path}", url.trim_end_matches('/'));
        let body = body.map(|body| (REGISTRY_JSON, body.to_string().into_bytes()));
        let answer = self.http.send(method, &url, &headers, body)?;
        let parsed = serde_json::from_slice::<Value>(&answer.body);
        if answer.status == 200 {
            return parsed.map_err(|error| RegistryError::Unreadable(error.to_string()));
        }
        let field = |name: &str| parsed.as_ref().ok().and_then(|body| body.get(name));
        let message = field("message")
            .or_else(|| field("detail"))
            .and_then(Value::as_str);
        Err(RegistryError::Answer {
            status: answer.status,
            code: field("error_code").and_then(Value::as_i64).unwrap_or(50005),
            message: message.map_or_else(
                || match String::from_utf8_lossy(&answer.body) {
                    text if text.is_empty() => format!("HTTP status {}", answer.status),
                    text => format!(
                        "Unable to parse error message from schema registry: '({})'",
                        text.chars().take(1000).collect::<String>()
                    ),
                },
                str::to_owned,
            ),
        })
    }
}

fn interrupted(why: &dyn std::fmt::Display) -> RegistryError {
    RegistryError::Interrupted(format!(
        "the task is to stop and waits no longer for the schema registry: {why}"
    ))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}
