//! The keys of `ExtractNewRecordState`, and what they come to.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedConfig, ParsedValue, Type, Validator};
use wharf_api::{ConfigMap, ConnectError, Result};

use crate::drop_fields::DropFields;
use crate::field_reference::FieldReference;

const MODE: &str = "delete.tombstone.handling.mode";
const DROP_TOMBSTONES: &str = "drop.tombstones";
const HANDLE_DELETES: &str = "delete.handling.mode";
const ROUTE_BY_FIELD: &str = "route.by.field";
const ADD_FIELDS: &str = "add.fields";
const ADD_FIELDS_PREFIX: &str = "add.fields.prefix";
const ADD_HEADERS: &str = "add.headers";
const ADD_HEADERS_PREFIX: &str = "add.headers.prefix";
const DROP_FIELDS_HEADER: &str = "drop.fields.header.name";
const DROP_FIELDS_FROM_KEY: &str = "drop.fields.from.key";
const DROP_FIELDS_KEEP_COMPATIBLE: &str = "drop.fields.keep.schema.compatible";
const REPLACE_NULL: &str = "replace.null.with.default";

const MODES: [&str; 5] = [
    "drop",
    "tombstone",
    "rewrite",
    "rewrite-with-tombstone",
    "delete-to-tombstone",
];

/// What becomes of the event of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletes {
    /// It goes no further.
    Drop,
    /// Its value is null, with the schema of the row.
    Null,
    /// It becomes a tombstone: null, without a schema.
    Tombstone,
    /// It becomes the row as it was; every row gets a field that says whether it is deleted.
    Rewrite,
}

/// What the configuration says.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) deletes: Deletes,
    pub(crate) keeps_tombstones: bool,
    pub(crate) route_by_field: Option<String>,
    pub(crate) fields: Vec<FieldReference>,
    pub(crate) headers: Vec<FieldReference>,
    /// Whether a null with a default becomes the default where rows are rewritten.
    pub(crate) replaces_null: bool,
}

impl Settings {
    /// Reads a configuration.
    pub(crate) fn parse(config: &ConfigMap) -> Result<(Self, Option<DropFields>)> {
        let config = definition().parse(config)?;
        let (deletes, keeps_tombstones) = handling(&config);
        let settings = Self {
            deletes,
            keeps_tombstones,
            route_by_field: text(&config, ROUTE_BY_FIELD),
            fields: references(&config, ADD_FIELDS, ADD_FIELDS_PREFIX)?,
            headers: references(&config, ADD_HEADERS, ADD_HEADERS_PREFIX)?,
            replaces_null: config.get_boolean(REPLACE_NULL).unwrap_or(true),
        };
        let drop_fields = text(&config, DROP_FIELDS_HEADER).map(|header| {
            DropFields::new(
                header,
                config.get_boolean(DROP_FIELDS_FROM_KEY).unwrap_or(false),
                config.get_boolean(DROP_FIELDS_KEEP_COMPATIBLE).unwrap_or(true),
            )
        });
        Ok((settings, drop_fields))
    }
}

