//! One key of a definition.

use std::fmt;
use std::sync::Arc;

use super::{Importance, ParsedValue, Recommender, Type, Validator, Width, parse_type};
use crate::Result;

/// What a key's value is when a configuration does not name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DefaultValue {
    /// There is none: the key must be given.
    Required,
    /// Null: the key is optional and has no value.
    Null,
    /// A value, in the text form of the key's type.
    Text(String),
}

impl DefaultValue {
    /// Whether the key must be given.
    #[must_use]
    pub fn is_required(&self) -> bool {
        matches!(self, Self::Required)
    }
}

/// Everything about a key but its functions: the form in which definitions cross the plugin border and are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigKeyInfo {
    /// The name.
    pub name: String,
    /// The type.
    pub value_type: Type,
    /// The value when not given.
    pub default: DefaultValue,
    /// The validator's display text.
    pub validator: Option<String>,
    /// How important the key is.
    pub importance: Importance,
    /// What the key means.
    pub documentation: String,
    /// The group in which forms show it.
    pub group: Option<String>,
    /// The position in the group; -1 when none was stated.
    pub order_in_group: i32,
    /// How wide an input field should be.
    pub width: Width,
    /// The name in forms.
    pub display_name: String,
    /// Keys whose validity depends on this one.
    pub dependents: Vec<String>,
    /// Hidden from reference pages.
    pub internal: bool,
}

/// One key: built fluently from [`ConfigKey::new`], then given to [`ConfigDef::define`](super::ConfigDef::define).
#[derive(Clone)]
pub struct ConfigKey {
    pub(super) info: ConfigKeyInfo,
    pub(super) validator: Option<Validator>,
    pub(super) recommender: Option<Arc<dyn Recommender>>,
}

impl ConfigKey {
    /// A required key of medium importance, without documentation, group, validator or recommender.
    #[must_use]
    pub fn new(name: impl Into<String>, value_type: Type) -> Self {
        let name = name.into();
        Self {
            info: ConfigKeyInfo {
                display_name: name.clone(),
                name,
                value_type,
                default: DefaultValue::Required,
                validator: None,
                importance: Importance::Medium,
                documentation: String::new(),
                group: None,
                order_in_group: -1,
                width: Width::None,
                dependents: Vec::new(),
                internal: false,
            },
            validator: None,
            recommender: None,
        }
    }

    /// Gives the default, in the text form of the type: `default(5)`, `default("a,b")`, `default(true)`.
    #[must_use]
    pub fn default(mut self, value: impl ToString) -> Self {
        self.info.default = DefaultValue::Text(value.to_string());
        self
    }

    /// Makes the key optional, with null as its default.
    #[must_use]
    pub fn default_null(mut self) -> Self {
        self.info.default = DefaultValue::Null;
        self
    }

    /// Sets the check of the value.
    #[must_use]
    pub fn validator(mut self, validator: Validator) -> Self {
        self.info.validator = Some(validator.to_string());
        self.validator = Some(validator);
        self
    }

    /// Sets the importance.
    #[must_use]
    pub fn importance(mut self, importance: Importance) -> Self {
        self.info.importance = importance;
        self
    }

    /// Says what the key means.
    #[must_use]
    pub fn doc(mut self, documentation: impl Into<String>) -> Self {
        self.info.documentation = documentation.into();
        self
    }

    /// Puts the key into a group, at a position.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>, order_in_group: i32) -> Self {
        self.info.group = Some(group.into());
        self.info.order_in_group = order_in_group;
        self
    }

    /// Sets the width of an input field.
    #[must_use]
    pub fn width(mut self, width: Width) -> Self {
        self.info.width = width;
        self
    }

    /// Sets the name in forms; without it the key's name is shown.
    #[must_use]
    pub fn display_name(mut self, display_name: impl Into<String>) -> Self {
        self.info.display_name = display_name.into();
        self
    }

    /// Names the keys whose validity depends on this one. They are parsed and checked after it.
    #[must_use]
    pub fn dependents<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.info.dependents = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets who suggests values.
    #[must_use]
    pub fn recommender(mut self, recommender: impl Recommender + 'static) -> Self {
        self.recommender = Some(Arc::new(recommender));
        self
    }

    /// Hides the key from reference pages.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.info.internal = true;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// All plain data of the key.
    #[must_use]
    pub fn info(&self) -> &ConfigKeyInfo {
        &self.info
    }

    /// The parsed default: nothing for a required key, null for an optional one without value.
    ///
    /// # Errors
    ///
    /// The default's text does not fit the type.
    pub fn default_value(&self) -> Result<Option<ParsedValue>> {
        self.info.default_value()
    }
}

impl ConfigKeyInfo {
    /// The parsed default: nothing for a required key, null for an optional one without value.
    ///
    /// # Errors
    ///
    /// The default's text does not fit the type.
    pub fn default_value(&self) -> Result<Option<ParsedValue>> {
        match &self.default {
            DefaultValue::Required => Ok(None),
            DefaultValue::Null => Ok(Some(ParsedValue::Null)),
            DefaultValue::Text(text) => parse_type(&self.name, text, self.value_type).map(Some),
        }
    }

    /// The default as listings show it: nothing when there is none or it is null, `[hidden]` for a secret.
    #[must_use]
    pub fn default_text(&self) -> Option<String> {
        self.default_value()
            .ok()
            .flatten()
            .and_then(|value| value.to_text())
    }
}

impl From<ConfigKeyInfo> for ConfigKey {
    /// A key whose validator runs elsewhere: it accepts everything and shows the given display text.
    fn from(info: ConfigKeyInfo) -> Self {
        Self {
            validator: info.validator.clone().map(Validator::Described),
            info,
            recommender: None,
        }
    }
}

impl fmt::Debug for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigKey")
            .field("info", &self.info)
            .field("recommender", &self.recommender.is_some())
            .finish()
    }
}
