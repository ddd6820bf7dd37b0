//! Settings for the bytes that the kernel may hold for a connection.

use crate::settings::settings;

settings! {
    /// Bounds on the bytes that the kernel holds for a connection.
    ///
    /// An urgent message waits behind all bytes that are already in the kernel, on both sides.
    /// Large bounds cause a long queue if the receiver is slower than the path. Bounds that are too
    /// small for the path make the connection slow. By default the bounds are adapted to the path
    /// continuously. `TCP_NODELAY` is always on.
    ///
    /// With the feature `serde` each bound is `"auto"`, `"system"`, or a size, e.g. `"128 KiB"`; a
    /// size of 0 means `"system"`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct SocketOptions {
        /// The number of unsent bytes at which a socket stops accepting more (`TCP_NOTSENT_LOWAT`).
        ///
        /// Systems without such a bound ignore this setting. Default: [`Auto`](SocketBound::Auto),
        /// an eighth of the bytes that the path holds, but at least 16 KiB. If the send buffer
        /// limits the rate, `Auto` is half of that buffer.
        unsent / with_unsent: SocketBound = SocketBound::Auto, SocketBound::normal;
        /// The size of the receive buffer (`SO_RCVBUF`).
        ///
        /// A number of bytes is a fixed size, which the system may limit (`net.core.rmem_max`).
        /// Default: [`Auto`](SocketBound::Auto). The system then grows the buffer, and the remote's
        /// window (`TCP_WINDOW_CLAMP`) is four times the bytes that the path holds, but at least
        /// 256 KiB and at most 32 MiB. If the owner of a connection does not read, the kernel holds
        /// a full window of bytes, unless the system's own limit (`net.ipv4.tcp_rmem`) is lower.
        receive_buffer / with_receive_buffer: SocketBound = SocketBound::Auto, SocketBound::normal;
    }
}

impl SocketOptions {
    /// Returns options that leave all bounds to the system.
    #[must_use]
    pub fn system() -> Self {
        Self {
            unsent: SocketBound::System,
            receive_buffer: SocketBound::System,
        }
    }
}

/// A bound on the bytes that the kernel holds for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SocketBound {
    /// As many bytes as the path needs, measured continuously.
    ///
    /// The measurement covers the path's shortest round trip and the bytes that move during it. It
    /// needs Linux 4.6 or later; on other systems `Auto` is like [`System`](Self::System).
    #[default]
    Auto,
    /// The system's own choice.
    System,
    /// This number of bytes; 0 means [`System`](Self::System).
    Bytes(u32),
}

impl SocketBound {
    fn normal(self) -> Self {
        match self {
            Self::Bytes(0) => Self::System,
            other => other,
        }
    }
}

#[cfg(feature = "serde")]
mod text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::SocketBound;
    use crate::units::size;

    const AUTO: &str = "auto";
    const SYSTEM: &str = "system";

    impl Serialize for SocketBound {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Auto => serializer.serialize_str(AUTO),
                Self::System => serializer.serialize_str(SYSTEM),
                Self::Bytes(bytes) => size::serialize(&(*bytes as usize), serializer),
            }
        }
    }

    impl<'de> Deserialize<'de> for SocketBound {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Visitor)
        }
    }

    struct Visitor;

    impl Visitor {
        fn bytes<E: de::Error>(bytes: u64) -> Result<SocketBound, E> {
            let bytes = u32::try_from(bytes);
            let bytes = bytes.map_err(|_| E::custom("a size must be less than 4 GiB"))?;
            Ok(SocketBound::Bytes(bytes).normal())
        }
    }

    impl de::Visitor<'_> for Visitor {
        type Value = SocketBound;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("\"auto\", \"system\", a size such as \"128 KiB\", or a number of bytes")
        }

        fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<SocketBound, E> {
            Self::bytes(bytes)
        }

        fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<SocketBound, E> {
            let bytes = u64::try_from(bytes);
            Self::bytes(bytes.map_err(|_| E::custom("a size must not be negative"))?)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<SocketBound, E> {
            match text {
                AUTO => Ok(SocketBound::Auto),
                SYSTEM => Ok(SocketBound::System),
                _ => match size::parse(text) {
                    Some(bytes) => Self::bytes(bytes),
                    None => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_documented() {
        let read = |text: &str| serde_json::from_str::<SocketBound>(text);
        for (text, bound) in [
            ("\"auto\"", SocketBound::Auto),
            ("\"system\"", SocketBound::System),
            ("\"0\"", SocketBound::System),
            ("0", SocketBound::System),
            ("\"128 KiB\"", SocketBound::Bytes(128 << 10)),
            ("4096", SocketBound::Bytes(4096)),
        ] {
            assert_eq!(read(text).ok(), Some(bound), "{text}");
        }
        for bound in [
            SocketBound::Auto,
            SocketBound::System,
            SocketBound::Bytes(1 << 20),
        ] {
            let text = serde_json::to_string(&bound).expect("text");
            assert_eq!(read(&text).ok(), Some(bound), "{text}");
        }
        for bad in ["\"fast\"", "-1", "\"5 GiB\"", "\"\"", "1.5"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn zero_bytes_mean_the_systems_choice() {
        let options = SocketOptions::default()
            .with_unsent(SocketBound::Bytes(0))
            .with_receive_buffer(SocketBound::Bytes(0));
        assert_eq!(options, SocketOptions::system());
    }
}
