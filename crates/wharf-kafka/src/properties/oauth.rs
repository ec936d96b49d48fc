//! Tokens from an endpoint or a file: the keys of upstream's `OAuthBearerLoginCallbackHandler`, KIP-768.
//!
//! Client id, secret and scope come from keys of their own, or from the options of the login module, which those replaced in
//! Kafka 4.1. TLS to the endpoint is set up by options of the login module only.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use wharf_oauth::{Endpoint, Refresh, Retriever, TokenSettings};

use super::Draft;
use super::security::{HANDLER, owned};

pub(super) const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const RETRIEVER: &str = "sasl.oauthbearer.jwt.retriever.class";
const JAAS: &str = "sasl.jaas.config";
const EXTENSION: &str = "extension_";
/// Options of the login module that say who and what.
const OPTIONS: [&str; 3] = ["clientId", "clientSecret", "scope"];
/// Options of the login module that [`wharf_key_stores`] reads.
const STORES: [&str; 10] = [
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.key.password",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.certificates",
];

/// Whether the handler that fetches tokens was set, by the name it has or the one it had before Kafka 4.
pub(super) fn is_asked_for(draft: &Draft<'_>) -> bool {
    draft
        .java(HANDLER)
        .is_some_and(|class| class.ends_with(".OAuthBearerLoginCallbackHandler"))
}

/// Sets the login up, with the options of the login module.
pub(super) fn login(draft: &mut Draft<'_>, options: &BTreeMap<String, String>) {
    let extensions = extensions(draft, options);
    let retriever = retriever(draft, options);
    let (retry_backoff, retry_backoff_max) = retries(draft);
    let Some(retriever) = retriever else {
        return;
    };
    let millionths = |key: &str| {
        let part: f64 = draft
            .java(key)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        (part * 1_000_000.0) as u32
    };
    let seconds = |key: &str| Duration::from_secs(draft.number(key).unwrap_or_default().unsigned_abs());
    let claim = |key: &str, usual: &str| owned(draft, key).unwrap_or_else(|| usual.to_owned());
    let settings = TokenSettings {
        retriever,
        scope_claim: claim("sasl.oauthbearer.scope.claim.name", "scope"),
        subject_claim: claim("sasl.oauthbearer.sub.claim.name", "sub"),
        extensions,
        refresh: Refresh {
            factor: millionths("sasl.login.refresh.window.factor"),
            jitter: millionths("sasl.login.refresh.window.jitter"),
            min_period: seconds("sasl.login.refresh.min.period.seconds"),
            buffer: seconds("sasl.login.refresh.buffer.seconds"),
        },
        retry_backoff,
        retry_backoff_max,
    };
    draft.set("sasl.oauthbearer.config", settings.to_text());
}

fn retriever(draft: &mut Draft<'_>, options: &BTreeMap<String, String>) -> Option<Retriever> {
    let Some(url) = owned(draft, URL) else {
        draft.problem(
            URL,
            format!("{URL} must be set for the login handler OAuthBearerLoginCallbackHandler"),
        );
        return None;
    };
    let class = owned(draft, RETRIEVER).unwrap_or_default();
    let path = file_of(&url);
    match (path, class.rsplit('.').next()) {
        (Some(_), Some("ClientCredentialsJwtRetriever")) => {
            draft.problem(
                URL,
                format!("{URL} must be a http or https URL for ClientCredentialsJwtRetriever"),
            );
            None
        }
        (None, Some("FileJwtRetriever")) => {
            draft.problem(URL, format!("{URL} must be a file URL for FileJwtRetriever"));
            None
        }
        (Some(path), _) => file(draft, path),
        (None, _) => endpoint(draft, &url, options).map(Retriever::Endpoint),
    }
}

/// The path of a file URL.
fn file_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    match rest.strip_prefix("//") {
        // Behind the name of a host, which is always this one.
        Some(rest) => Some(rest.find('/').map_or("", |at| &rest[at..])),
        None => Some(rest),
    }
}

fn file(draft: &mut Draft<'_>, path: &str) -> Option<Retriever> {
    let file = Path::new(path);
    let wrong = match std::fs::File::open(file) {
        _ if file.is_dir() => Some(format!(
            "The OAuth configuration option {URL} references a directory ({path}), not a file"
        )),
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(format!(
            "The OAuth configuration option {URL} contains a file ({path}) that doesn't exist"
        )),
        Err(error) => Some(format!(
            "The OAuth configuration option {URL} contains a file ({path}) that cannot be read: {error}"
        )),
    };
    match wrong {
        Some(wrong) => {
            draft.problem(URL, wrong);
            None
        }
        None => Some(Retriever::File(path.to_owned())),
    }
}

