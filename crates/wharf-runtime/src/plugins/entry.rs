//! What the registry knows of one class in one version.

use std::path::Path;
use std::sync::Arc;

use wharf_abi::host::{Handle, HostServices, Module, NoServices};
use wharf_abi::module::Role;
use wharf_api::{ConnectError, PluginKind, Result};
use wharf_converters::BuiltinConverter;
use wharf_transforms::{BuiltinPredicate, BuiltinTransformation};

use super::connector_plugin::ConnectorPlugin;
use super::maven_version::MavenVersion;
use crate::config_providers::BuiltinProvider;
use crate::herder::ConnectorType;

/// Where what is built in is said to be.
const BUILTIN_LOCATION: &str = "classpath";

/// What makes instances of a class that is built in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Builtin {
    Converter(&'static BuiltinConverter),
    Transformation(&'static BuiltinTransformation),
    Predicate(&'static BuiltinPredicate),
    Provider(&'static BuiltinProvider),
}

/// Where a class comes from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Builtin(Builtin),
    Library {
        path: Arc<Path>,
        module: Arc<Module>,
        position: usize,
    },
}

/// One class of one kind in one version.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) kind: PluginKind,
    pub(super) class: Arc<str>,
    pub(super) version: MavenVersion,
    pub(super) task_class: Arc<str>,
    pub(super) origin: Origin,
    /// A class of the same kind and simple name stands before it in its library: a connector that answers to class names of
    /// several makers. Short names mean the first of them.
    pub(super) is_another_name: bool,
}

impl Entry {
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Builtin(_) => None,
            Origin::Library { path, .. } => Some(path),
        }
    }

    /// An instance of a class in a library.
    pub(super) fn create(&self) -> Result<Handle> {
        self.create_with(Box::new(NoServices))
    }

    /// An instance of a class in a library that may ask for these services.
    pub(super) fn create_with(&self, services: Box<dyn HostServices>) -> Result<Handle> {
        match &self.origin {
            Origin::Library { module, position, .. } => module.create(*position, Role::Plugin, services),
            Origin::Builtin(_) => Err(ConnectError::connect(format!("{} is built in", self.class))),
        }
    }

    pub(super) fn stated_version(&self) -> Option<String> {
        Some(self.version.to_string()).filter(|version| !version.is_empty())
    }

    /// As upstream's `PluginDesc` prints.
    pub(super) fn describe(&self) -> String {
        let version = self.stated_version().unwrap_or_else(|| "undefined".to_owned());
        let location = match self.path() {
            None => BUILTIN_LOCATION.to_owned(),
            Some(path) => format!("file:{}", path.display()),
        };
        format!(
            "PluginDesc{{klass=class {class}, name='{class}', version='{version}', encodedVersion={version}, \
             type={kind}, typeName='{kind}', location='{location}'}}",
            class = self.class,
            kind = self.kind.name(),
        )
    }

    pub(super) fn connector(&self) -> Option<ConnectorPlugin> {
        let kind = match self.kind {
            PluginKind::Sink => ConnectorType::Sink,
            PluginKind::Source => ConnectorType::Source,
            _ => return None,
        };
        let Origin::Library {
            path,
            module,
            position,
        } = &self.origin
        else {
            return None;
        };
        Some(ConnectorPlugin {
            class: Arc::clone(&self.class),
            version: self.version.as_str().into(),
            kind,
            task_class: Arc::clone(&self.task_class),
            path: Arc::clone(path),
            module: Arc::clone(module),
            position: *position,
        })
    }
}
