//! The source's keys: names, types, defaults, and what listings show of them.

use wharf_api::config::{
    ConfigDef, ConfigKey, Importance, ParsedConfig, ParsedValue, Recommender, Type, Validator, Width,
};
use wharf_api::{ConnectError, Result};

use super::config::{GRANULARITIES, Mode, anchored, mapping};
use crate::connection_config;

const DATABASE: &str = "Database";
const MODE: &str = "Mode";
const CONNECTOR: &str = "Connector";

pub(super) const MODE_CONFIG: &str = "mode";
pub(super) const INCREMENTING_COLUMN_CONFIG: &str = "incrementing.column.name";
pub(super) const INCREMENTING_MAPPING_CONFIG: &str = "incrementing.column.mapping";
pub(super) const INCREMENTING_INITIAL_CONFIG: &str = "incrementing.initial";
pub(super) const INCREMENTING_WAIT_CONFIG: &str = "wharf.incrementing.wait.ms";
pub(super) const INCREMENTING_DELAY_CONFIG: &str = "wharf.incrementing.delay.ms";
pub(super) const SPLIT_SIZE_CONFIG: &str = "wharf.split.size";
pub(super) const TIMESTAMP_COLUMN_CONFIG: &str = "timestamp.column.name";
pub(super) const TIMESTAMP_MAPPING_CONFIG: &str = "timestamp.columns.mapping";
pub(super) const TIMESTAMP_INITIAL_CONFIG: &str = "timestamp.initial";
pub(super) const AIVEN_TIMESTAMP_INITIAL_CONFIG: &str = "timestamp.initial.ms";
pub(super) const TIMESTAMP_DELAY_CONFIG: &str = "timestamp.delay.interval.ms";
pub(super) const VALIDATE_NON_NULL_CONFIG: &str = "validate.non.null";
pub(super) const QUERY_CONFIG: &str = "query";
pub(super) const QUERY_MASKED_CONFIG: &str = "query.masked";
pub(super) const QUERY_SUFFIX_CONFIG: &str = "query.suffix";
pub(super) const QUERY_RETRIES_CONFIG: &str = "query.retry.attempts";
pub(super) const ISOLATION_CONFIG: &str = "transaction.isolation.mode";
pub(super) const POLL_INTERVAL_CONFIG: &str = "poll.interval.ms";
pub(super) const BATCH_ROWS_CONFIG: &str = "batch.max.rows";
pub(super) const BUFFER_CONFIG: &str = "max.buffer.size";
pub(super) const POLL_LINGER_CONFIG: &str = "poll.linger.ms";
pub(super) const TABLE_POLL_INTERVAL_CONFIG: &str = "table.poll.interval.ms";
pub(super) const CATALOG_CONFIG: &str = "catalog.pattern";
pub(super) const SCHEMA_CONFIG: &str = "schema.pattern";
pub(super) const WHITELIST_CONFIG: &str = "table.whitelist";
pub(super) const BLACKLIST_CONFIG: &str = "table.blacklist";
pub(super) const INCLUDE_CONFIG: &str = "table.include.list";
pub(super) const EXCLUDE_CONFIG: &str = "table.exclude.list";
pub(super) const TYPES_CONFIG: &str = "table.types";
pub(super) const NUMERIC_MAPPING_CONFIG: &str = "numeric.mapping";
pub(super) const NUMERIC_PRECISION_CONFIG: &str = "numeric.precision.mapping";
pub(super) const UNLIMITED_CONFIG: &str = "wharf.numeric.unlimited";
pub(super) const COMPLEX_CONFIG: &str = "sql.complex.types.enable";
pub(super) const GRANULARITY_CONFIG: &str = "timestamp.granularity";
pub(super) const TOPIC_PREFIX_CONFIG: &str = "topic.prefix";
/// The tables of one task, in its configuration.
pub(super) const TABLES_CONFIG: &str = "tables";
/// The database's time when the connector was started, in the tasks' configurations, where rows are read from then on.
pub(super) const BEGAN_CONFIG: &str = "wharf.timestamp.began";
/// Which part of each table is one task's, in its configuration.
pub(super) const SHARE_CONFIG: &str = "wharf.split.share";

