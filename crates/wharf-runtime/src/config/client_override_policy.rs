//! Which client settings a connector may override (`connector.client.config.override.policy`).

use std::collections::BTreeSet;

use wharf_api::config::ConfigValue;
use wharf_api::{ConfigMap, ConnectError, Result};

/// The worker key that selects the policy.
pub(super) const OVERRIDE_POLICY_KEY: &str = "connector.client.config.override.policy";
/// The worker key with the settings that the policy `Allowlist` allows (KIP-1188).
pub(super) const OVERRIDE_ALLOWLIST_KEY: &str = "connector.client.config.override.allowlist";

const PACKAGE: &str = "org.apache.kafka.connect.connector.policy.";
const SUFFIX: &str = "ConnectorClientConfigOverridePolicy";
const PRINCIPAL_KEYS: &[&str] = &["sasl.jaas.config", "sasl.mechanism", "security.protocol"];

/// A built-in policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientOverridePolicy {
    /// Everything may be overridden.
    All,
    /// Nothing may be overridden.
    None,
    /// Only who the connector is: `sasl.jaas.config`, `sasl.mechanism`, `security.protocol`.
    Principal,
    /// Only the listed settings.
    Allowlist(BTreeSet<String>),
}

impl ClientOverridePolicy {
    /// The policy of this name: the short name, the simple class name or the full class name.
    ///
    /// # Errors
    ///
    /// There is no such policy.
    pub fn from_name(name: &str, allowlist: &[String]) -> Result<Self> {
        let simple = name.strip_prefix(PACKAGE).unwrap_or(name);
        match simple.strip_suffix(SUFFIX).unwrap_or(simple) {
            "All" => Ok(Self::All),
            "None" => Ok(Self::None),
            "Principal" => Ok(Self::Principal),
            "Allowlist" => Ok(Self::Allowlist(allowlist.iter().cloned().collect())),
            _ => Err(ConnectError::invalid_config(
                OVERRIDE_POLICY_KEY,
                name,
                "it is not one of the built-in policies All, None, Principal and Allowlist, and this build does not use policies \
                 of plugins yet",
            )),
        }
    }

    /// The short name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::All => "All",
            Self::None => "None",
            Self::Principal => "Principal",
            Self::Allowlist(_) => "Allowlist",
        }
    }

    /// Whether a client setting (without `producer.override.` and the like) may be overridden.
    #[must_use]
    pub fn allows(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Principal => PRINCIPAL_KEYS.contains(&key),
            Self::Allowlist(keys) => keys.contains(key),
        }
    }

    /// One value per override (prefix removed), with an error on each that is not allowed.
    #[must_use]
    pub fn validate(&self, overrides: &ConfigMap) -> Vec<ConfigValue> {
        let check = |(key, text): (&String, &String)| {
            let mut value = ConfigValue::with_value(key, text.as_str());
            if !self.allows(key) {
                value.add_error(format!(
                    "The '{}' policy does not allow '{key}' to be overridden in the connector configuration.",
                    self.name()
                ));
            }
            value
        };
        overrides.iter().map(check).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_found_by_all_their_names() {
        for (short, policy) in [
            ("All", ClientOverridePolicy::All),
            ("None", ClientOverridePolicy::None),
            ("Principal", ClientOverridePolicy::Principal),
            (
                "Allowlist",
                ClientOverridePolicy::Allowlist(["a".to_owned()].into()),
            ),
        ] {
            for name in [
                short.to_owned(),
                format!("{short}{SUFFIX}"),
                format!("{PACKAGE}{short}{SUFFIX}"),
            ] {
                assert_eq!(
                    ClientOverridePolicy::from_name(&name, &["a".to_owned()]),
                    Ok(policy.clone())
                );
            }
            assert_eq!(policy.name(), short);
        }
        assert!(ClientOverridePolicy::from_name("all", &[]).is_err());
    }

    #[test]
    fn each_policy_refuses_what_it_does_not_allow_in_the_words_of_kafka() {
        let allowlist = ClientOverridePolicy::Allowlist(["linger.ms".to_owned()].into());
        let cases = [
            (ClientOverridePolicy::All, "linger.ms", true),
            (ClientOverridePolicy::None, "linger.ms", false),
            (ClientOverridePolicy::None, "sasl.mechanism", false),
            (ClientOverridePolicy::Principal, "sasl.jaas.config", true),
            (ClientOverridePolicy::Principal, "sasl.mechanism", true),
            (ClientOverridePolicy::Principal, "security.protocol", true),
            (ClientOverridePolicy::Principal, "linger.ms", false),
            (allowlist.clone(), "linger.ms", true),
            (allowlist, "acks", false),
        ];
        for (policy, key, allowed) in cases {
            let values = policy.validate(&[(key.to_owned(), "v".to_owned())].into());
            let message = format!(
                "The '{}' policy does not allow '{key}' to be overridden in the connector configuration.",
                policy.name()
            );
            let expected: Vec<String> = if allowed { vec![] } else { vec![message] };
            assert_eq!(values[0].errors, expected);
            assert_eq!(values[0].name, key);
        }
    }
}
