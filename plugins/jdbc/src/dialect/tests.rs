//! Statements as text: each verb in each database, tables made and extended.

use std::sync::Arc;

use super::*;
use crate::sink::config::SinkConfig;
use crate::sink::shape::Shape;
use wharf_api::batch::RecordBatchRef;
use wharf_api::flat::SchemaCache;
use wharf_api::{Record, RecordBatch, Schema, SchemaBuilder, Struct, Value, logical};
use wharf_testkit::config;

fn target(slot: usize, name: &str, kind: Kind, type_name: &str, key: bool) -> Target {
    Target {
        slot,
        name: name.to_owned(),
        kind,
        type_name: type_name.to_owned(),
        key,
    }
}

fn statement(database: Database, verb: Verb) -> Statement {
    let dialect = dialect(database);
    let quoting = Quoting {
        quote: dialect.quote(),
        always: true,
    };
    let columns = [
        target(0, "id", Kind::Int64, "bigint", true),
        target(1, "name", Kind::Text, "character varying", false),
        target(2, "tags", Kind::Text, "jsonb", false),
    ];
    dialect.statement(
        verb,
        &TableId::parse("shop.t", dialect.quote()),
        &columns,
        quoting,
    )
}

#[test]
fn postgres_writes_a_row() {
    for (verb, sql) in [
        (
            Verb::Insert,
            r#"INSERT INTO "shop"."t"("id","name","tags") VALUES($1,$2,CAST($3 AS jsonb))"#,
        ),
        (
            Verb::Upsert,
            r#"INSERT INTO "shop"."t"("id","name","tags") VALUES($1,$2,CAST($3 AS jsonb)) ON CONFLICT("id") DO UPDATE SET "name"=EXCLUDED."name","tags"=EXCLUDED."tags""#,
        ),
        (
            Verb::Update,
            r#"UPDATE "shop"."t" SET "name"=$2,"tags"=CAST($3 AS jsonb) WHERE "id"=$1"#,
        ),
        (Verb::Delete, r#"DELETE FROM "shop"."t" WHERE "id"=$1"#),
    ] {
        assert_eq!(statement(Database::Postgres, verb).sql, sql);
    }
}

#[test]
fn postgres_writes_many_rows_from_arrays() {
    for (verb, sql) in [
        (
            Verb::Upsert,
            r#"INSERT INTO "shop"."t"("id","name","tags") SELECT wharf_rows.c1,wharf_rows.c2,CAST(wharf_rows.c3 AS jsonb) FROM unnest($1::int8[],$2::text[],$3::text[]) AS wharf_rows(c1,c2,c3) ON CONFLICT("id") DO UPDATE SET "name"=EXCLUDED."name","tags"=EXCLUDED."tags""#,
        ),
        (
            Verb::Delete,
            r#"DELETE FROM "shop"."t" AS wharf_table USING unnest($1::int8[]) AS wharf_rows(c1) WHERE wharf_table."id"=wharf_rows.c1"#,
        ),
    ] {
        assert_eq!(
            statement(Database::Postgres, verb).bulk,
            Some(Bulk::Arrays(sql.to_owned()))
        );
    }
}

#[test]
fn mysql_writes_one_row_or_a_list_of_them() {
    const ACTION: &str = " ON DUPLICATE KEY UPDATE `id`=IF(`id`=VALUES(`id`),`id`,IF(1/(NOT `id`<=>`id`) IS NULL,`id`,`id`)),\
        `name`=VALUES(`name`),`tags`=VALUES(`tags`)";
    const INSERT: &str = "INSERT INTO `shop`.`t`(`id`,`name`,`tags`) VALUES";
    let of = |before: &str, row: &str, after: &str| {
        Some(Bulk::Rows {
            before: before.to_owned(),
            row: row.to_owned(),
            after: after.to_owned(),
        })
    };
    for (verb, sql, bulk, places) in [
        (
            Verb::Insert,
            format!("{INSERT}(?,?,?)"),
            of(INSERT, "(?,?,?)", ""),
            vec![0, 1, 2],
        ),
        (
            Verb::Upsert,
            format!("{INSERT}(?,?,?){ACTION}"),
            of(INSERT, "(?,?,?)", ACTION),
            vec![0, 1, 2],
        ),
        (
            Verb::Update,
            "UPDATE `shop`.`t` SET `name`=?,`tags`=? WHERE `id`=?".to_owned(),
            None,
            vec![1, 2, 0],
        ),
        (
            Verb::Delete,
            "DELETE FROM `shop`.`t` WHERE `id`=?".to_owned(),
            of("DELETE FROM `shop`.`t` WHERE (`id`) IN (", "(?)", ")"),
            vec![0],
        ),
    ] {
        let made = statement(Database::MySql, verb);
        let slots: Vec<usize> = made.places.iter().map(|place| place.slot).collect();
        assert_eq!((made.sql, made.bulk, slots), (sql, bulk, places));
    }
}

#[test]
fn an_insert_passes_over_a_row_that_is_there_and_the_same() {
    let columns = [
        target(0, "id", Kind::Int64, "bigint", true),
        target(1, "doc", Kind::Text, "json", false),
    ];
    let of = |database: Database, columns: &[Target]| {
        let dialect = dialect(database);
        let quoting = Quoting {
            quote: dialect.quote(),
            always: false,
        };
        let table = TableId::parse("t", dialect.quote());
        let unique = ["id".to_owned()];
        dialect.insert_unless_there(&table, columns, &unique, quoting)
    };
    let made = of(Database::Postgres, &columns).unwrap();
    const ACTION: &str = " ON CONFLICT(id) DO UPDATE SET id=EXCLUDED.id WHERE 1/(CASE WHEN \
        CAST(wharf_table.id AS text) COLLATE \"C\" IS NOT DISTINCT FROM CAST(EXCLUDED.id AS text) COLLATE \"C\" AND \
        CAST(wharf_table.doc AS text) COLLATE \"C\" IS NOT DISTINCT FROM CAST(EXCLUDED.doc AS text) COLLATE \"C\" \
        THEN 1 ELSE 0 END)<>1";
    let insert = "INSERT INTO t AS wharf_table(id,doc)";
    assert_eq!(made.sql, format!("{insert} VALUES($1,CAST($2 AS json)){ACTION}"));
    let rows = "SELECT wharf_rows.c1,CAST(wharf_rows.c2 AS json) FROM unnest($1::int8[],$2::text[]) AS wharf_rows(c1,c2)";
    assert_eq!(made.bulk, Some(Bulk::Arrays(format!("{insert} {rows}{ACTION}"))));
    assert_eq!(made.verb, Verb::Insert);
    // The index may take other values for the same.
    let by_key = of(Database::Postgres, &columns[..1]).unwrap();
    let action = " ON CONFLICT(id) DO UPDATE SET id=EXCLUDED.id WHERE 1/(CASE WHEN CAST(wharf_table.id AS text) COLLATE \"C\" IS NOT \
        DISTINCT FROM CAST(EXCLUDED.id AS text) COLLATE \"C\" THEN 1 ELSE 0 END)<>1";
    assert!(by_key.sql.ends_with(action), "{}", by_key.sql);

    assert_eq!(
        of(Database::Sqlite, &columns).unwrap().sql,
        "INSERT INTO t(id,doc) SELECT ?1,?2 WHERE NOT EXISTS (SELECT 1 FROM t WHERE id = ?1 AND doc IS ?2 AND doc COLLATE BINARY IS ?2)"
    );
    let made = of(Database::MySql, &columns).unwrap();
    let action = " ON DUPLICATE KEY UPDATE id=IF(CAST(id AS BINARY)<=>CAST(VALUES(id) AS BINARY) AND \
        CAST(CAST(doc AS CHAR) AS BINARY)<=>CAST(CAST(VALUES(doc) AS CHAR) AS BINARY),id,IF(1/(NOT id<=>id) IS NULL,id,id))";
    assert_eq!(made.sql, format!("INSERT INTO t(id,doc) VALUES(?,?){action}"));
    assert!(matches!(made.bulk, Some(Bulk::Rows { after, .. }) if after == action));
    // A float's text has six digits.
    let made = of(Database::MySql, &[target(0, "id", Kind::Float32, "float", true)]).unwrap();
    let action = "id=IF(CAST(id AS BINARY)<=>CAST(VALUES(id) AS BINARY) AND id<=>VALUES(id),id,";
    assert!(made.sql.contains(action), "{}", made.sql);
    assert_eq!(of(Database::SqlServer, &columns), None);
}

#[test]
fn updates_by_keys_with_an_equality_of_their_own_go_row_by_row_in_postgres() {
    let dialect = dialect(Database::Postgres);
    let quoting = Quoting {
        quote: dialect.quote(),
        always: false,
    };
    for (kind, type_name, is_bulk) in [
        (Kind::Int64, "bigint", true),
        (Kind::Int64, "double precision", false),
        (Kind::Decimal(2), "numeric", true),
        (Kind::Float64, "numeric", false),
        (Kind::Float64, "double precision", false),
        (Kind::Timestamp, "timestamp without time zone", false),
        (Kind::Text, "text", true),
        (Kind::Text, postgres::FOLDED_TEXT, false),
        (Kind::Text, "uuid", false),
        (Kind::Date, "date", true),
    ] {
        let columns = [
            target(0, "id", kind.clone(), type_name, true),
            target(1, "n", Kind::Int32, "integer", false),
        ];
        let made = dialect.statement(
            Verb::Update,
            &TableId::parse("t", dialect.quote()),
            &columns,
            quoting,
        );
        assert_eq!(made.bulk.is_some(), is_bulk, "{kind:?} {type_name}");
    }
}

#[test]
fn numbers_that_come_as_texts_are_compared_as_numbers_in_mysql() {
    let dialect = dialect(Database::MySql);
    let quoting = Quoting {
        quote: dialect.quote(),
        always: false,
    };
    let columns = [target(0, "id", Kind::Text, "bigint", true)];
    let made = dialect.statement(
        Verb::Delete,
        &TableId::parse("t", dialect.quote()),
        &columns,
        quoting,
    );
    assert_eq!(made.sql, "DELETE FROM t WHERE id=CAST(? AS DECIMAL(65,30))");
    assert_eq!(made.bulk, None);
}

#[test]
fn rows_behind_a_position_are_found_by_an_index_in_mysql() {
    let condition = |database| dialect(database).is_after(("at", "id"), ("'x'", 7));
    assert_eq!(condition(Database::Postgres), "(at, id) > ('x', 7)");
    assert_eq!(condition(Database::MySql), "at >= 'x' AND (at > 'x' OR id > 7)");
    let literal = |zoned| {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        dialect(Database::MySql).instant_literal((1_782_900_000, 123_456_789), zoned, &zone)
    };
    assert_eq!(literal(false), "TIMESTAMP '2026-07-01 12:00:00.123456'");
    assert_eq!(literal(true), "TIMESTAMP '2026-07-01 10:00:00.123456'");
}

#[test]
fn sqlite_writes_a_row_and_keeps_columns_that_the_record_does_not_have() {
    for (verb, sql, places) in [
        (
            Verb::Insert,
            "INSERT INTO `shop`.`t`(`id`,`name`,`tags`) VALUES(?,?,?)",
            vec![0, 1, 2],
        ),
        (
            Verb::Upsert,
            "INSERT INTO `shop`.`t`(`id`,`name`,`tags`) VALUES(?,?,?) ON CONFLICT(`id`) DO UPDATE SET `name`=excluded.`name`,`tags`=excluded.`tags`",
            vec![0, 1, 2],
        ),
        (
            Verb::Update,
            "UPDATE `shop`.`t` SET `name`=?,`tags`=? WHERE `id`=?",
            vec![1, 2, 0],
        ),
        (Verb::Delete, "DELETE FROM `shop`.`t` WHERE `id`=?", vec![0]),
    ] {
        let made = statement(Database::Sqlite, verb);
        let slots: Vec<usize> = made.places.iter().map(|place| place.slot).collect();
        assert_eq!((made.sql.as_str(), slots), (sql, places));
    }
}

/// The columns of a record with one field of every type.
fn columns(more: &[(&str, &str)]) -> Vec<Column> {
    let schema = SchemaBuilder::structure()
        .field("id", Schema::int32())
        .field("flag", Schema::optional_boolean())
        .field(
            "label",
            SchemaBuilder::string().default_value("it's").build().unwrap(),
        )
        .field("price", logical::decimal(2))
        .field("at", logical::optional_timestamp())
        .build()
        .unwrap();
    let mut value = Struct::new(Arc::clone(&schema)).unwrap();
    value.put("id", 1).unwrap();
    value
        .put("price", Value::Decimal(wharf_api::Decimal::new(1, 2)))
        .unwrap();
    let mut record = Record::source("t".to_owned(), None, None);
    record.value_schema = Some(schema);
    record.value = Value::from(value);
    let mut batch = RecordBatch::new();
    batch.push_record(&record).unwrap();
    let mut cache = SchemaCache::default();
    let batch = RecordBatchRef::parse(batch.finish().unwrap(), &mut cache).unwrap();
    let mut all = vec![
        ("connection.url", "jdbc:sqlite:x"),
        ("pk.mode", "record_value"),
        ("pk.fields", "id"),
    ];
    all.extend(more);
    let config = SinkConfig::of(&config(all)).unwrap();
    let record = batch.iter().next().unwrap().unwrap();
    Shape::of(&record, &config).unwrap().columns
}

#[test]
fn tables_are_made_from_the_fields() {
    for (database, expected) in [
        (
            Database::Postgres,
            "CREATE TABLE \"t\" (\n\"id\" INT NOT NULL,\n\"flag\" BOOLEAN NULL,\n\"label\" TEXT DEFAULT 'it''s' NOT NULL,\n\
             \"price\" DECIMAL NOT NULL,\n\"at\" TIMESTAMP NULL,\nPRIMARY KEY(\"id\")\n)",
        ),
        (
            Database::MySql,
            "CREATE TABLE `t` (\n`id` INT NOT NULL,\n`flag` TINYINT NULL,\n`label` TEXT DEFAULT ('it''s') NOT NULL,\n\
             `price` DECIMAL(65,2) NOT NULL,\n`at` DATETIME(3) NULL,\nPRIMARY KEY(`id`)\n)",
        ),
        (
            Database::SqlServer,
            "CREATE TABLE [t] (\n[id] int NOT NULL,\n[flag] bit NULL,\n[label] nvarchar(max) DEFAULT N'it''s' NOT NULL,\n\
             [price] decimal(38,2) NOT NULL,\n[at] datetime2 NULL,\nPRIMARY KEY([id])\n)",
        ),
        (
            Database::Sqlite,
            "CREATE TABLE `t` (\n`id` INTEGER NOT NULL,\n`flag` INTEGER NULL,\n`label` TEXT DEFAULT 'it''s' NOT NULL,\n\
             `price` NUMERIC NOT NULL,\n`at` NUMERIC NULL,\nPRIMARY KEY(`id`)\n)",
        ),
    ] {
        let dialect = dialect(database);
        let quoting = Quoting {
            quote: dialect.quote(),
            always: true,
        };
        let table = TableId::parse("t", dialect.quote());
        assert_eq!(
            create_table(dialect, &table, &columns(&[]), quoting).unwrap(),
            expected
        );
    }
}

#[test]
fn only_columns_that_old_rows_can_have_are_added() {
    let columns = columns(&[]);
    let by_name = |name: &str| columns.iter().find(|column| column.name == name).unwrap();
    let dialect = dialect(Database::Sqlite);
    let quoting = Quoting {
        quote: dialect.quote(),
        always: true,
    };
    let table = TableId::parse("t", dialect.quote());
    let added = add_columns(dialect, &table, &[by_name("flag"), by_name("label")], quoting).unwrap();
    assert_eq!(
        added,
        [
            "ALTER TABLE `t` ADD COLUMN `flag` INTEGER NULL",
            "ALTER TABLE `t` ADD COLUMN `label` TEXT DEFAULT 'it''s' NOT NULL"
        ]
    );
    let sqlserver = super::dialect(Database::SqlServer);
    let brackets = Quoting {
        quote: sqlserver.quote(),
        always: true,
    };
    assert_eq!(
        add_columns(sqlserver, &table, &[by_name("flag"), by_name("label")], brackets).unwrap(),
        ["ALTER TABLE [t]\nADD [flag] bit NULL,\n[label] nvarchar(max) DEFAULT N'it''s' NOT NULL"]
    );
    let refused = add_columns(dialect, &table, &[by_name("price")], quoting).unwrap_err();
    assert!(
        refused
            .message()
            .contains("column 'price' cannot be added to table t"),
        "{refused}"
    );
}
