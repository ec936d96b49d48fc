//! The sink's keys.

use std::time::Duration;

use wharf_api::config::{
    ConfigDef, ConfigKey, ConfigValue, Importance, ParsedConfig, Type, Validator, Width,
};
use wharf_api::{ConfigMap, ConnectError, Result};

use super::recommend::KeyOfDeletes;
use crate::connection_config::{self, ConnectionConfig, add, key_of, millis};
use crate::jvm_keys;
use crate::probe;
use crate::table_id::{Quote, TableId};
use crate::url::Database;

const WRITES: &str = "Writes";
const MAPPING: &str = "Data Mapping";
const DDL: &str = "SQL/DDL Support";
const RETRIES: &str = "Retries";

const INSERT_MODE_CONFIG: &str = "insert.mode";
const BATCH_SIZE_CONFIG: &str = "batch.size";
const LINGER_CONFIG: &str = "linger.ms";
pub(super) const DELETE_ENABLED_CONFIG: &str = "delete.enabled";
pub(super) const TABLE_NAME_FORMAT_CONFIG: &str = "table.name.format";
const TABLE_NAME_NORMALIZE_CONFIG: &str = "table.name.normalize";
const TOPICS_TO_TABLES_CONFIG: &str = "topics.to.tables.mapping";
pub(super) const PK_MODE_CONFIG: &str = "pk.mode";
const PK_FIELDS_CONFIG: &str = "pk.fields";
const FIELDS_WHITELIST_CONFIG: &str = "fields.whitelist";
const REPLACE_NULL_CONFIG: &str = "replace.null.with.default";
const AUTO_CREATE_CONFIG: &str = "auto.create";
const AUTO_EVOLVE_CONFIG: &str = "auto.evolve";
const TIMESTAMP_FIELDS_CONFIG: &str = "timestamp.fields.list";
const TIMESTAMP_UNIT_CONFIG: &str = "timestamp.precision.mode";
const STRING_COLUMN_CONFIG: &str = "string.output.value.column.name";
const HOLDLOCK_CONFIG: &str = "mssql.use.merge.holdlock";
const WRITE_TIMEOUT_CONFIG: &str = "wharf.write.timeout.ms";
const TRIM_CONFIG: &str = "trim.sensitive.log";
const MAX_POLL_CONFIG: &str = "consumer.override.max.poll.interval.ms";
const MAX_RETRIES_CONFIG: &str = "max.retries";
const RETRY_BACKOFF_CONFIG: &str = "retry.backoff.ms";

/// The place of the topic's name in a table name.
const TOPIC_PLACE: &str = "${topic}";

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InsertMode {
    Insert,
    Upsert,
    Update,
}

/// Where the key of a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PkMode {
    None,
    Kafka,
    RecordKey,
    RecordValue,
}

/// What numbers in fields of `timestamp.fields.list` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampUnit {
    Micros,
    Nanos,
}

