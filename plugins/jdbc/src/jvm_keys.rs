//! Keys of the JVM's connectors that ask for what is done here in any case, or for what cannot be had here: each value is known to be one of
//! the former or refused with what to do in its place. `docs/jdbc.md` lists them.
//!
//! What cannot be had is refused by validation alone, and not by the definition: a connector that is there already goes on to run.

use wharf_api::ConnectError;
use wharf_api::config::{ConfigDef, ConfigKey, ConfigValue, Importance, ParsedValue, Type, Validator, Width};

const CALENDAR_CONFIG: &str = "date.calendar.system";
const CREDENTIALS_CONFIG: &str = "jdbc.credentials.provider.class";
const QUALIFY_CONFIG: &str = "table.names.qualify";
const DATE_ZONE_CONFIG: &str = "date.timezone";
const TABLE_TYPES_CONFIG: &str = "table.types";

/// What takes user and password from `connection.user` and `connection.password`.
const DEFAULT_CREDENTIALS: &str = "io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider";
/// Kinds of tables that a sink may be told to write to.
const WRITTEN: [&str; 3] = ["TABLE", "PARTITIONED TABLE", "VIEW"];

fn key(name: &str, value_type: Type, (group, order): (&str, i32), display: &str, doc: &str) -> ConfigKey {
    ConfigKey::new(name, value_type)
        .importance(Importance::Low)
        .doc(doc)
        .group(group, order)
        .width(Width::Medium)
        .display_name(display)
}

/// Adds those that source and sink have.
pub(crate) fn define(def: ConfigDef) -> ConfigDef {
    const GROUP: &str = "Connection";
    def.define(
        key(CREDENTIALS_CONFIG, Type::String, (GROUP, 11), "JDBC Credentials Provider Class",
            "Taken for the JVM's sake: its default takes connection.user and connection.password, which every new connection asks the config \
             providers for. Other Java classes are refused.")
            .default(DEFAULT_CREDENTIALS),
    )
    .define(
        key(CALENDAR_CONFIG, Type::String, (GROUP, 12), "Date Calendar System",
            "Days and times are those of PROLEPTIC_GREGORIAN, whichever is set; with LEGACY, which is the JVM's default, its connectors have \
             other numbers for days before 1582-10-15.")
            .default("LEGACY")
            .validator(Validator::one_of(["LEGACY", "PROLEPTIC_GREGORIAN"])),
    )
    .define(
        key(QUALIFY_CONFIG, Type::Boolean, (GROUP, 13), "Qualify table names",
            "Taken for Aiven's sake: tables are always named with the schema that they were found in. false is refused.")
            .default(true),
    )
}

/// What is asked for and cannot be had: the keys, and what is said of them.
pub(crate) fn refusals(values: &[ConfigValue]) -> Vec<(&'static str, String)> {
    let of = |value: &ConfigValue| {
        let (key, text, reason) = match (value.name.as_str(), &value.value) {
            (CREDENTIALS_CONFIG, ParsedValue::String(class)) if class != DEFAULT_CREDENTIALS => (
                CREDENTIALS_CONFIG,
                class.as_str(),
                "Java classes are not run here; leave it out, and name a config provider in connection.user and connection.password, \
                 which are asked for anew at each connection",
            ),
            (QUALIFY_CONFIG, ParsedValue::Boolean(false)) => (
                QUALIFY_CONFIG,
                "false",
                "Tables are named with the schema that they were found in, so that a search path cannot lead to another one; leave it out, \
                 and choose a schema by schema.pattern or, for a sink, table.name.format",
            ),
            _ => return None,
        };
        let error = ConnectError::invalid_config(key, text, reason);
        Some((key, error.message().to_owned()))
    };
    values.iter().filter_map(of).collect()
}

/// What a connector that is started with such values says of them, which is all that follows from them.
pub(crate) fn warning(values: &[ConfigValue]) -> Option<String> {
    let refused = refusals(values);
    let messages: Vec<&str> = refused.iter().map(|(_, message)| message.as_str()).collect();
    (!messages.is_empty()).then(|| {
        format!(
            "the connector runs without what cannot be had, and validation refuses it: {}",
            messages.join("; ")
        )
    })
}

/// Adds those that only the sink has.
pub(crate) fn define_of_sink(def: ConfigDef, group: &str) -> ConfigDef {
    def.define(
        key(DATE_ZONE_CONFIG, Type::String, (group, 11), "Time Zone used for Date",
            "A Date is written as the day that it is, as the JVM's connector does with UTC, whichever is set.")
            .default("DB_TIMEZONE")
            .validator(Validator::one_of_ignore_case(["DB_TIMEZONE", "UTC"])),
    )
    .define(
        key(TABLE_TYPES_CONFIG, Type::List, (group, 12), "Table Types",
            "Taken for the JVM's sake: TABLE, PARTITIONED TABLE, VIEW. Rows are written to what has the table's name, and the database says \
             whether it takes them.")
            .default("TABLE")
            .validator(Validator::custom(WRITTEN.join(", "), |name, value| {
                let items = value.as_list().unwrap_or_default();
                let is_known = |item: &&String| WRITTEN.iter().any(|known| known.eq_ignore_ascii_case(item.trim()));
                match items.iter().find(|item| !is_known(item)) {
                    None => Ok(()),
                    Some(item) => Err(ConnectError::invalid_config(
                        name,
                        item,
                        &format!("There are {}", WRITTEN.join(", ")),
                    )),
                }
            })),
    )
}
