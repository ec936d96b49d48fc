//! `ReplaceField`: drops, keeps and renames fields.

use wharf_api::config::{ConfigDef, ConfigKey, ParsedValue, Type, Validator};
use wharf_api::{
    Applied, ConfigMap, ConnectError, Record, Result, Schema, SchemaBuilder, SchemaRef, Transformation, Value,
};

use crate::options::{list, replace_null_with_default, replaces_null};
use crate::requirements::{Entries, map_put, no_text, require_map, require_struct};
use crate::schema_cache::SchemaCache;
use crate::schema_util::{copy_null, copy_schema_basics};
use crate::side::Side;

const EXCLUDE: &str = "exclude";
const INCLUDE: &str = "include";
const RENAMES: &str = "renames";
const PURPOSE: &str = "field replacement";

/// How values of one schema become values of another.
#[derive(Debug)]
struct Plan {
    schema: SchemaRef,
    /// For each field the position it is taken from.
    sources: Vec<usize>,
    /// Whether positions only grow, so that values can be moved within their vector.
    grows: bool,
}

/// The transformation.
pub(crate) struct ReplaceField {
    side: Side,
    rules: Rules,
    replace_null: bool,
    plans: SchemaCache<Plan>,
}

/// Which fields stay, and under which names.
#[derive(Debug, Default)]
struct Rules {
    exclude: Vec<String>,
    include: Vec<String>,
    renames: Vec<(String, String)>,
}

impl Rules {
    fn keeps(&self, name: &str) -> bool {
        let has = |list: &[String]| list.iter().any(|item| item == name);
        !has(&self.exclude) && (self.include.is_empty() || has(&self.include))
    }

    fn renamed<'n>(&'n self, name: &'n str) -> &'n str {
        self.renames
            .iter()
            .rev()
            .find(|(from, _)| from == name)
            .map_or(name, |(_, to)| to)
    }

    /// The field that a name comes from. Upstream asks for it by the new name alone, so a field whose name another one
    /// would be renamed to is looked for under that other name.
    fn source<'n>(&'n self, name: &'n str) -> &'n str {
        self.renames
            .iter()
            .rev()
            .find(|(_, to)| to == name)
            .map_or(name, |(from, _)| from)
    }

    fn plan(&self, schema: &Schema) -> Result<Plan> {
        let mut builder = copy_schema_basics(schema, SchemaBuilder::structure());
        for field in schema.fields()?.iter().filter(|field| self.keeps(field.name())) {
            builder = builder.field(self.renamed(field.name()), SchemaRef::clone(field.schema()));
        }
        let updated = builder.build()?;
        let sources = updated
            .fields()?
            .iter()
            .map(|field| {
                let source = self.source(field.name());
                schema
                    .field(source)?
                    .map(wharf_api::Field::index)
                    .ok_or_else(|| ConnectError::data(format!("{source} is not a valid field name")))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Plan {
            grows: sources.is_sorted_by(|a, b| a < b),
            schema: updated,
            sources,
        })
    }
}

impl Plan {
    fn apply(&self, values: &mut Vec<Value>, replace_null: bool) -> Result<()> {
        if self.grows {
            for (to, from) in self.sources.iter().enumerate() {
                values.swap(to, *from);
            }
            values.truncate(self.sources.len());
        } else {
            *values = self.sources.iter().map(|from| values[*from].clone()).collect();
        }
        let fields = self.schema.fields()?;
        values
            .iter_mut()
            .zip(fields)
            .try_for_each(|(value, field)| copy_null(value, field, replace_null))
    }
}

impl ReplaceField {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            rules: Rules::default(),
            replace_null: true,
            plans: SchemaCache::default(),
        }
    }
}

fn parse_renames(items: &[String]) -> Result<Vec<(String, String)>> {
    items
        .iter()
        .map(|item| {
            // as Java splits: nothing is told of empty parts at the end
            match item.trim_end_matches(':').split(':').collect::<Vec<_>>()[..] {
                [from, to] => Ok((from.to_owned(), to.to_owned())),
                _ => Err(ConnectError::invalid_config(
                    RENAMES,
                    format_args!("[{}]", items.join(", ")),
                    &format!("Invalid rename mapping: {item}"),
                )),
            }
        })
        .collect()
}

fn apply_schemaless(rules: &Rules, entries: &mut Entries) -> Result<()> {
    if let Some((key, _)) = entries
        .iter()
        .find(|(key, _)| !matches!(key, Value::String(_) | Value::Null))
    {
        return Err(no_text(key));
    }
    if rules.renames.is_empty() {
        entries.retain(|(name, _)| match name.as_str() {
            Some(name) => rules.keeps(name),
            None => rules.include.is_empty(),
        });
        return Ok(());
    }
    for (name, value) in std::mem::take(entries) {
        match name.as_str() {
            Some(name) if rules.keeps(name) => map_put(entries, rules.renamed(name), value),
            None if rules.include.is_empty() => entries.push((name, value)),
            _ => {}
        }
    }
    Ok(())
}

