//! The client on the network: TLS with authorities and certificates of one's own, a proxy, tokens of an issuer. Everything is
//! in this process and speaks as real servers do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use wharf_api::{ConfigMap, Result};
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistryConfig, RegistryError, RegistrySchema, SchemaRegistryClient};
use wharf_test_services::{Front, Identity, acceptor};

fn client(url: &str, entries: &[(&str, &str)]) -> Result<SchemaRegistryClient> {
    let base = [
        ("schema.registry.url", url),
        ("max.retries", "0"),
        ("http.connect.timeout.ms", "10000"),
        ("http.read.timeout.ms", "10000"),
    ];
    let config: ConfigMap = base
        .iter()
        .chain(entries)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    SchemaRegistryClient::new(&RegistryConfig::parse(&config)?)
}

/// Registers a schema, which takes a request with a body and an answer.
fn register(url: &str, entries: &[(&str, &str)]) -> Result<i32, RegistryError> {
    let schema = RegistrySchema::new(Format::Avro, "\"int\"");
    let registered = client(url, entries).unwrap().register("s", &schema, false)?;
    Ok(registered.id)
}

/// TLS before a registry.
fn secured(registry: &TestRegistry, server: &Identity, clients: Option<&Identity>) -> (Front, String) {
    let address = registry.url()["http://".len()..].parse().unwrap();
    let front = Front::before(address, acceptor(server, clients));
    let url = format!("https://{}", front.address);
    (front, url)
}

/// Settings by which a client trusts what these PEM certificates lead to.
fn trusting(authority: &str) -> [(&str, &str); 2] {
    [
        ("schema.registry.ssl.truststore.type", "PEM"),
        ("schema.registry.ssl.truststore.certificates", authority),
    ]
}

