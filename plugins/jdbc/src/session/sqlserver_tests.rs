//! A connection to a server that answers what a test wants.

#[path = "../../tests/common/sqlserver.rs"]
#[allow(dead_code, reason = "other tests ask for more")]
mod fake;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::dialect::{Target, Verb};
use crate::sink::cell::{Cell, Kind};
use fake::{Server, done, error, login_ack, number, texts};

fn config(url: &str) -> ConnectionConfig {
    let def = crate::connection_config::define(wharf_api::config::ConfigDef::new());
    let config = wharf_testkit::config([
        ("connection.url", url),
        ("connection.user", "sa"),
        ("connection.password", "secret"),
        ("connection.attempts", "1"),
    ]);
    ConnectionConfig::of(&def.parse(&config).unwrap()).unwrap()
}

fn connected_to(server: &Server) -> SqlServerSession {
    session(&config(&server.url()), Arc::new(|_| false)).unwrap()
}

fn refused(url: &str) -> Failure {
    connect(&config(url), Arc::new(|_| false)).map(drop).unwrap_err()
}

fn target(name: &str, key: bool) -> Target {
    Target {
        slot: 0,
        name: name.to_owned(),
        kind: Kind::Int32,
        type_name: "int".to_owned(),
        key,
    }
}

fn insert(columns: &[Target]) -> Statement {
    let dialect = crate::dialect::dialect(crate::url::Database::SqlServer);
    let quoting = Quoting {
        quote: dialect.quote(),
        always: true,
    };
    dialect.statement(
        Verb::Insert,
        &TableId::parse("dbo.t", dialect.quote()),
        columns,
        quoting,
    )
}

/// Rows of one number each, and where they begin.
fn numbers(count: i64) -> (Rows, Vec<usize>) {
    let mut rows = Rows::default();
    let starts = (0..count)
        .map(|number| {
            let start = rows.begin(1).start;
            rows.set(start, Cell::Integer(number));
            start
        })
        .collect();
    (rows, starts)
}

#[test]
fn a_closed_port_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for url in [
        format!("jdbc:sqlserver://127.0.0.1:{free};databaseName=shop"),
        format!("jdbc:mysql://127.0.0.1:{free}/shop"),
    ] {
        let config = config(&url);
        let stop: Stop = Arc::new(|_| false);
        let failed = match config.url.database {
            crate::url::Database::SqlServer => connect(&config, Arc::clone(&stop)).map(drop),
            _ => super::super::mysql::connect(&config, Arc::clone(&stop)).map(drop),
        };
        let failure = failed.unwrap_err();
        assert!(failure.is(Trouble::Unreachable), "{failure}");
        assert!(failure.to_error().is_retriable());
        assert!(failure.message.contains("Connection refused"), "{failure}");
    }
}

#[test]
fn a_session_is_set_up_and_asked() {
    let server = Server::start(login_ack(), |sql| {
        Some(match sql {
            _ if sql.contains("sys.indexes") => texts(&[&["pk", "id"], &["other", "a"], &["other", "b"]]),
            _ if sql.contains("sys.columns") => texts(&[&["id", "int"], &["a", "nvarchar"], &["b", "xml"]]),
            _ => done(0),
        })
    });
    let mut session = connected_to(&server);
    let quoting = Quoting {
        quote: crate::dialect::dialect(crate::url::Database::SqlServer).quote(),
        always: false,
    };
    let id = TableId::parse("shop.dbo.t", quoting.quote);
    let table = session.describe(&id, quoting).unwrap().unwrap();
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.type_name.as_str()))
        .collect();
    assert_eq!(columns, [("id", "int"), ("a", "nvarchar"), ("b", "xml")]);
    assert_eq!(table.unique, [vec!["id"], vec!["a", "b"]]);
    session.begin().unwrap();
    session.commit().unwrap();
    let asked = server.asked();
    assert_eq!(asked[0], format!("{SETTINGS}; SET LOCK_TIMEOUT 300000"));
    assert!(
        asked[1].contains("FROM [shop].sys.columns") && asked[1].contains("[shop].[dbo].[t]"),
        "{}",
        asked[1]
    );
    assert_eq!(asked[3..], ["BEGIN TRANSACTION", "COMMIT TRANSACTION"]);
}

#[test]
fn a_server_that_is_not_trusted_is_told_from_one_that_is_away() {
    let server = Server::start(login_ack(), |_| Some(done(0)));
    for more in [
        ";hostNameInCertificate=other.example",
        ";trustServerCertificate=true;hostNameInCertificate=x",
    ] {
        let failure = refused(&format!("{}{more}", server.url()));
        assert!(failure.is(Trouble::Statement), "{failure}");
        assert!(
            failure
                .message
                .contains("the server's certificate is not trusted"),
            "{failure}"
        );
        assert!(failure.message.contains("hostNameInCertificate"), "{failure}");
    }
    let unknown = format!("jdbc:sqlserver://127.0.0.1:{};encrypt=strict", server.port);
    let failure = refused(&unknown);
    assert!(
        failure.message.contains("name its authority by trustStore"),
        "{failure}"
    );
}

