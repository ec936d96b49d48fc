//! The configuration that all converters share: `converter.type`, which the worker fills in.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedConfig, Type, Validator};
use wharf_api::{ConfigMap, ConverterType, Result};

/// Says what the converter is used for: `key`, `value` or `header`.
pub const CONVERTER_TYPE: &str = "converter.type";

/// The definition that every converter starts from.
#[must_use]
pub fn base_config() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::new(CONVERTER_TYPE, Type::String)
            .validator(Validator::one_of(["key", "value", "header"]))
            .importance(Importance::Low)
            .doc("What the converter is used for: record keys, record values or header values. The worker sets it."),
    )
}

/// Parses a converter's configuration. The use is known from the call, so a configuration that does not repeat it is
/// fine.
pub(crate) fn parse(
    definition: &ConfigDef,
    config: &ConfigMap,
    used_for: ConverterType,
) -> Result<ParsedConfig> {
    let mut config = config.clone();
    config.insert(CONVERTER_TYPE.to_owned(), used_for.name().to_owned());
    definition.parse(&config)
}
