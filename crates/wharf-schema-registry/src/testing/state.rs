//! What the registry in this process knows, and what it answers.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash as _, Hasher as _};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::server::{Answer, Request};
use crate::error::Format;
use crate::model::{Guid, RegistrySchema};

struct Stored {
    schema: RegistrySchema,
    metadata: Value,
    rules: Value,
}

/// All schemas, by id from 1, and subjects with the ids of their versions from 1.
#[derive(Default)]
pub(super) struct State {
    schemas: Vec<Stored>,
    pub(super) subjects: Vec<(String, Vec<i32>)>,
    pub(super) requests: Vec<String>,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Value,
    pub(super) failures: VecDeque<u16>,
    pub(super) authorization: Option<String>,
    pub(super) refused: Option<String>,
    pub(super) associations: HashMap<(String, bool), String>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("subjects", &self.subjects)
            .finish_non_exhaustive()
    }
}

fn error(status: u16, code: i32, message: impl Into<String>) -> Answer {
    Answer {
        status,
        body: json!({"error_code": code, "message": message.into()}).to_string(),
    }
}

fn no_subject(subject: &str) -> Answer {
    error(404, 40401, format!("Subject '{subject}' not found."))
}

fn no_schema(what: &str) -> Answer {
    error(404, 40403, format!("Schema {what}not found"))
}

fn ok(body: &Value) -> Answer {
    Answer {
        status: 200,
        body: body.to_string(),
    }
}

