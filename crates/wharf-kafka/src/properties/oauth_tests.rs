//! Settings of tokens from an endpoint or a file, by table.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_oauth::{Endpoint, Refresh, Retriever, TokenSettings};

use super::{ClientKind, Translated, translate};

const HANDLER: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler";
const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required";
const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const ID: &str = "sasl.oauthbearer.client.credentials.client.id";
const SECRET: &str = "sasl.oauthbearer.client.credentials.client.secret";

/// With these options of the login module, and these keys on top.
fn outcome(options: &str, more: &[(&str, &str)]) -> Result<Translated, String> {
    let module = format!("{MODULE} {options};");
    let base = [
        ("bootstrap.servers", "localhost:9092"),
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.login.callback.handler.class", HANDLER),
        ("sasl.jaas.config", &module),
    ];
    let properties: BTreeMap<String, String> = base
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    translate(ClientKind::Admin, &properties).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

fn settings(options: &str, more: &[(&str, &str)]) -> TokenSettings {
    let out = outcome(options, more).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(
        !out.librdkafka
            .contains_key("enable.sasl.oauthbearer.unsecure.jwt")
    );
    assert!(!format!("{out:?}").contains("s3cret"), "{out:?}");
    TokenSettings::from_text(&out.librdkafka["sasl.oauthbearer.config"]).unwrap()
}

fn problems(options: &str, more: &[(&str, &str)]) -> String {
    match outcome(options, more) {
        Ok(out) => panic!("{out:?}"),
        Err(problems) => problems,
    }
}

const PLACE: (&str, &str) = (URL, "http://idp.example/token");
const CREDENTIALS: [(&str, &str); 3] = [PLACE, (ID, "worker"), (SECRET, "s3cret")];

#[test]
fn an_endpoint_with_upstreams_defaults() {
    let found = settings("", &CREDENTIALS);
    let expected = TokenSettings {
        retriever: Retriever::Endpoint(Endpoint {
            url: "http://idp.example/token".to_owned(),
            client_id: "worker".to_owned(),
            client_secret: "s3cret".to_owned(),
            scope: None,
            urlencode: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            trusted: None,
            identity: None,
        }),
        scope_claim: "scope".to_owned(),
        subject_claim: "sub".to_owned(),
        extensions: BTreeMap::new(),
        refresh: Refresh {
            factor: 800_000,
            jitter: 50_000,
            min_period: Duration::from_secs(60),
            buffer: Duration::from_secs(300),
        },
        retry_backoff: Duration::from_millis(100),
        retry_backoff_max: Duration::from_secs(10),
    };
    assert!(found == expected, "{}", found.to_text());
}

#[test]
fn everything_that_can_be_set_is_taken_by_key_or_by_older_option() {
    let options = "clientId=\"worker\" clientSecret=\"s3cret\" scope=\"a b\" extension_tenant=\"t 1\"";
    let older = "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler";
    let found = settings(
        options,
        &[
            PLACE,
            ("sasl.login.callback.handler.class", older),
            ("sasl.oauthbearer.header.urlencode", "true"),
            ("sasl.login.connect.timeout.ms", "1000"),
            ("sasl.login.read.timeout.ms", "2000"),
            ("sasl.login.retry.backoff.ms", "200"),
            ("sasl.login.retry.backoff.max.ms", "300"),
            ("sasl.oauthbearer.scope.claim.name", "scp"),
            ("sasl.oauthbearer.sub.claim.name", "azp"),
            ("sasl.login.refresh.window.factor", "0.5"),
            ("sasl.login.refresh.window.jitter", "0.25"),
            ("sasl.login.refresh.min.period.seconds", "1"),
            ("sasl.login.refresh.buffer.seconds", "2"),
            (
                "sasl.oauthbearer.jwt.retriever.class",
                "org.apache.kafka.common.security.oauthbearer.ClientCredentialsJwtRetriever",
            ),
            (
                "sasl.oauthbearer.jwt.validator.class",
                "org.apache.kafka.common.security.oauthbearer.ClientJwtValidator",
            ),
        ],
    );
    let Retriever::Endpoint(endpoint) = &found.retriever else {
        panic!("{found:?}")
    };
    assert_eq!(
        (&*endpoint.client_id, &*endpoint.client_secret),
        ("worker", "s3cret")
    );
    assert_eq!(
        (endpoint.scope.as_deref(), endpoint.urlencode),
        (Some("a b"), true)
    );
    assert_eq!(
        (
            endpoint.connect_timeout.as_millis(),
            endpoint.read_timeout.as_millis()
        ),
        (1_000, 2_000)
    );
    assert_eq!((&*found.scope_claim, &*found.subject_claim), ("scp", "azp"));
    assert_eq!(found.extensions["tenant"], "t 1");
    assert_eq!((found.refresh.factor, found.refresh.jitter), (500_000, 250_000));
    assert_eq!(
        (found.refresh.min_period.as_secs(), found.refresh.buffer.as_secs()),
        (1, 2)
    );
    assert_eq!(
        (
            found.retry_backoff.as_millis(),
            found.retry_backoff_max.as_millis()
        ),
        (200, 300)
    );
}

#[test]
fn a_key_weighs_more_than_the_option_it_replaced() {
    let out = outcome("clientId=\"older\" colour=\"red\"", &CREDENTIALS).unwrap();
    assert!(out.librdkafka["sasl.oauthbearer.config"].contains("worker"));
    assert_eq!(
        out.warnings,
        [
            format!("{ID} is used, and the option clientId of sasl.jaas.config is not; leave that out"),
            "the option colour of sasl.jaas.config has no effect".to_owned(),
        ]
    );
}

#[test]
fn a_token_in_a_file_needs_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let path = path.to_str().unwrap();
    let url = format!("file:{path}");
    assert!(problems("", &[(URL, &url)]).contains("doesn't exist"));
    let of_folder = format!("file://{}", folder.path().display());
    assert!(problems("", &[(URL, &of_folder)]).contains("a directory"));
    std::fs::write(path, "").unwrap();
    for url in [url, format!("file://{path}"), format!("FILE://localhost{path}")] {
        let found = settings("", &[(URL, &url)]);
        assert!(found.retriever == Retriever::File(path.to_owned()), "{found:?}");
    }
    let class = |name: &str| format!("org.apache.kafka.common.security.oauthbearer.{name}");
    let retriever = "sasl.oauthbearer.jwt.retriever.class";
    let credentials = class("ClientCredentialsJwtRetriever");
    let url = format!("file:{path}");
    assert!(problems("", &[(URL, &url), (retriever, &credentials)]).contains("http or https URL"));
    let mut all = CREDENTIALS.to_vec();
    let file = class("FileJwtRetriever");
    all.push((retriever, &file));
    assert!(problems("", &all).contains("must be a file URL"));
}

