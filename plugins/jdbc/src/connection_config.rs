//! The keys by which source and sink reach their database.

use std::time::Duration;

use wharf_api::config::{
    ConfigDef, ConfigKey, ConfigValue, Importance, ParsedConfig, Password, Type, Validator, Width,
};
use wharf_api::{ConfigMap, Result};

use crate::dialect::dialect;
use crate::jvm_keys;
use crate::table_id::Quoting;
use crate::url::{DatabaseUrl, URL_CONFIG};

const GROUP: &str = "Connection";

pub(crate) const USER_CONFIG: &str = "connection.user";
pub(crate) const PASSWORD_CONFIG: &str = "connection.password";
const ATTEMPTS_CONFIG: &str = "connection.attempts";
const BACKOFF_CONFIG: &str = "connection.backoff.ms";
pub(crate) const DIALECT_CONFIG: &str = "dialect.name";
pub(crate) const QUOTE_CONFIG: &str = "quote.sql.identifiers";
const AIVEN_QUOTE_CONFIG: &str = "sql.quote.identifiers";
pub(crate) const ZONE_CONFIG: &str = "db.timezone";
const STATEMENT_TIMEOUT_CONFIG: &str = "wharf.statement.timeout.ms";
const PREFIX: &str = "connection.";

/// Where a database is and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionConfig {
    pub(crate) url: DatabaseUrl,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) attempts: u32,
    pub(crate) backoff: Duration,
    /// No limit when zero.
    pub(crate) statement_timeout: Duration,
    pub(crate) quote_always: bool,
    /// The zone of columns that have none.
    pub(crate) zone: jiff::tz::TimeZone,
    /// Whether a file is opened for reading alone, and not made: for validation.
    pub(crate) only_looks: bool,
}

/// Adds the keys.
pub(crate) fn define(def: ConfigDef) -> ConfigDef {
    jvm_keys::define(def.define(
        ConfigKey::new(URL_CONFIG, Type::String)
            .validator(Validator::custom("a jdbc: URL", |_, value| match value.as_str() {
                Some(url) => DatabaseUrl::parse(url).map(drop),
                None => Ok(()),
            }))
            .importance(Importance::High)
            .doc("URL of the database, such as jdbc:postgresql://host:5432/name, jdbc:mysql://host:3306/name, \
                 jdbc:sqlserver://host:1433;databaseName=name or jdbc:sqlite:/path/of/the/file.db.")
            .group(GROUP, 1)
            .width(Width::Long)
            .display_name("JDBC URL"),
    )
    .define(
        ConfigKey::new(USER_CONFIG, Type::String)
            .default_null()
            .importance(Importance::High)
            .doc("User of the database; goes before one in the URL.")
            .group(GROUP, 2)
            .width(Width::Medium)
            .display_name("JDBC User"),
    )
    .define(
        ConfigKey::new(PASSWORD_CONFIG, Type::Password)
            .default_null()
            .importance(Importance::High)
            .doc("Password of the user; best from a config provider.")
            .group(GROUP, 3)
            .width(Width::Medium)
            .display_name("JDBC Password"),
    )
    .define(
        ConfigKey::new(ATTEMPTS_CONFIG, Type::Int)
            .default(3)
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("How many times a connection is tried before the attempt counts as failed.")
            .group(GROUP, 4)
            .width(Width::Short)
            .display_name("JDBC connection attempts"),
    )
    .define(
        ConfigKey::new(BACKOFF_CONFIG, Type::Long)
            .default(10_000)
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .doc("Milliseconds between attempts to connect.")
            .group(GROUP, 5)
            .width(Width::Short)
            .display_name("JDBC connection backoff in milliseconds"),
    )
    .define(
        ConfigKey::new(DIALECT_CONFIG, Type::String)
            .default("")
            .validator(Validator::one_of([
                "",
                "MySqlDatabaseDialect",
                "PostgreSqlDatabaseDialect",
                "SqlServerDatabaseDialect",
                "SqliteDatabaseDialect",
            ]))
            .importance(Importance::Low)
            .doc("Name of the database dialect; the URL says which one is right, and any other is refused.")
            .group(GROUP, 6)
            .width(Width::Long)
            .display_name("Database Dialect"),
    )
    .define(
        ConfigKey::new(QUOTE_CONFIG, Type::String)
            .default("ALWAYS")
            .validator(Validator::one_of_ignore_case(["ALWAYS", "NEVER"]))
            .importance(Importance::Medium)
            .doc("Whether names are quoted in statements: ALWAYS, or NEVER unless they could not stand otherwise.")
            .group(GROUP, 7)
            .width(Width::Medium)
            .display_name("Quote Identifiers"),
    )
    .define(
        ConfigKey::new(AIVEN_QUOTE_CONFIG, Type::Boolean)
            .default_null()
            .importance(Importance::Medium)
            .doc("As quote.sql.identifiers, as true or false; goes before it.")
            .group(GROUP, 8)
            .width(Width::Medium)
            .display_name("Quote Identifiers (true or false)"),
    )
    .define(
        ConfigKey::new(ZONE_CONFIG, Type::String)
            .default("UTC")
            .validator(Validator::custom("a time zone", |key, value| match value.as_str() {
                Some(name) => zone(key, name).map(drop),
                None => Ok(()),
            }))
            .importance(Importance::Medium)
            .doc("Time zone of columns that hold a time without one.")
            .group(GROUP, 9)
            .width(Width::Medium)
            .display_name("DB time zone"),
    )
    .define(
        ConfigKey::new(STATEMENT_TIMEOUT_CONFIG, Type::Long)
            .default(300_000)
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .doc("Milliseconds after which a statement is given up and tried again; 0 for never.")
            .group(GROUP, 10)
            .width(Width::Short)
            .display_name("Statement timeout in milliseconds"),
    ))
}