/// Kinds of tables.
const TABLE_TYPES: [&str; 5] = [
    "TABLE",
    "PARTITIONED TABLE",
    "VIEW",
    "MATERIALIZED VIEW",
    "FOREIGN TABLE",
];

/// Keys that matter with some modes only.
const OF_MODE: [&str; 5] = [
    INCREMENTING_COLUMN_CONFIG,
    INCREMENTING_MAPPING_CONFIG,
    TIMESTAMP_COLUMN_CONFIG,
    TIMESTAMP_MAPPING_CONFIG,
    VALIDATE_NON_NULL_CONFIG,
];

/// Says whether a key matters with the mode. No column is recommended: that would ask the database.
struct ByMode;

impl Recommender for ByMode {
    fn valid_values(&self, _name: &str, _config: &ParsedConfig) -> Result<Vec<ParsedValue>> {
        Ok(Vec::new())
    }

    fn visible(&self, name: &str, config: &ParsedConfig) -> Result<bool> {
        let mode = config.get_string(MODE_CONFIG).unwrap_or_default();
        let Some((_, mode)) = Mode::NAMES.iter().find(|(known, _)| *known == mode) else {
            return Ok(true);
        };
        let splits = config.get_long(SPLIT_SIZE_CONFIG).is_some_and(|size| size > 0);
        let counts = mode.counts() || splits;
        Ok(match name {
            INCREMENTING_COLUMN_CONFIG | INCREMENTING_MAPPING_CONFIG => counts,
            TIMESTAMP_COLUMN_CONFIG | TIMESTAMP_MAPPING_CONFIG => mode.has_time(),
            _ => counts || mode.has_time(),
        })
    }
}

fn key(
    name: &str,
    value_type: Type,
    (group, order): (&str, i32),
    display: &str,
    importance: Importance,
    doc: &str,
) -> ConfigKey {
    ConfigKey::new(name, value_type)
        .importance(importance)
        .doc(doc)
        .group(group, order)
        .width(Width::Medium)
        .display_name(display)
}

/// All keys.
pub(super) fn definition() -> ConfigDef {
    let def = connection_config::define(ConfigDef::new());
    connector_keys(mode_keys(database_keys(def)))
}

