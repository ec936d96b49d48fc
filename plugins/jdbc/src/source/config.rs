//! A source's configuration, as it is used.

use std::time::Duration;

use regex::Regex;
use wharf_api::config::{ConfigValue, ParsedConfig};
use wharf_api::{ConfigMap, ConnectError, Result};

use super::definition::{
    AIVEN_TIMESTAMP_INITIAL_CONFIG, BATCH_ROWS_CONFIG, BEGAN_CONFIG, BLACKLIST_CONFIG, CATALOG_CONFIG,
    COMPLEX_CONFIG, EXCLUDE_CONFIG, GRANULARITY_CONFIG, INCLUDE_CONFIG, INCREMENTING_COLUMN_CONFIG,
    INCREMENTING_DELAY_CONFIG, INCREMENTING_INITIAL_CONFIG, INCREMENTING_MAPPING_CONFIG,
    INCREMENTING_WAIT_CONFIG, ISOLATION_CONFIG, MODE_CONFIG, NUMERIC_MAPPING_CONFIG,
    NUMERIC_PRECISION_CONFIG, POLL_INTERVAL_CONFIG, QUERY_CONFIG, QUERY_MASKED_CONFIG, QUERY_RETRIES_CONFIG,
    QUERY_SUFFIX_CONFIG, SCHEMA_CONFIG, SHARE_CONFIG, SPLIT_SIZE_CONFIG, TABLE_POLL_INTERVAL_CONFIG,
    TABLES_CONFIG, TIMESTAMP_COLUMN_CONFIG, TIMESTAMP_DELAY_CONFIG, TIMESTAMP_INITIAL_CONFIG,
    TIMESTAMP_MAPPING_CONFIG, TOPIC_PREFIX_CONFIG, TYPES_CONFIG, UNLIMITED_CONFIG, VALIDATE_NON_NULL_CONFIG,
    WHITELIST_CONFIG, definition,
};
use super::limit::{self, Limit};
use super::split::Share;
use super::table_filter::TableFilter;
use crate::connection_config::{ConnectionConfig, add, key_of, millis};
use crate::jvm_keys;
use crate::probe;
use crate::session::SNAPSHOT;
use crate::url::Database;

/// `timestamp.initial` for the connector's start.
const NOW: i64 = -1;

/// How rows are found that were not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All rows, again and again.
    Bulk,
    Incrementing,
    Timestamp,
    TimestampIncrementing,
}

impl Mode {
    pub(super) const NAMES: [(&'static str, Self); 4] = [
        ("bulk", Self::Bulk),
        ("incrementing", Self::Incrementing),
        ("timestamp", Self::Timestamp),
        ("timestamp+incrementing", Self::TimestampIncrementing),
    ];

    pub(crate) fn counts(self) -> bool {
        matches!(self, Self::Incrementing | Self::TimestampIncrementing)
    }

    pub(crate) fn has_time(self) -> bool {
        matches!(self, Self::Timestamp | Self::TimestampIncrementing)
    }
}

/// `numeric.mapping`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumericMapping {
    None,
    PrecisionOnly,
    BestFit,
    BestFitEagerDouble,
}

/// `timestamp.granularity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granularity {
    Millis,
    MicrosLong,
    MicrosString,
    MicrosIso,
    NanosLong,
    NanosString,
    NanosIso,
}

pub(super) const GRANULARITIES: [(&str, Granularity); 7] = [
    ("connect_logical", Granularity::Millis),
    ("micros_long", Granularity::MicrosLong),
    ("micros_string", Granularity::MicrosString),
    ("micros_iso_datetime_string", Granularity::MicrosIso),
    ("nanos_long", Granularity::NanosLong),
    ("nanos_string", Granularity::NanosString),
    ("nanos_iso_datetime_string", Granularity::NanosIso),
];

/// Where a table's columns come from that say which rows are new: `regex:column` or `regex:[a|b]`.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    tables: Regex,
    pub(crate) columns: Vec<String>,
}

