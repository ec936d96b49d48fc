//! A plugin class, started and called through the border.

use std::sync::Arc;

use wharf_abi::host::{ConnectorHandle, ConnectorServices, Handle, HostServices, Module};
use wharf_abi::manifest::ManifestClass;
use wharf_abi::module::{PluginModuleRef, Role};
use wharf_api::{PluginKind, Result};

use crate::FakeWorker;

/// One class of a plugin, and the worker that its instances see.
#[derive(Debug, Clone)]
pub struct PluginUnderTest {
    module: Arc<Module>,
    index: usize,
    worker: Arc<FakeWorker>,
}

impl PluginUnderTest {
    /// The class of this name and kind, with a worker of its own.
    ///
    /// # Panics
    /// When the module does not start or has no such class: a test cannot go on.
    #[must_use]
    pub fn new(functions: PluginModuleRef, kind: PluginKind, class: &str) -> Self {
        let module = match Module::start(functions) {
            Ok(module) => module,
            Err(error) => panic!("the plugin module does not start: {error:#}"),
        };
        let found = module.manifest().classes.iter().position(|known| {
            known
                .as_ref()
                .is_some_and(|known| known.kind == kind && known.class == class)
        });
        let Some(index) = found else {
            panic!(
                "{} has no {} class {class}",
                module.manifest().package,
                kind.name()
            )
        };
        Self {
            module,
            index,
            worker: Arc::new(FakeWorker::default()),
        }
    }

    /// What the manifest says of the class.
    ///
    /// # Panics
    /// Never: the class was found when this was made.
    #[must_use]
    pub fn manifest(&self) -> &ManifestClass {
        match &self.module.manifest().classes[self.index] {
            Some(class) => class,
            None => unreachable!("the class was found by its kind and name"),
        }
    }

    /// The worker that instances see.
    #[must_use]
    pub fn worker(&self) -> &Arc<FakeWorker> {
        &self.worker
    }

    /// A new instance in this role.
    ///
    /// # Errors
    /// When its constructor panics.
    pub fn create(&self, role: Role, services: Box<dyn HostServices>) -> Result<Handle> {
        self.module.create(self.index, role, services)
    }

    /// A new connector, not started.
    ///
    /// # Errors
    /// When its constructor panics.
    pub fn connector(&self) -> Result<ConnectorHandle> {
        let services = ConnectorServices(Arc::clone(&self.worker));
        Ok(ConnectorHandle::new(
            self.create(Role::Plugin, Box::new(services))?,
        ))
    }
}