/// The key that an error of a configuration is about: the one that it names first, or the URL's.
pub(crate) fn key_of(error: &wharf_api::ConnectError, values: &[ConfigValue]) -> String {
    let message = error.message();
    let is_key = |one: char| one.is_ascii_alphanumeric() || "._".contains(one);
    let named = message.split(|one| !is_key(one)).find_map(|word| {
        let word = word.trim_end_matches('.');
        values
            .iter()
            .find(|value| value.name == word && word.contains('.'))
    });
    named.map_or_else(|| URL_CONFIG.to_owned(), |value| value.name.clone())
}

/// Says this of a key.
pub(crate) fn add(values: &mut [ConfigValue], key: &str, message: String) {
    if let Some(value) = values.iter_mut().find(|value| value.name == key) {
        value.add_error(message);
    }
}

fn zone(key: &str, name: &str) -> Result<jiff::tz::TimeZone> {
    if name.eq_ignore_ascii_case("utc") {
        return Ok(jiff::tz::TimeZone::UTC);
    }
    jiff::tz::TimeZone::get(name).map_err(|_| {
        wharf_api::ConnectError::invalid_config(
            key,
            name,
            "Not a time zone; write one such as UTC or Europe/Berlin",
        )
    })
}

impl ConnectionConfig {
    /// Reads what [`define`] defined.
    ///
    /// # Errors
    /// A config error naming the key.
    pub(crate) fn of(parsed: &ParsedConfig) -> Result<Self> {
        let mut url = DatabaseUrl::parse(parsed.string(URL_CONFIG)?)?;
        for (key, value) in driver_parameters(parsed) {
            // Of the drivers some would follow the URL, and some the key.
            if url.parameters.get(&key).is_some_and(|other| *other != value) {
                return Err(wharf_api::ConnectError::config(format!(
                    "{PREFIX}{key} and the parameter {key} of {URL_CONFIG} have two values; take one of them out"
                )));
            }
            url.parameters.insert(key, value);
        }
        let dialect = parsed.string(DIALECT_CONFIG)?;
        if !dialect.is_empty() && dialect != url.database.dialect_name() {
            return Err(wharf_api::ConnectError::invalid_config(
                DIALECT_CONFIG,
                dialect,
                &format!(
                    "Does not fit the URL, which is one of {}",
                    url.database.dialect_name()
                ),
            ));
        }
        Ok(Self {
            user: parsed
                .get_string(USER_CONFIG)
                .map(str::to_owned)
                .or_else(|| url.user.clone()),
            password: match parsed.get_password(PASSWORD_CONFIG) {
                Some(password) => Some(password.clone()),
                None => url.password.clone().map(Password::new),
            },
            attempts: u32::try_from(parsed.int(ATTEMPTS_CONFIG)?).unwrap_or(1),
            backoff: millis(parsed.long(BACKOFF_CONFIG)?),
            statement_timeout: millis(parsed.long(STATEMENT_TIMEOUT_CONFIG)?),
            quote_always: parsed
                .get_boolean(AIVEN_QUOTE_CONFIG)
                .unwrap_or(!parsed.string(QUOTE_CONFIG)?.eq_ignore_ascii_case("NEVER")),
            zone: zone(ZONE_CONFIG, parsed.string(ZONE_CONFIG)?)?,
            only_looks: false,
            url,
        })
    }

    /// How names are written in statements.
    pub(crate) fn quoting(&self) -> Quoting {
        Quoting {
            quote: dialect(self.url.database).quote(),
            always: self.quote_always,
        }
    }
}

/// Keys below `connection.` that are no keys of ours go to the driver.
fn driver_parameters(parsed: &ParsedConfig) -> ConfigMap {
    let known = define(ConfigDef::new());
    parsed
        .originals_with_prefix(PREFIX)
        .into_iter()
        .filter(|(key, _)| known.key(&format!("{PREFIX}{key}")).is_none())
        .collect()
}

/// A time from a number that its validator holds to be at least 0.
pub(crate) fn millis(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}