fn network(error: RegistryError) -> String {
    match error {
        RegistryError::Network(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_registry_of_an_authority_of_one_s_own_is_trusted_and_a_stranger_is_not() {
    let authority = Identity::authority("own");
    let registry = TestRegistry::start();
    let (_front, url) = secured(&registry, &authority.issue("registry"), None);
    let own = authority.certificate_pem();
    assert_eq!(register(&url, &trusting(&own)).unwrap(), 1);

    // The same from a file.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &own).unwrap();
    let location = ("schema.registry.ssl.truststore.location", file.to_str().unwrap());
    assert_eq!(register(&url, &[trusting(&own)[0], location]).unwrap(), 1);

    let stranger = Identity::authority("stranger").certificate_pem();
    for entries in [&trusting(&stranger)[..], &[]] {
        let message = network(register(&url, entries).unwrap_err());
        assert!(message.contains(&url), "{message}");
        assert!(
            message.contains("the server's certificate is not accepted: "),
            "{message}"
        );
    }
}

#[test]
fn a_certificate_for_another_name_is_refused_unless_names_are_not_looked_at() {
    let authority = Identity::authority("own");
    let registry = TestRegistry::start();
    // The certificate says 127.0.0.1 only.
    let (front, _) = secured(&registry, &authority.issue("registry"), None);
    let url = format!("https://localhost:{}", front.address.port());
    let own = authority.certificate_pem();
    let [pem, trusted] = trusting(&own);
    let message = network(register(&url, &[pem, trusted]).unwrap_err());
    assert!(message.contains("not accepted: hostname mismatch"), "{message}");
    let lax = ("schema.registry.ssl.endpoint.identification.algorithm", "");
    assert_eq!(register(&url, &[pem, trusted, lax]).unwrap(), 1);
}

#[test]
fn a_registry_that_wants_a_certificate_of_the_client_gets_it_and_its_refusal_is_told() {
    let authority = Identity::authority("own");
    let registry = TestRegistry::start();
    let (_front, url) = secured(&registry, &authority.issue("registry"), Some(&authority));
    let own = authority.certificate_pem();
    let trusted = trusting(&own);
    let with = |identity: &Identity| {
        let (key, chain) = (identity.key_pem(), identity.certificate_pem());
        let more = [
            ("schema.registry.ssl.keystore.type", "PEM"),
            ("schema.registry.ssl.keystore.key", key.as_str()),
            ("schema.registry.ssl.keystore.certificate.chain", chain.as_str()),
        ];
        register(&url, &[&trusted[..], &more[..]].concat())
    };
    assert_eq!(with(&authority.issue("client")).unwrap(), 1);

    for (version, what) in [
        ("TLSv1.3", "certificate required"),
        ("TLSv1.2", "handshake failure"),
    ] {
        let version = [("schema.registry.ssl.enabled.protocols", version)];
        let message = network(register(&url, &[&trusted[..], &version[..]].concat()).unwrap_err());
        assert!(message.contains(&url), "{message}");
        assert!(message.contains(what), "{message}");
        assert!(
            message.contains("schema.registry.ssl.keystore.location"),
            "{message}"
        );
    }
    let stranger = Identity::authority("stranger").issue("client");
    let message = network(with(&stranger).unwrap_err());
    assert!(message.contains("unknown ca"), "{message}");
}

#[test]
fn a_proxy_is_asked_for_plain_and_for_secured_registries() {
    let authority = Identity::authority("own");
    let registry = TestRegistry::start();
    let (_front, secured) = secured(&registry, &authority.issue("registry"), None);
    let own = authority.certificate_pem();
    for url in [registry.url(), secured] {
        let proxy = Front::proxy();
        let port = proxy.address.port().to_string();
        registry.clear_requests();
        let through = [("proxy.host", "127.0.0.1"), ("proxy.port", port.as_str())];
        let entries = [through, trusting(&own)].concat();
        assert_eq!(register(&url, &entries).unwrap(), 1, "{url}");
        assert_eq!(registry.requests(), ["POST /subjects/s/versions"]);
        let seen = proxy.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        let (_, host) = url.split_once("://").unwrap();
        assert!(seen[0].starts_with(&format!("CONNECT {host} ")), "{seen:?}");
    }
    // A proxy that is not there fails the request; nobody goes around it.
    let gone = Front::proxy().address.port().to_string();
    registry.clear_requests();
    let entries = [("proxy.host", "127.0.0.1"), ("proxy.port", gone.as_str())];
    network(register(&registry.url(), &entries).unwrap_err());
    assert!(registry.requests().is_empty());
}

#[test]
fn tokens_come_from_the_issuer_over_tls_and_are_asked_for_once() {
    let authority = Identity::authority("own");
    let registry = TestRegistry::start();
    registry.require_authorization("Bearer t0ken");
    let (front, url) = secured(&registry, &authority.issue("registry"), None);
    let issuer = Front::tls(acceptor(&authority.issue("issuer"), None), |head, body| {
        let answer = |status: &str, body: &str| {
            format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
        };
        // `me` and `s3cret`.
        let is_me = head.contains("Basic bWU6czNjcmV0");
        let answer = if is_me && body == b"grant_type=client_credentials&scope=a%20b" {
            answer("200 OK", r#"{"access_token":"t0ken","expires_in":3600}"#)
        } else {
            answer("401 Unauthorized", r#"{"error":"invalid_client"}"#)
        };
        answer.into_bytes()
    });
    let own = authority.certificate_pem();
    let endpoint = format!("https://{}/token", issuer.address);
    let entries = |secret| {
        [
            ("schema.registry.ssl.truststore.type", "PEM"),
            ("schema.registry.ssl.truststore.certificates", own.as_str()),
            ("bearer.auth.credentials.source", "OAUTHBEARER"),
            ("bearer.auth.issuer.endpoint.url", endpoint.as_str()),
            ("bearer.auth.client.id", "me"),
            ("bearer.auth.client.secret", secret),
            ("bearer.auth.scope", "a b"),
            ("bearer.auth.logical.cluster", "lsrc-1"),
        ]
    };
    let mut client = client(&url, &entries("s3cret")).unwrap();
    let schema = RegistrySchema::new(Format::Avro, "\"int\"");
    for subject in ["s", "t"] {
        assert_eq!(client.register(subject, &schema, false).unwrap().id, 1);
    }
    assert_eq!(issuer.seen().len(), 1, "the token is kept");
    assert_eq!(front.seen().len(), 2);
    assert_eq!(
        registry.last_header("authorization").as_deref(),
        Some("Bearer t0ken")
    );
    assert_eq!(
        registry.last_header("target-sr-cluster").as_deref(),
        Some("lsrc-1")
    );

    registry.clear_requests();
    let error = register(&url, &entries("wr0ng")).unwrap_err();
    let RegistryError::Answer { status, message, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*status, 401);
    assert!(
        message.contains("the token issuer of bearer.auth.issuer.endpoint.url"),
        "{message}"
    );
    assert!(!format!("{error:?}").contains("wr0ng"));
    assert!(
        registry.requests().is_empty(),
        "nothing is asked of the registry without a token"
    );
}

#[test]
fn the_login_of_the_kafka_client_gives_a_token_too() {
    let authority = Identity::authority("own");
    let registry = TestRegistry::start();
    registry.require_authorization("Bearer t0ken");
    let issuer = Front::tls(acceptor(&authority.issue("issuer"), None), |head, body| {
        let is_me = head.contains("Basic bWU6czNjcmV0") && body == b"grant_type=client_credentials&scope=own";
        let (status, body) = match is_me {
            true => ("201 Created", r#"{"access_token":"t0ken","expires_in":"3600"}"#),
            false => ("401 Unauthorized", "{}"),
        };
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .into_bytes()
    });
    let endpoint = format!("https://{}/token", issuer.address);
    // The issuer's authority is trusted as the Kafka client trusts it; the registry's own keys are not about it.
    let login = format!(
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId=\"me\" clientSecret=\"s3cret\" \
         scope=\"kafka\" extension_identityPoolId=\"pool-1\" ssl.truststore.type=PEM ssl.truststore.certificates=\"{}\";",
        authority.certificate_pem()
    );
    let entries = [
        ("bearer.auth.credentials.source", "SASL_OAUTHBEARER_INHERIT"),
        ("schema.registry.sasl.jaas.config", login.as_str()),
        ("sasl.oauthbearer.token.endpoint.url", endpoint.as_str()),
        // What is set for the registry comes before what the login says.
        ("bearer.auth.scope", "own"),
    ];
    assert_eq!(register(&registry.url(), &entries).unwrap(), 1);
    assert_eq!(
        registry.last_header("confluent-identity-pool-id").as_deref(),
        Some("pool-1")
    );
    assert_eq!(issuer.seen().len(), 1);
}

#[test]
fn a_managed_identity_of_azure_gives_a_token_too() {
    let registry = TestRegistry::start();
    registry.require_authorization("Bearer t0ken");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut lines = BufReader::new(&stream).lines();
        while let Some(line) = lines.next().map(Result::unwrap).filter(|line| !line.is_empty()) {
            head.push(line.to_ascii_lowercase());
        }
        let body = r#"{"access_token":"t0ken","expires_in":"86399"}"#;
        let length = body.len();
        write!(
            &stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        head
    });
    let entries = [
        ("bearer.auth.credentials.source", "UAMI"),
        ("bearer.auth.uami.endpoint.url", endpoint.as_str()),
        ("bearer.auth.uami.endpoint.query", "api-version=1&client_id=me"),
    ];
    assert_eq!(register(&registry.url(), &entries).unwrap(), 1);
    let head = asked.join().unwrap();
    assert_eq!(head[0], "get /token?api-version=1&client_id=me http/1.1");
    assert!(head.contains(&"metadata: true".to_owned()), "{head:?}");
}
