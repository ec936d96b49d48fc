//! Tokens from a real endpoint: fetched once for all, renewed, refused, and had again after the endpoint was away.

mod log;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use wharf_oauth::{
    Endpoint, Refresh, Retriever, Token, TokenError, TokenListener, TokenSettings, TokenSource,
};
use wharf_test_services::{IdentityProvider, TokenAnswer};

const PATIENCE: Duration = Duration::from_secs(60);

fn endpoint(url: String, secret: &str) -> Endpoint {
    Endpoint {
        url,
        client_id: IdentityProvider::CLIENT_ID.to_owned(),
        client_secret: secret.to_owned(),
        scope: Some("a b".to_owned()),
        urlencode: false,
        connect_timeout: Endpoint::CONNECT_TIMEOUT,
        read_timeout: Endpoint::READ_TIMEOUT,
        trusted: None,
        identity: None,
    }
}

fn settings(retriever: Retriever) -> TokenSettings {
    TokenSettings {
        retriever,
        scope_claim: "scope".to_owned(),
        subject_claim: "sub".to_owned(),
        extensions: BTreeMap::from([("tenant".to_owned(), "t".to_owned())]),
        refresh: Refresh {
            factor: 800_000,
            jitter: 50_000,
            min_period: Duration::from_secs(60),
            buffer: Duration::from_secs(300),
        },
        retry_backoff: Duration::from_millis(20),
        retry_backoff_max: Duration::from_millis(200),
    }
}

/// A provider, where one can be had; what is logged meanwhile is kept.
fn provider() -> Option<IdentityProvider> {
    log::listen();
    IdentityProvider::for_test()
}

fn at(provider: &IdentityProvider) -> TokenSettings {
    let endpoint = endpoint(provider.token_url(), IdentityProvider::CLIENT_SECRET);
    settings(Retriever::Endpoint(endpoint))
}

fn token(source: &TokenSource) -> Result<Arc<Token>, TokenError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(source.token())
}

/// Remembers what it was told.
#[derive(Default)]
struct Ear {
    tokens: Mutex<Vec<String>>,
    errors: Mutex<Vec<TokenError>>,
}

impl Ear {
    fn at(source: &TokenSource) -> Arc<Self> {
        let ear = Arc::new(Self::default());
        let listener: Arc<dyn TokenListener> = ear.clone();
        let listener: Weak<dyn TokenListener> = Arc::downgrade(&listener);
        source.subscribe(listener);
        ear
    }

    fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap().clone()
    }

    fn errors(&self) -> Vec<TokenError> {
        self.errors.lock().unwrap().clone()
    }
}

impl TokenListener for Ear {
    fn renewed(&self, token: &Token) {
        self.tokens.lock().unwrap().push(token.value().to_owned());
    }

