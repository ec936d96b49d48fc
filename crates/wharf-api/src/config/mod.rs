//! Configuration definitions: what keys a plugin or worker takes, and what their values must look like.
//!
//! A [`ConfigDef`] is a list of [`ConfigKey`]s. From it come parsing ([`ConfigDef::parse`]), validation with all
//! messages at once ([`ConfigDef::validate`]), the answers of the REST interface and the reference pages.
//! Types, number grammar, messages and traversal order follow Kafka's `ConfigDef` as of 4.2, because tools and users
//! match on them.
//!
//! What must stay true: everything in a key but its validator and recommender is plain data ([`ConfigKeyInfo`]), since
//! definitions cross the plugin border as data while the functions run inside the plugin.
//!
//! ```
//! use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator};
//!
//! let def = ConfigDef::new()
//!     .define(ConfigKey::new("file", Type::String).default_null().importance(Importance::High).doc("The file to read."))
//!     .define(ConfigKey::new("batch.size", Type::Int).default(2000).validator(Validator::at_least(1)));
//!
//! let config = def.parse(&[("file".to_owned(), "a.txt".to_owned())].into()).unwrap();
//! assert_eq!(config.get_string("file"), Some("a.txt"));
//! assert_eq!(config.int("batch.size").unwrap(), 2000);
//! ```

mod config_def;
mod config_key;
mod config_value;
mod parse;
mod parsed_config;
mod parsed_value;
mod password;
mod recommender;
mod render;
mod types;
mod validate;
mod validator;

pub use config_def::{ClassResolver, ConfigDef};
pub use config_key::{ConfigKey, ConfigKeyInfo, DefaultValue};
pub use config_value::ConfigValue;
pub use parse::parse_type;
pub use parsed_config::ParsedConfig;
pub use parsed_value::ParsedValue;
pub use password::Password;
pub use recommender::Recommender;
pub use types::{Importance, Type, Width};
pub use validator::{Bound, Validator};

/// A flat configuration in which a key may be present without a value, as a JSON body can have it.
pub type NullableConfigMap = std::collections::BTreeMap<String, Option<String>>;
