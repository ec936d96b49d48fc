//! Whether data of one schema can be read with another: Avro's schema resolution, asked in advance.

use std::collections::HashSet;

use super::{AvroSchema, Kind, Node, NodeId};

/// Whether what `writer` describes can be read as what `reader` describes; if not, why.
pub(crate) fn can_read(reader: &AvroSchema, writer: &AvroSchema) -> Result<(), String> {
    let mut check = Check {
        reader,
        writer,
        seen: HashSet::new(),
    };
    check.node(reader.root, writer.root)
}

/// Whether two named types are the same: by their names without namespace, or by an alias of the reader's.
pub(crate) fn same_name(reader: &Node, writer: &Node) -> bool {
    let (Some(reader_name), Some(writer_name)) = (reader.name(), writer.name()) else {
        return false;
    };
    let aliases = match &reader.kind {
        Kind::Record(record) => &record.aliases,
        Kind::Enum(kind) => &kind.aliases,
        Kind::Fixed(fixed) => &fixed.aliases,
        _ => return false,
    };
    let full = writer_name.full();
    reader_name.name == writer_name.name
        || aliases
            .iter()
            .any(|alias| *alias == full || *alias == writer_name.name)
}

/// Whether a number or text of one type may be read as another.
pub(crate) fn promotes(writer: &Kind, reader: &Kind) -> bool {
    matches!(
        (writer, reader),
        (Kind::Int, Kind::Long | Kind::Float | Kind::Double)
            | (Kind::Long, Kind::Float | Kind::Double)
            | (Kind::Float, Kind::Double)
            | (Kind::String, Kind::Bytes)
            | (Kind::Bytes, Kind::String)
    )
}

struct Check<'a> {
    reader: &'a AvroSchema,
    writer: &'a AvroSchema,
    /// Pairs that are being looked at or were found to suit; types may contain themselves.
    seen: HashSet<(NodeId, NodeId)>,
}

impl Check<'_> {
    fn node(&mut self, reader: NodeId, writer: NodeId) -> Result<(), String> {
        if !self.seen.insert((reader, writer)) {
            return Ok(());
        }
        let (r, w) = (self.reader.node(reader), self.writer.node(writer));
        let mismatch = || {
            let name = |node: &Node| {
                node.name()
                    .map_or_else(|| node.type_name().to_owned(), super::Name::full)
            };
            Err(format!("{} cannot be read as {}", name(w), name(r)))
        };
        let result = match (&w.kind, &r.kind) {
            (Kind::Union(members), _) => members.iter().try_for_each(|member| self.node(reader, *member)),
            (_, Kind::Union(members)) => {
                if members.iter().any(|member| self.node(*member, writer).is_ok()) {
                    Ok(())
                } else {
                    mismatch()
                }
            }
            (Kind::Array(w), Kind::Array(r)) | (Kind::Map(w), Kind::Map(r)) => self.node(*r, *w),
            (Kind::Fixed(wf), Kind::Fixed(rf)) if wf.size == rf.size && same_name(r, w) => Ok(()),
            (Kind::Enum(we), Kind::Enum(re)) if same_name(r, w) => {
                let missing = we.symbols.iter().find(|symbol| !re.symbols.contains(symbol));
                match missing {
                    Some(symbol) if re.default.is_none() => {
                        Err(format!("the enum {} has no symbol {symbol}", re.name.full()))
                    }
                    _ => Ok(()),
                }
            }
            (Kind::Record(wr), Kind::Record(rr)) if same_name(r, w) => {
                rr.fields.iter().try_for_each(|field| {
                    let known = wr
                        .fields
                        .iter()
                        .find(|known| known.name == field.name || field.aliases.contains(&known.name));
                    match known {
                        Some(known) => self.node(field.schema, known.schema),
                        None if field.default.is_some() => Ok(()),
                        None => Err(format!("the field {} is missing and has no default", field.name)),
                    }
                })
            }
            (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) && r.name().is_none() => Ok(()),
            (a, b) if promotes(a, b) => Ok(()),
            _ => mismatch(),
        };
        if result.is_err() {
            self.seen.remove(&(reader, writer));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_follows_avro_s_resolution() {
        let record = |fields: &str| format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
        let a = r#"{"name":"a","type":"int"}"#;
        let with_default = format!(r#"{a},{{"name":"b","type":"string","default":""}}"#);
        let without = format!(r#"{a},{{"name":"b","type":"string"}}"#);
        let renamed = r#"{"name":"z","aliases":["a"],"type":"long"}"#;
        let list = r#"{"name":"v","type":"int"},{"name":"next","type":["null","R"]}"#;
        for (reader, writer, expected) in [
            ("\"long\"", "\"int\"", true),
            ("\"int\"", "\"long\"", false),
            ("\"string\"", "\"bytes\"", true),
            (r#"["null","double"]"#, "\"float\"", true),
            ("\"double\"", r#"["null","float"]"#, false),
            (&record(&with_default), &record(a), true),
            (&record(&without), &record(a), false),
            (&record(a), &record(&without), true),
            (&record(renamed), &record(a), true),
            (&record(list), &record(list), true),
            (
                r#"{"type":"enum","name":"E","symbols":["a"],"default":"a"}"#,
                r#"{"type":"enum","name":"E","symbols":["a","b"]}"#,
                true,
            ),
            (
                r#"{"type":"enum","name":"E","symbols":["a"]}"#,
                r#"{"type":"enum","name":"E","symbols":["a","b"]}"#,
                false,
            ),
            (
                r#"{"type":"fixed","name":"F","size":2}"#,
                r#"{"type":"fixed","name":"F","size":3}"#,
                false,
            ),
            (
                r#"{"type":"array","items":"double"}"#,
                r#"{"type":"array","items":"int"}"#,
                true,
            ),
        ] {
            let parse = |text: &str| AvroSchema::parse(text, &[]).unwrap();
            let result = can_read(&parse(reader), &parse(writer));
            assert_eq!(result.is_ok(), expected, "{reader} / {writer}: {result:?}");
        }
    }
}
