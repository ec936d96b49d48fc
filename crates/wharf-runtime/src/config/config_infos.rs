//! The JSON shapes of definitions and validation results, fields in upstream's order.

use serde::Serialize;
use wharf_api::config::{ConfigKeyInfo, ConfigValue, ParsedValue};

/// The result of a validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigInfos {
    /// The connector's class as given.
    pub name: String,
    /// How many errors there are: messages for framework and connector keys, keys for converters and clients.
    pub error_count: usize,
    /// Groups in order of first appearance.
    pub groups: Vec<String>,
    /// One entry per key.
    pub configs: Vec<ConfigInfo>,
}

impl ConfigInfos {
    /// The messages of all keys, for the answer 400 of a request that needed a valid configuration.
    pub fn errors(&self) -> impl Iterator<Item = &str> {
        self.configs
            .iter()
            .filter_map(|info| info.value.as_ref())
            .flat_map(|value| &value.errors)
            .map(String::as_str)
    }
}

/// One key of a validation result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigInfo {
    /// Null for a value nobody defined.
    pub definition: Option<ConfigDefinition>,
    /// Null for a definition without value.
    pub value: Option<ConfigValueInfo>,
}

/// The definition of one key, as `GET /connector-plugins/{p}/config` lists it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigDefinition {
    /// The key.
    pub name: String,
    /// The type in capitals.
    #[serde(rename = "type")]
    pub value_type: &'static str,
    /// True exactly when there is no default.
    pub required: bool,
    /// The default as text; null when there is none or it is null.
    pub default_value: Option<String>,
    /// HIGH, MEDIUM or LOW.
    pub importance: &'static str,
    /// What the key means.
    pub documentation: String,
    /// The group; null for none.
    pub group: Option<String>,
    /// Position in the group; -1 for none. Upstream called it `order` before 4.3.
    pub order_in_group: i32,
    /// NONE, SHORT, MEDIUM or LONG.
    pub width: &'static str,
    /// The name in forms.
    pub display_name: String,
    /// Keys whose validity depends on this one.
    pub dependents: Vec<String>,
}

impl ConfigDefinition {
    /// The listing form of a key, its name with a prefix.
    #[must_use]
    pub fn with_prefix(prefix: &str, info: &ConfigKeyInfo) -> Self {
        Self {
            name: format!("{prefix}{}", info.name),
            value_type: info.value_type.name(),
            required: info.default.is_required(),
            default_value: info.default_text(),
            importance: info.importance.name(),
            documentation: info.documentation.clone(),
            group: info.group.clone(),
            order_in_group: info.order_in_group,
            width: info.width.name(),
            display_name: info.display_name.clone(),
            dependents: info.dependents.clone(),
        }
    }
}

impl From<&ConfigKeyInfo> for ConfigDefinition {
    fn from(info: &ConfigKeyInfo) -> Self {
        Self::with_prefix("", info)
    }
}

/// The value of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigValueInfo {
    /// The key.
    pub name: String,
    /// The value as text; secrets as `[hidden]`.
    pub value: Option<String>,
    /// What may be chosen.
    pub recommended_values: Vec<String>,
    /// Messages.
    pub errors: Vec<String>,
    /// Whether a form should show the key.
    pub visible: bool,
}

impl From<&ConfigValue> for ConfigValueInfo {
    fn from(value: &ConfigValue) -> Self {
        Self {
            name: value.name.clone(),
            value: value.value.to_text(),
            recommended_values: value
                .recommended_values
                .iter()
                .filter_map(ParsedValue::to_text)
                .collect(),
            errors: value.errors.clone(),
            visible: value.visible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_api::config::{ConfigKey, Importance, Type, Width};

    #[test]
    fn fields_stand_in_upstreams_order() {
        let key = ConfigKey::new("tasks.max", Type::Int)
            .default(1)
            .importance(Importance::High)
            .doc("d")
            .group("Common", 3)
            .width(Width::Short)
            .display_name("Tasks max");
        let mut value = ConfigValue::with_value("tasks.max", 0);
        value.add_error("bad");
        let infos = ConfigInfos {
            name: "X".into(),
            error_count: 1,
            groups: vec!["Common".into()],
            configs: vec![ConfigInfo {
                definition: Some(key.info().into()),
                value: Some((&value).into()),
            }],
        };
        assert_eq!(
            serde_json::to_string(&infos).unwrap(),
            r#"{"name":"X","error_count":1,"groups":["Common"],"configs":[{"definition":{"name":"tasks.max","type":"INT","required":false,"default_value":"1","importance":"HIGH","documentation":"d","group":"Common","order_in_group":3,"width":"SHORT","display_name":"Tasks max","dependents":[]},"value":{"name":"tasks.max","value":"0","recommended_values":[],"errors":["bad"],"visible":true}}]}"#
        );
        assert_eq!(infos.errors().collect::<Vec<_>>(), ["bad"]);
    }
}
