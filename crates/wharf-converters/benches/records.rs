//! What a record costs.

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_api::{ConfigMap, Converter, ConverterType};
use wharf_converters::JsonConverter;
use wharf_testkit::benches;

fn records(criterion: &mut Criterion) {
    for (title, enable) in [("JSON with schema", "true"), ("JSON without schema", "false")] {
        let config = ConfigMap::from([("schemas.enable".to_owned(), enable.to_owned())]);
        let mut converter = JsonConverter::default();
        converter
            .configure(&config, ConverterType::Value)
            .expect("the configuration holds");
        benches::records(criterion, title, &mut converter);
    }
}

criterion_group!(records_of_json, records);
criterion_main!(records_of_json);