#[rustfmt::skip]
fn database_keys(def: ConfigDef) -> ConfigDef {
    use Importance::{Low, Medium};
    def.define(
        key(CATALOG_CONFIG, Type::String, (DATABASE, 1), "Schema pattern", Medium,
            "Name of the catalog (on most servers: the database) whose tables are read; all that the connection sees when unset.")
            .default_null(),
    )
    .define(
        key(SCHEMA_CONFIG, Type::String, (DATABASE, 2), "Schema pattern", Medium,
            "LIKE pattern of schemas whose tables are read; all but the system's own when unset.")
            .default_null(),
    )
    .define(
        key(WHITELIST_CONFIG, Type::List, (DATABASE, 3), "Table Whitelist", Medium,
            "Tables to read, by name or as schema.table. Not together with table.blacklist.")
            .default(""),
    )
    .define(
        key(BLACKLIST_CONFIG, Type::List, (DATABASE, 4), "Table Blacklist", Medium,
            "Tables to leave out, by name or as schema.table. Not together with table.whitelist.")
            .default(""),
    )
    .define(
        key(INCLUDE_CONFIG, Type::List, (DATABASE, 5), "Table Include List", Medium,
            "Regular expressions, each of which has to match the whole of schema.table, of tables to read.")
            .default("")
            .validator(regexes()),
    )
    .define(
        key(EXCLUDE_CONFIG, Type::List, (DATABASE, 6), "Table Exclude List", Medium,
            "Regular expressions of tables to leave out of those that table.include.list takes.")
            .default("")
            .validator(regexes()),
    )
    .define(
        key(TYPES_CONFIG, Type::List, (DATABASE, 7), "Table Types", Low,
            "Kinds of tables to read: TABLE, PARTITIONED TABLE, VIEW, MATERIALIZED VIEW, FOREIGN TABLE.")
            .default("TABLE")
            .validator(Validator::custom(TABLE_TYPES.join(", "), |name, value| {
                let items = value.as_list().unwrap_or_default();
                let is_known = |item: &&String| TABLE_TYPES.iter().any(|known| known.eq_ignore_ascii_case(item.trim()));
                match items.iter().find(|item| !is_known(item)) {
                    None => Ok(()),
                    Some(item) => Err(ConnectError::invalid_config(
                        name,
                        item,
                        &format!("There are {}", TABLE_TYPES.join(", ")),
                    )),
                }
            })),
    )
    .define(
        key(TABLE_POLL_INTERVAL_CONFIG, Type::Long, (DATABASE, 8), "Metadata Change Monitoring Interval (ms)", Low,
            "Milliseconds between two looks for new and dropped tables; a change gives the tasks new configurations.")
            .default(60_000)
            .validator(Validator::at_least(100)),
    )
    .define(
        key(NUMERIC_MAPPING_CONFIG, Type::String, (DATABASE, 9), "Map Numeric Values, Integral or Decimal, By Precision and Scale", Low,
            "What NUMERIC and DECIMAL become: none, exact decimals; precision_only, integers where there are no digits after the point; \
             best_fit, doubles too where 18 digits are enough; best_fit_eager_double, doubles wherever there are digits after the point.")
            .default_null()
            .validator(optional_one_of(&["none", "precision_only", "best_fit", "best_fit_eager_double"])),
    )
    .define(
        key(NUMERIC_PRECISION_CONFIG, Type::Boolean, (DATABASE, 10), "Map Numeric Values By Precision (deprecated)", Low,
            "true is numeric.mapping=precision_only, where that is not set.")
            .default(false),
    )
    .define(
        key(UNLIMITED_CONFIG, Type::String, (DATABASE, 11), "Numerics Without Precision", Low,
            "What a NUMERIC column without precision becomes unless numeric.mapping makes it a double: decimal, of scale 127 as with the \
             JVM's connector; string, the number as it was written.")
            .default("decimal")
            .validator(Validator::one_of(["decimal", "string"])),
    )
    .define(
        key(COMPLEX_CONFIG, Type::Boolean, (DATABASE, 12), "Read Complex Types", Low,
            "Whether columns are read that the JVM's connector leaves out by default: arrays as arrays, others (interval, inet, ranges) as \
             texts.")
            .default(true),
    )
    .define(
        key(GRANULARITY_CONFIG, Type::String, (DATABASE, 13), "Timestamp granularity", Low,
            "What timestamps become: connect_logical (milliseconds), micros_long, micros_string, micros_iso_datetime_string, nanos_long, \
             nanos_string, nanos_iso_datetime_string.")
            .default("connect_logical")
            .validator(Validator::one_of(GRANULARITIES.map(|(name, _)| name))),
    )
}

