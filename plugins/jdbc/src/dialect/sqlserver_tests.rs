//! Statements for SQL Server as text.

use super::*;
use crate::dialect::dialect;
use crate::dialect::dialect_to_write;
use crate::url::Database;

fn target(slot: usize, name: &str, kind: Kind, type_name: &str, key: bool) -> Target {
    Target {
        slot,
        name: name.to_owned(),
        kind,
        type_name: type_name.to_owned(),
        key,
    }
}

fn made(dialect: &dyn Dialect, verb: Verb, columns: &[Target]) -> Statement {
    let quoting = Quoting {
        quote: dialect.quote(),
        always: true,
    };
    dialect.statement(verb, &TableId::parse("dbo.t", dialect.quote()), columns, quoting)
}

fn statement(verb: Verb) -> Statement {
    let columns = [
        target(0, "id", Kind::Int64, "bigint", true),
        target(1, "name", Kind::Text, "nvarchar", false),
        target(2, "price", Kind::Decimal(2), "decimal", false),
    ];
    made(dialect(Database::SqlServer), verb, &columns)
}

#[test]
fn a_row_or_a_list_of_them_is_written() {
    const INSERT: &str = "INSERT INTO [dbo].[t]([id],[name],[price]) VALUES";
    const MERGE: &str = "MERGE INTO [dbo].[t] WITH (HOLDLOCK) AS target USING (VALUES";
    const UPSERT: &str = ") AS incoming([id],[name],[price]) ON (target.[id]=incoming.[id]) WHEN MATCHED THEN UPDATE SET \
        [name]=incoming.[name],[price]=incoming.[price] WHEN NOT MATCHED THEN INSERT([id],[name],[price]) \
        VALUES(incoming.[id],incoming.[name],incoming.[price]);";
    const UPDATE: &str = ") AS incoming([name],[price],[id]) ON (target.[id]=incoming.[id]) WHEN MATCHED THEN UPDATE SET \
        [name]=incoming.[name],[price]=incoming.[price];";
    const DELETE: &str = ") AS incoming([id]) ON target.[id]=incoming.[id]";
    const ROW: &str = "(?,?,CAST(? AS decimal(38,2)))";
    const ONE: &str = "(@P1,@P2,CAST(@P3 AS decimal(38,2)))";
    for (verb, sql, [before, row, after], places) in [
        (
            Verb::Insert,
            format!("{INSERT}{ONE}"),
            [INSERT, ROW, ""],
            vec![0, 1, 2],
        ),
        (
            Verb::Upsert,
            format!("{MERGE}{ONE}{UPSERT}"),
            [MERGE, ROW, UPSERT],
            vec![0, 1, 2],
        ),
        (
            Verb::Update,
            "UPDATE [dbo].[t] SET [name]=@P1,[price]=CAST(@P2 AS decimal(38,2)) WHERE [id]=@P3".to_owned(),
            [MERGE, "(?,CAST(? AS decimal(38,2)),?)", UPDATE],
            vec![1, 2, 0],
        ),
        (
            Verb::Delete,
            "DELETE FROM [dbo].[t] WHERE [id]=@P1".to_owned(),
            [
                "DELETE target FROM [dbo].[t] AS target INNER JOIN (VALUES",
                "(?)",
                DELETE,
            ],
            vec![0],
        ),
    ] {
        let bulk = Bulk::Rows {
            before: before.to_owned(),
            row: row.to_owned(),
            after: after.to_owned(),
        };
        let made = statement(verb);
        let slots: Vec<usize> = made.places.iter().map(|place| place.slot).collect();
        assert_eq!((made.sql, made.bulk, slots), (sql, Some(bulk), places));
    }
}

#[test]
fn an_upsert_of_keys_alone_changes_nothing_that_is_there() {
    let keys = [
        target(0, "a", Kind::Int32, "int", true),
        target(1, "b]c", Kind::Int32, "int", true),
    ];
    assert_eq!(
        made(dialect(Database::SqlServer), Verb::Upsert, &keys).sql,
        "MERGE INTO [dbo].[t] WITH (HOLDLOCK) AS target USING (VALUES(@P1,@P2)) AS incoming([a],[b]]c]) ON (target.[a]=incoming.[a] \
         AND target.[b]]c]=incoming.[b]]c]) WHEN NOT MATCHED THEN INSERT([a],[b]]c]) VALUES(incoming.[a],incoming.[b]]c]);"
    );
}

#[test]
fn the_lock_of_an_upsert_can_be_left_out() {
    let columns = [target(0, "a", Kind::Int32, "int", true)];
    let upsert = |holdlock| {
        made(
            dialect_to_write(Database::SqlServer, holdlock),
            Verb::Upsert,
            &columns,
        )
        .sql
    };
    assert!(upsert(false).starts_with("MERGE INTO [dbo].[t] AS target USING"));
    assert!(upsert(true).starts_with("MERGE INTO [dbo].[t] WITH (HOLDLOCK) AS target USING"));
}

