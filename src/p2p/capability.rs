//! A protocol's name and version, as listed in a Hello.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::node::excerpt;

/// A protocol's name and version, written `eth/68`.
///
/// Capabilities are ordered by the bytes of the name (upper case first, a prefix before longer
/// names), then by version as a number. devp2p requires names of at most eight ASCII characters;
/// other names work too, with peers that accept them.
///
/// ```
/// use peermux::p2p::Capability;
///
/// let capability: Capability = "eth/68".parse()?;
/// assert_eq!(capability, Capability::new("eth", 68));
/// assert!(capability < Capability::new("eth", 100));
/// # Ok::<(), peermux::p2p::CapabilityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    // `str` compares by bytes, and the derived order compares the name first.
    name: Arc<str>,
    version: u64,
}

impl Capability {
    /// Returns the capability of this name and version.
    pub fn new(name: impl Into<Arc<str>>, version: u64) -> Self {
        Self {
            name: name.into(),
            version,
        }
    }

    /// Returns whether a protocol may be registered under this name.
    ///
    /// The name must have 1 to 8 ASCII characters ([RLPx, "p2p"
    /// capability](https://github.com/ethereum/devp2p/blob/master/rlpx.md#p2p-capability)), and
    /// must not be `p2p`, the base protocol.
    #[must_use]
    pub fn is_registrable(&self) -> bool {
        let name = &*self.name;
        (1..=8).contains(&name.len()) && name.is_ascii() && name != "p2p"
    }

    /// Returns the name, which is case-sensitive.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the name, shared instead of copied.
    #[cfg(feature = "server")]
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

#[cfg(feature = "serde")]
crate::serde_text::serde_as_text!(Capability);

/// Why a text is not a capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// There is no `/` between name and version.
    #[error("capability {text:?} is not of the form name/version")]
    NoVersion {
        /// The beginning of the text.
        text: String,
    },
    /// The part behind the last `/` is not a 64-bit number in decimal digits.
    #[error("capability version {version:?} is not a 64-bit number")]
    Version {
        /// The beginning of the part behind the last `/`.
        version: String,
    },
}

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = text
            .rsplit_once('/')
            .ok_or_else(|| CapabilityError::NoVersion {
                text: excerpt(text),
            })?;
        // `u64::from_str` accepts a plus sign.
        let digits = version.bytes().all(|byte| byte.is_ascii_digit());
        match version.parse() {
            Ok(version) if digits => Ok(Self::new(name, version)),
            _ => Err(CapabilityError::Version {
                version: excerpt(version),
            }),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn orders_by_name_bytes_then_by_version_as_number() {
        let sorted = ["Zed/1", "abc/1", "eth/9", "eth/10", "eth2/1"]
            .map(|text| text.parse::<Capability>().unwrap());
        assert!(sorted.is_sorted());
    }

    #[test]
    fn says_what_is_wrong_with_a_text() {
        assert_eq!(
            "eth".parse::<Capability>(),
            Err(CapabilityError::NoVersion { text: "eth".into() })
        );
        for version in ["", "+1", "-1", "1 ", "0x1", "18446744073709551616"] {
            assert_eq!(
                format!("eth/{version}").parse::<Capability>(),
                Err(CapabilityError::Version {
                    version: version.into()
                })
            );
        }
    }

    #[test]
    fn a_long_text_is_cut_in_the_error() {
        for text in ["x".repeat(5000), format!("eth/{}", "x".repeat(5000))] {
            let error = text.parse::<Capability>().unwrap_err();
            assert!(error.to_string().len() < 256);
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serialises_as_text() {
        let capability = Capability::new("eth", 68);
        let json = serde_json::to_string(&capability).unwrap();
        assert_eq!(json, r#""eth/68""#);
        assert_eq!(
            serde_json::from_str::<Capability>(&json).unwrap(),
            capability
        );
    }

    proptest! {
        #[test]
        fn text_returns(name in ".{0,12}", version: u64) {
            let capability = Capability::new(name, version);
            prop_assert_eq!(capability.to_string().parse(), Ok(capability));
        }
    }
}