fn text(config: &ParsedConfig, key: &str) -> Option<String> {
    config
        .get_string(key)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// The two keys of before count only where the one of today is not set.
fn handling(config: &ParsedConfig) -> (Deletes, bool) {
    let is_set = |key: &str| config.originals().contains_key(key);
    if !is_set(MODE) && (is_set(DROP_TOMBSTONES) || is_set(HANDLE_DELETES)) {
        tracing::warn!("{DROP_TOMBSTONES} and {HANDLE_DELETES} are deprecated; use {MODE} instead");
        let deletes = match lower(config, HANDLE_DELETES).as_str() {
            "rewrite" => Deletes::Rewrite,
            "none" => Deletes::Null,
            _ => Deletes::Drop,
        };
        return (deletes, !config.get_boolean(DROP_TOMBSTONES).unwrap_or(true));
    }
    match lower(config, MODE).as_str() {
        "drop" => (Deletes::Drop, false),
        "rewrite" => (Deletes::Rewrite, false),
        "rewrite-with-tombstone" => (Deletes::Rewrite, true),
        "delete-to-tombstone" => (Deletes::Tombstone, false),
        _ => (Deletes::Null, false),
    }
}

fn lower(config: &ParsedConfig, key: &str) -> String {
    config.get_string(key).unwrap_or_default().to_ascii_lowercase()
}

fn references(config: &ParsedConfig, key: &str, prefix: &str) -> Result<Vec<FieldReference>> {
    let prefix = config.get_string(prefix).unwrap_or_default();
    items(key, prefix, config.get_list(key).unwrap_or_default())
}

fn items(key: &str, prefix: &str, list: &[String]) -> Result<Vec<FieldReference>> {
    list.iter()
        .filter(|item| !item.is_empty())
        .map(|item| {
            FieldReference::parse(prefix, item).ok_or_else(|| {
                let reason = format!("Unexpected field name: {item}");
                ConnectError::invalid_config(key, format_args!("[{}]", list.join(", ")), &reason)
            })
        })
        .collect()
}

/// All keys.
pub(crate) fn definition() -> ConfigDef {
    let text = |name: &str, default: &str, doc: &str| {
        ConfigKey::new(name, Type::String)
            .default(default)
            .importance(Importance::Low)
            .doc(doc)
    };
    let list = |name: &str, doc: &str| {
        ConfigKey::new(name, Type::List)
            .default("")
            .importance(Importance::Low)
            .validator(Validator::custom(
                "list of field, struct.field or struct.field:name",
                |name, value: &ParsedValue| items(name, "", value.as_list().unwrap_or_default()).map(drop),
            ))
            .doc(doc)
    };
    let boolean = |name: &str, default: bool, doc: &str| {
        ConfigKey::new(name, Type::Boolean)
            .default(default)
            .importance(Importance::Low)
            .doc(doc)
    };
    ConfigDef::new()
        .define(
            ConfigKey::new(MODE, Type::String)
                .default("tombstone")
                .validator(Validator::one_of_ignore_case(MODES))
                .doc(
                    "What becomes of deletes and of the tombstones behind them. drop: neither goes on. tombstone: the delete \
                     becomes a null, the tombstone does not go on. rewrite: the delete becomes the row as it was, the tombstone \
                     does not go on, and every row gets the field __deleted. rewrite-with-tombstone: the same, and the tombstone \
                     goes on. delete-to-tombstone: as tombstone, with no schema beside the null.",
                ),
        )
        .define(boolean(
            DROP_TOMBSTONES,
            true,
            "Deprecated, for configurations of Debezium before 3.2, where delete.tombstone.handling.mode is not set: whether \
             tombstones do not go on.",
        ))
        .define(
            ConfigKey::new(HANDLE_DELETES, Type::String)
                .default("drop")
                .validator(Validator::one_of_ignore_case(["drop", "rewrite", "none"]))
                .doc(
                    "Deprecated, for configurations of Debezium before 3.2, where delete.tombstone.handling.mode is not set: \
                     drop, rewrite as there, or none, which makes a null of a delete.",
                ),
        )
        .define(text(
            ROUTE_BY_FIELD,
            "",
            "Field of the row, a text, that is the record's new topic; a null or blank leaves the topic.",
        ))
        .define(text(ADD_FIELDS_PREFIX, "__", "What the names of added fields begin with."))
        .define(list(
            ADD_FIELDS,
            "Fields of the envelope that the row gets, as field, struct.field (which is called struct_field then) or with :name \
             for a name. A field alone is looked for in source; op and ts_ms, ts_us, ts_ns in the envelope; id, total_order and \
             data_collection_order in transaction. What an envelope does not have is not added.",
        ))
        .define(text(ADD_HEADERS_PREFIX, "__", "What the names of added headers begin with."))
        .define(list(
            ADD_HEADERS,
            "As add.fields, for headers. A tombstone that goes on gets op alone, which is d.",
        ))
        .define(
            ConfigKey::new(DROP_FIELDS_HEADER, Type::String)
                .default_null()
                .importance(Importance::Low)
                .doc("Name of a header that holds a list of fields to leave out of the row."),
        )
        .define(boolean(
            DROP_FIELDS_FROM_KEY,
            false,
            "Whether those fields are left out of the key, too.",
        ))
        .define(boolean(
            DROP_FIELDS_KEEP_COMPATIBLE,
            true,
            "Whether only optional fields are left out, so that the schema stays compatible.",
        ))
        .define(boolean(
            REPLACE_NULL,
            true,
            "Whether a null field that has a default gets it where rows are rewritten.",
        ))
}