impl TimestampUnit {
    pub(crate) fn per_second(self) -> i64 {
        match self {
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }
}

/// A parsed configuration.
#[derive(Debug, Clone)]
pub(crate) struct SinkConfig {
    pub(crate) connection: ConnectionConfig,
    pub(crate) insert_mode: InsertMode,
    pub(crate) batch_size: usize,
    /// As configured; nothing for the default.
    linger: Option<Duration>,
    pub(crate) delete_enabled: bool,
    table_name_format: String,
    table_name_normalize: bool,
    topics_to_tables: Vec<(String, String)>,
    pub(crate) pk_mode: PkMode,
    pub(crate) pk_fields: Vec<String>,
    pub(crate) fields_whitelist: Vec<String>,
    pub(crate) replace_null_with_default: bool,
    pub(crate) auto_create: bool,
    pub(crate) auto_evolve: bool,
    pub(crate) timestamp_fields: Vec<String>,
    pub(crate) timestamp_unit: TimestampUnit,
    pub(crate) string_column: String,
    pub(crate) merge_holdlock: bool,
    /// How long one call of the worker may write before it commits.
    pub(crate) write_timeout: Duration,
    pub(crate) trim_sensitive_log: bool,
    pub(crate) max_retries: u32,
    pub(crate) retry_backoff: Duration,
}

/// A key with what listings show of it.
fn key(
    name: &str,
    value_type: Type,
    group: &str,
    order: i32,
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
pub(crate) fn definition() -> ConfigDef {
    use Importance::{High, Low, Medium};
    let def = connection_config::define(ConfigDef::new());
    let def = jvm_keys::define_of_sink(writes(def), MAPPING);
    def.define(
        key(TABLE_NAME_FORMAT_CONFIG, Type::String, MAPPING, 1, "Table Name Format", Medium,
            "Name of the table for a topic; ${topic} stands for the topic's name, and schema.table names a schema.")
            .default(TOPIC_PLACE)
            .validator(Validator::NonEmptyString),
    )
    .define(
        key(TABLE_NAME_NORMALIZE_CONFIG, Type::Boolean, MAPPING, 2, "Table Name Normalize", Medium,
            "Replaces every character of a topic's name that is no letter, digit or underscore by an underscore.")
            .default(false),
    )
    .define(
        key(TOPICS_TO_TABLES_CONFIG, Type::List, MAPPING, 3, "Topics To Tables Mapping", Medium,
            "Tables of single topics, as topic:table; other topics follow table.name.format.")
            .default("")
            .validator(Validator::custom("topic:table, …", |name, value| {
                value.as_list().unwrap_or_default().iter().try_for_each(|item| topic_and_table(name, item).map(drop))
            })),
    )
    .define(
        key(PK_MODE_CONFIG, Type::String, MAPPING, 4, "Primary Key Mode", High,
            "Where a row's key comes from: none, kafka (topic, partition, offset), record_key, record_value.")
            .default("none")
            .validator(Validator::one_of_ignore_case(["none", "kafka", "record_key", "record_value"]))
            .recommender(KeyOfDeletes),
    )
    .define(
        key(PK_FIELDS_CONFIG, Type::List, MAPPING, 5, "Primary Key Fields", Medium,
            "Names of the key's columns. kafka: none or three; a key that is no Struct: one; else fields, none for all.")
            .default(""),
    )
    .define(
        key(FIELDS_WHITELIST_CONFIG, Type::List, MAPPING, 6, "Fields Whitelist", Medium,
            "Fields of the value to write; none for all. Columns of the key come in addition.")
            .default(""),
    )
    .define(
        key(TIMESTAMP_FIELDS_CONFIG, Type::List, MAPPING, 7, "Timestamp Fields List", Medium,
            "Fields that hold an instant as a number or as a text, to be written as a timestamp.")
            .default(""),
    )
    .define(
        key(TIMESTAMP_UNIT_CONFIG, Type::String, MAPPING, 8, "Timestamp Precision Mode", Medium,
            "What the numbers in such fields count since the epoch.")
            .default("microseconds")
            .validator(Validator::one_of(["microseconds", "nanoseconds"])),
    )
    .define(
        key(STRING_COLUMN_CONFIG, Type::String, MAPPING, 9, "String Output Value Column Name", Medium,
            "The column for values that are a plain string.")
            .default("record_value")
            .validator(Validator::NonEmptyString),
    )
    .define(
        key(REPLACE_NULL_CONFIG, Type::Boolean, MAPPING, 10, "Replace Null With Default", Medium,
            "Whether a null of a field that has a default is written as the default.")
            .default(true),
    )
    .define(
        key(AUTO_CREATE_CONFIG, Type::Boolean, DDL, 1, "Auto-Create", Medium,
            "Whether missing tables are created from the records' schemas.")
            .default(false),
    )
    .define(
        key(AUTO_EVOLVE_CONFIG, Type::Boolean, DDL, 2, "Auto-Evolve", Medium,
            "Whether missing columns are added. Nothing is ever dropped, and no type is changed.")
            .default(false),
    )
    .define(
        key(MAX_RETRIES_CONFIG, Type::Int, RETRIES, 1, "Maximum Retries", Medium,
            "How many times a write is tried again when waiting may help; then the task fails. No record becomes a dead letter \
             because the database was away.")
            .default(10)
            .validator(Validator::at_least(0)),
    )
    .define(
        key(RETRY_BACKOFF_CONFIG, Type::Int, RETRIES, 2, "Retry Backoff (millis)", Low,
            "Milliseconds between two tries.")
            .default(3000)
            .validator(Validator::at_least(0)),
    )
    .define(
        key(WRITE_TIMEOUT_CONFIG, Type::Long, RETRIES, 3, "Write Timeout (millis)", Low,
            "Milliseconds after which rows that are not committed are rolled back and tried again; no statement takes longer either.              It has to be well below the consumer's max.poll.interval.ms (5 minutes), after which another task gets the partitions;              where consumer.override.max.poll.interval.ms is set, it is a third of that at most.")
            .default(120_000)
            .validator(Validator::at_least(1)),
    )
    .define(
        key(TRIM_CONFIG, Type::Boolean, RETRIES, 4, "Trim Sensitive Data from Log", Low,
            "Whether values of rows are left out of what the log, the status and the headers of dead letters say.")
            .default(false),
    )
}

fn writes(def: ConfigDef) -> ConfigDef {
    use Importance::{High, Low, Medium};
    def.define(
        key(INSERT_MODE_CONFIG, Type::String, WRITES, 1, "Insert Mode", High,
            "insert; upsert, by the key; update, of rows that are there. multi is the same as insert.")
            .default("insert")
            .validator(Validator::one_of_ignore_case(["insert", "upsert", "update", "multi"])),
    )
    .define(
        key(BATCH_SIZE_CONFIG, Type::Int, WRITES, 2, "Batch Size", Medium,
            "How many records are written at once, in one transaction.")
            .default(3000)
            .validator(Validator::at_least(1)),
    )
    .define(
        key(LINGER_CONFIG, Type::Long, WRITES, 3, "Linger (millis)", Low,
            "How many milliseconds a record waits for others at most; 0 writes the records of each poll by themselves. -1 is 20, and \
             0 where bad records are reported: only those of the poll that is being written keep their bytes.")
            .default(-1)
            .validator(Validator::between(-1, 60_000)),
    )
    .define(
        key(DELETE_ENABLED_CONFIG, Type::Boolean, WRITES, 4, "Enable deletes", Medium,
            "Whether a null value deletes the row of its key. Asks for pk.mode=record_key.")
            .default(false)
            .recommender(KeyOfDeletes),
    )
    .define(
        key(HOLDLOCK_CONFIG, Type::Boolean, WRITES, 5, "SQL Server - Use HOLDLOCK in MERGE", Low,
            "Whether an upsert into SQL Server locks the place of a row that is not there yet. Without it two tasks may insert \
             one key at once, and one of them writes its rows again.")
            .default(true),
    )
}

fn topic_and_table<'a>(key: &str, item: &'a str) -> Result<(&'a str, &'a str)> {
    match item.split_once(':') {
        Some((topic, table)) if !topic.trim().is_empty() && !table.trim().is_empty() => {
            Ok((topic.trim(), table.trim()))
        }
        _ => Err(ConnectError::invalid_config(key, item, "Write topic:table")),
    }
}

impl SinkConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// A config error naming the key.
    pub(crate) fn of(config: &ConfigMap) -> Result<Self> {
        let parsed = definition().parse(config)?;
        let this = Self::of_parsed(&parsed)?;
        match this.contradictions().into_iter().next() {
            Some((_, message)) => Err(ConnectError::config(message)),
            None => Ok(this),
        }
    }

