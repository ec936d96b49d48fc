//! What a record costs.
#![allow(missing_docs, reason = "the macros of criterion make items without")]

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_test_services::heap::Counted;
use wharf_testkit::{benches, converter_with_registry};

#[global_allocator]
static HEAP: Counted = Counted;

fn records(criterion: &mut Criterion) {
    let registry = TestRegistry::start();
    let mut converter: ProtobufConverter = converter_with_registry(&registry.url(), &[]);
    benches::records(criterion, "Protobuf", &mut converter);
}

criterion_group!(all, records);
criterion_main!(all);
