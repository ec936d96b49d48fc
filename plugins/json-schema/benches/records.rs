//! What a record costs.
#![allow(missing_docs, reason = "the macros of criterion make items without")]

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_json_schema::JsonSchemaConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_test_services::heap::Counted;
use wharf_testkit::{benches, converter_with_registry};

#[global_allocator]
static HEAP: Counted = Counted;

fn records(criterion: &mut Criterion) {
    let registry = TestRegistry::start();
    let mut converter: JsonSchemaConverter = converter_with_registry(&registry.url(), &[]);
    benches::records(criterion, "JSON Schema", &mut converter);
}

criterion_group!(all, records);
criterion_main!(all);
