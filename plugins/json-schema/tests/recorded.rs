//! Every case that Confluent's own JsonSchemaConverter was recorded with gives the same here: the text of the registered schema, the text
//! of the message, and what it is read as.

use wharf_api::{ConnectError, Converter as _};
use wharf_json_schema::JsonSchemaConverter;
use wharf_schema_registry::Format;
use wharf_schema_registry::testing::{PayloadText, check_keys, check_recorded, check_shared_keys};

const ALTERED: &str =
    "a value that does not suit its schema is refused, where upstream writes another in its place";
const NO_JSON: &str = "a message that is no JSON is refused, where upstream reads nothing or its beginning";
const STRUCT_DEFAULT: &str = "upstream cannot make a struct's default";
const NULL_DEFAULT: &str = "a default of null is none, where upstream refuses the schema";
const MODERN_IDS: &str =
    "which uses of a type share an id depends, after draft 7, on how upstream translates the schema";
const UNREADABLE: &str = "neither can read what was written";
const LEADING_ZEROS: &str = "the reader is that of JsonConverter, which takes numbers that begin with 0";
const OTHER_VALIDATOR: &str = "1.0 is an integer by the standard, and so is a number of 8 or 16 bits, which upstream's validator takes for none";

const PAYLOADS: PayloadText = PayloadText {
    read: |text| text.as_bytes().to_vec(),
    write: |bytes| String::from_utf8_lossy(bytes).into_owned(),
};

#[test]
fn every_recorded_case_gives_the_same_here() {
    let others = check_recorded::<JsonSchemaConverter>(
        include_str!("recorded.jsonl"),
        Format::Json,
        PAYLOADS,
        |case, found| {
            let trace = found.as_ref().err().map(ConnectError::trace).unwrap_or_default();
            let schema = case["schema"].as_str().unwrap_or_default();
            let is_only_theirs = case["expect"]["error"].is_string() && found.is_ok();
            let is_validated = case["config"]["json.fail.invalid.schema"] == "true";
            let refers = schema.contains("draft/20") && schema.contains("$ref");
            let back = &case["expect"]["back"]["error"];
            let reasons = [
                (trace.contains("correct the data"), ALTERED),
                (trace.contains("the bytes are not JSON text"), NO_JSON),
                (
                    case["expect"]["message"] == "Invalid default value",
                    STRUCT_DEFAULT,
                ),
                (
                    case["expect"]["error"].is_string() && schema.contains("\"default\": null"),
                    NULL_DEFAULT,
                ),
                (is_only_theirs && is_validated, OTHER_VALIDATOR),
                (refers && found.is_ok(), MODERN_IDS),
                (is_only_theirs && case["payload"] == "{\"a\":01}", LEADING_ZEROS),
                (back.is_string(), UNREADABLE),
            ];
            reasons
                .into_iter()
                .find(|(is_so, _)| *is_so)
                .map(|(_, reason)| reason)
        },
    );
    assert_eq!(others.len(), 8, "a reason is no longer needed: {others:#?}");
}

#[test]
fn every_key_of_upstream_is_there_and_the_same_but_for_what_is_listed() {
    check_keys(
        include_str!("keys.jsonl"),
        &JsonSchemaConverter::default().config(),
        &[],
    );
}

#[test]
fn keys_that_all_registry_converters_share_do_the_same_as_upstream() {
    check_shared_keys::<JsonSchemaConverter>(include_str!("shared.jsonl"), Format::Json, PAYLOADS);
}
