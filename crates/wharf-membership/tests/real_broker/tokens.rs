//! Members that log in with tokens of an identity provider, which end sooner than they do.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use wharf_e2e::security::{login, to, trust};
use wharf_membership::ConnectionError;
use wharf_test_services::{CertificateFile, IdentityProvider, SecuredListener, Security};

use super::*;

/// Longer than tokens hold, so that sessions end with them.
const SESSION: Duration = Duration::from_secs(60);
/// Of those who log in by PLAIN.
const SHORT_SESSION: Duration = Duration::from_secs(1);
const CLASSES: &str = "org.apache.kafka.common.security.oauthbearer";

struct Scene {
    provider: IdentityProvider,
    broker: KafkaBroker,
}

/// One test at a time may turn the provider.
fn scene() -> Option<(&'static Scene, MutexGuard<'static, ()>)> {
    static TURN: Mutex<()> = Mutex::new(());
    static SCENE: OnceLock<Option<Scene>> = OnceLock::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let scene = SCENE.get_or_init(|| {
        let provider = IdentityProvider::for_test()?;
        let mut options = provider.broker(SESSION);
        options.properties.push((
            "listener.name.sasl_ssl.plain.connections.max.reauth.ms".to_owned(),
            SHORT_SESSION.as_millis().to_string(),
        ));
        let broker = KafkaBroker::for_test_with(&options)?;
        Some(Scene { provider, broker })
    });
    let scene = scene.as_ref()?;
    // As the test before may have left it.
    scene.provider.leave();
    scene.provider.come_back();
    Some((scene, turn))
}

impl Scene {
    fn member(&self, name: &str, secret: &str) -> Member {
        let module = format!("{CLASSES}.OAuthBearerLoginModule required extension_tenant=\"t\";");
        let settings = vec![
            ("sasl.mechanism", "OAUTHBEARER".to_owned()),
            ("sasl.jaas.config", module),
            (
                "sasl.login.callback.handler.class",
                format!("{CLASSES}.OAuthBearerLoginCallbackHandler"),
            ),
            ("sasl.oauthbearer.token.endpoint.url", self.provider.token_url()),
            (
                "sasl.oauthbearer.client.credentials.client.id",
                IdentityProvider::CLIENT_ID.to_owned(),
            ),
            (
                "sasl.oauthbearer.client.credentials.client.secret",
                secret.to_owned(),
            ),
        ];
        self.member_with(name, settings)
    }

    fn member_with(&self, name: &str, login: Settings) -> Member {
        let security = self.broker.security().unwrap();
        let settings = [
            to(security, SecuredListener::SaslSsl, "SASL_SSL"),
            trust(security, CertificateFile::Authority),
            login,
        ];
        Member::start(
            &connection(&settings.concat()).unwrap(),
            &fresh_group(name),
            "http://one:8083/",
            ConnectProtocol::Sessioned,
        )
    }
}

#[test]
fn a_member_stays_in_its_generation_over_many_tokens() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    scene.provider.set_lifetime(Duration::from_secs(4));
    let member = scene.member("tokens", IdentityProvider::CLIENT_SECRET);
    let joined = member.leads_alone();
    let issued = scene.provider.issued();
    while scene.provider.issued() < issued + 3 {
        assert!(member.beats_until(Instant::now() + Duration::from_secs(1)) > 0);
    }
    assert!(member.client.lease().hold().is_valid());
    let again = member.leads_alone();
    assert_eq!(again.member_id, joined.member_id);
    assert_eq!(again.generation, joined.generation + 1);
    member.client.close("test is over");
}

/// No broker takes a second login of one connection within a second.
#[test]
fn a_member_stays_one_where_sessions_are_too_short_to_be_renewed() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    let member = scene.member_with("short", login("PLAIN", Security::PASSWORD));
    let joined = member.leads_alone();
    // A single request may be lost on a busy machine; a refusal would end the member.
    member.ignores_until(Instant::now() + SHORT_SESSION * 6);
    let again = member.leads_alone();
    assert_eq!(again.member_id, joined.member_id);
    assert_eq!(again.generation, joined.generation + 1);
    member.client.close("test is over");
}

#[test]
fn a_member_without_a_token_is_told_by_whom_it_was_refused() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    let member = scene.member("refused-token", "wr0ng-s3cret");
    let error = member.is_refused();
    let text = error.to_string();
    assert!(
        matches!(error, ConnectionError::Token(_)) && !error.is_retriable(),
        "{text}"
    );
    for words in [&*scene.provider.token_url(), "401", "client.secret"] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn a_member_waits_for_a_provider_that_is_away() {
    let Some((scene, _turn)) = scene() else {
        return;
    };
    scene.provider.set_lifetime(Duration::from_secs(3_600));
    scene.provider.leave();
    let member = scene.member("away", IdentityProvider::CLIENT_SECRET);
    member.client.rejoin("test");
    member.fails_to_ask();
    scene.provider.come_back();
    assert!(member.leads_alone().is_leader);
    member.client.close("test is over");
}
