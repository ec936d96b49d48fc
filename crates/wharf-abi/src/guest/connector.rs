//! Connectors behind the border.

use std::sync::Arc;

use wharf_api::sink::SinkOffsetChange;
use wharf_api::source::SourceOffsetChange;
use wharf_api::{
    ConfigMap, ConnectError, ConnectorContext, ConnectorTransactionBoundaries, ExactlyOnceSupport, Result,
    SinkConnector, SourceConnector,
};

use super::host::HostObject;
use super::task::{SinkTaskInstance, SourceTaskInstance};
use super::{Instance, Response};
use crate::message::Message;
use crate::method::plugin as method;
use crate::module::Role;

/// Makes a source connector or its task.
///
/// # Errors
/// Never; a constructor that panics is contained by the caller.
pub fn source_connector<C: SourceConnector>(role: Role, host: HostObject) -> Result<Box<dyn Instance>> {
    Ok(match role {
        Role::Plugin => Box::new(SourceConnectorInstance {
            connector: C::default(),
            host: Arc::new(host),
        }),
        Role::Task => Box::new(SourceTaskInstance::<C::Task>::new(host)),
    })
}

/// Makes a sink connector or its task.
///
/// # Errors
/// Never; a constructor that panics is contained by the caller.
pub fn sink_connector<C: SinkConnector>(role: Role, host: HostObject) -> Result<Box<dyn Instance>> {
    Ok(match role {
        Role::Plugin => Box::new(SinkConnectorInstance {
            connector: C::default(),
            host: Arc::new(host),
        }),
        Role::Task => Box::new(SinkTaskInstance::<C::Task>::new(host)),
    })
}

struct SourceConnectorInstance<C> {
    connector: C,
    host: Arc<HostObject>,
}

impl<C: SourceConnector> Instance for SourceConnectorInstance<C> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        let connector = &mut self.connector;
        match method {
            method::CONFIG => Response::message(&checked(connector.config())?),
            method::VALIDATE => Response::message(&connector.validate(&ConfigMap::from_bytes(args)?)?),
            method::CONNECTOR_START => {
                let context = ConnectorContext::new(Arc::clone(&self.host));
                connector.start(context, &ConfigMap::from_bytes(args)?)?;
                Response::none()
            }
            method::TASK_CONFIGS => Response::message(&connector.task_configs(count(args)?)?),
            method::CONNECTOR_STOP => {
                connector.stop()?;
                Response::none()
            }
            method::EXACTLY_ONCE_SUPPORT => {
                let support = connector.exactly_once_support(&ConfigMap::from_bytes(args)?)?;
                Response::message(&support.map(|support| support == ExactlyOnceSupport::Supported))
            }
            method::TRANSACTION_BOUNDARIES => {
                let boundaries =
                    connector.can_define_transaction_boundaries(&ConfigMap::from_bytes(args)?)?;
                Response::message(&(boundaries == ConnectorTransactionBoundaries::Supported))
            }
            method::ALTER_OFFSETS => {
                let (config, offsets) = <(ConfigMap, Vec<SourceOffsetChange>)>::from_bytes(args)?;
                Response::message(&connector.alter_offsets(&config, &offsets)?)
            }
            _ => Ok(None),
        }
    }
}

struct SinkConnectorInstance<C> {
    connector: C,
    host: Arc<HostObject>,
}

impl<C: SinkConnector> Instance for SinkConnectorInstance<C> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        let connector = &mut self.connector;
        match method {
            method::CONFIG => Response::message(&checked(connector.config())?),
            method::VALIDATE => Response::message(&connector.validate(&ConfigMap::from_bytes(args)?)?),
            method::CONNECTOR_START => {
                let context = ConnectorContext::new(Arc::clone(&self.host));
                connector.start(context, &ConfigMap::from_bytes(args)?)?;
                Response::none()
            }
            method::TASK_CONFIGS => Response::message(&connector.task_configs(count(args)?)?),
            method::CONNECTOR_STOP => {
                connector.stop()?;
                Response::none()
            }
            method::ALTER_OFFSETS => {
                let (config, offsets) = <(ConfigMap, Vec<SinkOffsetChange>)>::from_bytes(args)?;
                Response::message(&connector.alter_offsets(&config, &offsets)?)
            }
            _ => Ok(None),
        }
    }
}

/// The keys of a definition without mistakes.
pub(super) fn checked(
    definition: wharf_api::config::ConfigDef,
) -> Result<Vec<wharf_api::config::ConfigKeyInfo>> {
    definition.check()?;
    Ok(definition.infos().cloned().collect())
}

fn count(args: &[u8]) -> Result<usize> {
    usize::try_from(i64::from_bytes(args)?).map_err(|_| ConnectError::data("the number of tasks is negative"))
}
