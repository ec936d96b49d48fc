//! TLS and SASL: Java's protocols and login modules in librdkafka's terms.
//!
//! Nothing here repeats a password or a login in a message.

use std::collections::BTreeMap;

use wharf_key_stores::jaas;

use super::{Draft, oauth};

pub(super) const HANDLER: &str = "sasl.login.callback.handler.class";
const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const TOKENS: &str = "for tokens of an endpoint or a file set sasl.login.callback.handler.class to \
                      org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler";
const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

pub(super) fn apply(draft: &mut Draft<'_>) {
    let Some(protocol) = draft.java("security.protocol").map(str::to_ascii_lowercase) else {
        return;
    };
    draft.set("security.protocol", protocol.clone());
    if protocol.ends_with("ssl") {
        tls(draft);
    }
    if protocol.starts_with("sasl") {
        sasl(draft);
    }
}

/// The value in force, unless it is empty.
pub(super) fn owned(draft: &Draft<'_>, key: &str) -> Option<String> {
    draft
        .java(key)
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

fn tls(draft: &mut Draft<'_>) {
    match draft
        .java("ssl.endpoint.identification.algorithm")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("https") => draft.set("ssl.endpoint.identification.algorithm", "https"),
        Some("") | None => draft.set("ssl.endpoint.identification.algorithm", "none"),
        Some(_) => draft.problem(
            "ssl.endpoint.identification.algorithm",
            "ssl.endpoint.identification.algorithm must be https, or empty for no check of host names",
        ),
    }
    let protocols = owned(draft, "ssl.enabled.protocols").unwrap_or_default();
    for protocol in protocols
        .split(',')
        .filter(|name| !["TLSv1.2", "TLSv1.3", ""].contains(name))
    {
        let message =
            format!("ssl.enabled.protocols cannot be honoured by this worker: {protocol} is not supported");
        draft.problem("ssl.enabled.protocols", message);
    }
    match protocols.as_str() {
        "TLSv1.3" => draft.problem(
            "ssl.enabled.protocols",
            "ssl.enabled.protocols cannot be honoured by this worker: TLS 1.2 cannot be switched off in the client; \
             forbid it on the broker and leave the property out",
        ),
        "TLSv1.2" => {
            let warning = "ssl.enabled.protocols=TLSv1.2: TLS 1.3 is used where the broker offers it";
            draft.out.warnings.push(warning.to_owned());
        }
        _ => {}
    }
    stores(draft);
}

/// Trust and key stores become PEM text, so that a mistake is named by Java's key before any connection is tried, and so
/// that every client gets the same three texts.
fn stores(draft: &mut Draft<'_>) {
    let (found, problems) = {
        let lookup = |key: &str| owned(draft, key);
        wharf_key_stores::Settings::new("", &lookup).read_all()
    };
    for problem in problems {
        draft.problem(&problem.key, problem.message);
    }
    if let Some(pem) = found.trusted {
        draft.set("ssl.ca.pem", pem);
    }
    if let Some((key, chain)) = found.identity {
        draft.set("ssl.key.pem", key);
        draft.set("ssl.certificate.pem", chain);
    }
}

fn sasl(draft: &mut Draft<'_>) {
    const KEY: &str = "sasl.mechanism";
    let mechanism = owned(draft, KEY).unwrap_or_default();
    let class = match mechanism.as_str() {
        "PLAIN" => PLAIN,
        "SCRAM-SHA-256" | "SCRAM-SHA-512" => SCRAM,
        "OAUTHBEARER" => OAUTH,
        "GSSAPI" if !draft.is_given(KEY) => {
            let message = "sasl.mechanism is GSSAPI unless set, and Kerberos is not built in; set PLAIN, SCRAM-SHA-256, \
                           SCRAM-SHA-512 or OAUTHBEARER";
            return draft.problem(KEY, message);
        }
        other => {
            let message = format!(
                "sasl.mechanism {other} is not built in; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
            );
            return draft.problem(KEY, message);
        }
    };
    draft.set(KEY, mechanism.clone());
    let Some(config) = owned(draft, "sasl.jaas.config") else {
        let message = format!(
            "sasl.jaas.config must be set for {mechanism}; files of java.security.auth.login.config are not read"
        );
        return draft.problem("sasl.jaas.config", message);
    };
    match jaas::parse(&config) {
        Err(reason) => draft.problem(
            "sasl.jaas.config",
            format!("Invalid value [hidden] for configuration sasl.jaas.config: {reason}"),
        ),
        Ok(module) if module.class != class => {
            let message = format!(
                "sasl.jaas.config names {}, but {mechanism} needs {class}",
                module.class
            );
            draft.problem("sasl.jaas.config", message);
        }
        Ok(module) if mechanism != "OAUTHBEARER" && owned(draft, HANDLER).is_some() => {
            let message = format!("{HANDLER} is for OAUTHBEARER; leave it out with {mechanism}");
            draft.problem(HANDLER, message);
            login(draft, &module);
        }
        Ok(module) => login(draft, &module),
    }
}

