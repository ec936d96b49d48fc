//! Reading request bodies. Upstream answers 500 to most mistakes here; ours are 400 with a message that says what to
//! change, because the mistake is the client's.
//!
//! Scalars in configuration maps become text exactly as they were written (`1.10` stays `1.10`), so bodies are walked as
//! raw JSON instead of parsed numbers.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use wharf_runtime::herder::{InitialState, OffsetChange, RawConfig};
use wharf_runtime::worker::preview::PreviewRequest;

use crate::api::Api;
use crate::error::ApiError;

/// The largest body that is read. Upstream has no limit; connector configurations are a few KiB.
pub(crate) const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

type RawObject = BTreeMap<String, Box<RawValue>>;

/// A body that must hold one JSON object.
pub(crate) struct JsonObject(RawObject);

impl FromRequest<Api> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let limit = api.timeouts.read;
        let bytes = tokio::time::timeout(limit, read(request.into_body()))
            .await
            .map_err(|_| {
                ApiError::new(
                    StatusCode::REQUEST_TIMEOUT,
                    format!(
                        "the request body did not arrive within {} ms: send all of it, as long as Content-Length says",
                        limit.as_millis()
                    ),
                )
            })??;
        Self::parse(&bytes)
    }
}

/// All of a body, unless it is too large or broken.
async fn read(body: Body) -> Result<Vec<u8>, ApiError> {
    let too_large = || {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request body is larger than {MAX_BODY_BYTES} bytes: send a smaller one"),
        )
    };
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        // trailers have no meaning here
        if let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() {
            if bytes.len() + data.len() > MAX_BODY_BYTES {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// The body breaks off or its chunks are malformed.
fn broken(error: &axum::Error) -> ApiError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    ApiError::bad_request(format!(
        "the request body cannot be read ({cause}): send as many bytes as Content-Length says, or well-formed chunks"
    ))
}

/// A field of this form, if it is there and not null.
fn field<T: DeserializeOwned>(object: &mut RawObject, name: &str, form: &str) -> Result<Option<T>, ApiError> {
    let Some(raw) = object.remove(name) else {
        return Ok(None);
    };
    serde_json::from_str(raw.get())
        .map_err(|error| ApiError::bad_request(format!("`{name}` has to be {form}: {error}")))
}

/// A text without the blanks around it, as Java has them: U+0020 and all below, and no others.
fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

impl JsonObject {
    fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(ApiError::bad_request(
                "the request body is empty: send a JSON object",
            ));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| ApiError::bad_request(format!("the request body is not UTF-8: {error}")))?;
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
            ApiError::bad_request(format!(
                "the request body is not valid JSON: {error}; send a JSON object"
            ))
        })?;
        object(raw, "the request body").map(Self)
    }

    /// A flat configuration: text, number, boolean or null per key.
    pub(crate) fn into_config(self) -> Result<RawConfig, ApiError> {
        config(self.0, "")
    }

    /// `{"name", "config", "initial_state"}`. A missing name is the empty text, which validation reports.
    pub(crate) fn into_create_request(mut self) -> Result<CreateRequest, ApiError> {
        only_fields(&self.0, "the request body", &["name", "config", "initial_state"])?;
        let name = match self.0.remove("name") {
            None => String::new(),
            Some(raw) => java_trim(&scalar(&raw, "`name`")?.unwrap_or_default()).to_owned(),
        };
        let config = self
            .0
            .remove("config")
            .filter(|raw| raw.get() != "null")
            .ok_or_else(|| {
                ApiError::bad_request(
                    "`config` is missing or null: send the connector's configuration as an object in it",
                )
            })?;
        let config = config_of(&config)?;
        let initial_state = match self.0.remove("initial_state") {
            None => None,
            Some(raw) => scalar(&raw, "`initial_state`")?
                .map(|text| {
                    InitialState::from_name(&text).ok_or_else(|| {
                        ApiError::bad_request(format!(
                            "`initial_state` is '{text}': use one of RUNNING, PAUSED, STOPPED, or leave it out"
                        ))
                    })
                })
                .transpose()?,
        };
        Ok(CreateRequest {
            name,
            config,
            initial_state,
        })
    }

    /// `{"config", "records", "topic", "last"}`.
    pub(crate) fn into_preview_request(mut self) -> Result<PreviewRequest, ApiError> {
        only_fields(
            &self.0,
            "the request body",
            &["config", "records", "topic", "last"],
        )?;
        let config = self.0.remove("config").ok_or_else(|| {
            ApiError::bad_request(
                "`config` is missing: send the connector's configuration as an object in it",
            )
        })?;
        Ok(PreviewRequest {
            config: config_of(&config)?,
            records: field(&mut self.0, "records", "an array of records")?.unwrap_or_default(),
            topic: field(&mut self.0, "topic", "the name of a topic")?,
            last: field(&mut self.0, "last", "a number of records")?,
        })
    }

    /// `{"offsets": [{"partition": {…}, "offset": {…}}]}`.
    pub(crate) fn into_offset_changes(self) -> Result<Vec<OffsetChange>, ApiError> {
        only_fields(&self.0, "the request body", &["offsets"])?;
        let items: Option<Vec<Box<RawValue>>> = match self.0.get("offsets") {
            None => None,
            Some(raw) => serde_json::from_str(raw.get()).map_err(|_| {
                ApiError::bad_request(format!(
                    "`offsets` is {}: send an array of objects with `partition` and `offset`",
                    kind(raw)
                ))
            })?,
        };
        let items = items.filter(|items| !items.is_empty()).ok_or_else(|| {
            ApiError::bad_request("Partitions / offsets need to be provided for an alter offsets request")
        })?;
        items
            .iter()
            .enumerate()
            .map(|(index, item)| offset_change(index, item))
            .collect()
    }

    /// The value of a field that must be text (or a number or boolean, taken as text); nothing when missing or null.
    pub(crate) fn text(&self, field: &str) -> Result<Option<String>, ApiError> {
        self.0
            .get(field)
            .map_or(Ok(None), |raw| scalar(raw, &format!("`{field}`")))
    }
}

