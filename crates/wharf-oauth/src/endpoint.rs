//! One question to a token endpoint, RFC 6749 section 4.4, as upstream's `ClientSecretRequestFormatter` puts it.
//!
//! What must stay true: the answer of an endpoint that gave a token is never quoted; of one that did not, only its error is,
//! shortened and without the client's secret.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509VerifyResult};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::{Endpoint, TokenError};

const URL: &str = "sasl.oauthbearer.token.endpoint.url";
/// No token is larger.
const LONGEST_ANSWER: usize = 1 << 20;
/// How much of an error is quoted.
const LONGEST_QUOTE: usize = 300;
/// Answers after which upstream does not ask again. The first ones are about the client, the others about the request.
const REFUSED: [u16; 17] = [
    400, 401, 402, 403, 407, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 501, 505,
];
const ABOUT_THE_CLIENT: usize = 5;
/// Java's `URLEncoder`, but for the blank.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'*')
    .remove(b'_')
    .remove(b'-');

/// Whether a URL can be asked for tokens.
///
/// # Errors
/// What is wrong with it, without the URL itself when that holds credentials.
pub fn check_url(url: &str) -> Result<(), String> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    if authority
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|part| part.contains('@'))
    {
        return Err(
            "must not hold user and password; set the client's id and secret by their own keys".to_owned(),
        );
    }
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("contains a URL ({url}) that is malformed: {error}"))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(()),
        (Some("http" | "https"), _) => Err(format!("contains a URL ({url}) that names no host")),
        (Some(scheme), _) => Err(format!(
            "contains a URL ({url}) that contains an invalid protocol ({scheme}); only \"http\", \"https\", and \"file\" \
             protocol are supported"
        )),
        (None, _) => Err(format!("contains a URL ({url}) that is missing the protocol")),
    }
}

/// Asks for a token.
pub(crate) async fn ask(endpoint: &Endpoint) -> Result<String, TokenError> {
    let (status, body) = exchange(endpoint).await.map_err(|failure| failure.of(endpoint))?;
    if matches!(status, 200 | 201) {
        return token_in(&body).ok_or_else(|| {
            let reason = "its answer holds neither access_token nor id_token".to_owned();
            Failure::passing(reason).of(endpoint)
        });
    }
    let said = error_in(&body);
    let said = match said.as_str() {
        "" => String::new(),
        said => format!(" ({said})"),
    };
    let at = REFUSED.iter().position(|refused| *refused == status);
    let (remedy, is_final) = match (at, status) {
        (_, 300..400) => (
            "redirects are not followed: name the place they lead to in sasl.oauthbearer.token.endpoint.url",
            true,
        ),
        (Some(..ABOUT_THE_CLIENT), _) => (
            "check sasl.oauthbearer.client.credentials.client.id, sasl.oauthbearer.client.credentials.client.secret and \
             sasl.oauthbearer.scope, or clientId, clientSecret and scope in sasl.jaas.config",
            true,
        ),
        (Some(_), _) => ("check sasl.oauthbearer.token.endpoint.url", true),
        (None, _) => ("see what is wrong with the endpoint", false),
    };
    let failure = Failure {
        reason: format!("it answered {status}{said}; {remedy}"),
        is_final,
    };
    Err(failure.of(endpoint))
}

struct Failure {
    reason: String,
    is_final: bool,
}

impl Failure {
    fn passing(reason: String) -> Self {
        Self {
            reason,
            is_final: false,
        }
    }

    /// The error, with everything blotted out that an endpoint may have repeated.
    fn of(self, endpoint: &Endpoint) -> TokenError {
        let mut reason = self.reason;
        let secret = endpoint.client_secret.as_str();
        for secret in [secret.to_owned(), form_encoded(secret), credentials(endpoint)] {
            if !secret.is_empty() {
                reason = reason.replace(&secret, "[hidden]");
            }
        }
        TokenError {
            place: endpoint.url.clone(),
            reason,
            is_final: self.is_final,
        }
    }
}