/// A parsed configuration.
#[derive(Debug, Clone)]
pub(crate) struct SourceConfig {
    pub(crate) connection: ConnectionConfig,
    pub(crate) mode: Mode,
    incrementing_column: Option<String>,
    incrementing_mapping: Vec<Mapping>,
    pub(crate) incrementing_initial: i64,
    /// How long new rows wait for those who were writing when they were found, and how long in any case.
    pub(crate) incrementing_wait: Duration,
    pub(crate) incrementing_delay: Duration,
    /// How many keys a range has; nothing where tables are read as a whole.
    pub(crate) split_size: Option<i64>,
    timestamp_columns: Vec<String>,
    timestamp_mapping: Vec<Mapping>,
    /// Milliseconds since the epoch; -1 for the database's time when the connector is started.
    pub(crate) timestamp_initial: Option<i64>,
    /// That time, in a task.
    pub(crate) began: Option<i64>,
    pub(crate) timestamp_delay: Duration,
    pub(crate) validate_non_null: bool,
    pub(crate) query: Option<String>,
    query_is_masked: bool,
    pub(crate) query_suffix: String,
    /// Nothing for without end.
    pub(crate) query_retries: Option<u32>,
    /// As SQL writes it.
    pub(crate) isolation: Option<String>,
    pub(crate) poll_interval: Duration,
    pub(crate) batch_rows: usize,
    pub(crate) table_poll_interval: Duration,
    pub(crate) filter: TableFilter,
    pub(crate) numeric_mapping: NumericMapping,
    pub(crate) unlimited_as_text: bool,
    pub(crate) complex_types: bool,
    pub(crate) granularity: Granularity,
    pub(crate) topic_prefix: String,
    /// Those of the task; none in the connector's own configuration.
    pub(crate) tables: Vec<String>,
    /// The task's part of each table that is read in ranges.
    pub(crate) share: Share,
}

pub(super) fn anchored(key: &str, pattern: &str) -> Result<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
        ConnectError::invalid_config(key, pattern, &format!("Not a regular expression: {error}"))
    })
}

pub(super) fn mapping(key: &str, item: &str) -> Result<Mapping> {
    let wrong = || ConnectError::invalid_config(key, item, "Write regex:column or regex:[column|column]");
    let (tables, columns) = item.rsplit_once(':').ok_or_else(wrong)?;
    let columns = columns.trim().trim_start_matches('[').trim_end_matches(']');
    let columns: Vec<String> = columns
        .split('|')
        .map(|column| column.trim().to_owned())
        .filter(|column| !column.is_empty())
        .collect();
    if columns.is_empty() || tables.trim().is_empty() {
        return Err(wrong());
    }
    Ok(Mapping {
        tables: anchored(key, tables.trim())?,
        columns,
    })
}