#[test]
fn a_login_that_is_refused_is_the_users_matter() {
    let server = Server::start(error(18456, 14, "Login failed for user 'sa'."), |_| None);
    let failure = refused(&server.url());
    assert!(failure.is(Trouble::Permission), "{failure}");
    assert_eq!(failure.to_string(), "Login failed for user 'sa'. [18456]");
}

#[test]
fn the_row_that_is_refused_is_named() {
    let server = Server::start(login_ack(), {
        let count = Mutex::new(0);
        move |_| {
            let mut count = count.lock().unwrap();
            *count += 1;
            Some(match *count {
                3 => error(2627, 14, "Violation of PRIMARY KEY constraint 'pk'."),
                _ => done(0),
            })
        }
    });
    let (rows, starts) = numbers(5);
    let failed = connected_to(&server)
        .write(&insert(&[target("id", true)]), &rows, &starts)
        .unwrap_err();
    assert_eq!(failed.row, Some(2));
    assert!(failed.failure.is(Trouble::Data));
    assert_eq!(failed.failure.code.as_deref(), Some("2627"));
    assert_eq!(server.asked().len(), 1 + 3);
}

#[test]
fn many_rows_go_in_lists_that_the_server_takes() {
    let server = Server::start(login_ack(), |_| Some(done(0)));
    let (rows, starts) = numbers(2_005);
    let statement = insert(&[target("id", true)]);
    connected_to(&server)
        .write_bulk(&statement, &rows, &starts)
        .unwrap();
    let places: Vec<usize> = server.asked()[1..]
        .iter()
        .map(|sql| sql.matches("(@P").count())
        .collect();
    assert_eq!(places, [1_000, 1_000, 4, 1]);
    let wide: Vec<Target> = (0..1_000).map(|at| target(&format!("c{at}"), false)).collect();
    let (rows, starts) = numbers(5);
    let server = Server::start(login_ack(), |_| Some(done(0)));
    connected_to(&server)
        .write_bulk(&insert(&wide), &rows, &starts)
        .unwrap();
    assert_eq!(server.asked().len(), 1 + 3);
    assert_eq!(
        listed(
            &Bulk::Rows {
                before: "INSERT INTO [what?] VALUES".to_owned(),
                row: "(?,CAST(? AS datetime))".to_owned(),
                after: ";".to_owned()
            },
            2
        ),
        "INSERT INTO [what?] VALUES(@P1,CAST(@P2 AS datetime)),(@P3,CAST(@P4 AS datetime));"
    );
}

#[test]
fn it_is_known_whether_the_transaction_is_still_there() {
    for (answer, is_whole) in [(1, true), (0, false)] {
        let server = Server::start(login_ack(), move |sql| {
            Some(if sql.contains("XACT_STATE") {
                number(answer)
            } else {
                done(0)
            })
        });
        let mut session = connected_to(&server);
        session.set_savepoint().unwrap();
        assert_eq!(session.back_to_savepoint().unwrap(), is_whole);
    }
}

#[test]
fn a_statement_is_cancelled_when_the_task_is_to_stop() {
    let server = Server::start(login_ack(), |_| None);
    // As soon as the server has the statement.
    let is_asked = server.is_asked("WAITFOR");
    let stop: Stop = Arc::new(move |_: Duration| is_asked());
    let mut session = session(&config(&server.url()), stop).unwrap();
    let failure = session.execute("WAITFOR").unwrap_err();
    assert!(failure.is(Trouble::Cancelled), "{failure}");
    assert!(server.has_seen_attention());
}

#[test]
fn a_column_that_records_have_no_field_for_is_no_rows_fault() {
    for (column, trouble) in [("id", Trouble::Data), ("other", Trouble::Statement)] {
        let said = format!(
            "Cannot insert the value NULL into column '{column}', table 'shop.dbo.t'; column does not allow nulls. INSERT fails."
        );
        let server = Server::start(login_ack(), move |_| Some(error(515, 16, &said)));
        let (rows, starts) = numbers(1);
        let statement = insert(&[target("id", true)]);
        let failed = connected_to(&server)
            .write(&statement, &rows, &starts)
            .unwrap_err();
        assert!(failed.failure.is(trouble), "{}", failed.failure);
        let failure = connected_to(&server)
            .write_bulk(&statement, &rows, &starts)
            .unwrap_err();
        assert!(failure.is(trouble), "{failure}");
    }
}
