//! PostgreSQL over TLS: what each `sslmode` asks of the server, and what the server asks of a client.

use wharf_api::{Result, Value};
use wharf_test_services::postgres::{POSTGRES_KNOWN_USER, POSTGRES_USER};
use wharf_test_services::{CertificateFile, Postgres, available};

use super::common::source::{field, started};
use super::common::{Database, record};

#[test]
fn a_server_proves_who_it_is_where_the_url_asks_for_it_and_so_does_a_client() {
    let Some((server, certificates)) = available(Postgres::start_secured()) else {
        return;
    };
    let database = Database::Postgres {
        url: server.url(),
        schema: "public".to_owned(),
    };
    database.query(&format!("CREATE USER {POSTGRES_KNOWN_USER}"));
    let path = |file| certificates.path(file).display().to_string();
    let (authority, stranger) = (path(CertificateFile::Authority), path(CertificateFile::Stranger));
    // The version of TLS that the connection has.
    let attempt = |host: &str, user: &str, parameters: &str| -> Result<String> {
        let url = format!(
            "jdbc:postgresql://{host}:{}/postgres?user={user}&{parameters}",
            server.port()
        );
        let more = [
            ("connection.url", url.as_str()),
            ("mode", "bulk"),
            (
                "query",
                "SELECT coalesce(version, 'none') AS x FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            ),
            ("query.retry.attempts", "0"),
            ("connection.attempts", "1"),
        ];
        let mut harness = started(&database, &more);
        let read = harness.poll_for(1);
        harness.stop().unwrap();
        read.map(|mut records| match field(&records.remove(0), "x") {
            Value::String(text) => text.clone(),
            other => panic!("{other:?}"),
        })
    };
    let (named, unnamed) = ("127.0.0.1", "127.0.0.2");
    let of_client = format!(
        "sslcert={}&sslkey={}",
        path(CertificateFile::ClientChain),
        path(CertificateFile::ClientKey)
    );
    for (host, user, parameters) in [
        (named, POSTGRES_USER, "application_name=x".to_owned()),
        (named, POSTGRES_USER, "sslmode=prefer".to_owned()),
        (named, POSTGRES_USER, "sslmode=require".to_owned()),
        (
            unnamed,
            POSTGRES_USER,
            format!("sslmode=require&sslrootcert={stranger}"),
        ),
        (
            named,
            POSTGRES_USER,
            format!("sslmode=verify-ca&sslrootcert={authority}"),
        ),
        (
            unnamed,
            POSTGRES_USER,
            format!("sslmode=verify-ca&sslrootcert={authority}"),
        ),
        (
            named,
            POSTGRES_USER,
            format!("sslmode=verify-full&sslrootcert={authority}"),
        ),
        (
            "localhost",
            POSTGRES_USER,
            format!("ssl=true&sslrootcert={authority}"),
        ),
        (
            named,
            POSTGRES_KNOWN_USER,
            format!("sslmode=verify-full&sslrootcert={authority}&{of_client}"),
        ),
        (named, POSTGRES_KNOWN_USER, format!("sslmode=require&{of_client}")),
    ] {
        let version =
            attempt(host, user, &parameters).unwrap_or_else(|e| panic!("{host} {parameters}: {e:#}"));
        assert!(version.starts_with("TLS"), "{host} {parameters}: {version}");
    }
    assert_eq!(attempt(named, POSTGRES_USER, "sslmode=disable").unwrap(), "none");

    let certificate = "certificate verify failed";
    for (host, user, parameters, said) in [
        (named, POSTGRES_USER, "sslmode=verify-ca".to_owned(), certificate),
        (
            named,
            POSTGRES_USER,
            "sslmode=verify-full".to_owned(),
            certificate,
        ),
        (named, POSTGRES_USER, "ssl=true".to_owned(), certificate),
        (
            named,
            POSTGRES_USER,
            format!("sslmode=verify-ca&sslrootcert={stranger}"),
            certificate,
        ),
        (
            named,
            POSTGRES_USER,
            format!("sslmode=verify-full&sslrootcert={stranger}"),
            certificate,
        ),
        // Another host than the certificate's.
        (
            unnamed,
            POSTGRES_USER,
            format!("sslmode=verify-full&sslrootcert={authority}"),
            certificate,
        ),
        (
            named,
            POSTGRES_USER,
            "sslmode=verify-full&sslrootcert=/nowhere.pem".to_owned(),
            "sslrootcert=/nowhere.pem",
        ),
        (
            named,
            POSTGRES_USER,
            "sslmode=sometimes".to_owned(),
            "sslmode=sometimes is not known",
        ),
        (
            named,
            POSTGRES_USER,
            "sslmode=require&sslfactory=org.example.Trusting".to_owned(),
            "sslfactory",
        ),
        // Nobody without a certificate, or with one and without TLS, is this user.
        (
            named,
            POSTGRES_KNOWN_USER,
            "sslmode=require".to_owned(),
            "certificate",
        ),
        (
            named,
            POSTGRES_KNOWN_USER,
            format!("sslmode=disable&{of_client}"),
            "pg_hba.conf",
        ),
        (
            named,
            POSTGRES_USER,
            format!("sslmode=require&sslcert={}", path(CertificateFile::ClientChain)),
            "sslkey",
        ),
    ] {
        let Err(error) = attempt(host, user, &parameters) else {
            panic!("{host} {parameters} is let in");
        };
        let whole = format!("{error:#}");
        assert!(whole.contains(said), "{host} {parameters}: {whole}");
    }

    // A sink is told the same, and tries no other way.
    let url = format!("{}&sslmode=verify-full&sslrootcert={stranger}", server.url());
    let mut sink = database.sink(&[("connection.url", &url), ("auto.create", "true")]);
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(format!("{error:#}").contains(certificate), "{error:#}");
    let url = format!("{}&sslmode=verify-full&sslrootcert={authority}", server.url());
    let mut sink = database.sink(&[("connection.url", &url), ("auto.create", "true")]);
    sink.put(&[record(0, 1, None, None)]).unwrap();
    assert_eq!(database.lines("SELECT id FROM t"), ["1"]);
}
