//! PostgreSQL.
//!
//! A value goes to the server as the type its kind has by nature, and the server casts it as it would on any assignment;
//! texts for columns that are no texts are cast by name. The bulk form is an `INSERT … SELECT` over one array for each column
//! (`unnest`): the same casts, the same triggers, rules and row security as row by row.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Bulk, Dialect, Statement, Target, Verb, all_equal};
use crate::sink::cell::Kind;
use crate::source::SourceType;
use crate::table_id::{Quote, Quoting, TableId};

pub(super) struct Postgres;

/// The name that new rows have in bulk statements. A table of that name is no trouble: statements name it by its own.
const ROWS: &str = "wharf_rows";

/// What stands for the type of a text column whose collation takes different texts for equal.
pub(crate) const FOLDED_TEXT: &str = "text of a nondeterministic collation";

/// The types that a text needs no cast for; a cast by name would cut it to the column's length instead of refusing it.
const TEXTS: [&str; 7] = [
    FOLDED_TEXT,
    "text",
    "character varying",
    "character",
    "bpchar",
    "name",
    "citext",
];

/// The type of values of a kind, when they are sent to a column of the named type.
pub(crate) fn value_type(kind: &Kind, column_type: &str) -> &'static str {
    match kind {
        Kind::Boolean => "bool",
        Kind::Int8 | Kind::Int16 => "int2",
        Kind::Int32 => "int4",
        Kind::Int64 => "int8",
        Kind::Float32 => "float4",
        Kind::Float64 => "float8",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
        Kind::Decimal(_) => "numeric",
        Kind::Date => "date",
        Kind::Time => "time",
        // An instant needs no zone where the column keeps instants.
        Kind::Timestamp if column_type == "timestamp with time zone" => "timestamptz",
        Kind::Timestamp => "timestamp",
        Kind::Array(element) => array_type(element, column_type.trim_end_matches("[]")),
    }
}

/// The type of an array of values of a kind.
pub(crate) fn array_type(kind: &Kind, column_type: &str) -> &'static str {
    match value_type(kind, column_type) {
        "bool" => "bool[]",
        "int2" => "int2[]",
        "int4" => "int4[]",
        "int8" => "int8[]",
        "float4" => "float4[]",
        "float8" => "float8[]",
        "bytea" => "bytea[]",
        "numeric" => "numeric[]",
        "date" => "date[]",
        "time" => "time[]",
        "timestamptz" => "timestamptz[]",
        "timestamp" => "timestamp[]",
        _ => "text[]",
    }
}

/// The value of a place as it is assigned to its column.
fn assigned(column: &Target, value: &str) -> String {
    let to = column.type_name.as_str();
    match column.kind {
        Kind::Text if TEXTS.contains(&to) => value.to_owned(),
        // Without its length, which the assignment checks.
        Kind::Text if bits(to).is_some() => format!("CAST({value} AS varbit)"),
        Kind::Text => format!("CAST({value} AS {to})"),
        Kind::Array(ref element)
            if **element == Kind::Text
                && to
                    .strip_suffix("[]")
                    .is_some_and(|element| !TEXTS.contains(&element)) =>
        {
            format!("CAST({value} AS {to})")
        }
        Kind::Float32 | Kind::Float64 if to == "money" => format!("CAST(CAST({value} AS numeric) AS money)"),
        Kind::Boolean if bits(to) == Some(1) => format!("CAST(CAST({value} AS int4) AS bit(1))"),
        Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 if bits(to).is_some() => {
            number_as_bits(value, to, bits(to).unwrap_or(1))
        }
        // Casts from numbers that PostgreSQL does not make by itself.
        Kind::Int8 | Kind::Int16 | Kind::Int32 if to == "boolean" => {
            format!("CAST(CAST({value} AS int4) AS boolean)")
        }
        _ => value.to_owned(),
    }
}

/// How long the bit strings of a column are; nothing for other types.
fn bits(type_name: &str) -> Option<u32> {
    type_name.strip_prefix("bit(")?.strip_suffix(')')?.parse().ok()
}

/// The lowest bits of a number. PostgreSQL's own cast says nothing of those that it cuts off.
fn number_as_bits(value: &str, to: &str, bits: u32) -> String {
    if bits >= i64::BITS {
        return format!("CAST(CAST({value} AS int8) AS {to})");
    }
    let (least, greatest) = (-(1_i128 << (bits - 1)), (1_i128 << bits) - 1);
    format!(
        "CAST(CASE WHEN {value} BETWEEN {least} AND {greatest} THEN CAST({value} AS int8) \
         ELSE CAST({value} || ' is out of range for {to}' AS int8) END AS {to})"
    )
}

/// The value of a place as it is compared with its column, which is a key: by the column's own equality.
fn compared(column: &Target, value: &str) -> String {
    match (column.type_name.as_str(), &column.kind) {
        ("citext", Kind::Text) => format!("CAST({value} AS citext)"),
        ("character" | "bpchar", Kind::Text) => format!("CAST({value} AS bpchar)"),
        (_, Kind::Text | Kind::Bytes | Kind::Array(_)) => assigned(column, value),
        // What an assignment makes a text of by itself.
        ("citext", _) => format!("CAST(CAST({value} AS text) AS citext)"),
        ("character" | "bpchar", _) => format!("CAST(CAST({value} AS text) AS bpchar)"),
        (text, _) if TEXTS.contains(&text) => format!("CAST({value} AS text)"),
        _ => assigned(column, value),
    }
}

