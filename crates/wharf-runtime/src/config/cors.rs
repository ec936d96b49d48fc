//! Which pages of other origins may ask the worker, from `access.control.allow.origin` and `access.control.allow.methods`.
//!
//! Upstream hands both to Jetty's handler for cross-origin requests, and what that makes of them holds here: an origin is `*`
//! or a regular expression that must match as a whole, in either case of letters; what is not configured keeps Jetty's default.

use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_transforms::JavaRegex;

pub(super) const ALLOW_ORIGIN: &str = "access.control.allow.origin";
pub(super) const ALLOW_METHODS: &str = "access.control.allow.methods";

/// Jetty's, where no methods are named.
const USUAL_METHODS: [&str; 3] = ["GET", "POST", "HEAD"];

/// The rules for cross-origin requests.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossOrigin {
    origins: Origins,
    methods: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Origins {
    Any,
    Matching(Vec<JavaRegex>),
}

impl CrossOrigin {
    /// Reads them; nothing unless an origin is named.
    ///
    /// # Errors
    /// An origin is no regular expression.
    pub(super) fn read(properties: &ConfigMap) -> Result<Option<Self>> {
        let text = |key: &str| properties.get(key).filter(|text| !text.trim().is_empty());
        let Some(origins) = text(ALLOW_ORIGIN) else {
            return Ok(None);
        };
        Ok(Some(Self {
            origins: read_origins(origins)?,
            methods: match text(ALLOW_METHODS) {
                Some(methods) => items(methods).map(str::to_owned).collect(),
                None => USUAL_METHODS.map(str::to_owned).into(),
            },
        }))
    }

    /// Whether a request with this `Origin` is allowed: one of the origins in it is.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        match &self.origins {
            Origins::Any => true,
            Origins::Matching(patterns) => origin
                .split_ascii_whitespace()
                .any(|origin| patterns.iter().any(|pattern| pattern.matches(origin))),
        }
    }

    /// The methods that a preflight request is told, with commas between them.
    #[must_use]
    pub fn methods(&self) -> String {
        self.methods.join(",")
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn read_origins(text: &str) -> Result<Origins> {
    if items(text).any(|item| item == "*") {
        return Ok(Origins::Any);
    }
    items(text)
        .map(|item| {
            JavaRegex::new(&format!("(?i){item}")).map_err(|error| {
                ConnectError::invalid_config(
                    ALLOW_ORIGIN,
                    item,
                    &format!(
                        "an origin is * or a regular expression, such as https://.*\\.example\\.com: {}",
                        error.message()
                    ),
                )
            })
        })
        .collect::<Result<_>>()
        .map(Origins::Matching)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(origin: &str, methods: &str) -> Result<Option<CrossOrigin>> {
        CrossOrigin::read(&ConfigMap::from([
            (ALLOW_ORIGIN.to_owned(), origin.to_owned()),
            (ALLOW_METHODS.to_owned(), methods.to_owned()),
        ]))
    }

    #[test]
    fn origins_are_all_or_patterns_for_the_whole_in_any_case() {
        let list = "http://a.example, https://.*\\.b\\.example|http://c";
        let cases = [
            ("*", "http://anything", true),
            ("http://x, *", "http://anything", true),
            (list, "http://a.example", true),
            (list, "HTTP://A.EXAMPLE", true),
            (list, "http://aXexample", true),
            (list, "http://a.example.evil", false),
            (list, "https://x.b.example", true),
            (list, "HTTP://C", true),
            (list, "https://b.example", false),
            (list, "http://evil http://a.example", true),
            (list, "null", false),
            (list, "", false),
            (",", "http://a.example", false),
        ];
        for (configured, origin, allowed) in cases {
            let rules = read(configured, "").unwrap().unwrap();
            assert_eq!(rules.allows(origin), allowed, "{configured}: {origin}");
        }
    }

    #[test]
    fn methods_are_those_named_or_the_usual_ones() {
        for (configured, methods) in [
            ("", "GET,POST,HEAD"),
            (" ", "GET,POST,HEAD"),
            ("GET, PUT,DELETE,", "GET,PUT,DELETE"),
            (",", ""),
        ] {
            assert_eq!(read("*", configured).unwrap().unwrap().methods(), methods);
        }
        assert_eq!(read(" ", "GET"), Ok(None), "methods alone allow nothing");
    }

    #[test]
    fn an_origin_that_is_no_pattern_is_named() {
        for bad in ["*.example.com", "a)(b"] {
            let error = read(&format!("http://a, {bad}"), "").unwrap_err();
            let message = error.message();
            assert!(
                message.contains(ALLOW_ORIGIN) && message.contains(bad),
                "{message}"
            );
        }
    }
}