#[rustfmt::skip]
fn mode_keys(def: ConfigDef) -> ConfigDef {
    use Importance::{High, Low, Medium};
    def.define(
        key(MODE_CONFIG, Type::String, (MODE, 1), "Table Loading Mode", High,
            "How rows are found: bulk, the whole table each time; incrementing, by a column that only grows; timestamp, by one or more \
             columns that tell when a row was changed; timestamp+incrementing, by both.")
            .validator(Validator::one_of(Mode::NAMES.map(|(name, _)| name)))
            .dependents(OF_MODE),
    )
    .define(
        key(INCREMENTING_COLUMN_CONFIG, Type::String, (MODE, 2), "Incrementing Column Name", Medium,
            "The column that only grows; when empty, the one that the database counts up by itself.")
            .default("")
            .recommender(ByMode),
    )
    .define(
        key(INCREMENTING_MAPPING_CONFIG, Type::List, (MODE, 3), "Incrementing column to table mapping", Medium,
            "Such columns of single tables, as regex:column, …; exactly one has to match a table.")
            .default("")
            .validator(mappings())
            .recommender(ByMode),
    )
    .define(
        key(INCREMENTING_INITIAL_CONFIG, Type::Long, (MODE, 4), "Incrementing Column Initial Value", Low,
            "The value after which reading begins where no offset is stored.")
            .default(-1),
    )
    .define(
        key(TIMESTAMP_COLUMN_CONFIG, Type::List, (MODE, 5), "Timestamp Column Name", Medium,
            "Columns that tell when a row was changed; of several, the first that is not null counts.")
            .default("")
            .recommender(ByMode),
    )
    .define(
        key(TIMESTAMP_MAPPING_CONFIG, Type::List, (MODE, 6), "Timestamp column to table mapping", Medium,
            "Such columns of single tables, as regex:[column|column], …; exactly one has to match a table.")
            .default("")
            .validator(mappings())
            .recommender(ByMode),
    )
    .define(
        key(TIMESTAMP_INITIAL_CONFIG, Type::Long, (MODE, 7), "Unix time value of initial timestamp", Low,
            "Milliseconds since the epoch from which on rows are read where no offset is stored; -1 is the database's time when the connector is \
             started. All rows when unset.")
            .default_null(),
    )
    .define(
        key(AIVEN_TIMESTAMP_INITIAL_CONFIG, Type::Long, (MODE, 8), "Initial timestamp", Low,
            "The same, under the name that Aiven's connector has for it.")
            .default_null(),
    )
    .define(
        key(TIMESTAMP_DELAY_CONFIG, Type::Long, (MODE, 9), "Delay Interval (ms)", High,
            "How many milliseconds old a row has to be to be read, so that transactions that began before it may still commit.")
            .default(0)
            .validator(Validator::at_least(0)),
    )
    .define(
        key(VALIDATE_NON_NULL_CONFIG, Type::Boolean, (MODE, 10), "Validate Non Null", Low,
            "Whether the columns that say which rows are new have to be NOT NULL; of several timestamp columns, one.")
            .default(true)
            .recommender(ByMode),
    )
    .define(
        key(QUERY_CONFIG, Type::String, (MODE, 11), "Query", Medium,
            "A SELECT that is read in place of tables; except in bulk mode a WHERE clause is appended to it.")
            .default(""),
    )
    .define(
        key(QUERY_MASKED_CONFIG, Type::Password, (MODE, 12), "Query, masked", Medium,
            "As query, and not shown by the REST API.")
            .default_null(),
    )
    .define(
        key(QUERY_SUFFIX_CONFIG, Type::String, (MODE, 13), "Query suffix", Low,
            "What is appended to every statement that reads, such as LIMIT 1000.")
            .default(""),
    )
    .define(
        key(QUERY_RETRIES_CONFIG, Type::Int, (MODE, 14), "Query Retry Attempts", Low,
            "How many times a query is tried again when waiting may help; -1 for without end, but in bulk mode 5 times when rows were given out.")
            .default(-1)
            .validator(Validator::at_least(-1)),
    )
    .define(
        key(ISOLATION_CONFIG, Type::String, (MODE, 15), "Transaction Isolation Mode", Low,
            "The isolation in which is read: DEFAULT, READ_UNCOMMITTED, READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE; in SQL \
             Server SQL_SERVER_SNAPSHOT, too.")
            .default("DEFAULT")
            .validator(Validator::one_of_ignore_case([
                "DEFAULT", "READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE", "SQL_SERVER_SNAPSHOT",
            ])),
    )
    .define(
        key(INCREMENTING_WAIT_CONFIG, Type::Long, (MODE, 16), "Wait For Writers (ms)", Low,
            "With mode incrementing, how many milliseconds at most a table's new rows wait for transactions that were writing to it when they were \
             found and may still commit smaller numbers; 0 for not at all. PostgreSQL says which these are, other databases do not.")
            .default(10_000)
            .validator(Validator::at_least(0)),
    )
    .define(
        key(INCREMENTING_DELAY_CONFIG, Type::Long, (MODE, 17), "Incrementing Delay (ms)", Low,
            "With mode incrementing, how many milliseconds new rows wait in any case, so that transactions which took smaller numbers before may \
             commit them.")
            .default(0)
            .validator(Validator::at_least(0)),
    )
    .define(
        key(SPLIT_SIZE_CONFIG, Type::Long, (MODE, 18), "Size Of Key Ranges", Low,
            "How many values of the incrementing column a range has, where tables are read in ranges by all tasks: with mode incrementing or bulk, \
             by a column of integers. 0 for tables as a whole, each by one task.")
            .default(0)
            .validator(Validator::at_least(0)),
    )
}

