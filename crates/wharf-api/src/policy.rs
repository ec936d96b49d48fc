//! Client config override policies: which `producer.override.*`, `consumer.override.*` and `admin.override.*` keys a
//! connector may set.

use crate::ConfigMap;
use crate::config::ConfigValue;
use crate::error::Result;

/// The kind of Kafka client whose settings are overridden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientType {
    /// A producer.
    Producer,
    /// A consumer.
    Consumer,
    /// An admin client.
    Admin,
}

impl ClientType {
    /// The Java constant's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
            Self::Admin => "ADMIN",
        }
    }

    /// The type with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Producer, Self::Consumer, Self::Admin]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// What a policy is asked.
#[derive(Debug, Clone)]
pub struct OverrideRequest<'a> {
    /// The overrides, without prefix.
    pub properties: &'a ConfigMap,
    /// For which client.
    pub client: ClientType,
    /// The connector.
    pub connector_name: &'a str,
    /// `source` or `sink`.
    pub connector_type: &'a str,
    /// The connector's class.
    pub connector_class: &'a str,
}

/// Decides which client settings a connector may override.
pub trait ClientConfigOverridePolicy: Send {
    /// Sets it up with the worker's configuration.
    ///
    /// # Errors
    /// Fails the start of the worker.
    fn configure(&mut self, config: &ConfigMap) -> Result<()>;

    /// One value per override; a refused one has errors.
    ///
    /// # Errors
    /// When the decision cannot be made; the request that needed it fails.
    fn validate(&mut self, request: &OverrideRequest<'_>) -> Result<Vec<ConfigValue>>;
}