#[test]
fn what_is_missing_or_wrong_is_named_all_at_once_and_without_secrets() {
    let found = problems("scope=\"x\" extension_x1=\"y\"", &[(URL, "idp.example/token")]);
    for words in [
        URL,
        "malformed",
        ID,
        "clientId",
        SECRET,
        "clientSecret",
        "extension_x1",
    ] {
        assert!(found.contains(words), "{words} is not in {found}");
    }
    assert!(problems("", &[]).contains(&format!("{URL} must be set")));
    for (key, value, words) in [
        ("sasl.login.refresh.window.factor", "0.4", "at least 0.5"),
        ("sasl.login.refresh.window.jitter", "0.3", "no more than 0.25"),
        ("sasl.login.refresh.min.period.seconds", "901", "no more than 900"),
        ("sasl.login.refresh.buffer.seconds", "-1", "at least 0"),
        (
            "sasl.login.retry.backoff.ms",
            "20000",
            "less than sasl.login.retry.backoff.ms",
        ),
        ("sasl.login.retry.backoff.ms", "-1", "must be non-negative"),
        (
            "sasl.oauthbearer.assertion.claim.iss",
            "me",
            "client id and secret",
        ),
        (
            "sasl.oauthbearer.jwt.validator.class",
            "org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator",
            "for brokers",
        ),
        (URL, "http://a:s3cret@idp.example/", "user and password"),
    ] {
        let mut all = CREDENTIALS.to_vec();
        all.push((key, value));
        let found = problems("", &all);
        assert!(found.contains(words) && !found.contains("s3cret"), "{found}");
    }
}

#[test]
fn trust_in_a_secured_endpoint_comes_from_the_login_module() {
    let secured = [
        (URL, "https://idp.example/token"),
        (ID, "worker"),
        (SECRET, "s3cret"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone.pem");
    let options = format!(
        "ssl.truststore.type=\"PEM\" ssl.truststore.location=\"{}\"",
        gone.display()
    );
    let found = problems(&options, &secured);
    assert!(
        found.contains("sasl.jaas.config: the option ssl.truststore.location") && found.contains("gone.pem"),
        "{found}"
    );
    // Nothing is secured there.
    let out = outcome(&options, &CREDENTIALS).unwrap();
    assert_eq!(out.warnings.len(), 2, "{:?}", out.warnings);
}

#[test]
fn the_handler_is_for_tokens_and_an_address_without_it_is_told_of() {
    let found = problems(
        "",
        &[
            ("sasl.mechanism", "PLAIN"),
            (
                "sasl.jaas.config",
                "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\" password=\"s3cret\";",
            ),
        ],
    );
    assert_eq!(
        found,
        "sasl.login.callback.handler.class is for OAUTHBEARER; leave it out with PLAIN"
    );
    let unsecured = ("sasl.login.callback.handler.class", "");
    let found = problems("clientId=\"a\" clientSecret=\"s3cret\"", &[PLACE, unsecured]);
    assert!(
        found.contains("clientId") && found.contains(HANDLER) && !found.contains("s3cret"),
        "{found}"
    );
    let out = outcome("unsecuredLoginStringClaim_sub=\"bob\"", &[PLACE, unsecured]).unwrap();
    assert_eq!(out.librdkafka["sasl.oauthbearer.config"], "principal=bob");
    assert!(out.warnings[0].contains(URL), "{:?}", out.warnings);
}
