//! Sessions that a broker ends unless the client proves again who it is, `connections.max.reauth.ms` (KIP-368).

use std::sync::OnceLock;
use std::time::Instant;

use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::protocol::StrBytes;
use wharf_cluster::member::Event;
use wharf_e2e::security::{login, to, trust};
use wharf_membership::{Connection, ConnectionError};
use wharf_test_services::{CertificateFile, KafkaOptions, SecuredListener, Security};

use super::*;

/// No client may authenticate again within a second.
const LIFETIME: Duration = Duration::from_secs(2);
const PERIODS: u32 = 3;

/// A broker that ends sessions, and offers two mechanisms.
fn strict() -> Option<&'static Security> {
    static SHARED: OnceLock<Option<KafkaBroker>> = OnceLock::new();
    let broker = SHARED.get_or_init(|| {
        let properties = [
            ("connections.max.reauth.ms", LIFETIME.as_millis().to_string()),
            ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-512".to_owned()),
        ];
        KafkaBroker::for_test_with(&KafkaOptions {
            properties: properties.map(|(key, value)| (key.to_owned(), value)).into(),
            secured: true,
            ..KafkaOptions::default()
        })
    });
    broker.as_ref()?.security()
}

fn by_password(security: &Security, mechanism: &str) -> ConnectionSettings {
    let settings = [
        to(security, SecuredListener::SaslSsl, "SASL_SSL"),
        trust(security, CertificateFile::Authority),
        login(mechanism, Security::PASSWORD),
    ];
    connection(&settings.concat()).unwrap()
}

async fn ask(connection: &mut Connection) -> Result<(), ConnectionError> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("test"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let answer = connection.send(&request, 3, None).await?;
    assert_eq!(answer.error_code, 0);
    Ok(())
}

#[test]
fn a_session_that_is_renewed_lasts_and_one_that_is_not_is_dropped() {
    let Some(security) = strict() else {
        return;
    };
    let settings = by_password(security, "SCRAM-SHA-512");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let address = &settings.bootstrap[0];
        let mut renewed = Connection::open(address, &settings).await.unwrap();
        let mut forgotten = Connection::open(address, &settings).await.unwrap();
        let begun = Instant::now();
        let (mut renewals, mut end) = (0, None);
        while renewals < PERIODS || end.is_none() {
            assert!(begun.elapsed() < PATIENCE, "{renewals} renewals, {end:?}");
            if renewed.is_renewal_due() {
                renewed.renew().await.unwrap();
                assert!(!renewed.is_renewal_due());
                renewals += 1;
            }
            ask(&mut renewed).await.unwrap();
            if end.is_none() {
                end = ask(&mut forgotten).await.err();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(matches!(end, Some(ConnectionError::Lost { .. })), "{end:?}");
    });
}

#[test]
fn a_member_stays_in_its_generation_over_several_sessions() {
    let Some(security) = strict() else {
        return;
    };
    std::thread::scope(|scope| {
        for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
            scope.spawn(move || {
                let member = Member::start(
                    &by_password(security, mechanism),
                    &fresh_group(mechanism),
                    "http://one:8083/",
                    ConnectProtocol::Sessioned,
                );
                let joined = member.leads_alone();
                let heartbeats = member.beats_until(Instant::now() + LIFETIME * (PERIODS + 1));
                assert!(heartbeats > 0);
                assert!(member.client.lease().hold().is_valid());
                let again = member.leads_alone();
                assert_eq!(again.member_id, joined.member_id);
                assert_eq!(again.generation, joined.generation + 1);
                member.client.close("test is over");
            });
        }
    });
}

#[test]
fn a_session_may_end_while_the_join_waits_for_another_member() {
    let Some(security) = strict() else {
        return;
    };
    let group = fresh_group("waiting");
    let start = |url| {
        let connection = by_password(security, "SCRAM-SHA-512");
        Member::start(&connection, &group, url, ConnectProtocol::Eager)
    };
    let first = start("http://one:8083/");
    let alone = first.leads_alone();
    let second = start("http://two:8083/");
    second.client.rejoin("test");
    // The first join only gives it an id.
    second.sends_join();
    let waits_since = second.sends_join();
    // The first one lets go of its work only when the session of the second one is over.
    assert!(matches!(first.next(), Event::Prepare { revoke_all: true }));
    first.ignores_until(waits_since + LIFETIME * 2);
    first.client.set_metadata(5, None);
    first.client.prepared();
    let elected = first.elected();
    assert_eq!(elected.members.len(), 2);
    assert_eq!(elected.generation, alone.generation + 1);
    first.assign(&elected);
    for member in [&first, &second] {
        assert_eq!(member.joined().generation, elected.generation);
    }
    for member in [&first, &second] {
        assert!(member.beats_until(Instant::now() + LIFETIME) > 0);
        assert!(member.client.lease().hold().is_valid());
    }
}

#[test]
fn a_mechanism_that_the_broker_lacks_is_named_with_those_that_it_has() {
    let Some(security) = strict() else {
        return;
    };
    let member = Member::start(
        &by_password(security, "SCRAM-SHA-256"),
        &fresh_group("mechanism"),
        "http://one:8083/",
        ConnectProtocol::Sessioned,
    );
    let error = member.is_refused();
    let text = error.to_string();
    assert!(!error.is_retriable(), "{text}");
    for word in [
        "refused the authentication by SCRAM-SHA-256",
        "PLAIN",
        "SCRAM-SHA-512",
        "set sasl.mechanism to one of these",
    ] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}
