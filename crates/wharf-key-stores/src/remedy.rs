//! What to do about a connection that Kafka's security refused, in the names of Java's properties.
//!
//! librdkafka names its own properties, which no user of the worker has ever set, and OpenSSL names none. What must stay
//! true: a text is matched by words of OpenSSL, of librdkafka or of the broker, never by words of a user's.

/// What to say instead of OpenSSL's or librdkafka's `reason`; `certificate` is why the broker's certificate was refused, if
/// it was.
#[must_use]
pub fn explain(reason: &str, certificate: Option<&str>) -> String {
    // OpenSSL's one text for all that can be wrong with a certificate, and librdkafka's guess about it.
    let told = match (certificate, reason.split_once(": SSL handshake failed")) {
        (Some(why), Some((broker, rest))) if rest.contains("certificate verify failed") => {
            format!("{broker}: SSL handshake failed: the broker's certificate is refused: {why}")
        }
        _ => reason.to_owned(),
    };
    match remedy(&told) {
        Some(remedy) => format!("{told}; {remedy}"),
        None => told,
    }
}

/// Whether the broker ended a connection because it does not take the client for who it says it is.
///
/// With TLS 1.3 a client's certificate is judged after the handshake, so librdkafka sees a lost connection, and would
/// connect again for ever. Java's clients take these alerts as refused authentication.
#[must_use]
pub fn is_refusal(reason: &str) -> bool {
    // Handshake failure; bad, unsupported, revoked, expired, unknown certificate; unknown authority; access denied;
    // certificate required.
    const ALERTS: [u8; 9] = [40, 42, 43, 44, 45, 46, 48, 49, 116];
    let number = reason.split("SSL alert number ").nth(1).unwrap_or_default();
    let digits = number.split(|c: char| !c.is_ascii_digit()).next();
    digits
        .and_then(|digits| digits.parse().ok())
        .is_some_and(|alert| ALERTS.contains(&alert))
}

/// Words of a reason, in lower case, and what helps; the first that fits.
const REMEDIES: &[(&[&str], &str)] = &[
    (
        &["hostname mismatch", "ip address mismatch"],
        "the certificate is for another host: use its host name in bootstrap.servers and in the broker's \
         advertised.listeners, or set ssl.endpoint.identification.algorithm to nothing to go without this check",
    ),
    (
        &["certificate has expired", "certificate is not yet valid"],
        "renew the broker's certificate, or set this machine's clock",
    ),
    (
        &[
            "local issuer certificate",
            "self-signed certificate",
            "self signed certificate",
            "issuer certificate",
        ],
        "put the certificate of the broker's root authority into the store of ssl.truststore.location, or into \
         ssl.truststore.certificates",
    ),
    (
        &[
            "certificate required",
            "bad certificate",
            "handshake failure",
            "unexpected message",
            "alert unknown ca",
            "alert certificate unknown",
        ],
        "the broker wants a client's certificate that it trusts: set ssl.keystore.location, or ssl.keystore.key and \
         ssl.keystore.certificate.chain, and check that the broker trusts its authority",
    ),
    (
        &[
            "unsupported sasl mechanism",
            "mechanism not supported",
            "not enabled in the server",
        ],
        "set sasl.mechanism to one that the broker offers",
    ),
    (
        &["invalid_token", "insufficient_scope"],
        "the broker does not take the token: check that its audience, issuer and scope are those the broker expects \
         (sasl.oauthbearer.scope asks for another), and the clocks",
    ),
    (
        &[
            "authentication failed",
            "invalid credentials",
            "authentication error",
        ],
        "check user and password in sasl.jaas.config, and sasl.mechanism",
    ),
    (
        &["wrong version number"],
        "the listener does not speak TLS: check security.protocol and the port in bootstrap.servers",
    ),
];

fn remedy(reason: &str) -> Option<&'static str> {
    let reason = reason.to_ascii_lowercase();
    REMEDIES
        .iter()
        .find(|(words, _)| words.iter().any(|word| reason.contains(word)))
        .map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_and_the_java_property_that_helps_are_named() {
        let handshake = "ssl://h:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: \
                         broker certificate could not be verified, verify that ssl.ca.location is correctly configured";
        for (reason, certificate, start, property) in [
            (
                handshake,
                Some("unable to get local issuer certificate"),
                "ssl://h:1/bootstrap: SSL handshake failed: the broker's certificate is refused: unable to get local issuer \
                 certificate; ",
                "ssl.truststore.location",
            ),
            (
                handshake,
                Some("hostname mismatch"),
                "ssl://h:1/bootstrap: SSL handshake failed: the broker's certificate is refused: hostname mismatch; ",
                "ssl.endpoint.identification.algorithm",
            ),
            (
                "sasl_ssl://h:1/1: SASL authentication error: Authentication failed: Invalid username or password",
                None,
                "sasl_ssl://h:1/1: SASL authentication error: ",
                "sasl.jaas.config",
            ),
            (
                "sasl_ssl://h:1/1: SASL authentication error: {\"status\":\"invalid_token\"}",
                None,
                "sasl_ssl://h:1/1: SASL authentication error: ",
                "sasl.oauthbearer.scope",
            ),
        ] {
            let told = explain(reason, certificate);
            assert!(told.starts_with(start), "{told}");
            assert!(
                told.contains(property) && !told.contains("ssl.ca.location"),
                "{told}"
            );
        }
        assert_eq!(explain("something else", None), "something else");
    }

    #[test]
    fn an_alert_about_the_clients_certificate_is_a_refusal_and_a_lost_connection_is_not() {
        let failed = "ssl://h:1/1: Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert";
        for (reason, refusal) in [
            (
                format!("{failed} number 42 (after 5ms in state APIVERSION_QUERY)"),
                true,
            ),
            (format!("{failed} number 116"), true),
            // Close notify, internal error.
            (format!("{failed} number 0"), false),
            (format!("{failed} number 80"), false),
            (
                "ssl://h:1/1: Disconnected (after 42ms in state UP)".to_owned(),
                false,
            ),
        ] {
            assert_eq!(is_refusal(&reason), refusal, "{reason}");
        }
        assert!(explain(failed, None).contains("ssl.keystore.location"));
    }
}
