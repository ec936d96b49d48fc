//! Keys of the JVM's connectors that ask for what is done here in any case, or for what cannot be had here: each value is known to be one of
//! the former or refused with what to do in its place. `docs/jdbc.md` lists them.

use wharf_api::ConnectError;
use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedValue, Type, Validator, Width};

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
            .default(DEFAULT_CREDENTIALS)
            .validator(Validator::custom(DEFAULT_CREDENTIALS, |name, value| match value.as_str() {
                Some(class) if class != DEFAULT_CREDENTIALS => Err(ConnectError::invalid_config(
                    name,
                    class,
                    "Java classes are not run here; leave it out, and name a config provider in connection.user and connection.password, \
                     which are asked for anew at each connection",
                )),
                _ => Ok(()),
            })),
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
            .default(true)
            .validator(Validator::custom("true", |name, value| match value {
                ParsedValue::Boolean(false) => Err(ConnectError::invalid_config(
                    name,
                    "false",
                    "Tables are named with the schema that they were found in, so that a search path cannot lead to another one; leave it out, \
                     and choose a schema by schema.pattern or, for a sink, table.name.format",
                )),
                _ => Ok(()),
            })),
    )
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
