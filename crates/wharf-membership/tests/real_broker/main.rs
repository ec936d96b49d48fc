//! Membership in a group of a real broker.

mod member;
mod plain;
mod reauthentication;
mod refused;
mod secured;
mod tokens;

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_cluster::protocol::ConnectProtocol;
use wharf_e2e::security::Settings;
use wharf_kafka::{ClientKind, translate};
use wharf_membership::ConnectionSettings;
use wharf_test_services::KafkaBroker;

use self::member::Member;

const PATIENCE: Duration = Duration::from_secs(30);

fn plain(bootstrap: &str) -> ConnectionSettings {
    connection(&vec![("bootstrap.servers", bootstrap.to_owned())]).unwrap()
}

/// Java's settings as a worker reads them; errors are what its user is told.
fn connection(settings: &Settings) -> Result<ConnectionSettings, Vec<String>> {
    let mut properties: BTreeMap<String, String> = settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    properties.insert("client.id".to_owned(), "connect-test".to_owned());
    let translated = translate(ClientKind::Admin, &properties)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    ConnectionSettings::from_properties(&translated.librdkafka).map_err(|error| vec![error.to_string()])
}

fn fresh_group(what: &str) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("connect-{what}-{now}")
}
