//! Times and sizes as people write them: `30s`, `4 MiB`.

/// Durations such as `30s`, `1m 30s`, `250ms`.
pub(crate) mod duration {
    use std::fmt;
    use std::time::Duration;

    use serde::{Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(Visitor)
    }

    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time such as \"30s\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            humantime::parse_duration(text)
                .map_err(|error| E::custom(format!("{text:?} is not a time such as 30s: {error}")))
        }
    }
}

/// Sizes such as `4 MiB`, `64KiB`, `100 kB`, or a number of bytes.
pub(crate) mod size {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    /// A size is written in the first of these units that divides it.
    const UNITS: [(&str, u64); 7] = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
        ("B", 1),
    ];

    pub(crate) fn serialize<S: Serializer>(
        bytes: &usize,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Size(*bytes as u64))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<usize, D::Error> {
        let bytes = deserializer.deserialize_any(Visitor)?;
        usize::try_from(bytes).map_err(|_| de::Error::custom("the size is too large"))
    }

    struct Size(u64);

    impl fmt::Display for Size {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let exact = |(_, unit): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*unit);
            match UNITS.iter().find(exact) {
                Some((name, unit)) => write!(f, "{} {name}", self.0 / unit),
                None => write!(f, "{} B", self.0),
            }
        }
    }

    pub(crate) fn parse(text: &str) -> Option<u64> {
        // Zero needs no unit.
        if text == "0" {
            return Some(0);
        }
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text.get(digits.len()..)?.trim();
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        digits.parse::<u64>().ok()?.checked_mul(*unit)
    }

    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size such as \"4 MiB\", or a number of bytes")
        }

        fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<u64, E> {
            Ok(bytes)
        }

        fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<u64, E> {
            u64::try_from(bytes).map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn sizes_are_read_as_they_are_written() {
            for bytes in [0, 1, 1000, 1024, 4 << 20, 100_000, 3 << 30, 12_345] {
                assert_eq!(parse(&Size(bytes).to_string()), Some(bytes), "{bytes}");
            }
            assert_eq!(parse("4MiB"), Some(4 << 20));
            assert_eq!(parse("0"), Some(0));
            for bad in [
                "4",
                "MiB",
                "4 mib",
                "-4 MiB",
                "4.5 MiB",
                "99999999999 GiB",
                "",
            ] {
                assert_eq!(parse(bad), None, "{bad}");
            }
        }
    }
}
