//! `DropHeaders`: removes all headers of the given names.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator};
use wharf_api::{Applied, ConfigMap, Record, Result, Transformation};

use crate::options::list;

const HEADERS: &str = "headers";

/// The transformation.
#[derive(Default)]
pub(crate) struct DropHeaders {
    headers: Vec<String>,
}

impl Transformation for DropHeaders {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.headers = list(&self.config().parse(config)?, HEADERS);
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::new(HEADERS, Type::List)
                .validator(Validator::distinct_list(false, false))
                .importance(Importance::High)
                .doc("Names of the headers to remove."),
        )
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        for header in &self.headers {
            record.headers.remove(header);
        }
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::Headers;

    use super::*;
    use crate::options::config;

    #[test]
    fn all_headers_of_the_names_go_and_others_keep_their_order() {
        let mut headers = Headers::new();
        for (position, key) in ["a", "b", "a", "c", "b", "d"].into_iter().enumerate() {
            headers.add_long(key, i64::try_from(position).unwrap());
        }
        let mut transformation = DropHeaders::default();
        transformation
            .configure(&config([("headers", "a, d, zz")]))
            .unwrap();
        let changed = transformation
            .applied(Record::sink("t", 0, 0).with_headers(headers))
            .unwrap()
            .unwrap();
        let left: Vec<_> = changed.headers.iter().map(|header| header.key()).collect();
        assert_eq!(left, ["b", "c", "b"]);
    }

    #[test]
    fn the_list_must_hold_something() {
        let mut transformation = DropHeaders::default();
        assert!(transformation.configure(&config([("headers", "")])).is_err());
        assert!(transformation.configure(&ConfigMap::new()).is_err());
    }
}
