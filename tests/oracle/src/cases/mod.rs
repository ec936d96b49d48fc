//! The cases, a table per kind. Tables are written by hand for each option and edge; those whose group begins with
//! `generated` come from a seed.

mod change_event;
mod config_parse;
mod generate;
mod generated;
mod json_from;

mod json_text;
mod json_to;
mod json_to_mismatch;
mod json_to_reader;
mod project;
mod samples;
mod simple;
mod transform;
mod transform_defaults;
mod transform_samples;
mod values_convert;
mod values_parse;
mod values_text;
mod zoned;

use std::collections::BTreeMap;

use wharf_api::{ConfigMap, SchemaBuilder, SchemaRef, Struct, Value};

use crate::case::{Call, Case, ConverterSpec, Kind, Usage, Zone};
use wharf_test_services::Random;

/// The cases of a kind; the same ones with every call.
#[must_use]
pub fn of(kind: Kind) -> Vec<Case> {
    with_seed(kind, 0)
}

/// The cases of a kind with others in the place of the generated ones. Seed 0 gives those that are recorded.
#[must_use]
pub fn with_seed(kind: Kind, seed: u64) -> Vec<Case> {
    let mut table = Table::new(kind);
    table.seed = seed;
    match kind {
        Kind::JsonFrom => json_from::fill(&mut table),
        Kind::JsonTo => {
            json_to::fill(&mut table);
            json_to_mismatch::fill(&mut table);
            json_to_reader::fill(&mut table);
        }
        Kind::String => simple::strings(&mut table),
        Kind::ByteArray => simple::byte_arrays(&mut table),
        Kind::Primitive => simple::primitives(&mut table),
        Kind::SimpleHeader => simple::headers(&mut table),
        Kind::ValuesParse => values_parse::fill(&mut table),
        Kind::ValuesConvert => values_convert::fill(&mut table),
        Kind::ValuesText => values_text::texts(&mut table),
        Kind::ValuesInfer => values_text::inferences(&mut table),
        Kind::SchemaProject => project::fill(&mut table),
        Kind::ConfigParse => config_parse::fill(&mut table),
        Kind::Zoned => zoned::fill(&mut table),
        Kind::Transform => {
            transform::transformations(&mut table);
            transform_defaults::cast_defaults(&mut table);
            transform_defaults::struct_defaults(&mut table);
        }
        Kind::Predicate => transform::predicates(&mut table),
        Kind::ChangeEvent => change_event::fill(&mut table),
    }
    table.cases
}

/// A table under construction.
struct Table {
    kind: Kind,
    cases: Vec<Case>,
    numbers: BTreeMap<String, usize>,
    seed: u64,
    zone: Zone,
}

impl Table {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            cases: Vec::new(),
            numbers: BTreeMap::new(),
            seed: 0,
            zone: Zone::UTC,
        }
    }

    /// The generator for the cases of one kind, which has its own salt.
    fn random(&self, salt: u64) -> Random {
        Random::new(salt ^ self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// How many cases to generate: as many as asked for, and a lot more with another seed than the recorded one.
    fn times(&self, count: usize) -> usize {
        if self.seed == 0 { count } else { 20 * count }
    }

    /// A case that must be answered as the JVM answers it.
    fn same(&mut self, group: &str, call: Call) {
        self.add(group, call, None);
    }

    /// A case that must differ as declared under this id, or be the same when there is none.
    fn add(&mut self, group: &str, call: Call, differs: Option<&'static str>) {
        let number = self.numbers.entry(group.to_owned()).or_default();
        *number += 1;
        self.cases.push(Case {
            id: format!("{}/{group}/{number}", self.kind.name()),
            kind: self.kind,
            zone: self.zone,
            call,
            differs,
        });
    }
}

fn converter(class: &'static str, usage: Usage, config: &[(&str, &str)]) -> ConverterSpec {
    let config: ConfigMap = config
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    ConverterSpec { class, usage, config }
}

fn json(config: &[(&str, &str)]) -> ConverterSpec {
    converter(wharf_converters::JSON_CONVERTER, Usage::Value, config)
}

/// The schema of a table. One that cannot be built is a mistake in the table, and every test says so at once.
fn built(builder: SchemaBuilder) -> SchemaRef {
    builder.build().expect("tables hold schemas that can be built")
}

/// A STRUCT of these fields.
fn fields(fields: &[(&str, SchemaRef)]) -> SchemaBuilder {
    fields
        .iter()
        .fold(SchemaBuilder::structure(), |builder, (name, schema)| {
            builder.field(*name, SchemaRef::clone(schema))
        })
}

/// A struct with these values in field order; null is left unset.
fn structure(schema: &SchemaRef, values: Vec<Value>) -> Value {
    Value::from(Struct::from_values(SchemaRef::clone(schema), values))
}

fn array(schema: SchemaRef) -> SchemaRef {
    built(SchemaBuilder::array(schema))
}

fn map(key: SchemaRef, value: SchemaRef) -> SchemaRef {
    built(SchemaBuilder::map(key, value))
}