fn endpoint(draft: &mut Draft<'_>, url: &str, options: &BTreeMap<String, String>) -> Option<Endpoint> {
    let before = draft.problems.len();
    if let Err(reason) = wharf_oauth::check_url(url) {
        draft.problem(URL, format!("The OAuth configuration option {URL} {reason}"));
    }
    let client_id = needed(
        draft,
        options,
        "sasl.oauthbearer.client.credentials.client.id",
        "clientId",
    );
    let client_secret = needed(
        draft,
        options,
        "sasl.oauthbearer.client.credentials.client.secret",
        "clientSecret",
    );
    let scope = either(draft, options, "sasl.oauthbearer.scope", "scope");
    let stores = stores(draft, url, options);
    if draft.problems.len() > before {
        return None;
    }
    let time = |key: &str, usual: Duration| {
        let given = draft.number(key).filter(|time| *time > 0);
        given.map_or(usual, |time| Duration::from_millis(time.unsigned_abs()))
    };
    Some(Endpoint {
        url: url.to_owned(),
        client_id: client_id?,
        client_secret: client_secret?,
        scope,
        urlencode: draft.java("sasl.oauthbearer.header.urlencode") == Some("true"),
        connect_timeout: time("sasl.login.connect.timeout.ms", Endpoint::CONNECT_TIMEOUT),
        read_timeout: time("sasl.login.read.timeout.ms", Endpoint::READ_TIMEOUT),
        trusted: stores.trusted,
        identity: stores.identity,
    })
}

/// A value by its key or, for the sake of older configurations, by the option of the login module.
fn either(
    draft: &mut Draft<'_>,
    options: &BTreeMap<String, String>,
    key: &str,
    option: &str,
) -> Option<String> {
    let given = owned(draft, key);
    let older = options.get(option);
    if given.is_some() && older.is_some() {
        draft.out.warnings.push(format!(
            "{key} is used, and the option {option} of {JAAS} is not; leave that out"
        ));
    }
    let found = given.or_else(|| older.cloned())?;
    Some(found.trim().to_owned()).filter(|found| !found.is_empty())
}

fn needed(
    draft: &mut Draft<'_>,
    options: &BTreeMap<String, String>,
    key: &str,
    option: &str,
) -> Option<String> {
    let found = either(draft, options, key, option);
    if found.is_none() {
        draft.problem(
            key,
            format!("{key} must be set, or the option {option} in {JAAS}"),
        );
    }
    found
}

/// Keys and certificates for the way to the endpoint.
fn stores(draft: &mut Draft<'_>, url: &str, options: &BTreeMap<String, String>) -> wharf_key_stores::Found {
    let is_secure = url
        .split_once(':')
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"));
    for option in options.keys() {
        let is_known = OPTIONS.contains(&option.as_str())
            || option.starts_with(EXTENSION)
            || (is_secure && STORES.contains(&option.as_str()));
        if !is_known {
            draft
                .out
                .warnings
                .push(format!("the option {option} of {JAAS} has no effect"));
        }
    }
    if !is_secure {
        return wharf_key_stores::Found::default();
    }
    let lookup = |key: &str| options.get(key).cloned();
    let (found, problems) = wharf_key_stores::Settings::new("", &lookup).read_all();
    for problem in problems {
        draft.problem(JAAS, format!("{JAAS}: the option {}", problem.message));
    }
    found
}

/// SASL extensions; brokers take letters only for their names, RFC 7628 section 3.1.
fn extensions(draft: &mut Draft<'_>, options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (option, value) in options {
        let Some(name) = option.strip_prefix(EXTENSION) else {
            continue;
        };
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()) && name != "auth";
        let is_value = value
            .bytes()
            .all(|byte| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~'));
        if is_name && is_value {
            found.insert(name.to_owned(), value.clone());
        } else {
            let message = format!(
                "{JAAS}: the option {option} is no SASL extension: names have letters only and are not auth, values have \
                 ASCII characters only"
            );
            draft.problem(JAAS, message);
        }
    }
    found
}

fn retries(draft: &mut Draft<'_>) -> (Duration, Duration) {
    const FIRST: &str = "sasl.login.retry.backoff.ms";
    const LONGEST: &str = "sasl.login.retry.backoff.max.ms";
    let [first, longest] = [FIRST, LONGEST].map(|key| draft.number(key).unwrap_or_default());
    for (key, value) in [(FIRST, first), (LONGEST, longest)] {
        if value < 0 {
            draft.problem(key, format!("{key} value ({value}) must be non-negative"));
        }
    }
    if longest < first {
        draft.problem(
            LONGEST,
            format!("{LONGEST} value ({longest}) is less than {FIRST} value ({first})"),
        );
    }
    // An endpoint that is away is asked without end, so never without a pause.
    let millis = |value: i64| Duration::from_millis(value.max(10).unsigned_abs());
    (millis(first), millis(longest))
}
