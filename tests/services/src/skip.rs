//! The rule for tests whose service cannot be had: said aloud, written down, and never allowed under CI.
//!
//! `cargo xtask test` tries each service once for the whole run and tells every test binary the outcome by
//! environment, so that one hundred tests do not each wait for the same failing download.

use std::fs::OpenOptions;
use std::io::Write as _;

use crate::ServiceError;

/// Environment key: bootstrap address of a broker that all test binaries share.
pub const TEST_KAFKA: &str = "WHARF_TEST_KAFKA";
/// Environment key: `1` turns a missing service into a failure.
pub const REQUIRE_SERVICES: &str = "WHARF_REQUIRE_SERVICES";
/// Environment key: a reason given by the caller for which services are not even tried.
pub const SKIP_REASON: &str = "WHARF_SKIP_SERVICES";
/// Environment key: a file that gets one line for every test that was skipped.
pub const SKIP_LOG: &str = "WHARF_SKIP_LOG";

/// Whether a missing service must fail the test.
pub fn required() -> bool {
    required_by(|key| std::env::var(key).ok())
}

fn required_by(get: impl Fn(&str) -> Option<String>) -> bool {
    let on = |key| get(key).is_some_and(|v| v == "1" || v.eq_ignore_ascii_case("true"));
    on("CI") || on(REQUIRE_SERVICES)
}

/// The reason for which the caller forbade services, if it did.
pub(crate) fn told_to_skip() -> Result<(), ServiceError> {
    match std::env::var(SKIP_REASON) {
        Ok(reason) if !reason.is_empty() => Err(ServiceError::unavailable(reason)),
        _ => Ok(()),
    }
}

/// Unwraps a service for a test: the service, or `None` when the test shall return early.
///
/// # Panics
/// When the service failed, and when it is unavailable although [`required`] says that it must not be:
/// inside a test a panic is the failure that is wanted.
#[allow(
    clippy::print_stderr,
    reason = "the test harness shows it to whoever looks for why nothing ran"
)]
pub fn available<T>(service: Result<T, ServiceError>) -> Option<T> {
    match service {
        Ok(service) => Some(service),
        Err(ServiceError::Unavailable(reason)) if !required() => {
            let test = std::thread::current().name().unwrap_or("unnamed test").to_owned();
            eprintln!("skipped: {test}: {reason}");
            note(&format!("{test}: {reason}\n"));
            None
        }
        Err(error) => panic!("a service that this test needs is not there: {error}"),
    }
}

fn note(line: &str) {
    if let Some(path) = std::env::var_os(SKIP_LOG)
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path)
    {
        // The log is a courtesy to the summary; a test must not fail because of it.
        let _ = file.write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_required_only_when_ci_or_the_caller_says_so() {
        let cases = [
            (&[][..], false),
            (&[("CI", "true")][..], true),
            (&[("CI", "1")][..], true),
            (&[("CI", "false")][..], false),
            (&[("CI", "")][..], false),
            (&[(REQUIRE_SERVICES, "1")][..], true),
            (&[(REQUIRE_SERVICES, "0")][..], false),
        ];
        for (env, expected) in cases {
            let get = |key: &str| env.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned());
            assert_eq!(required_by(get), expected, "{env:?}");
        }
    }

    #[test]
    #[should_panic(expected = "broker fell over")]
    fn a_service_that_failed_is_never_skipped() {
        let _: Option<()> = available(Err(ServiceError::failed("broker fell over")));
    }
}
