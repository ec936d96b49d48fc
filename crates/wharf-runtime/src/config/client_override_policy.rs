//! Which client settings a connector may override (`connector.client.config.override.policy`).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wharf_api::config::ConfigValue;
use wharf_api::policy::OverrideRequest;
use wharf_api::{ClientConfigOverridePolicy, ConnectError, Result};

/// The worker key that selects the policy.
pub(super) const OVERRIDE_POLICY_KEY: &str = "connector.client.config.override.policy";
/// The worker key with the settings that the policy `Allowlist` allows (KIP-1188).
pub(super) const OVERRIDE_ALLOWLIST_KEY: &str = "connector.client.config.override.allowlist";

const PACKAGE: &str = "org.apache.kafka.connect.connector.policy.";
const SUFFIX: &str = "ConnectorClientConfigOverridePolicy";
const PRINCIPAL_KEYS: &[&str] = &["sasl.jaas.config", "sasl.mechanism", "security.protocol"];

/// A policy.
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
    /// What a plugin says.
    Plugin(PluginPolicy),
}

/// A policy that a plugin library provides: named by the worker's configuration, given once plugins are loaded.
#[derive(Clone)]
pub struct PluginPolicy {
    class: String,
    policy: Arc<OnceLock<Mutex<Box<dyn ClientConfigOverridePolicy>>>>,
}

impl PluginPolicy {
    /// The class as the worker's configuration names it.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// Gives the loaded policy, set up with the worker's configuration; the first one counts.
    pub fn provide(&self, policy: Box<dyn ClientConfigOverridePolicy>) {
        let _ = self.policy.set(Mutex::new(policy));
    }

    fn validate(&self, request: &OverrideRequest<'_>) -> Result<Vec<ConfigValue>> {
        let policy = self
            .policy
            .get()
            .ok_or_else(|| ConnectError::illegal_state(format!("the policy {} is not loaded", self.class)))?;
        policy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .validate(request)
    }
}

impl std::fmt::Debug for PluginPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PluginPolicy").field(&self.class).finish()
    }
}

impl PartialEq for PluginPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.class == other.class
    }
}

impl Eq for PluginPolicy {}

impl ClientOverridePolicy {
    /// The policy of this name: the short name, the simple class name or the full class name. Any other name is a
    /// plugin's, which is looked for when plugins are loaded.
    #[must_use]
    pub fn from_name(name: &str, allowlist: &[String]) -> Self {
        let simple = name.strip_prefix(PACKAGE).unwrap_or(name);
        match simple.strip_suffix(SUFFIX).unwrap_or(simple) {
            "All" => Self::All,
            "None" => Self::None,
            "Principal" => Self::Principal,
            "Allowlist" => Self::Allowlist(allowlist.iter().cloned().collect()),
            _ => Self::Plugin(PluginPolicy {
                class: name.to_owned(),
                policy: Arc::default(),
            }),
        }
    }

    /// The short name, or a plugin's class.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::All => "All",
            Self::None => "None",
            Self::Principal => "Principal",
            Self::Allowlist(_) => "Allowlist",
            Self::Plugin(plugin) => plugin.class(),
        }
    }

    /// One value per override (prefix removed), with an error on each that is not allowed.
    ///
    /// # Errors
    ///
    /// A plugin's policy cannot decide.
    pub fn validate(&self, request: &OverrideRequest<'_>) -> Result<Vec<ConfigValue>> {
        let allows = |key: &str| match self {
            Self::None => false,
            Self::Principal => PRINCIPAL_KEYS.contains(&key),
            Self::Allowlist(keys) => keys.contains(key),
            Self::All | Self::Plugin(_) => true,
        };
        if let Self::Plugin(plugin) = self {
            return plugin.validate(request);
        }
        let check = |(key, text): (&String, &String)| {
            let mut value = ConfigValue::with_value(key, text.as_str());
            if !allows(key) {
                value.add_error(format!(
                    "The '{}' policy does not allow '{key}' to be overridden in the connector configuration.",
                    self.name()
                ));
            }
            value
        };
        Ok(request.properties.iter().map(check).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(properties: &wharf_api::ConfigMap) -> OverrideRequest<'_> {
        OverrideRequest {
            properties,
            client: wharf_api::policy::ClientType::Producer,
            connector_name: "c",
            connector_type: "source",
            connector_class: "a.B",
        }
    }

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
                    policy.clone()
                );
            }
            assert_eq!(policy.name(), short);
        }
        let plugin = ClientOverridePolicy::from_name("all", &[]);
        assert_eq!(plugin.name(), "all");
        assert!(matches!(plugin, ClientOverridePolicy::Plugin(_)));
        let nothing = wharf_api::ConfigMap::new();
        assert!(
            plugin.validate(&request(&nothing)).is_err(),
            "it is not loaded yet"
        );
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
            let properties = [(key.to_owned(), "v".to_owned())].into();
            let values = policy.validate(&request(&properties)).unwrap();
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