    fn of_parsed(parsed: &ParsedConfig) -> Result<Self> {
        let lower = |key: &str| parsed.string(key).map(str::to_ascii_lowercase);
        let list = |key: &str| parsed.list(key).map(<[String]>::to_vec);
        let topics_to_tables = list(TOPICS_TO_TABLES_CONFIG)?
            .iter()
            .map(|item| {
                let (topic, table) = topic_and_table(TOPICS_TO_TABLES_CONFIG, item)?;
                Ok((topic.to_owned(), table.to_owned()))
            })
            .collect::<Result<_>>()?;
        let mut write_timeout = millis(parsed.long(WRITE_TIMEOUT_CONFIG)?);
        if let Some(interval) = parsed
            .originals()
            .get(MAX_POLL_CONFIG)
            .and_then(|text| text.trim().parse().ok())
        {
            write_timeout = write_timeout.min(millis(interval) / 3);
        }
        let mut connection = ConnectionConfig::of(parsed)?;
        if connection.statement_timeout.is_zero() || connection.statement_timeout > write_timeout {
            connection.statement_timeout = write_timeout;
        }
        Ok(Self {
            connection,
            write_timeout,
            trim_sensitive_log: parsed.boolean(TRIM_CONFIG)?,
            insert_mode: match lower(INSERT_MODE_CONFIG)?.as_str() {
                "upsert" => InsertMode::Upsert,
                "update" => InsertMode::Update,
                _ => InsertMode::Insert,
            },
            batch_size: usize::try_from(parsed.int(BATCH_SIZE_CONFIG)?).unwrap_or(1),
            linger: Some(parsed.long(LINGER_CONFIG)?)
                .filter(|time| *time >= 0)
                .map(millis),
            delete_enabled: parsed.boolean(DELETE_ENABLED_CONFIG)?,
            table_name_format: parsed.string(TABLE_NAME_FORMAT_CONFIG)?.to_owned(),
            table_name_normalize: parsed.boolean(TABLE_NAME_NORMALIZE_CONFIG)?,
            topics_to_tables,
            pk_mode: match lower(PK_MODE_CONFIG)?.as_str() {
                "kafka" => PkMode::Kafka,
                "record_key" => PkMode::RecordKey,
                "record_value" => PkMode::RecordValue,
                _ => PkMode::None,
            },
            pk_fields: list(PK_FIELDS_CONFIG)?,
            fields_whitelist: list(FIELDS_WHITELIST_CONFIG)?,
            replace_null_with_default: parsed.boolean(REPLACE_NULL_CONFIG)?,
            auto_create: parsed.boolean(AUTO_CREATE_CONFIG)?,
            auto_evolve: parsed.boolean(AUTO_EVOLVE_CONFIG)?,
            timestamp_fields: list(TIMESTAMP_FIELDS_CONFIG)?,
            timestamp_unit: match parsed.string(TIMESTAMP_UNIT_CONFIG)? {
                "nanoseconds" => TimestampUnit::Nanos,
                _ => TimestampUnit::Micros,
            },
            string_column: parsed.string(STRING_COLUMN_CONFIG)?.to_owned(),
            merge_holdlock: parsed.boolean(HOLDLOCK_CONFIG)?,
            max_retries: u32::try_from(parsed.int(MAX_RETRIES_CONFIG)?).unwrap_or(0),
            retry_backoff: millis(parsed.int(RETRY_BACKOFF_CONFIG)?.into()),
        })
    }

