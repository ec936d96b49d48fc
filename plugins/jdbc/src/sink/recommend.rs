//! Which values of a key go with those of others.

use wharf_api::Result;
use wharf_api::config::{ParsedConfig, ParsedValue, Recommender};

use super::config::{DELETE_ENABLED_CONFIG, PK_MODE_CONFIG};

const RECORD_KEY: &str = "record_key";

/// Of `delete.enabled` and `pk.mode`: rows are deleted by the record's key alone.
pub(super) struct KeyOfDeletes;

impl KeyOfDeletes {
    fn is_by_key(config: &ParsedConfig) -> bool {
        let mode = config.get_string(PK_MODE_CONFIG).unwrap_or_default();
        mode.eq_ignore_ascii_case(RECORD_KEY)
    }
}

impl Recommender for KeyOfDeletes {
    fn valid_values(&self, name: &str, config: &ParsedConfig) -> Result<Vec<ParsedValue>> {
        let text = |text: &str| ParsedValue::String(text.to_owned());
        Ok(match name {
            DELETE_ENABLED_CONFIG if Self::is_by_key(config) => {
                vec![ParsedValue::Boolean(true), ParsedValue::Boolean(false)]
            }
            DELETE_ENABLED_CONFIG => vec![ParsedValue::Boolean(false)],
            _ if config.get_boolean(DELETE_ENABLED_CONFIG) == Some(true) => vec![text(RECORD_KEY)],
            _ => ["none", "kafka", RECORD_KEY, "record_value"].map(text).to_vec(),
        })
    }

    fn visible(&self, name: &str, config: &ParsedConfig) -> Result<bool> {
        Ok(name != DELETE_ENABLED_CONFIG || Self::is_by_key(config))
    }
}