fn login(draft: &mut Draft<'_>, module: &jaas::LoginModule) {
    if module.class == OAUTH && oauth::is_asked_for(draft) {
        return oauth::login(draft, &module.options);
    }
    if module.class == OAUTH {
        return match unsecured_token(&module.options) {
            Ok(token) => {
                draft.set("enable.sasl.oauthbearer.unsecure.jwt", "true");
                draft.set("sasl.oauthbearer.config", token);
                if owned(draft, oauth::URL).is_some() {
                    let warning = format!("{} has no effect; {TOKENS}", oauth::URL);
                    draft.out.warnings.push(warning);
                }
            }
            Err(reason) => draft.problem("sasl.jaas.config", format!("sasl.jaas.config: {reason}")),
        };
    }
    if module
        .options
        .get("tokenauth")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return draft.problem(
            "sasl.jaas.config",
            "sasl.jaas.config: delegation tokens (tokenauth) are not built in",
        );
    }
    for (option, key) in [("username", "sasl.username"), ("password", "sasl.password")] {
        match module.options.get(option) {
            Some(value) => draft.set(key, value.clone()),
            None => draft.problem(
                "sasl.jaas.config",
                format!("sasl.jaas.config lacks the option {option}"),
            ),
        }
    }
}

/// Java's options of an unsecured token (for tests; nothing signs it) as the library's own setting.
fn unsecured_token(options: &BTreeMap<String, String>) -> Result<String, String> {
    const CLAIM: &str = "unsecuredLoginStringClaim_";
    const LIST: &str = "unsecuredLoginListClaim_";
    let named = |option: &str, usual: &str| options.get(option).map_or(usual, String::as_str).to_owned();
    let principal_claim = named("unsecuredLoginPrincipalClaimName", "sub");
    let scope_claim = named("unsecuredLoginScopeClaimName", "scope");
    let mut parts = Vec::new();
    for (option, value) in options {
        let part = match option.as_str() {
            "unsecuredLoginPrincipalClaimName" => format!("principalClaimName={value}"),
            "unsecuredLoginScopeClaimName" => format!("scopeClaimName={value}"),
            "unsecuredLoginLifetimeSeconds" => format!("lifeSeconds={value}"),
            claim if claim.strip_prefix(CLAIM) == Some(&principal_claim) => format!("principal={value}"),
            claim if claim.strip_prefix(CLAIM) == Some(&scope_claim) => format!("scope={value}"),
            // The first character of a list says what is between the others.
            claim if claim.strip_prefix(LIST) == Some(&scope_claim) => {
                let mut rest = value.chars();
                let between = rest.next().unwrap_or(',');
                format!("scope={}", rest.as_str().replace(between, ","))
            }
            other => match other.strip_prefix("unsecuredLoginExtension_") {
                Some(name) => format!("extension_{name}={value}"),
                None => {
                    return Err(format!(
                        "the option {other} of OAuthBearerLoginModule is not known here; {TOKENS}"
                    ));
                }
            },
        };
        if part.contains(|c: char| c.is_whitespace() || c == '"') {
            return Err(format!(
                "the option {option} must hold neither blanks nor quotation marks"
            ));
        }
        parts.push(part);
    }
    match parts.iter().any(|part| part.starts_with("principal=")) {
        true => Ok(parts.join(" ")),
        false => Err(format!(
            "OAuthBearerLoginModule lacks {CLAIM}{principal_claim}; {TOKENS}"
        )),
    }
}
