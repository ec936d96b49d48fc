//! Prints what JsonConverter costs per record, for a struct of four fields with its schema in each message, and
//! StringConverter for comparison: `cargo run --release -p wharf-converters --example convert_bench`.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use wharf_api::{
    ConfigMap, Converter, ConverterType, Headers, Result, Schema, SchemaBuilder, SchemaRef, Struct, Value,
    ValueRef,
};
use wharf_converters::{JsonConverter, StringConverter};

const RECORDS: u32 = 1_000_000;
const ROUNDS: usize = 5;

/// The best of a few rounds.
fn measure(name: &str, mut record: impl FnMut() -> Result<usize>) -> Result<()> {
    let mut best = f64::INFINITY;
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..RECORDS {
            bytes = black_box(record()?);
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(RECORDS));
    }
    println!("{name:<32} {best:>7.1} ns/record ({bytes} bytes)");
    Ok(())
}

fn both_ways(name: &str, converter: &mut dyn Converter, schema: &SchemaRef, value: &Value) -> Result<()> {
    let mut out = Vec::new();
    let mut headers = Headers::new();
    let view: ValueRef<'_> = value.as_ref();
    measure(&format!("{name} encode"), || {
        out.clear();
        converter.encode("topic", &mut headers, Some(schema), black_box(view), &mut out)?;
        Ok(out.len())
    })?;
    measure(&format!("{name} decode"), || {
        black_box(converter.decode("topic", &headers, Some(black_box(&out)))?);
        Ok(out.len())
    })
}

fn main() -> Result<()> {
    let schema = SchemaBuilder::structure()
        .name("com.example.Order")
        .field("id", Schema::int64())
        .field("customer", Schema::string())
        .field("amount", Schema::float64())
        .field("paid", Schema::optional_boolean())
        .build()?;
    let value: Value = Struct::new(Arc::clone(&schema))?
        .with("id", 1_234_567_i64)?
        .with("customer", "a customer's name")?
        .with("amount", 129.95)?
        .with("paid", true)?
        .into();
    both_ways("json with schema", &mut JsonConverter::default(), &schema, &value)?;
    let mut plain = JsonConverter::default();
    let config = ConfigMap::from([("schemas.enable".to_owned(), "false".to_owned())]);
    plain.configure(&config, ConverterType::Value)?;
    both_ways("json without schema", &mut plain, &schema, &value)?;
    let text = "x".repeat(100).into();
    both_ways(
        "string of 100 bytes",
        &mut StringConverter::default(),
        &Schema::string(),
        &text,
    )
}