/// Whether two values of a key are the same for the database only if they are the same here. Not for numbers with 0 and -0 or fewer
/// digits than ours, for times in other zones or of less precision, nor for texts with an equality of their own.
fn has_exact_equality(column: &Target) -> bool {
    const INTEGERS: [&str; 4] = ["smallint", "integer", "bigint", "numeric"];
    let to = column.type_name.as_str();
    match column.kind {
        Kind::Boolean => to == "boolean",
        Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 => INTEGERS.contains(&to),
        Kind::Decimal(_) => to == "numeric",
        Kind::Text => ["text", "character varying"].contains(&to),
        Kind::Bytes => to == "bytea",
        Kind::Date => to == "date",
        _ => false,
    }
}

impl Dialect for Postgres {
    fn quote(&self) -> Quote {
        Quote {
            open: '"',
            close: '"',
        }
    }

    fn refuses_one_key_twice(&self) -> bool {
        true
    }

    fn instant(&self, column: &str, source_type: &SourceType) -> String {
        match source_type {
            SourceType::Date => format!("{column}::timestamp"),
            _ => column.to_owned(),
        }
    }

    fn clock_as_instant(&self, shown: String, zone: &TimeZone) -> String {
        match zone.iana_name() {
            Some(name) if *zone != TimeZone::UTC => format!("({shown} AT TIME ZONE '{name}')"),
            _ => shown,
        }
    }

    fn instant_literal(&self, (seconds, nanos): (i64, u32), zoned: bool, zone: &TimeZone) -> String {
        let micros = nanos / 1_000;
        let Ok(at) = Timestamp::new(seconds, (micros * 1_000).cast_signed()) else {
            let sign = if seconds < 0 { "-" } else { "" };
            return format!("'{sign}infinity'");
        };
        let (shown, kind, offset) = if zoned {
            (at.to_zoned(TimeZone::UTC), "TIMESTAMPTZ", "+00")
        } else {
            (at.to_zoned(zone.clone()), "TIMESTAMP", "")
        };
        let era = if shown.year() > 0 { "" } else { " BC" };
        let year = if shown.year() > 0 {
            shown.year()
        } else {
            1 - shown.year()
        };
        format!(
            "{kind} '{year:04}-{:02}-{:02} {:02}:{:02}:{:02}.{micros:06}{offset}{era}'",
            shown.month(),
            shown.day(),
            shown.hour(),
            shown.minute(),
            shown.second()
        )
    }

    fn column_type(&self, kind: &Kind) -> Option<String> {
        Some(
            match kind {
                Kind::Boolean => "BOOLEAN",
                Kind::Int8 | Kind::Int16 => "SMALLINT",
                Kind::Int32 => "INT",
                Kind::Int64 => "BIGINT",
                Kind::Float32 => "REAL",
                Kind::Float64 => "DOUBLE PRECISION",
                Kind::Text => "TEXT",
                Kind::Bytes => "BYTEA",
                Kind::Decimal(_) => "DECIMAL",
                Kind::Date => "DATE",
                Kind::Time => "TIME",
                Kind::Timestamp => "TIMESTAMP",
                Kind::Array(element) => return Some(format!("{}[]", self.column_type(element)?)),
            }
            .to_owned(),
        )
    }

    fn statement(&self, verb: Verb, table: &TableId, columns: &[Target], quoting: Quoting) -> Statement {
        let words = Words {
            verb,
            table: table.sql(quoting),
            columns,
            quoting,
        };
        let places: Vec<Target> = match verb {
            Verb::Delete => columns.iter().filter(|column| column.key).cloned().collect(),
            _ => columns.to_vec(),
        };
        let can_unnest = !places.iter().any(|place| matches!(place.kind, Kind::Array(_)))
            // Of two rows for one row of the table an update takes either.
            && (verb != Verb::Update || places.iter().filter(|place| place.key).all(has_exact_equality));
        let number = |column: &Target| {
            let index = places.iter().position(|place| place.slot == column.slot);
            index.map_or(0, |index| index + 1)
        };
        Statement {
            verb,
            sql: words.single(|column| format!("${}", number(column))),
            bulk: can_unnest
                .then(|| Bulk::Arrays(words.bulk(&places, |column| format!("{ROWS}.c{}", number(column))))),
            places,
        }
    }

