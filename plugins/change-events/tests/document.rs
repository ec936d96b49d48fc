//! `docs/change-events.md` has the keys of the definitions.

use wharf_api::Transformation as _;
use wharf_change_events::{ByLogicalTableRouter, ExtractNewRecordState};

const DOCUMENT: &str = include_str!("../../../docs/change-events.md");

#[test]
fn the_document_has_the_keys_of_the_definitions() {
    for definition in [
        ExtractNewRecordState::default().config(),
        ByLogicalTableRouter::default().config(),
    ] {
        definition.check().unwrap();
        let table = definition.to_markdown();
        assert!(
            DOCUMENT.contains(&table),
            "docs/change-events.md has not this table:\n{table}"
        );
    }
}
