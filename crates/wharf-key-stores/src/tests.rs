//! What is read from stores, and how each mistake in them is named.

use std::collections::BTreeMap;

use openssl::stack::Stack;
use openssl::symm::Cipher;
use wharf_test_services::Identity;

use super::*;

const PASSWORD: &str = "s3cret";

fn pem(certificates: &[&Identity]) -> String {
    let certificates: Vec<_> = certificates.iter().map(|one| one.certificate.clone()).collect();
    text_of(&certificates).unwrap()
}

fn translated(pairs: &[(&str, &str)]) -> Result<BTreeMap<&'static str, String>, String> {
    let lookup = |key: &str| {
        let found = pairs.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    };
    let (found, problems) = Settings::new("", &lookup).read_all();
    if !problems.is_empty() {
        return Err(problems
            .iter()
            .map(|p| p.message.as_str())
            .collect::<Vec<_>>()
            .join("; "));
    }
    let mut out = BTreeMap::new();
    out.extend(found.trusted.map(|pem| ("ssl.ca.pem", pem)));
    if let Some((key, chain)) = found.identity {
        out.extend([("ssl.key.pem", key), ("ssl.certificate.pem", chain)]);
    }
    Ok(out)
}

#[test]
fn messages_name_keys_with_their_prefix() {
    let lookup = |key: &str| (key == "ssl.keystore.key").then(|| "x".to_owned());
    let problem = Settings::new("schema.registry.", &lookup).read().unwrap_err();
    assert_eq!(problem.key, "schema.registry.ssl.keystore.certificate.chain");
    assert_eq!(
        problem.message,
        "schema.registry.ssl.keystore.certificate.chain must be set together with schema.registry.ssl.keystore.key"
    );
}

#[test]
fn a_path_is_quoted_where_a_shell_would_split_it() {
    for (path, expected) in [
        ("/etc/kafka/trust.jks", "/etc/kafka/trust.jks"),
        ("/my files/a.jks", "'/my files/a.jks'"),
        ("it's", r"'it'\''s'"),
    ] {
        assert_eq!(quoted(path), expected);
    }
}

#[test]
fn a_pkcs12_key_store_gives_the_key_and_the_chain_in_order_without_strangers() {
    let root = Identity::authority("root");
    let middle = root.issue("middle");
    let client = middle.issue("client");
    let stranger = Identity::authority("stranger");
    let mut others = Stack::new().unwrap();
    for other in [&stranger, &root, &middle] {
        others.push(other.certificate.clone()).unwrap();
    }
    let store = Pkcs12::builder()
        .name("client")
        .pkey(&client.key)
        .cert(&client.certificate)
        .ca(others)
        .build2(PASSWORD)
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("client.p12");
    fs::write(&path, store.to_der().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let location = ("ssl.keystore.location", path);
    let out = translated(&[location, ("ssl.keystore.password", PASSWORD)]).unwrap();
    assert_eq!(out["ssl.certificate.pem"], pem(&[&client, &middle, &root]));
    assert_eq!(out["ssl.key.pem"], key_text(&client.key).unwrap());
    for (more, expected) in [
        (&[][..], "set ssl.keystore.password"),
        (
            &[("ssl.keystore.password", "other")][..],
            "check ssl.keystore.password",
        ),
        (
            &[("ssl.keystore.password", PASSWORD), ("ssl.key.password", "other")][..],
            "one password",
        ),
        (
            &[("ssl.keystore.password", PASSWORD), ("ssl.keystore.type", "BKS")][..],
            "use PEM or PKCS12",
        ),
    ] {
        let found = translated(&[&[location], more].concat()).unwrap_err();
        assert!(
            found.contains(expected) && !found.contains(PASSWORD),
            "{expected}: {found}"
        );
    }
}

#[test]
fn keys_in_properties_are_decrypted_and_fit_their_certificate() {
    let (own, other) = (Identity::authority("own"), Identity::authority("other"));
    let (chain, foreign) = (pem(&[&own]), pem(&[&other]));
    let plain = key_text(&own.key).unwrap();
    let encrypted = own
        .key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), PASSWORD.as_bytes())
        .unwrap();
    let encrypted = String::from_utf8(encrypted).unwrap().replace('\n', " ");
    let password = |value| ("ssl.key.password", value);
    for (key, chain, more, expected) in [
        (&plain, &chain, None, Ok(())),
        (&encrypted, &chain, Some(password(PASSWORD)), Ok(())),
        (
            &encrypted,
            &chain,
            Some(password("other")),
            Err("check ssl.key.password"),
        ),
        (&encrypted, &chain, None, Err("set ssl.key.password")),
        (&plain, &foreign, None, Err("not the first certificate's")),
        (&chain, &chain, None, Err("holds no private key")),
        (
            &plain,
            &plain,
            None,
            Err("ssl.keystore.certificate.chain holds no certificate"),
        ),
    ] {
        let mut pairs = vec![
            ("ssl.keystore.key", key.as_str()),
            ("ssl.keystore.certificate.chain", chain),
        ];
        pairs.extend(more);
        match (translated(&pairs), expected) {
            (Ok(out), Ok(())) => {
                assert_eq!(out["ssl.key.pem"], plain);
                assert_eq!(out["ssl.certificate.pem"], *chain);
            }
            (Err(found), Err(expected)) => assert!(
                found.contains(expected) && !found.contains(PASSWORD) && !found.contains("BEGIN ENC"),
                "{expected}: {found}"
            ),
            (other, expected) => panic!("{other:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let root = Identity::authority("root");
    let text = pem(&[&root]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust.pem");
    fs::write(&path, &text).unwrap();
    let path = path.to_str().unwrap();
    let damaged = text.replacen("MII", "AAA", 1);
    for (pairs, expected) in [
        (
            &[
                ("ssl.truststore.certificates", text.as_str()),
                ("ssl.truststore.location", path),
            ][..],
            "cannot both be set",
        ),
        (
            &[
                ("ssl.truststore.type", "PEM"),
                ("ssl.truststore.location", path),
                ("ssl.truststore.password", PASSWORD),
            ][..],
            "leave out ssl.truststore.password",
        ),
        (
            &[("ssl.truststore.location", path)][..],
            "set ssl.truststore.type=PEM",
        ),
        (
            &[("ssl.truststore.location", "/nowhere/trust.p12")][..],
            "cannot be read",
        ),
        (
            &[("ssl.truststore.certificates", damaged.as_str())][..],
            "certificate 1 of 1 is damaged",
        ),
        (
            &[("ssl.keystore.certificate.chain", text.as_str())][..],
            "ssl.keystore.key must be set",
        ),
        (
            &[("ssl.keystore.key", text.as_str())][..],
            "ssl.keystore.certificate.chain must be set",
        ),
    ] {
        let found = translated(pairs).unwrap_err();
        assert!(
            found.contains(expected) && !found.contains(PASSWORD),
            "{expected}: {found}"
        );
    }
}