/// The token in an answer.
fn token_in(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| {
        answer
            .get(name)?
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    text("access_token")
        .or_else(|| text("id_token"))
        .map(str::to_owned)
}

/// What an endpoint says is wrong, RFC 6749 section 5.2, or what some others say in their own names.
fn error_in(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let said = match (
        text("error").or(text("errorCode")),
        text("error_description").or(text("errorSummary")),
    ) {
        (Some(error), Some(description)) => format!("{error}: {description}"),
        (Some(said), None) | (None, Some(said)) => said.to_owned(),
        (None, None) => body.into_owned(),
    };
    let words: Vec<&str> = said.split_whitespace().collect();
    let mut quoted: String = words.join(" ").chars().take(LONGEST_QUOTE + 1).collect();
    if quoted.chars().count() > LONGEST_QUOTE {
        quoted.pop();
        quoted.push('…');
    }
    quoted
}

fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string().replace("%20", "+")
}

/// Id and secret as basic credentials.
fn credentials(endpoint: &Endpoint) -> String {
    let (id, secret) = (&endpoint.client_id, &endpoint.client_secret);
    STANDARD.encode(if endpoint.urlencode {
        format!("{}:{}", form_encoded(id), form_encoded(secret))
    } else {
        format!("{id}:{secret}")
    })
}

fn form(endpoint: &Endpoint) -> String {
    let mut form = "grant_type=client_credentials".to_owned();
    if let Some(scope) = &endpoint.scope {
        form.push_str("&scope=");
        if endpoint.urlencode {
            form.push_str(&form_encoded(scope));
        } else {
            // As it was written, upstream's way; a blank between two scopes means the same like this.
            form.push_str(&scope.replace(' ', "+"));
        }
    }
    form
}

async fn exchange(endpoint: &Endpoint) -> Result<(u16, Bytes), Failure> {
    let uri: Uri = endpoint
        .url
        .parse()
        .map_err(|error| Failure::passing(format!("{URL} is malformed: {error}")))?;
    let connect = timeout(
        endpoint.connect_timeout,
        "no connection",
        "sasl.login.connect.timeout.ms",
        connect(&uri, endpoint),
    );
    let stream = connect.await?;
    timeout(
        endpoint.read_timeout,
        "no answer",
        "sasl.login.read.timeout.ms",
        post(&uri, endpoint, stream),
    )
    .await
}

async fn timeout<T>(
    limit: Duration,
    what: &str,
    key: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::passing(format!(
            "{what} within {} ms, the limit of {key}",
            limit.as_millis()
        ))),
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn connect(uri: &Uri, endpoint: &Endpoint) -> Result<Box<dyn Stream>, Failure> {
    let is_secure = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port)).await.map_err(|error| {
        Failure::passing(format!(
            "{error}; see that the endpoint is up and that {URL} is right"
        ))
    })?;
    if !is_secure {
        return Ok(Box::new(tcp));
    }
    let tls = |error: &dyn std::fmt::Display| Failure::passing(format!("TLS: {error}"));
    let ssl = connector(endpoint)
        .and_then(|connector| connector.configure()?.into_ssl(host))
        .map_err(|error| tls(&error))?;
    let mut stream = SslStream::new(ssl, tcp).map_err(|error| tls(&error))?;
    match Pin::new(&mut stream).connect().await {
        Ok(()) => Ok(Box::new(stream)),
        Err(error) => Err(match stream.ssl().verify_result() {
            X509VerifyResult::OK => tls(&error),
            refused => Failure {
                reason: format!(
                    "TLS: its certificate is refused: {}; trust its authority by ssl.truststore.location and \
                     ssl.truststore.type among the options of sasl.jaas.config, and use the name that it is for",
                    refused.error_string()
                ),
                is_final: true,
            },
        }),
    }
}

fn connector(endpoint: &Endpoint) -> Result<SslConnector, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    match &endpoint.trusted {
        Some(pem) => {
            let mut store = X509StoreBuilder::new()?;
            for certificate in X509::stack_from_pem(pem.as_bytes())? {
                store.add_cert(certificate)?;
            }
            // Java trusts an authority without its root.
            store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
            builder.set_cert_store(store.build());
        }
        None => {
            if let Some(file) = wharf_key_stores::system_authorities() {
                builder.set_ca_file(file)?;
            }
        }
    }
    if let Some((key, chain)) = &endpoint.identity {
        let mut chain = X509::stack_from_pem(chain.as_bytes())?.into_iter();
        if let Some(own) = chain.next() {
            builder.set_certificate(&own)?;
        }
        for certificate in chain {
            builder.add_extra_chain_cert(certificate)?;
        }
        let key = PKey::private_key_from_pem(key.as_bytes())?;
        builder.set_private_key(&key)?;
    }
    Ok(builder.build())
}