impl Transformation for ReplaceField {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.rules = Rules {
            exclude: list(&config, EXCLUDE),
            include: list(&config, INCLUDE),
            renames: parse_renames(&list(&config, RENAMES))?,
        };
        self.replace_null = replaces_null(&config);
        self.plans = SchemaCache::default();
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        let renames = Validator::custom(
            "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>",
            |_, value: &ParsedValue| parse_renames(value.as_list().unwrap_or_default()).map(drop),
        );
        ConfigDef::new()
            .define(
                ConfigKey::new(EXCLUDE, Type::List)
                    .default("")
                    .doc("Names of fields to drop; wins over include."),
            )
            .define(
                ConfigKey::new(INCLUDE, Type::List)
                    .default("")
                    .doc("Names of the fields to keep; all when empty."),
            )
            .define(
                ConfigKey::new(RENAMES, Type::List)
                    .default("")
                    .validator(renames)
                    .doc("Fields to rename, as pairs of old and new name with a colon between."),
            )
            .define(replace_null_with_default())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        if value.is_null() {
            return Ok(Applied::Kept);
        }
        if schema.is_none() {
            apply_schemaless(&self.rules, require_map(value, PURPOSE)?)?;
            return Ok(Applied::Kept);
        }
        let inner = require_struct(value, PURPOSE)?;
        let rules = &self.rules;
        let plan = self.plans.get(inner.schema(), |schema| rules.plan(schema))?;
        inner.reshape(SchemaRef::clone(&plan.schema), |values| {
            plan.apply(values, self.replace_null)
        })?;
        *schema = Some(SchemaRef::clone(&plan.schema));
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{ErrorKind, Struct};

    use super::*;
    use crate::options::config;

    fn replace<const N: usize>(pairs: [(&str, &str); N], record: Record) -> Result<Record> {
        let mut transformation = ReplaceField::new(Side::Value);
        transformation.configure(&config(pairs))?;
        Ok(transformation.applied(record)?.unwrap())
    }

    fn map() -> Record {
        let map = vec![
            ("dont".into(), "whatever".into()),
            ("abc".into(), 42.into()),
            ("foo".into(), true.into()),
            ("etc".into(), "etc".into()),
        ];
        Record::sink("t", 0, 0).with_value(None, Value::Map(map))
    }

    fn structure() -> Record {
        let schema = SchemaBuilder::structure()
            .name("n")
            .version(3)
            .field("dont", Schema::string())
            .field("abc", Schema::int32())
            .field("foo", Schema::boolean())
            .field("etc", Schema::string())
            .build()
            .unwrap();
        let values = vec!["whatever".into(), 42.into(), true.into(), "etc".into()];
        let value = Struct::from_values(SchemaRef::clone(&schema), values);
        Record::sink("t", 0, 0).with_value(Some(schema), value)
    }

    fn shown(record: &Record) -> String {
        wharf_api::java_text::to_java_string(&record.value.as_ref())
    }

    #[test]
    fn fields_are_dropped_kept_and_renamed() {
        for (pairs, as_map, as_struct) in [
            (
                [("exclude", "dont"), ("renames", "abc:xyz,foo:bar")],
                "{xyz=42, bar=true, etc=etc}",
                "Struct{xyz=42,bar=true,etc=etc}",
            ),
            (
                [("include", "abc,foo"), ("renames", "abc:xyz,foo:bar")],
                "{xyz=42, bar=true}",
                "Struct{xyz=42,bar=true}",
            ),
            (
                [("include", "abc,foo"), ("exclude", "foo")],
                "{abc=42}",
                "Struct{abc=42}",
            ),
            (
                [("renames", "abc:foo,foo:abc"), ("exclude", "")],
                "{dont=whatever, foo=42, abc=true, etc=etc}",
                "Struct{dont=whatever,foo=42,abc=true,etc=etc}",
            ),
        ] {
            assert_eq!(shown(&replace(pairs, map()).unwrap()), as_map);
            let changed = replace(pairs, structure()).unwrap();
            assert_eq!(shown(&changed), as_struct);
            let schema = changed.value_schema.unwrap();
            assert_eq!((schema.name(), schema.version()), (Some("n"), Some(3)));
            assert_eq!(changed.value.as_struct().unwrap().schema(), &schema);
            changed.value.as_struct().unwrap().validate().unwrap();
        }
    }

    #[test]
    fn names_that_collide_are_refused_with_a_schema() {
        let error = replace([("renames", "abc:foo")], structure()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaBuilder);
        assert_eq!(
            shown(&replace([("renames", "abc:foo")], map()).unwrap()),
            "{dont=whatever, foo=true, etc=etc}"
        );
    }

    #[test]
    fn renames_must_be_pairs() {
        for (renames, item) in [("a:b,c", "c"), ("a:b:c", "a:b:c"), ("a:", "a:")] {
            let error = replace([("renames", renames)], map()).unwrap_err();
            let ending = format!("Invalid rename mapping: {item}");
            assert!(error.message().ends_with(&ending), "{error}");
        }
    }

    #[test]
    fn null_values_pass() {
        let tombstone = Record::sink("t", 0, 0);
        assert_eq!(replace([("exclude", "x")], tombstone.clone()).unwrap(), tombstone);
    }
}
