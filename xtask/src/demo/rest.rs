//! The demo's talk with the worker's REST API, shown as it happens.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use wharf_test_services::http::{self, Response};

/// Longest part of a body that is shown.
const SHOWN: usize = 96;
/// Between two looks at the same thing.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A worker's REST API.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    address: String,
}

impl Rest {
    /// For the worker at `host:port`.
    pub(crate) fn new(address: String) -> Self {
        Self { address }
    }

    /// Base address, as a person would type it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One call, shown; any status other than `expected` is an error.
    pub(crate) fn call(&self, method: &str, path: &str, expected: u16) -> Result<Value> {
        let response = self.quiet(method, path)?;
        show(method, path, &response);
        if response.status != expected {
            bail!(
                "{method} {path} answered {} instead of {expected}: {}",
                response.status,
                response.body
            );
        }
        body(&response)
    }

    /// Repeats a GET until `done` holds for a 200 answer, and shows that last call.
    ///
    /// `alive` is asked between calls, so that a dead worker is reported as that and not as slowness.
    pub(crate) fn until(
        &self,
        path: &str,
        what: &str,
        patience: Duration,
        mut alive: impl FnMut() -> Result<()>,
        mut done: impl FnMut(&Value) -> Result<bool>,
    ) -> Result<Value> {
        let deadline = Instant::now() + patience;
        let mut last;
        loop {
            alive()?;
            match self.quiet("GET", path) {
                Ok(response) if response.status == 200 => {
                    let value = body(&response)?;
                    if done(&value)? {
                        show("GET", path, &response);
                        return Ok(value);
                    }
                    last = response.body;
                }
                Ok(response) => last = format!("{} {}", response.status, response.body),
                Err(error) => last = format!("{error:#}"),
            }
            if Instant::now() >= deadline {
                bail!(
                    "waited {} s in vain until {what}; last answer of GET {path}: {last}",
                    patience.as_secs()
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn quiet(&self, method: &str, path: &str) -> Result<Response> {
        http::request(&self.address, method, path, None).with_context(|| format!("{method} {path}"))
    }
}

fn body(response: &Response) -> Result<Value> {
    if response.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&response.body)
        .with_context(|| format!("the worker answered what is not JSON: {}", response.body))
}

fn show(method: &str, path: &str, response: &Response) {
    println!(
        "    {method:<4} {path}  {}  {}",
        response.status,
        shorten(&response.body)
    );
}

fn shorten(body: &str) -> String {
    let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_bodies_are_cut_at_a_character() {
        assert_eq!(shorten("{\n  \"a\": 1\n}"), "{ \"a\": 1 }");
        let long = "é".repeat(SHOWN + 1);
        assert_eq!(shorten(&long), format!("{}…", "é".repeat(SHOWN)));
        assert_eq!(shorten(&"é".repeat(SHOWN)), "é".repeat(SHOWN));
    }
}