    fn insert_unless_there(
        &self,
        table: &TableId,
        columns: &[Target],
        unique: &[String],
        quoting: Quoting,
    ) -> Option<Statement> {
        const TABLE: &str = "wharf_table";
        let insert = self.statement(Verb::Insert, table, columns, quoting);
        let index = quoting.names(unique.iter().map(String::as_str));
        let first = quoting.name(unique.first()?);
        // As texts: not all types can be compared, and texts have no equality of their own then. Nothing is changed where all are the
        // same, and a division by zero refuses the row else. Not by DO NOTHING for keys alone either: the index may take others for the
        // same.
        let all: Vec<String> = columns
            .iter()
            .map(|column| {
                let name = quoting.name(&column.name);
                format!("CAST({TABLE}.{name} AS text) COLLATE \"C\" IS NOT DISTINCT FROM CAST(EXCLUDED.{name} AS text) COLLATE \"C\"")
            })
            .collect();
        let action = format!(
            "UPDATE SET {first}=EXCLUDED.{first} WHERE 1/(CASE WHEN {} THEN 1 ELSE 0 END)<>1",
            all.join(" AND ")
        );
        let head = format!("INSERT INTO {}", table.sql(quoting));
        let unless_there = |sql: &str| {
            let rest = sql.strip_prefix(&head)?;
            Some(format!(
                "{head} AS {TABLE}{rest} ON CONFLICT({index}) DO {action}"
            ))
        };
        Some(Statement {
            sql: unless_there(&insert.sql)?,
            bulk: match insert.bulk {
                Some(Bulk::Arrays(sql)) => Some(Bulk::Arrays(unless_there(&sql)?)),
                other => other,
            },
            ..insert
        })
    }
}

/// What statements of all verbs are made of.
struct Words<'a> {
    verb: Verb,
    table: String,
    columns: &'a [Target],
    quoting: Quoting,
}

impl Words<'_> {
    fn name(&self, column: &Target) -> String {
        self.quoting.name(&column.name)
    }

    fn names(&self) -> String {
        self.quoting
            .names(self.columns.iter().map(|column| column.name.as_str()))
    }

    fn keys(&self) -> impl Iterator<Item = &Target> {
        self.columns.iter().filter(|column| column.key)
    }

    fn others(&self) -> impl Iterator<Item = &Target> {
        self.columns.iter().filter(|column| !column.key)
    }

    fn list(&self, columns: impl Iterator<Item = impl AsRef<str>>) -> String {
        columns
            .map(|text| text.as_ref().to_owned())
            .collect::<Vec<_>>()
            .join(",")
    }

    fn on_conflict(&self) -> String {
        if self.verb != Verb::Upsert {
            return String::new();
        }
        let key = self.quoting.names(self.keys().map(|column| column.name.as_str()));
        let sets = self.list(
            self.others()
                .map(|column| format!("{0}=EXCLUDED.{0}", self.name(column))),
        );
        if sets.is_empty() {
            format!(" ON CONFLICT({key}) DO NOTHING")
        } else {
            format!(" ON CONFLICT({key}) DO UPDATE SET {sets}")
        }
    }

    /// `a=1,b=2` for the columns that are no keys.
    fn sets(&self, value: &impl Fn(&Target) -> String) -> String {
        self.list(
            self.others()
                .map(|column| format!("{}={}", self.name(column), assigned(column, &value(column)))),
        )
    }

    /// `a=1 AND b=2` for the keys.
    fn by_key(&self, table: &str, value: &impl Fn(&Target) -> String) -> String {
        all_equal(self.keys(), |column| {
            (
                format!("{table}{}", self.name(column)),
                compared(column, &value(column)),
            )
        })
    }

    fn single(&self, value: impl Fn(&Target) -> String) -> String {
        let Self { table, .. } = self;
        match self.verb {
            Verb::Insert | Verb::Upsert => format!(
                "INSERT INTO {table}({}) VALUES({}){}",
                self.names(),
                self.list(self.columns.iter().map(|column| assigned(column, &value(column)))),
                self.on_conflict()
            ),
            Verb::Update => format!(
                "UPDATE {table} SET {} WHERE {}",
                self.sets(&value),
                self.by_key("", &value)
            ),
            Verb::Delete => format!("DELETE FROM {table} WHERE {}", self.by_key("", &value)),
        }
    }

    fn bulk(&self, places: &[Target], value: impl Fn(&Target) -> String) -> String {
        let Self { table, .. } = self;
        let arrays = self.list(places.iter().enumerate().map(|(index, column)| {
            format!("${}::{}", index + 1, array_type(&column.kind, &column.type_name))
        }));
        let names = self.list((1..=places.len()).map(|index| format!("c{index}")));
        let rows = format!("unnest({arrays}) AS {ROWS}({names})");
        match self.verb {
            Verb::Insert | Verb::Upsert => format!(
                "INSERT INTO {table}({}) SELECT {} FROM {rows}{}",
                self.names(),
                self.list(self.columns.iter().map(|column| assigned(column, &value(column)))),
                self.on_conflict()
            ),
            Verb::Update => format!(
                "UPDATE {table} AS wharf_table SET {} FROM {rows} WHERE {}",
                self.sets(&value),
                self.by_key("wharf_table.", &value)
            ),
            Verb::Delete => format!(
                "DELETE FROM {table} AS wharf_table USING {rows} WHERE {}",
                self.by_key("wharf_table.", &value)
            ),
        }
    }
}