/// `POST /connectors`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CreateRequest {
    pub(crate) name: String,
    pub(crate) config: RawConfig,
    pub(crate) initial_state: Option<InitialState>,
}

fn config_of(raw: &RawValue) -> Result<RawConfig, ApiError> {
    config(object(raw, "`config`")?, "config.")
}

fn config(fields: RawObject, prefix: &str) -> Result<RawConfig, ApiError> {
    fields
        .into_iter()
        .map(|(key, raw)| {
            let value = scalar(&raw, &format!("`{prefix}{key}`"))?;
            Ok((key, value))
        })
        .collect()
}

fn offset_change(index: usize, raw: &RawValue) -> Result<OffsetChange, ApiError> {
    let what = format!("`offsets[{index}]`");
    let fields = object(raw, &what)?;
    only_fields(&fields, &what, &["partition", "offset"])?;
    let part = |name: &str| {
        fields.get(name).map_or(Ok(None), |raw| {
            serde_json::from_str(raw.get()).map_err(|_| {
                ApiError::bad_request(format!(
                    "`offsets[{index}].{name}` is {}: send an object or null",
                    kind(raw)
                ))
            })
        })
    };
    Ok(OffsetChange {
        partition: part("partition")?,
        offset: part("offset")?,
    })
}

fn object(raw: &RawValue, what: &str) -> Result<RawObject, ApiError> {
    serde_json::from_str(raw.get()).map_err(|error| {
        let found = kind(raw);
        if found == "an object" {
            ApiError::bad_request(format!("{what} is not valid JSON: {error}"))
        } else {
            ApiError::bad_request(format!("{what} is {found}: send a JSON object"))
        }
    })
}

fn only_fields(fields: &RawObject, what: &str, known: &[&str]) -> Result<(), ApiError> {
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) => Err(ApiError::bad_request(format!(
            "Unrecognized field \"{field}\" in {what}: remove it; known fields are {}",
            known.join(", ")
        ))),
    }
}

/// The text of a scalar; nothing for null.
fn scalar(raw: &RawValue, what: &str) -> Result<Option<String>, ApiError> {
    match raw.get().as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|error| ApiError::bad_request(format!("{what} is not a valid JSON text: {error}"))),
        Some(b'{' | b'[') => Err(ApiError::bad_request(format!(
            "{what} is {}: send a text, number or boolean",
            kind(raw)
        ))),
        _ => Ok(Some(raw.get().to_owned())),
    }
}

