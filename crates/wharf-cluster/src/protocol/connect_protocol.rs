//! The three protocols under which workers agree, from the oldest to the newest.

use std::fmt;
use std::str::FromStr;

/// A protocol of the group, and at the same time a value of `connect.protocol`: the newest that a worker offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectProtocol {
    /// Everything stops with every rebalance and is handed out anew.
    Eager,
    /// Only what moves stops (KIP-415).
    Compatible,
    /// As compatible, and requests between workers are signed (KIP-507).
    Sessioned,
}

impl ConnectProtocol {
    /// Every protocol, oldest first.
    pub const ALL: [Self; 3] = [Self::Eager, Self::Compatible, Self::Sessioned];

    /// The name that brokers and other workers know it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Eager => "default",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        }
    }

    /// The version number in its messages.
    #[must_use]
    pub fn version(self) -> i16 {
        match self {
            Self::Eager => 0,
            Self::Compatible => 1,
            Self::Sessioned => 2,
        }
    }

    /// The protocol of this wire name, as a JoinGroup response gives it.
    ///
    /// # Errors
    /// When no protocol has that name.
    pub fn from_name(name: &str) -> Result<Self, UnknownProtocol> {
        let found = Self::ALL.into_iter().find(|protocol| protocol.name() == name);
        found.ok_or_else(|| UnknownProtocol {
            name: name.to_owned(),
            expected: "default, compatible, sessioned",
        })
    }

    /// What a worker configured with this protocol offers, most wanted first. The group falls to what its weakest member
    /// offers, so a worker that offered only the newest could not join an older group.
    #[must_use]
    pub fn offers(self) -> &'static [Self] {
        match self {
            Self::Eager => &[Self::Eager],
            Self::Compatible => &[Self::Compatible, Self::Eager],
            Self::Sessioned => &[Self::Sessioned, Self::Compatible, Self::Eager],
        }
    }

    /// Whether work keeps running through a rebalance unless it is revoked.
    #[must_use]
    pub fn is_cooperative(self) -> bool {
        self != Self::Eager
    }

    /// Whether a request between workers has to be signed.
    #[must_use]
    pub fn signs_requests(self) -> bool {
        self == Self::Sessioned
    }
}

/// The value of `connect.protocol`, in any case of letters.
impl FromStr for ConnectProtocol {
    type Err = UnknownProtocol;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value.to_ascii_lowercase().as_str() {
            "eager" => Ok(Self::Eager),
            "compatible" => Ok(Self::Compatible),
            "sessioned" => Ok(Self::Sessioned),
            _ => Err(UnknownProtocol {
                name: value.to_owned(),
                expected: "eager, compatible, sessioned",
            }),
        }
    }
}

/// As `connect.protocol` spells it.
impl fmt::Display for ConnectProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eager => "eager",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        })
    }
}

/// A name that no protocol has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is no group protocol of workers; expected one of: {expected}")]
pub struct UnknownProtocol {
    name: String,
    expected: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_found_by_its_wire_name_and_by_its_configured_name() {
        for protocol in ConnectProtocol::ALL {
            assert_eq!(ConnectProtocol::from_name(protocol.name()), Ok(protocol));
            assert_eq!(protocol.to_string().to_uppercase().parse(), Ok(protocol));
        }
        let error = ConnectProtocol::from_name("eager").unwrap_err();
        assert_eq!(
            error.to_string(),
            "'eager' is no group protocol of workers; expected one of: default, compatible, sessioned"
        );
        assert!("default".parse::<ConnectProtocol>().is_err());
        assert!(ConnectProtocol::from_name("range").is_err());
    }

    #[test]
    fn every_mode_offers_itself_first_and_all_older_ones() {
        for mode in ConnectProtocol::ALL {
            let versions: Vec<_> = mode.offers().iter().map(|offer| offer.version()).collect();
            let expected: Vec<_> = (0..=mode.version()).rev().collect();
            assert_eq!(versions, expected);
        }
    }
}