async fn post(uri: &Uri, endpoint: &Endpoint, stream: Box<dyn Stream>) -> Result<(u16, Bytes), Failure> {
    let lost = |error: &dyn std::fmt::Display| Failure::passing(format!("the connection was lost: {error}"));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| lost(&error))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, uri.authority().map_or("", |authority| authority.as_str()))
        .header(USER_AGENT, concat!("wharf/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, format!("Basic {}", credentials(endpoint)))
        .header(CACHE_CONTROL, "no-cache")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form(endpoint))))
        .map_err(|error| Failure::passing(format!("no request can be made of {URL}: {error}")))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| lost(&error))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
        let body = body.map_err(|error| Failure::passing(format!("its answer cannot be read: {error}")))?;
        Ok((status, body.to_bytes()))
    };
    // The connection has to be driven while the exchange waits; it ends with it.
    tokio::pin!(exchange);
    tokio::select! {
        outcome = &mut exchange => outcome,
        _ = connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::endpoint;

    #[test]
    fn urls_are_checked_as_upstream_does() {
        for (url, words) in [
            ("http://localhost:8080/token", None),
            ("https://idp.example/oauth2/v1/token?x=y", None),
            ("http://[::1]:1/", None),
            ("localhost:8080/token", Some("malformed")),
            ("/token", Some("missing the protocol")),
            ("ftp://idp.example/", Some("invalid protocol (ftp)")),
            ("http://", Some("malformed")),
            (
                "http://us er:s3cret@idp.example/",
                Some("must not hold user and password"),
            ),
            (
                "http://user:s3cret@idp.example/",
                Some("must not hold user and password"),
            ),
        ] {
            let checked = check_url(url);
            match (&checked, words) {
                (Ok(()), None) => {}
                (Err(reason), Some(words)) => {
                    assert!(
                        reason.contains(words) && !reason.contains("s3cret"),
                        "{url}: {reason}"
                    );
                }
                _ => panic!("{url}: {checked:?} instead of {words:?}"),
            }
        }
    }

    #[test]
    fn credentials_and_scope_are_written_as_upstream_writes_them() {
        let mut endpoint = Endpoint {
            client_id: "a b".to_owned(),
            scope: Some("api://x/.default b".to_owned()),
            ..endpoint("http://idp.example/", "s:~ü*")
        };
        let decoded =
            |endpoint: &Endpoint| String::from_utf8(STANDARD.decode(credentials(endpoint)).unwrap()).unwrap();
        assert_eq!(decoded(&endpoint), "a b:s:~ü*");
        assert_eq!(
            form(&endpoint),
            "grant_type=client_credentials&scope=api://x/.default+b"
        );
        endpoint.urlencode = true;
        assert_eq!(decoded(&endpoint), "a+b:s%3A%7E%C3%BC*");
        assert_eq!(
            form(&endpoint),
            "grant_type=client_credentials&scope=api%3A%2F%2Fx%2F.default+b"
        );
        endpoint.scope = None;
        assert_eq!(form(&endpoint), "grant_type=client_credentials");
    }

    #[test]
    fn an_answer_is_read_for_its_token_or_its_error() {
        for (body, token) in [
            (r#"{"access_token":" a ","id_token":"b"}"#, Some("a")),
            (r#"{"access_token":"","id_token":"b"}"#, Some("b")),
            (r#"{"access_token":5}"#, None),
            ("[]", None),
            ("no JSON", None),
        ] {
            assert_eq!(token_in(body.as_bytes()).as_deref(), token, "{body}");
        }
        let long = "x".repeat(500);
        for (body, error) in [
            (r#"{"error":"e","error_description":"d"}"#, "e: d".to_owned()),
            (r#"{"error":"e"}"#, "e".to_owned()),
            (r#"{"errorCode":"c","errorSummary":"s"}"#, "c: s".to_owned()),
            ("<p>not\n  here</p>", "<p>not here</p>".to_owned()),
            (&long, format!("{}…", &long[..LONGEST_QUOTE])),
            ("", String::new()),
        ] {
            assert_eq!(error_in(body.as_bytes()), error);
        }
    }

    #[test]
    fn an_endpoint_that_repeats_a_secret_is_not_quoted_with_it() {
        let endpoint = endpoint("http://idp.example/", "s3cret/x");
        let reason = format!("no s3cret/x, s3cret%2Fx or {}", credentials(&endpoint));
        let error = Failure::passing(reason).of(&endpoint);
        assert_eq!(error.reason, "no [hidden], [hidden] or [hidden]");
    }
}