#[test]
fn keys_of_a_code_page_are_found_by_an_index_and_compared_as_what_they_are() {
    let sql = |kind: Kind, type_name: &str| {
        let columns = [target(0, "k", kind, type_name, true)];
        let made = made(dialect(Database::SqlServer), Verb::Delete, &columns);
        made.sql.split_once(" WHERE ").unwrap().1.to_owned()
    };
    for (kind, type_name, expected) in [
        (
            Kind::Text,
            "varchar",
            "[k]=CAST(@P1 AS varchar(8000)) AND [k]=@P1",
        ),
        (Kind::Int64, "char", "[k]=CAST(@P1 AS varchar(8000)) AND [k]=@P1"),
        (Kind::Text, "nvarchar", "[k]=@P1"),
        (Kind::Bytes, "varchar", "[k]=@P1"),
        (Kind::Text, "uniqueidentifier", "[k]=@P1"),
        (Kind::Timestamp, "datetime", "[k]=CAST(@P1 AS datetime)"),
        (Kind::Timestamp, "smalldatetime", "[k]=CAST(@P1 AS smalldatetime)"),
        (Kind::Timestamp, "datetime2", "[k]=@P1"),
        (Kind::Decimal(50), "decimal", "[k]=CAST(@P1 AS decimal(38,38))"),
        (Kind::Decimal(-2), "int", "[k]=CAST(@P1 AS decimal(38,0))"),
        (Kind::Decimal(2), "nchar", "[k]=@P1"),
    ] {
        assert_eq!(sql(kind.clone(), type_name), expected, "{kind:?} in {type_name}");
    }
}

#[test]
fn every_kind_has_its_type() {
    let dialect = dialect(Database::SqlServer);
    for (kind, expected) in [
        (Kind::Boolean, Some("bit")),
        (Kind::Int8, Some("tinyint")),
        (Kind::Int16, Some("smallint")),
        (Kind::Int32, Some("int")),
        (Kind::Int64, Some("bigint")),
        (Kind::Float32, Some("real")),
        (Kind::Float64, Some("float")),
        (Kind::Text, Some("nvarchar(max)")),
        (Kind::Bytes, Some("varbinary(max)")),
        (Kind::Decimal(4), Some("decimal(38,4)")),
        (Kind::Decimal(-1), Some("decimal(38,0)")),
        (Kind::Date, Some("date")),
        (Kind::Time, Some("time")),
        (Kind::Timestamp, Some("datetime2")),
        (Kind::Array(Box::new(Kind::Int32)), None),
    ] {
        assert_eq!(dialect.column_type(&kind).as_deref(), expected, "{kind:?}");
    }
    for (kind, literal, expected) in [
        (Kind::Boolean, "TRUE", "1"),
        (Kind::Boolean, "FALSE", "0"),
        (Kind::Text, "'it''s'", "N'it''s'"),
        (Kind::Int32, "7", "7"),
    ] {
        assert_eq!(dialect.default_of(&kind, literal.to_owned()), expected);
    }
}

#[test]
fn rows_are_found_by_what_is_read_of_them() {
    let dialect = dialect(Database::SqlServer);
    let datetime = |digits| SourceType::Timestamp { zoned: false, digits };
    assert_eq!(
        dialect.instant("[at]", &datetime(DATETIME_DIGITS)),
        "CAST([at] AS datetime2(7))"
    );
    assert_eq!(
        dialect.instant("[at]", &SourceType::Date),
        "CAST([at] AS datetime2(7))"
    );
    // Those that an index is of.
    assert_eq!(dialect.instant("[at]", &datetime(7)), "[at]");
    assert_eq!(
        dialect.instant(
            "[at]",
            &SourceType::Timestamp {
                zoned: true,
                digits: 7
            }
        ),
        "[at]"
    );
    assert_eq!(
        dialect.is_after(("[at]", "[id]"), ("'x'", 7)),
        "[at] >= 'x' AND ([at] > 'x' OR [id] > 7)"
    );
    let literal = |at, zoned| dialect.instant_literal(at, zoned, &TimeZone::get("Europe/Berlin").unwrap());
    assert_eq!(
        literal((1_782_900_000, 123_456_789), false),
        "CAST('2026-07-01T12:00:00.1234567' AS datetime2(7))"
    );
    assert_eq!(
        literal((1_782_900_000, 123_456_789), true),
        "CAST('2026-07-01T10:00:00.1234567+00:00' AS datetimeoffset(7))"
    );
    assert_eq!(
        literal((i64::MAX, 0), false),
        "CAST('9999-12-31T23:59:59.9999999' AS datetime2(7))"
    );
    assert_eq!(
        literal((i64::MIN, 0), true),
        "CAST('0001-01-01T00:00:00+00:00' AS datetimeoffset(7))"
    );
}