    fn failed(&self, error: &TokenError) {
        self.errors.lock().unwrap().push(error.clone());
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Nothing secret was written.
fn assert_discreet(provider: &IdentityProvider) {
    let log = log::text();
    assert!(!log.contains("s3cret"), "{log}");
    for token in provider.tokens() {
        assert!(!log.contains(&token), "a token is in {log}");
    }
}

#[test]
fn equal_settings_share_one_token_and_nobody_asks_before_somebody_needs_it() {
    let Some(provider) = provider() else {
        return;
    };
    let settings = at(&provider);
    assert_eq!(provider.requests().len(), 0);
    let sources: Vec<_> = (0..10).map(|_| TokenSource::of(&settings)).collect();
    let ears: Vec<_> = sources.iter().map(Ear::at).collect();
    let first = token(&sources[0]).unwrap();
    assert_eq!(first.subject(), IdentityProvider::CLIENT_ID);
    assert_eq!(first.extensions(), [("tenant".to_owned(), "t".to_owned())]);
    for (source, ear) in sources.iter().zip(&ears) {
        assert_eq!(token(source).unwrap().value(), first.value());
        eventually("all have heard of it", || ear.tokens() == [first.value()]);
    }
    let late = Ear::at(&sources[0]);
    assert_eq!(late.tokens(), [first.value()]);
    let requests = provider.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let (head, form) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(form, "grant_type=client_credentials&scope=a+b");
    let head = head.to_lowercase();
    for line in [
        "post /token http/1.1",
        "accept: application/json",
        "cache-control: no-cache",
        "content-type: application/x-www-form-urlencoded",
    ] {
        assert!(head.lines().any(|found| found == line), "{line} is not in {head}");
    }
    let mut other = settings.clone();
    other.scope_claim = "scp".to_owned();
    token(&TokenSource::of(&other)).unwrap();
    assert_eq!(provider.issued(), 2);
    assert_discreet(&provider);
}

#[test]
fn a_short_token_is_replaced_before_it_ends_as_long_as_somebody_wants_it() {
    let Some(provider) = provider() else {
        return;
    };
    provider.set_lifetime(Duration::from_secs(3));
    let source = TokenSource::of(&at(&provider));
    let ear = Ear::at(&source);
    // A gap without a token would show itself as an error or as a wait.
    eventually("three tokens were replaced", || {
        token(&source).unwrap();
        ear.tokens().len() > 3
    });
    assert_eq!(ear.tokens(), provider.tokens());
    assert_eq!(ear.errors(), []);
    drop(source);
    let asked_for = |scope: &str| {
        let requests = provider.requests();
        requests.iter().filter(|request| request.ends_with(scope)).count()
    };
    let mut other = endpoint(provider.token_url(), IdentityProvider::CLIENT_SECRET);
    other.scope = Some("c".to_owned());
    let _other = TokenSource::of(&settings(Retriever::Endpoint(other)));
    let mut seen = (0, 0);
    eventually(
        "another one replaces its tokens, and this one does no more",
        || {
            let (mine, others) = (asked_for("scope=a+b"), asked_for("scope=c"));
            if mine != seen.0 {
                seen = (mine, others);
            }
            others > seen.1 + 2
        },
    );
    assert_discreet(&provider);
}

#[test]
fn a_refused_client_is_told_why_and_what_helps_and_later_ones_are_asked_about_again() {
    let Some(provider) = provider() else {
        return;
    };
    let wrong = endpoint(provider.token_url(), "wr0ng-s3cret");
    let source = TokenSource::of(&settings(Retriever::Endpoint(wrong)));
    let ear = Ear::at(&source);
    let error = token(&source).unwrap_err();
    assert!(error.is_final(), "{error}");
    let text = error.to_string();
    for words in [
        &*provider.token_url(),
        "401",
        "invalid_client: unknown client or wrong secret",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.jaas.config",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    eventually("the listener knows", || ear.errors().first() == Some(&error));
    let refused = provider.refused();
    assert!(token(&source).unwrap_err().is_final());
    assert!(provider.refused() > refused);
    assert_discreet(&provider);
}

#[test]
fn an_endpoint_that_is_away_is_asked_until_it_is_back() {
    let Some(provider) = provider() else {
        return;
    };
    provider.leave();
    let settings = at(&provider);
    let source = TokenSource::of(&settings);
    let ear = Ear::at(&source);
    let error = token(&source).unwrap_err();
    assert!(!error.is_final(), "{error}");
    assert!(
        error.to_string().contains(&provider.token_url()) && error.to_string().contains("refused"),
        "{error}"
    );
    eventually("it was tried again", || ear.errors().len() > 2);
    provider.set_answer(TokenAnswer::Fixed(503, "cl1ent-s3cret is busy".to_owned()));
    provider.come_back();
    eventually("it says that it is busy", || {
        ear.errors()
            .last()
            .unwrap()
            .to_string()
            .contains("503 ([hidden] is busy)")
    });
    provider.set_answer(TokenAnswer::Fixed(200, r#"{"access_token":"0paque"}"#.to_owned()));
    eventually("it gives what is no token", || {
        ear.errors()
            .last()
            .unwrap()
            .to_string()
            .contains("no JSON web token")
    });
    assert!(ear.errors().iter().all(|error| !error.is_final()));
    provider.set_answer(TokenAnswer::Token);
    eventually("a token has come", || !ear.tokens().is_empty());
    assert_eq!(token(&source).unwrap().value(), provider.tokens()[0]);
    let log = log::text();
    assert!(!log.contains("0paque"), "{log}");
    assert!(log.contains("came from") && log.contains("after all"), "{log}");
    assert_discreet(&provider);
}

#[test]
fn a_token_outlives_the_endpoint_and_its_end_is_noticed() {
    let Some(provider) = provider() else {
        return;
    };
    provider.set_lifetime(Duration::from_secs(3));
    let source = TokenSource::of(&at(&provider));
    let ear = Ear::at(&source);
    let first = token(&source).unwrap();
    provider.set_answer(TokenAnswer::Fixed(401, String::new()));
    eventually("nobody has a token any more", || token(&source).is_err());
    // While the token held, refusals were no listener's business.
    eventually("the listener knows", || !ear.errors().is_empty());
    assert!(source.is_changing());
    provider.set_answer(TokenAnswer::Token);
    eventually("there is another one", || ear.tokens().len() > 1);
    assert_ne!(token(&source).unwrap().value(), first.value());
}

#[test]
fn a_silent_endpoint_is_given_up_after_the_time_that_was_set() {
    let Some(provider) = provider() else {
        return;
    };
    provider.set_answer(TokenAnswer::Silence);
    let mut endpoint = endpoint(provider.token_url(), IdentityProvider::CLIENT_SECRET);
    endpoint.read_timeout = Duration::from_millis(150);
    let source = TokenSource::of(&settings(Retriever::Endpoint(endpoint)));
    let error = token(&source).unwrap_err().to_string();
    assert!(
        error.contains("no answer within 150 ms") && error.contains("sasl.login.read.timeout.ms"),
        "{error}"
    );
    provider.set_answer(TokenAnswer::Token);
    eventually("it answers", || token(&source).is_ok());
}

#[test]
fn redirects_are_not_followed() {
    let Some(provider) = provider() else {
        return;
    };
    provider.set_answer(TokenAnswer::Fixed(302, String::new()));
    let error = token(&TokenSource::of(&at(&provider))).unwrap_err();
    assert!(
        error.is_final() && error.to_string().contains("redirects"),
        "{error}"
    );
}

#[test]
fn a_token_in_a_file_is_read_again_when_it_is_replaced() {
    let Some(provider) = provider() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    provider.set_lifetime(Duration::from_secs(4));
    let first = provider.give_out();
    std::fs::write(&path, format!("{first}\n")).unwrap();
    let source = TokenSource::of(&settings(Retriever::File(path.to_str().unwrap().to_owned())));
    let ear = Ear::at(&source);
    assert_eq!(token(&source).unwrap().value(), first);
    let second = provider.give_out();
    std::fs::write(&path, &second).unwrap();
    eventually("the next token is taken", || ear.tokens().last() == Some(&second));
    eventually("its end is noticed", || {
        ear.errors()
            .last()
            .is_some_and(|error| error.to_string().contains("the token ended"))
    });
    std::fs::remove_file(&path).unwrap();
    eventually("that the file is gone is noticed", || {
        let error = ear.errors().last().unwrap().to_string();
        error.contains(path.to_str().unwrap()) && error.contains("No such file")
    });
    assert_discreet(&provider);
}

#[test]
fn a_secured_endpoint_is_asked_if_its_certificate_is_trusted_and_names_it() {
    let Some(provider) = provider() else {
        return;
    };
    let front = tls::Front::before(&provider.address());
    let at = |host: &str, trusted: Option<String>| {
        let mut endpoint = endpoint(
            format!("https://{host}:{}/token", front.port()),
            IdentityProvider::CLIENT_SECRET,
        );
        endpoint.trusted = trusted;
        token(&TokenSource::of(&settings(Retriever::Endpoint(endpoint))))
    };
    let trusted = Some(front.certificate());
    assert_eq!(
        at("localhost", trusted.clone()).unwrap().value(),
        provider.tokens()[0]
    );
    let stranger = Some(tls::Front::before(&provider.address()).certificate());
    for (host, trusted) in [
        ("localhost", None),
        ("localhost", stranger),
        ("127.0.0.1", trusted),
    ] {
        let error = at(host, trusted).unwrap_err();
        let text = error.to_string();
        assert!(
            error.is_final()
                && text.contains("certificate is refused")
                && text.contains("ssl.truststore.location"),
            "{text}"
        );
    }
    assert_eq!(provider.issued(), 1);
}
