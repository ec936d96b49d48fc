//! What a record costs.

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_avro::AvroConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_testkit::converter_with_registry;

fn records(criterion: &mut Criterion) {
    let registry = TestRegistry::start();
    let mut converter: AvroConverter = converter_with_registry(&registry.url(), &[]);
    wharf_testkit::benches::records(criterion, "Avro", &mut converter);
}

criterion_group!(benches, records);
criterion_main!(benches);
