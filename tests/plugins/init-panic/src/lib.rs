//! A plugin library whose initialiser panics.

use wharf_api::config::ConfigDef;
use wharf_api::{ConfigMap, Predicate, Record, Result};

#[derive(Default)]
struct Never;

impl Predicate for Never {
    fn configure(&mut self, _: &ConfigMap) -> Result<()> {
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn test(&mut self, _: &Record) -> Result<bool> {
        Ok(false)
    }
}

fn set_up() -> Result<()> {
    panic!("the initialiser fell over")
}

wharf_abi::export_plugins! {
    init: set_up;
    predicate Never { class: "wharf.test.NeverInitialisedByPanic" }
}