fn kind(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> JsonObject {
        JsonObject::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    #[test]
    fn scalars_become_text_as_they_were_written() {
        let config =
            parse(r#"{"a":1.10,"b":true,"c":"x\ny","d":null,"e":12345678901234567890123}"#).into_config();
        let expected = [
            ("a", Some("1.10")),
            ("b", Some("true")),
            ("c", Some("x\ny")),
            ("d", None),
            ("e", Some("12345678901234567890123")),
        ];
        assert_eq!(
            config,
            Ok(expected
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
                .collect())
        );
    }

    #[test]
    fn a_create_request_is_read_with_blanks_around_the_name() {
        let request = parse(r#"{"name":" a ","config":{"tasks.max":1},"initial_state":"stopped"}"#);
        assert_eq!(
            request.into_create_request(),
            Ok(CreateRequest {
                name: "a".into(),
                config: [("tasks.max".to_owned(), Some("1".to_owned()))].into(),
                initial_state: Some(InitialState::Stopped),
            })
        );
        let request = parse(r#"{"config":{},"initial_state":null}"#).into_create_request();
        assert_eq!(
            request,
            Ok(CreateRequest {
                name: String::new(),
                config: RawConfig::new(),
                initial_state: None
            })
        );
    }

    #[test]
    fn blanks_around_a_name_are_those_of_java() {
        for (given, expected) in [
            (r"\t a \n", "a"),
            (r"\u0001a\u0001", "a"),
            (r"a\u0001b", "a\u{1}b"),
            (r"\u00a0a\u2003", "\u{a0}a\u{2003}"),
            (r" \u0000", ""),
        ] {
            let request = parse(&format!(r#"{{"name":"{given}","config":{{}}}}"#)).into_create_request();
            assert_eq!(
                request.map(|request| request.name),
                Ok(expected.to_owned()),
                "{given}"
            );
        }
    }

    #[test]
    fn offset_changes_may_have_null_or_missing_parts() {
        let changes = parse(r#"{"offsets":[{"partition":{"f":"a"},"offset":null},{"offset":{"p":1}},{}]}"#);
        let changes = changes
            .into_offset_changes()
            .unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(changes.len(), 3);
        assert_eq!(
            changes[0].partition.as_ref().map(|map| map["f"].clone()),
            Some("a".into())
        );
        assert_eq!(changes[0].offset, None);
        assert_eq!(changes[1].partition, None);
        assert_eq!(
            changes[2],
            OffsetChange {
                partition: None,
                offset: None
            }
        );
    }

    #[test]
    fn every_mistake_says_what_to_change() {
        type Reader = fn(JsonObject) -> Result<(), ApiError>;
        let create: Reader = |body| body.into_create_request().map(drop);
        let config: Reader = |body| body.into_config().map(drop);
        let offsets: Reader = |body| body.into_offset_changes().map(drop);
        let cases: &[(&str, Reader, &str)] = &[
            ("", config, "the request body is empty: send a JSON object"),
            ("  ", config, "the request body is empty: send a JSON object"),
            ("{", config, "the request body is not valid JSON: EOF"),
            ("[]", config, "the request body is an array: send a JSON object"),
            ("null", config, "the request body is null: send a JSON object"),
            (
                r#"{"a":{}}"#,
                config,
                "`a` is an object: send a text, number or boolean",
            ),
            (r#"{"a":"\ud800"}"#, config, "`a` is not a valid JSON text"),
            (
                r#"{"a":1} x"#,
                config,
                "the request body is not valid JSON: trailing characters",
            ),
            (r#"{"name":"a"}"#, create, "`config` is missing or null"),
            (r#"{"config":null}"#, create, "`config` is missing or null"),
            (
                r#"{"config":[]}"#,
                create,
                "`config` is an array: send a JSON object",
            ),
            (r#"{"config":{"a":[1]}}"#, create, "`config.a` is an array"),
            (r#"{"name":{},"config":{}}"#, create, "`name` is an object"),
            (
                r#"{"config":{},"x":1}"#,
                create,
                "Unrecognized field \"x\" in the request body",
            ),
            (
                r#"{"config":{},"initial_state":"up"}"#,
                create,
                "`initial_state` is 'up': use one of",
            ),
            ("{}", offsets, "Partitions / offsets need to be provided"),
            (
                r#"{"offsets":null}"#,
                offsets,
                "Partitions / offsets need to be provided",
            ),
            (
                r#"{"offsets":[]}"#,
                offsets,
                "Partitions / offsets need to be provided",
            ),
            (
                r#"{"offsets":{}}"#,
                offsets,
                "`offsets` is an object: send an array",
            ),
            (
                r#"{"offsets":[1]}"#,
                offsets,
                "`offsets[0]` is a number: send a JSON object",
            ),
            (
                r#"{"offsets":[{"partition":[]}]}"#,
                offsets,
                "`offsets[0].partition` is an array: send an object",
            ),
            (
                r#"{"offsets":[{"x":1}]}"#,
                offsets,
                "Unrecognized field \"x\" in `offsets[0]`",
            ),
            (r#"{"offset":[]}"#, offsets, "Unrecognized field \"offset\""),
        ];
        for (body, reader, expected) in cases {
            let error = JsonObject::parse(body.as_bytes())
                .and_then(reader)
                .expect_err(body);
            let message = format!("{error:?}").replace("\\\"", "\"").replace("\\\\", "\\");
            assert!(message.contains(expected), "{body}: {message}");
        }
    }
}