#[rustfmt::skip]
fn connector_keys(def: ConfigDef) -> ConfigDef {
    use Importance::{High, Low};
    def.define(
        key(POLL_INTERVAL_CONFIG, Type::Int, (CONNECTOR, 1), "Poll Interval (ms)", High,
            "Milliseconds between two queries of a table.")
            .default(5_000)
            .validator(Validator::at_least(0)),
    )
    .define(
        key(BATCH_ROWS_CONFIG, Type::Int, (CONNECTOR, 2), "Max Rows Per Batch", Low,
            "How many rows are given to the worker at once. Rows come from the server as they are taken, whatever the table's size.")
            .default(1_000)
            .validator(Validator::at_least(1)),
    )
    .define(
        key(BUFFER_CONFIG, Type::Int, (CONNECTOR, 3), "Max Buffer Size", Low,
            "Taken for the JVM's sake: two batches wait at most.")
            .default(0)
            .validator(Validator::at_least(0)),
    )
    .define(
        key(POLL_LINGER_CONFIG, Type::Long, (CONNECTOR, 4), "Poll Linger (ms)", Low,
            "Taken for the JVM's sake: a batch is given to the worker as soon as it is there.")
            .default(5_000)
            .validator(Validator::at_least(0)),
    )
    .define(
        key(TOPIC_PREFIX_CONFIG, Type::String, (CONNECTOR, 5), "Topic Prefix", High,
            "What topics' names begin with, before the table's name; with query the whole name.")
            .default("")
            .validator(Validator::custom("letters, digits, '.', '_', '-'; 249 at most", |name, value| {
                let text = value.as_str().unwrap_or_default();
                let good = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
                if text.len() <= 249 && text.chars().all(good) {
                    return Ok(());
                }
                Err(ConnectError::invalid_config(name, text, "No topic's name can begin so"))
            })),
    )
}

fn optional_one_of(names: &'static [&'static str]) -> Validator {
    Validator::custom(names.join(", "), move |key, value| match value.as_str() {
        Some(text) if !names.contains(&text) => Err(ConnectError::invalid_config(
            key,
            text,
            &format!("String must be one of: {}", names.join(", ")),
        )),
        _ => Ok(()),
    })
}

fn regexes() -> Validator {
    Validator::custom("regular expressions", |name, value| {
        let items = value.as_list().unwrap_or_default();
        items.iter().try_for_each(|item| anchored(name, item).map(drop))
    })
}

fn mappings() -> Validator {
    Validator::custom("regex:column, …", |name, value| {
        let items = value.as_list().unwrap_or_default();
        items.iter().try_for_each(|item| mapping(name, item).map(drop))
    })
}