    /// What does not go together: the key it is said of, and the message.
    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.insert_mode != InsertMode::Insert && self.pk_mode == PkMode::None {
            found.push((
                PK_MODE_CONFIG,
                format!(
                    "{INSERT_MODE_CONFIG}=upsert and =update find rows by their key: set {PK_MODE_CONFIG} to record_key, \
                     record_value or kafka"
                ),
            ));
        }
        if self.delete_enabled && self.pk_mode != PkMode::RecordKey {
            found.push((
                DELETE_ENABLED_CONFIG,
                format!("{DELETE_ENABLED_CONFIG}=true finds rows by the record's key: set {PK_MODE_CONFIG}=record_key"),
            ));
        }
        if self.pk_mode == PkMode::Kafka && !matches!(self.pk_fields.len(), 0 | 3) {
            found.push((
                PK_FIELDS_CONFIG,
                format!(
                    "{PK_MODE_CONFIG}=kafka needs no {PK_FIELDS_CONFIG} or three of them, for topic, partition and offset; there \
                     are {}",
                    self.pk_fields.len()
                ),
            ));
        }
        found
    }

    /// How long a record waits for others. Of a record that waits longer than its poll the worker has the bytes no more, so
    /// none waits where bad ones are reported, unless the user wants it.
    pub(crate) fn linger(&self, reports: bool) -> Duration {
        const DEFAULT: Duration = Duration::from_millis(20);
        self.linger
            .unwrap_or(if reports { Duration::ZERO } else { DEFAULT })
    }

    /// The table for records of a topic. Names are read as the database with these quotes reads them.
    pub(crate) fn table(&self, topic: &str, quote: Quote) -> TableId {
        if let Some((_, table)) = self.topics_to_tables.iter().find(|(of, _)| of == topic) {
            return self.named(table, quote);
        }
        let normal: String;
        let topic = if self.table_name_normalize {
            normal = topic
                .chars()
                .map(|character| {
                    if character.is_ascii_alphanumeric() {
                        character
                    } else {
                        '_'
                    }
                })
                .collect();
            normal.as_str()
        } else {
            topic
        };
        self.named(&self.table_name_format.replace(TOPIC_PLACE, topic), quote)
    }

    /// The table that all records are written to, where it can be told without one.
    pub(super) fn only_table(&self, quote: Quote) -> Option<TableId> {
        let is_fixed = self.topics_to_tables.is_empty() && !self.table_name_format.contains(TOPIC_PLACE);
        is_fixed.then(|| self.named(&self.table_name_format, quote))
    }

    /// In SQL Server names without a schema are those of `dbo`, whatever the user's own schema is.
    fn named(&self, text: &str, quote: Quote) -> TableId {
        let mut table = TableId::parse(text, quote);
        if self.connection.url.database == Database::SqlServer && table.schema.is_none() {
            table.schema = Some("dbo".to_owned());
        }
        table
    }
}

