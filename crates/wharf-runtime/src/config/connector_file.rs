//! Connector files given on the command line of a standalone worker.
//!
//! Three shapes are tried in this order, whatever the file is called: a JSON object that is the configuration, a JSON
//! object with `name`, `config` and `initial_state`, and Java properties. Other than upstream, a file that starts like
//! a JSON object but is none is reported as broken JSON instead of being read as properties.

use std::path::Path;

use serde_json::{Map, Value};
use wharf_api::{ConfigMap, ConnectError, Result};

use super::connector_config::NAME;
use super::properties::parse_properties;
use crate::herder::InitialState;

/// A connector that a file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorFile {
    /// The connector's name.
    pub name: String,
    /// Its configuration, the name included.
    pub config: ConfigMap,
    /// The state to create it in, if stated.
    pub initial_state: Option<InitialState>,
}

/// Reads a connector file.
///
/// # Errors
///
/// It cannot be read, has none of the shapes, or names no connector.
pub fn read_connector_file(path: &Path) -> Result<ConnectorFile> {
    let explain =
        |error: ConnectError| error.context(format!("cannot use connector file {}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| explain(error.into()))?;
    parse_connector_file(&bytes).map_err(explain)
}

/// Reads the content of a connector file.
///
/// # Errors
///
/// It has none of the shapes, or names no connector.
pub fn parse_connector_file(bytes: &[u8]) -> Result<ConnectorFile> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return named(parse_properties(bytes)?, None);
    }
    let object: Map<String, Value> = serde_json::from_slice(bytes)
        .map_err(|error| ConnectError::config(format!("it is not valid JSON: {error}")))?;
    if object.values().any(|value| value.is_object() || value.is_array()) {
        create_request(&object)
    } else {
        named(scalars(&object)?, None)
    }
}

fn create_request(object: &Map<String, Value>) -> Result<ConnectorFile> {
    let Some(Value::Object(config)) = object.get("config") else {
        return Err(ConnectError::config(
            "a JSON file must be a flat object of texts, or an object with `name` and an object `config`",
        ));
    };
    let mut config = scalars(config)?;
    let initial_state = match object.get("initial_state") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_str().and_then(InitialState::from_name).ok_or_else(|| {
            ConnectError::config(format!(
                "initial_state {value} is none of RUNNING, PAUSED, STOPPED"
            ))
        })?),
    };
    if let Some(name) = object.get(NAME).and_then(Value::as_str) {
        let inner = config.entry(NAME.to_owned()).or_insert_with(|| name.to_owned());
        if inner != name {
            return Err(ConnectError::config(format!(
                "the connector is named {name}, but its configuration says {inner}; use one name"
            )));
        }
    }
    named(config, initial_state)
}

/// JSON scalars as configuration texts; a null has no text and is left out.
fn scalars(object: &Map<String, Value>) -> Result<ConfigMap> {
    let mut config = ConfigMap::new();
    for (key, value) in object {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => continue,
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(ConnectError::config(format!(
                    "the value of {key} must be a text, not a list or object"
                )));
            }
        };
        config.insert(key.clone(), text);
    }
    Ok(config)
}

fn named(config: ConfigMap, initial_state: Option<InitialState>) -> Result<ConnectorFile> {
    // blanks as Java has them: U+0020 and all below, and no others
    let blank = |c: char| c <= ' ';
    match config.get(NAME).map(|name| name.trim_matches(blank).to_owned()) {
        Some(name) if !name.is_empty() => Ok(ConnectorFile {
            name,
            config,
            initial_state,
        }),
        _ => Err(ConnectError::config(
            "it is missing the mandatory 'name' configuration",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConnectorFile> {
        parse_connector_file(text.as_bytes())
    }

    #[test]
    fn all_shapes_give_the_same_connector() {
        let flat = parse(r#"{"name": "c", "tasks.max": 2, "x": true, "y": null}"#).unwrap();
        let request =
            parse(r#"{"name": "c", "config": {"tasks.max": "2", "x": "true"}, "other": 1}"#).unwrap();
        let properties = parse("name=c\ntasks.max=2\nx = true").unwrap();
        assert_eq!(flat.config.len(), 3);
        assert_eq!(flat, request);
        assert_eq!(flat, properties);
    }

    #[test]
    fn the_initial_state_is_read_in_any_case() {
        let state = |text: &str| {
            parse(&format!(
                r#"{{"config": {{"name": "c"}}, "initial_state": {text}}}"#
            ))
            .map(|file| file.initial_state)
        };
        assert_eq!(state(r#""paused""#), Ok(Some(InitialState::Paused)));
        assert_eq!(state("null"), Ok(None));
        assert!(state(r#""asleep""#).is_err());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let cases = [
            ("tasks.max=1", "missing the mandatory 'name'"),
            (r#"{"tasks.max": 1}"#, "missing the mandatory 'name'"),
            (r#"{"name": "a", "config": {"name": "b"}}"#, "use one name"),
            (r#"{"name": "a",}"#, "not valid JSON"),
            (r#"{"name": "a", "config": {"x": []}}"#, "the value of x"),
            (r#"{"name": "a", "x": {}}"#, "flat object"),
        ];
        for (text, part) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
