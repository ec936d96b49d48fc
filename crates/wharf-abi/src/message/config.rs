//! Configuration keys and checked values. Secrets cross towards the plugin only, as part of its configuration; what a check
//! gives back is masked.

use wharf_api::config::{
    ConfigKeyInfo, ConfigValue, DefaultValue, Importance, ParsedValue, Password, Type, Width,
};
use wharf_api::{Result, Value};

use super::{Message, flag, int, map, number, optional_text, part, text, text_or_default, unexpected};

impl Message for ConfigKeyInfo {
    fn to_value(&self) -> Value {
        let (required, default) = match &self.default {
            DefaultValue::Required => (true, Value::Null),
            DefaultValue::Null => (false, Value::Null),
            DefaultValue::Text(text) => (false, text.as_str().into()),
            _ => (false, Value::Null),
        };
        map([
            ("name", self.name.as_str().into()),
            ("type", self.value_type.name().into()),
            ("required", required.into()),
            ("default", default),
            ("validator", Value::from(self.validator.as_deref())),
            ("importance", self.importance.name().into()),
            ("documentation", self.documentation.as_str().into()),
            ("group", Value::from(self.group.as_deref())),
            ("order", self.order_in_group.into()),
            ("width", self.width.name().into()),
            ("display_name", self.display_name.as_str().into()),
            ("dependents", self.dependents.to_value()),
            ("internal", self.internal.into()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let name = text(value, "name")?;
        let default = match (flag(value, "required", false), optional_text(value, "default")) {
            (true, _) => DefaultValue::Required,
            (false, Some(text)) => DefaultValue::Text(text),
            (false, None) => DefaultValue::Null,
        };
        Ok(Self {
            value_type: text(value, "type")?
                .parse::<Type>()
                .map_err(|_| unexpected("type of a configuration key"))?,
            default,
            validator: optional_text(value, "validator"),
            importance: text_or_default(value, "importance")
                .parse()
                .unwrap_or(Importance::Medium),
            documentation: text_or_default(value, "documentation"),
            group: optional_text(value, "group"),
            order_in_group: int(value, "order").unwrap_or(-1),
            width: text_or_default(value, "width").parse().unwrap_or(Width::None),
            display_name: optional_text(value, "display_name").unwrap_or_else(|| name.clone()),
            dependents: Vec::from_value(part(value, "dependents")).unwrap_or_default(),
            internal: flag(value, "internal", false),
            name,
        })
    }
}

impl Message for ParsedValue {
    fn to_value(&self) -> Value {
        let (name, value) = match self {
            Self::Null => return Value::Null,
            Self::Boolean(value) => (Type::Boolean, Value::from(*value)),
            Self::String(value) => (Type::String, Value::from(value.as_str())),
            Self::Int(value) => (Type::Int, Value::from(*value)),
            Self::Short(value) => (Type::Short, Value::from(*value)),
            Self::Long(value) => (Type::Long, Value::from(*value)),
            Self::Double(value) => (Type::Double, Value::from(*value)),
            Self::List(items) => (Type::List, items.to_value()),
            Self::Class(value) => (Type::Class, Value::from(value.as_str())),
            // A checked password needs to be known as one, not to be seen.
            Self::Password(_) => (Type::Password, Value::Null),
            _ => return Value::Null,
        };
        map([("type", name.name().into()), ("value", value)])
    }

    fn from_value(message: &Value) -> Result<Self> {
        if message.is_null() {
            return Ok(Self::Null);
        }
        let value = part(message, "value");
        let wrong = || unexpected("configuration value");
        let kind = text(message, "type")?.parse::<Type>().map_err(|_| wrong())?;
        Ok(match kind {
            Type::Boolean => Self::Boolean(value.as_bool().ok_or_else(wrong)?),
            Type::String => Self::String(String::from_value(value)?),
            Type::Class => Self::Class(String::from_value(value)?),
            Type::Int => Self::Int(int(message, "value")?),
            Type::Short => Self::Short(i16::try_from(int(message, "value")?).map_err(|_| wrong())?),
            Type::Long => Self::Long(number(message, "value")?),
            Type::Double => match value {
                Value::Float64(number) => Self::Double(*number),
                _ => return Err(wrong()),
            },
            Type::List => Self::List(Vec::from_value(value)?),
            Type::Password => Self::Password(Password::new("[hidden]")),
            _ => return Err(wrong()),
        })
    }
}

impl Message for ConfigValue {
    fn to_value(&self) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("value", self.value.to_value()),
            ("recommended", self.recommended_values.to_value()),
            ("errors", self.errors.to_value()),
            ("visible", self.visible.into()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let mut out = Self::with_value(
            text(value, "name")?,
            ParsedValue::from_value(part(value, "value"))?,
        );
        out.recommended_values = Vec::from_value(part(value, "recommended")).unwrap_or_default();
        out.errors = Vec::from_value(part(value, "errors")).unwrap_or_default();
        out.visible = flag(value, "visible", true);
        Ok(out)
    }
}
