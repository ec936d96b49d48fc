//! `JsonSchemaConverter`: JSON whose schema is in a schema registry.
//!
//! It stands in for `io.confluent.connect.json.JsonSchemaConverter`: the same keys, the same messages (magic byte, schema id, JSON),
//! and for each Connect schema the same registered text, so that workers of both kinds share schemas. From the outside in:
//!
//! - `json_schema_converter` asks the registry and keeps what it answers,
//! - `from_connect` and `to_connect` translate schemas, over `model` (what a schema object says) and `documents` (`$ref`),
//! - `encode` and `decode` go between values and JSON text without a tree,
//! - `validation` is `json.fail.invalid.schema`, `compatibility` the strictness of `use.latest.version`.
//!
//! # Deliberate differences from upstream
//!
//! | case | upstream | here |
//! |---|---|---|
//! | a JSON value that does not suit its field (a text for a number, 300 for INT8) | altered silently | refused with its place |
//! | a schema that refers to itself | a Connect schema with a loop | refused: Connect schemas are trees here |
//! | properties whose `connect.index` collide | one of them is lost | all are kept |
//! | `"NaN"`, `"Infinity"` in a FLOAT field, as the writer writes them | 0.0 | the number they name |
//! | a `$ref` to the network | fetched | refused; only the registry's references are used |
//! | a default that is null | an error unless the schema is optional | no default |
//! | compatibility under `use.latest.version` | all keywords compared | types, properties, required, choices |
//!
//! Rules and field-level encryption of the registry are not run.

mod compatibility;
mod config;
mod decode;
mod documents;
mod encode;
mod from_connect;
mod java_hash;
mod json_schema_converter;
mod json_tree;
mod model;
mod names;
mod options;
mod to_connect;
mod validation;
mod variant;

pub use json_schema_converter::JsonSchemaConverter;

wharf_abi::export_plugins! {
    converter JsonSchemaConverter { class: "io.confluent.connect.json.JsonSchemaConverter" }
}
