//! The authorities that this machine trusts, for clients that were given none.
//!
//! The OpenSSL that is built in looks for them where it would have been installed, which is nowhere.

use std::path::{Path, PathBuf};

/// Where systems keep the authorities they trust, in the order in which they are tried.
const PLACES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The PEM file with the system's authorities: that of `SSL_CERT_FILE` if it is there, else the first of the usual ones.
#[must_use]
pub fn authorities() -> Option<PathBuf> {
    first_file(std::env::var_os("SSL_CERT_FILE").map(PathBuf::from), PLACES)
}

fn first_file(named: Option<PathBuf>, places: &[&str]) -> Option<PathBuf> {
    named
        .into_iter()
        .chain(places.iter().map(PathBuf::from))
        .find(|file| Path::is_file(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_file_comes_first_and_what_is_not_there_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["named", "second", "third"] {
            std::fs::write(path(name), "").unwrap();
        }
        let places = ["first", "second", "third"].map(|name| path(name).to_str().unwrap().to_owned());
        let places = places.each_ref().map(String::as_str);
        assert_eq!(first_file(Some(path("named")), &places), Some(path("named")));
        assert_eq!(first_file(Some(path("first")), &places), Some(path("second")));
        assert_eq!(first_file(None, &places), Some(path("second")));
        // A folder is no file.
        assert_eq!(first_file(None, &[dir.path().to_str().unwrap()]), None);
    }
}