impl SourceConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// A config error naming the key.
    pub(crate) fn of(config: &ConfigMap) -> Result<Self> {
        let this = Self::of_parsed(&definition().parse(config)?, config)?;
        match this.contradictions().into_iter().next() {
            Some((_, message)) => Err(ConnectError::config(message)),
            None => Ok(this),
        }
    }

    fn of_parsed(parsed: &ParsedConfig, config: &ConfigMap) -> Result<Self> {
        let list = |key: &str| parsed.list(key).map(<[String]>::to_vec);
        let patterns = |key: &str| -> Result<Vec<Regex>> {
            parsed.list(key)?.iter().map(|item| anchored(key, item)).collect()
        };
        let of_tables = |key: &str| -> Result<Vec<Mapping>> {
            parsed.list(key)?.iter().map(|item| mapping(key, item)).collect()
        };
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let named = |key: &str, names: &[(&str, Mode)]| {
            let text = parsed.string(key)?;
            let found = names.iter().find(|(name, _)| *name == text);
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| ConnectError::invalid_config(key, text, "Unknown mode"))
        };
        let granularity = parsed.string(GRANULARITY_CONFIG)?;
        let query = some(parsed.string(QUERY_CONFIG)?);
        let masked = parsed
            .get_password(QUERY_MASKED_CONFIG)
            .and_then(|masked| some(masked.reveal()));
        if query.is_some() && masked.is_some() {
            return Err(ConnectError::config(format!(
                "{QUERY_MASKED_CONFIG} is used in place of {QUERY_CONFIG}, not with it"
            )));
        }
        Ok(Self {
            connection: ConnectionConfig::of(parsed)?,
            mode: named(MODE_CONFIG, &Mode::NAMES)?,
            incrementing_column: some(parsed.string(INCREMENTING_COLUMN_CONFIG)?),
            incrementing_mapping: of_tables(INCREMENTING_MAPPING_CONFIG)?,
            incrementing_initial: parsed.long(INCREMENTING_INITIAL_CONFIG)?,
            incrementing_wait: millis(parsed.long(INCREMENTING_WAIT_CONFIG)?),
            incrementing_delay: millis(parsed.long(INCREMENTING_DELAY_CONFIG)?),
            split_size: Some(parsed.long(SPLIT_SIZE_CONFIG)?).filter(|size| *size > 0),
            timestamp_columns: list(TIMESTAMP_COLUMN_CONFIG)?,
            timestamp_mapping: of_tables(TIMESTAMP_MAPPING_CONFIG)?,
            timestamp_initial: parsed
                .get_long(TIMESTAMP_INITIAL_CONFIG)
                .or_else(|| parsed.get_long(AIVEN_TIMESTAMP_INITIAL_CONFIG)),
            began: config.get(BEGAN_CONFIG).and_then(|began| began.parse().ok()),
            timestamp_delay: millis(parsed.long(TIMESTAMP_DELAY_CONFIG)?),
            validate_non_null: parsed.boolean(VALIDATE_NON_NULL_CONFIG)?,
            query_is_masked: masked.is_some(),
            query: query.or(masked),
            query_suffix: parsed.string(QUERY_SUFFIX_CONFIG)?.trim().to_owned(),
            query_retries: u32::try_from(parsed.int(QUERY_RETRIES_CONFIG)?).ok(),
            isolation: Some(parsed.string(ISOLATION_CONFIG)?.to_ascii_uppercase())
                .filter(|mode| mode != "DEFAULT")
                .map(|mode| mode.replace('_', " ")),
            poll_interval: millis(parsed.int(POLL_INTERVAL_CONFIG)?.into()),
            batch_rows: usize::try_from(parsed.int(BATCH_ROWS_CONFIG)?).unwrap_or(1),
            table_poll_interval: millis(parsed.long(TABLE_POLL_INTERVAL_CONFIG)?),
            filter: TableFilter {
                catalog: parsed.get_string(CATALOG_CONFIG).map(str::to_owned),
                schema: parsed.get_string(SCHEMA_CONFIG).map(str::to_owned),
                types: list(TYPES_CONFIG)?,
                whitelist: list(WHITELIST_CONFIG)?,
                blacklist: list(BLACKLIST_CONFIG)?,
                include: patterns(INCLUDE_CONFIG)?,
                exclude: patterns(EXCLUDE_CONFIG)?,
            },
            numeric_mapping: match parsed.get_string(NUMERIC_MAPPING_CONFIG) {
                Some("precision_only") => NumericMapping::PrecisionOnly,
                Some("best_fit") => NumericMapping::BestFit,
                Some("best_fit_eager_double") => NumericMapping::BestFitEagerDouble,
                None if parsed.boolean(NUMERIC_PRECISION_CONFIG)? => NumericMapping::PrecisionOnly,
                _ => NumericMapping::None,
            },
            unlimited_as_text: parsed.string(UNLIMITED_CONFIG)? == "string",
            complex_types: parsed.boolean(COMPLEX_CONFIG)?,
            granularity: GRANULARITIES
                .iter()
                .find(|(name, _)| *name == granularity)
                .map_or(Granularity::Millis, |(_, value)| *value),
            topic_prefix: parsed.string(TOPIC_PREFIX_CONFIG)?.to_owned(),
            tables: config
                .get(TABLES_CONFIG)
                .map_or_else(Vec::new, |tables| split(tables)),
            share: match config.get(SHARE_CONFIG) {
                Some(text) => Share::parse(text)?,
                None => Share::ALL,
            },
        })
    }

    /// Whether rows are read from the connector's start on.
    pub(crate) fn begins_now(&self) -> bool {
        self.mode.has_time() && self.timestamp_initial == Some(NOW)
    }

    /// What limits the rows of each statement.
    pub(crate) fn limit(&self) -> Option<Limit> {
        limit::limit(&self.query_suffix, self.connection.url.database)
    }

    /// What of the suffix would keep rows of a range from being read.
    pub(crate) fn against_ranges(&self) -> Option<&'static str> {
        let limit = self.limit().map(|limit| limit.word);
        limit.or_else(|| self.suffix_clause(&["WHERE", "GROUP", "OFFSET"]))
    }

    fn suffix_clause(&self, words: &[&'static str]) -> Option<&'static str> {
        limit::clause(&self.query_suffix, self.connection.url.database, words)
    }

    /// What does not go together: the key it is said of, and the message.
    fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let filter = &self.filter;
        let is_filtered = !filter.whitelist.is_empty()
            || !filter.blacklist.is_empty()
            || !filter.include.is_empty()
            || !filter.exclude.is_empty();
        if self.query.is_some() && is_filtered {
            found.push((QUERY_CONFIG, format!(
                "{QUERY_CONFIG} is read in place of tables: leave out {WHITELIST_CONFIG}, {BLACKLIST_CONFIG}, {INCLUDE_CONFIG} and {EXCLUDE_CONFIG}"
            )));
        }
        if let Some(query) = &self.query
            && !query
                .get(..6)
                .is_some_and(|word| word.eq_ignore_ascii_case("select"))
            && !query
                .get(..4)
                .is_some_and(|word| word.eq_ignore_ascii_case("with"))
        {
            found.push((QUERY_CONFIG, format!("{QUERY_CONFIG} has to begin with SELECT")));
        }
        if self.query.is_some() && self.topic_prefix.is_empty() {
            found.push((
                TOPIC_PREFIX_CONFIG,
                format!("with {QUERY_CONFIG}, {TOPIC_PREFIX_CONFIG} is the topic's name: set it"),
            ));
        }
        if !filter.whitelist.is_empty() && !filter.blacklist.is_empty() {
            found.push((
                WHITELIST_CONFIG,
                format!("{WHITELIST_CONFIG} and {BLACKLIST_CONFIG} exclude each other"),
            ));
        }
        if !filter.exclude.is_empty() && filter.include.is_empty() {
            found.push((
                EXCLUDE_CONFIG,
                format!("{EXCLUDE_CONFIG} takes tables out of {INCLUDE_CONFIG}: set that, .* for all"),
            ));
        }
        let old = !filter.whitelist.is_empty() || !filter.blacklist.is_empty();
        if old && !filter.include.is_empty() {
            found.push((INCLUDE_CONFIG, format!("{INCLUDE_CONFIG} is used in place of {WHITELIST_CONFIG} and {BLACKLIST_CONFIG}, not with them")));
        }
        if self.mode.has_time() && self.timestamp_columns.is_empty() && self.timestamp_mapping.is_empty() {
            found.push((
                TIMESTAMP_COLUMN_CONFIG,
                format!("{MODE_CONFIG} asks for {TIMESTAMP_COLUMN_CONFIG} or {TIMESTAMP_MAPPING_CONFIG}"),
            ));
        }
        if self.mode.counts() && self.query.is_some() && self.incrementing_column.is_none() {
            found.push((
                INCREMENTING_COLUMN_CONFIG,
                format!("with {QUERY_CONFIG}, {MODE_CONFIG} asks for {INCREMENTING_COLUMN_CONFIG}"),
            ));
        }
        let database = self.connection.url.database;
        if self.isolation.as_deref() == Some(SNAPSHOT) && database != Database::SqlServer {
            found.push((
                ISOLATION_CONFIG,
                format!(
                    "{ISOLATION_CONFIG}=SQL_SERVER_SNAPSHOT is for SQL Server; use REPEATABLE_READ or SERIALIZABLE"
                ),
            ));
        }
        let limits = self.limit().is_some();
        if let Some(query) = &self.query
            && self.mode != Mode::Bulk
            && let Some(limited) = limit::limit(query, self.connection.url.database)
        {
            let masked = self.query_key();
            found.push((
                masked,
                format!(
                    "{masked} says with {} how many rows there are, and none but these would ever be read: new ones are looked for among them. \
                     Leave it out, since rows come as they are taken; or limit each read with {QUERY_SUFFIX_CONFIG}",
                    limited.word
                ),
            ));
        }
        if self.split_size.is_some() {
            found.extend(self.against_splitting());
        } else if self.mode != Mode::Bulk && !limits && self.suffix_clause(&["OFFSET"]).is_some() {
            found.push((
                QUERY_SUFFIX_CONFIG,
                format!(
                    "rows that the OFFSET in {QUERY_SUFFIX_CONFIG} passes over would never be read, except with {MODE_CONFIG}=bulk; leave it out"
                ),
            ));
        }
        if self.mode == Mode::Timestamp && limits {
            found.push((
                QUERY_SUFFIX_CONFIG,
                format!(
                    "with {MODE_CONFIG}=timestamp, rows of one instant beyond the limit would never be read; use \
                     timestamp+incrementing, or leave the limit out: rows come as they are taken"
                ),
            ));
        }
        if self.query.is_some()
            && !(self.incrementing_mapping.is_empty() && self.timestamp_mapping.is_empty())
        {
            found.push((
                QUERY_CONFIG,
                format!(
                    "{INCREMENTING_MAPPING_CONFIG} and {TIMESTAMP_MAPPING_CONFIG} are for tables; with {QUERY_CONFIG} name the columns \
                     by {INCREMENTING_COLUMN_CONFIG} and {TIMESTAMP_COLUMN_CONFIG}"
                ),
            ));
        }
        if self.incrementing_column.is_some() && !self.incrementing_mapping.is_empty() {
            found.push((INCREMENTING_MAPPING_CONFIG, format!("{INCREMENTING_MAPPING_CONFIG} is used in place of {INCREMENTING_COLUMN_CONFIG}, not with it")));
        }
        if !self.timestamp_columns.is_empty() && !self.timestamp_mapping.is_empty() {
            found.push((
                TIMESTAMP_MAPPING_CONFIG,
                format!(
                    "{TIMESTAMP_MAPPING_CONFIG} is used in place of {TIMESTAMP_COLUMN_CONFIG}, not with it"
                ),
            ));
        }
        found
    }

    fn against_splitting(&self) -> Option<(&'static str, String)> {
        let reason = if self.mode.has_time() {
            "is for mode incrementing and bulk: rows that are found by time do not come in the order of a key"
        } else if self.query.is_some() {
            "is for tables, and not for a query"
        } else if let Some(word) = self.against_ranges() {
            return Some((
                QUERY_SUFFIX_CONFIG,
                format!(
                    "with {SPLIT_SIZE_CONFIG}, {QUERY_SUFFIX_CONFIG} ends the statement of each range, and rows of a range that its {word} \
                     leaves out would never be read; leave out one of the two"
                ),
            ));
        } else {
            return None;
        };
        Some((
            SPLIT_SIZE_CONFIG,
            format!("{SPLIT_SIZE_CONFIG} {reason}; leave it out, or set it to 0"),
        ))
    }

    /// Whether the query may not be shown.
    pub(super) fn query_is_masked(&self) -> bool {
        self.query_is_masked
    }

    /// Under which key the query is.
    pub(super) fn query_key(&self) -> &'static str {
        match self.query_is_masked {
            true => QUERY_MASKED_CONFIG,
            false => QUERY_CONFIG,
        }
    }

    /// The key that names the column that only grows.
    pub(super) fn incrementing_key(&self) -> &'static str {
        match self.incrementing_mapping.is_empty() {
            true => INCREMENTING_COLUMN_CONFIG,
            false => INCREMENTING_MAPPING_CONFIG,
        }
    }

    /// The key that names the columns that tell when a row was changed.
    pub(super) fn timestamp_key(&self) -> &'static str {
        match self.timestamp_mapping.is_empty() {
            true => TIMESTAMP_COLUMN_CONFIG,
            false => TIMESTAMP_MAPPING_CONFIG,
        }
    }

    /// The column that only grows, of this table; `None` when the database is to say which one counts.
    ///
    /// # Errors
    /// When not exactly one mapping matches.
    pub(crate) fn incrementing_column(&self, table: &str) -> Result<Option<&str>> {
        if self.incrementing_mapping.is_empty() {
            return Ok(self.incrementing_column.as_deref());
        }
        let found = of_table(&self.incrementing_mapping, INCREMENTING_MAPPING_CONFIG, table)?;
        Ok(found.columns.first().map(String::as_str))
    }

    /// The columns that tell when a row was changed, of this table.
    ///
    /// # Errors
    /// When not exactly one mapping matches.
    pub(crate) fn timestamp_columns(&self, table: &str) -> Result<&[String]> {
        if self.timestamp_mapping.is_empty() {
            return Ok(&self.timestamp_columns);
        }
        Ok(&of_table(&self.timestamp_mapping, TIMESTAMP_MAPPING_CONFIG, table)?.columns)
    }
}

fn of_table<'m>(mappings: &'m [Mapping], key: &str, table: &str) -> Result<&'m Mapping> {
    let mut found = mappings.iter().filter(|mapping| mapping.tables.is_match(table));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(ConnectError::config(format!(
            "no entry of {key} matches table {table}"
        ))),
        _ => Err(ConnectError::config(format!(
            "several entries of {key} match table {table}; exactly one has to"
        ))),
    }
}

/// Names of a list, which commas within quotes do not part.
fn split(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut quote = None;
    for character in text.chars() {
        match quote {
            None if character == ',' => {
                items.push(String::new());
                continue;
            }
            None if matches!(character, '"' | '`') => quote = Some(character),
            None if character == '[' => quote = Some(']'),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        if let Some(item) = items.last_mut() {
            item.push(character);
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

/// Each key's value with what is wrong with it.
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
            .and_then(|parsed| SourceConfig::of_parsed(&parsed, config));
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
