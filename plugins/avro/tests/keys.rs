//! The converter's keys beside those that Confluent's AvroConverter was recorded with.

use wharf_api::Converter as _;
use wharf_avro::AvroConverter;
use wharf_schema_registry::testing::check_keys;

#[test]
fn every_key_of_upstream_is_there_and_the_same_but_for_what_is_listed() {
    check_keys(
        include_str!("keys.jsonl"),
        &AvroConverter::default().config(),
        &[],
    );
}