impl State {
    pub(super) fn guid(&self, id: i32) -> Option<Guid> {
        let stored = self.stored(id)?;
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &stored.schema).hash(&mut hasher);
            hasher.finish().to_be_bytes()
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&half(0));
        bytes[8..].copy_from_slice(&half(1));
        Some(Guid(bytes))
    }

    pub(super) fn text(&self, id: i32) -> Option<String> {
        Some(self.stored(id)?.schema.text.clone())
    }

    pub(super) fn schema(&self, id: i32) -> Option<RegistrySchema> {
        Some(self.stored(id)?.schema.clone())
    }

    pub(super) fn schema_of(&self, subject: &str, version: i32) -> Option<RegistrySchema> {
        let position = usize::try_from(version).ok()?.checked_sub(1)?;
        self.schema(*self.versions(subject)?.get(position)?)
    }

    fn stored(&self, id: i32) -> Option<&Stored> {
        self.schemas.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    fn versions(&self, subject: &str) -> Option<&[i32]> {
        let (_, versions) = self.subjects.iter().find(|(name, _)| name == subject)?;
        Some(versions)
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        self.requests.push(format!("{} {}", request.method, request.path));
        self.headers.clone_from(&request.headers);
        if let Some(status) = self.failures.pop_front() {
            return error(status, i32::from(status), "told to fail");
        }
        if let Some(wanted) = &self.authorization
            && request.headers.get("authorization") != Some(wanted)
        {
            return error(401, 401, "Unauthorized");
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        self.body.clone_from(&body);
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["subjects", subject, "versions"]) => match self.register(subject, &body) {
                Ok((id, version)) => ok(&self.registered(&body, id, version)),
                Err(answer) => answer,
            },
            ("POST", ["subjects", subject]) => self.look_up(subject, &body),
            ("GET", ["subjects", subject, "versions", version]) => self.version(subject, version),
            ("GET", ["subjects", subject, "metadata"]) => self.with_metadata(subject, query),
            ("GET", ["schemas", "ids", id]) => {
                match id.parse().ok().filter(|id| self.stored(*id).is_some()) {
                    Some(id) => ok(&self.describe(id)),
                    None => no_schema(&format!("{id} ")),
                }
            }
            ("GET", ["schemas", "ids", id, "versions"]) => self.versions_of(id),
            ("GET", ["schemas", "guids", guid]) => {
                let mut ids = 1..=i32::try_from(self.schemas.len()).unwrap_or(i32::MAX);
                match ids.find(|id| self.guid(*id).is_some_and(|known| known.to_string() == *guid)) {
                    Some(id) => ok(&self.describe(id)),
                    None => no_schema(&format!("{guid} ")),
                }
            }
            ("GET", ["associations", "resources", _, topic]) if !self.associations.is_empty() => {
                let is_key = query.contains("associationType=key");
                let found = self.associations.get(&((*topic).to_owned(), is_key));
                ok(&Value::Array(
                    found
                        .map(|subject| json!({"subject": subject}))
                        .into_iter()
                        .collect(),
                ))
            }
            _ => error(404, 404, "HTTP 404 Not Found"),
        }
    }

    pub(super) fn register(&mut self, subject: &str, body: &Value) -> Result<(i32, i32), Answer> {
        let invalid = |reason: &str| error(422, 42201, format!("Invalid schema: {reason}"));
        let schema = RegistrySchema::from_json(body).map_err(|reason| invalid(&reason.to_string()))?;
        if schema.format != Format::Protobuf && serde_json::from_str::<Value>(&schema.text).is_err() {
            return Err(invalid("not JSON"));
        }
        for reference in &schema.references {
            let versions = self.versions(&reference.subject).unwrap_or_default();
            let version = usize::try_from(reference.version).unwrap_or(versions.len());
            if version == 0 || version > versions.len() {
                return Err(invalid(&format!("no reference found for {}", reference.name)));
            }
        }
        if let Some(part) = &self.refused
            && schema.text.contains(part)
        {
            return Err(error(
                409,
                409,
                format!(
                    "Schema being registered is incompatible with an earlier schema for subject \"{subject}\""
                ),
            ));
        }
        let metadata = body.get("metadata").cloned().unwrap_or(Value::Null);
        let rules = match body.get("ruleSet") {
            Some(rules) => rules.clone(),
            None => self.latest_rules(subject),
        };
        let known = self.schemas.iter().position(|stored| {
            stored.schema == schema && stored.metadata == metadata && stored.rules == rules
        });
        let position = known.unwrap_or(self.schemas.len());
        let id = i32::try_from(position + 1).unwrap_or(i32::MAX);
        if known.is_none() {
            self.schemas.push(Stored {
                schema,
                metadata,
                rules,
            });
        }
        if self.versions(subject).is_none() {
            self.subjects.push((subject.to_owned(), Vec::new()));
        }
        let versions = self.subjects.iter_mut().find(|(name, _)| name == subject);
        let version = match versions {
            Some((_, versions)) => match versions.iter().position(|known| *known == id) {
                Some(position) => position + 1,
                None => {
                    versions.push(id);
                    versions.len()
                }
            },
            None => 0,
        };
        Ok((id, i32::try_from(version).unwrap_or(i32::MAX)))
    }

    /// The rules of a subject's latest version.
    fn latest_rules(&self, subject: &str) -> Value {
        let latest = self.versions(subject).and_then(|versions| versions.last());
        latest
            .and_then(|id| self.stored(*id))
            .map_or(Value::Null, |stored| stored.rules.clone())
    }

    /// The answer to a registration: the whole schema where it is another one than what was sent.
    fn registered(&self, sent: &Value, id: i32, version: i32) -> Value {
        let mut answer = self.describe(id);
        if answer.get("ruleSet") == sent.get("ruleSet") {
            let guid = self.guid(id).map(|guid| guid.to_string());
            answer = json!({"id": id, "guid": guid});
        }
        answer["version"] = version.into();
        answer
    }

    /// A schema with its id, without subject.
    fn describe(&self, id: i32) -> Value {
        let mut body = self
            .stored(id)
            .map_or(Value::Null, |stored| stored.schema.to_json());
        if let Some(stored) = self.stored(id)
            && !stored.rules.is_null()
        {
            body["ruleSet"] = stored.rules.clone();
        }
        body["id"] = id.into();
        body["guid"] = self.guid(id).map(|guid| guid.to_string()).into();
        body
    }

    fn describe_version(&self, subject: &str, version: usize, id: i32) -> Value {
        let mut body = self.describe(id);
        body["subject"] = subject.into();
        body["version"] = version.into();
        body
    }

    fn look_up(&self, subject: &str, body: &Value) -> Answer {
        let Some(versions) = self.versions(subject) else {
            return no_subject(subject);
        };
        let Ok(schema) = RegistrySchema::from_json(body) else {
            return error(422, 42201, "Invalid schema");
        };
        let same = |id: &i32| self.stored(*id).is_some_and(|stored| stored.schema == schema);
        match versions.iter().position(same) {
            Some(position) => ok(&self.describe_version(subject, position + 1, versions[position])),
            None => no_schema(""),
        }
    }

    fn version(&self, subject: &str, version: &str) -> Answer {
        let Some(versions) = self.versions(subject) else {
            return no_subject(subject);
        };
        let number = match version {
            "latest" | "-1" => versions.len(),
            text => text.parse().unwrap_or(0),
        };
        match number.checked_sub(1).and_then(|position| versions.get(position)) {
            Some(id) => ok(&self.describe_version(subject, number, *id)),
            None => error(404, 40402, format!("Version {version} not found.")),
        }
    }

    fn with_metadata(&self, subject: &str, query: &str) -> Answer {
        let Some(versions) = self.versions(subject) else {
            return no_subject(subject);
        };
        let values = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.strip_prefix(name))
                .map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        let wanted: Vec<_> = values("key=").into_iter().zip(values("value=")).collect();
        let has = |id: &i32| {
            self.stored(*id).is_some_and(|stored| {
                wanted
                    .iter()
                    .all(|(name, value)| stored.metadata["properties"][name] == value.as_str())
            })
        };
        match versions.iter().rposition(has) {
            Some(position) => ok(&self.describe_version(subject, position + 1, versions[position])),
            None => error(404, 40402, "Version not found."),
        }
    }

    fn versions_of(&self, id: &str) -> Answer {
        let Some(id) = id.parse().ok().filter(|id| self.stored(*id).is_some()) else {
            return no_schema(&format!("{id} "));
        };
        let mut found = Vec::new();
        for (subject, versions) in &self.subjects {
            for (position, version) in versions.iter().enumerate() {
                if *version == id {
                    found.push(json!({"subject": subject, "version": position + 1}));
                }
            }
        }
        ok(&Value::Array(found))
    }
}