/// What validation says: each key by itself, then what does not go together.
pub(crate) fn validate(config: &ConfigMap) -> Vec<ConfigValue> {
    let def = definition();
    let mut values = def.validate(config);
    for (key, message) in jvm_keys::refusals(&values) {
        add(&mut values, key, message);
    }
    if values.iter().all(|value| value.errors.is_empty()) {
        let is_offline = wharf_api::connector::is_offline(config);
        let found = def
            .parse(config)
            .and_then(|parsed| SinkConfig::of_parsed(&parsed));
        let messages = match found {
            Ok(config) => match config.contradictions() {
                found if !found.is_empty() => found,
                _ if is_offline => probe::check_text(&config.connection),
                _ => super::check::check(&config),
            },
            Err(error) => {
                let key = key_of(&error, &values);
                add(&mut values, &key, error.message().to_owned());
                Vec::new()
            }
        };
        for (key, message) in messages {
            add(&mut values, key, message);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_testkit::config;

    const DOUBLE: Quote = Quote {
        open: '"',
        close: '"',
    };

    fn parsed(more: &[(&str, &str)]) -> Result<SinkConfig> {
        let mut all = vec![("connection.url", "jdbc:sqlite:/tmp/a.db")];
        all.extend(more);
        SinkConfig::of(&config(all))
    }

    fn errors(more: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut all = vec![("connection.url", "jdbc:sqlite:/tmp/a.db")];
        all.extend(more);
        let values = validate(&config(all));
        let faulty = values.into_iter().flat_map(|value| {
            let name = value.name;
            value.errors.into_iter().map(move |error| (name.clone(), error))
        });
        faulty.collect()
    }

    #[test]
    fn a_topic_finds_its_table() {
        let table =
            |more: &[(&str, &str)], topic: &str| parsed(more).unwrap().table(topic, DOUBLE).to_string();
        assert_eq!(table(&[], "orders"), "orders");
        assert_eq!(
            table(&[("table.name.format", "shop.t_${topic}")], "orders"),
            "shop.t_orders"
        );
        assert_eq!(
            table(&[("table.name.normalize", "true")], "eu.orders-1"),
            "eu_orders_1"
        );
        let mapped = [("topics.to.tables.mapping", "a:shop.x, b:y")];
        assert_eq!(table(&mapped, "a"), "shop.x");
        assert_eq!(table(&mapped, "c"), "c");
    }

    #[test]
    fn what_does_not_go_together_is_said_under_its_key() {
        for (more, key, part) in [
            (
                vec![("insert.mode", "upsert")],
                "pk.mode",
                "find rows by their key",
            ),
            (
                vec![("insert.mode", "UPDATE")],
                "pk.mode",
                "find rows by their key",
            ),
            (
                vec![("delete.enabled", "true"), ("pk.mode", "kafka")],
                "delete.enabled",
                "pk.mode=record_key",
            ),
            (
                vec![("pk.mode", "kafka"), ("pk.fields", "a,b")],
                "pk.fields",
                "there are 2",
            ),
            (vec![("pk.mode", "key")], "pk.mode", "Invalid value"),
            (
                vec![("topics.to.tables.mapping", "a")],
                "topics.to.tables.mapping",
                "Write topic:table",
            ),
            (
                vec![("db.timezone", "Mars/Base")],
                "db.timezone",
                "Not a time zone",
            ),
            (
                vec![("dialect.name", "PostgreSqlDatabaseDialect")],
                "dialect.name",
                "Does not fit the URL",
            ),
            (
                vec![("connection.url", "jdbc:oracle:thin:@h")],
                "connection.url",
                "'oracle' cannot be used",
            ),
        ] {
            let found = errors(&more);
            assert!(
                found.iter().any(|(at, error)| at == key && error.contains(part)),
                "{more:?}: {found:?}"
            );
        }
        assert_eq!(errors(&[("insert.mode", "multi")]), []);
    }

    #[test]
    fn a_write_ends_well_before_the_consumer_loses_its_partitions() {
        const SECOND: Duration = Duration::from_secs(1);
        for (more, write, statement) in [
            (vec![], 120, 120),
            (vec![("wharf.write.timeout.ms", "5000")], 5, 5),
            (vec![("wharf.statement.timeout.ms", "9000")], 120, 9),
            (vec![("wharf.statement.timeout.ms", "0")], 120, 120),
            (vec![("consumer.override.max.poll.interval.ms", "60000")], 20, 20),
            (
                vec![("consumer.override.max.poll.interval.ms", "900000")],
                120,
                120,
            ),
        ] {
            let config = parsed(&more).unwrap();
            let times = (config.write_timeout, config.connection.statement_timeout);
            assert_eq!(times, (write * SECOND, statement * SECOND), "{more:?}");
        }
    }

    #[test]
    fn a_password_is_in_no_listing() {
        let config = parsed(&[("connection.user", "me"), ("connection.password", "s3cret")]).unwrap();
        assert_eq!(config.connection.user.as_deref(), Some("me"));
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
