//! Transformations for change events in Debezium's envelope, under the class names of Debezium.
//!
//! A change event is a struct whose schema name ends with `.Envelope`: the row `before` and `after`, the operation `op`, where
//! it comes from in `source`, and times. [`ExtractNewRecordState`] makes the row of it, [`ByLogicalTableRouter`] brings tables
//! that belong together into one topic. Whatever is no envelope (heartbeats, schema changes, transaction
//! markers, data without a schema) is left as it is.
//!
//! What must stay true: results are those of Debezium 3.6, texts, names and order of fields included; the oracle in
//! `tests/oracle` compares them. Schemas are made once for each schema that comes, so that those behind it find the
//! same one again.
//!
//! # Deliberate differences from Debezium
//!
//! - `drop.tombstones` and `delete.handling.mode`, which Debezium had until 3.1, work where `delete.tombstone.handling.mode` is
//!   not set; Debezium 3.2 and later passes over them in silence.
//! - What ends in a null pointer there says what is missing, or works: `drop.fields.*` with `delete-to-tombstone` or with
//!   keys without a schema, an envelope without `op`.
//! - The router keeps schemas for each pair of schema and new topic; Debezium, which goes by the schema alone, gives tables of
//!   equal schemas the name of whichever came first.

mod by_logical_table_router;
mod drop_fields;
mod extract_new_record_state;
mod field_reference;
mod plan;
mod schema_name;
mod settings;

pub use by_logical_table_router::ByLogicalTableRouter;
pub use extract_new_record_state::ExtractNewRecordState;

use wharf_api::{SchemaRef, Transformation};

/// How the schema name of every envelope ends.
const ENVELOPE: &str = ".Envelope";
const BEFORE: &str = "before";
const AFTER: &str = "after";

wharf_abi::export_plugins! {
    transformation ExtractNewRecordState { class: "io.debezium.transforms.ExtractNewRecordState" }
    transformation ByLogicalTableRouter { class: "io.debezium.transforms.ByLogicalTableRouter" }
}

/// A transformation of this library by its class name, not configured yet.
#[must_use]
pub fn transformation(class: &str) -> Option<Box<dyn Transformation>> {
    match class {
        "io.debezium.transforms.ExtractNewRecordState" => Some(Box::new(ExtractNewRecordState::default())),
        "io.debezium.transforms.ByLogicalTableRouter" => Some(Box::new(ByLogicalTableRouter::default())),
        _ => None,
    }
}

/// Whether values of this schema are change events.
fn is_envelope(schema: Option<&SchemaRef>) -> bool {
    schema
        .and_then(|schema| schema.name())
        .is_some_and(|name| name.ends_with(ENVELOPE))
}
