//! The names of a node's settings, and plain errors about their values.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use crate::config::Config;

/// A setting is suggested if its similarity to a wrong name exceeds this. Equal names have a
/// similarity of 1.
const ALIKE: f64 = 0.8;

/// The full names of all settings, such as `memory.per_peer`.
static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut names = Names::default();
    // Every configuration has a JSON form, so the default below is never used.
    let defaults = serde_json::to_value(Config::default());
    names.add("", &defaults.unwrap_or_default());
    names
});

#[derive(Debug, Default)]
struct Names {
    /// The names of settings that contain other settings.
    tables: BTreeSet<String>,
    /// The names of all other settings.
    values: BTreeSet<String>,
}

impl Names {
    fn add(&mut self, within: &str, value: &Value) {
        let Value::Object(fields) = value else {
            self.values.insert(within.to_owned());
            return;
        };
        self.tables.insert(within.to_owned());
        for (name, value) in fields {
            self.add(&joined(within, name), value);
        }
    }
}

/// Returns the full name of a setting within another one, or at the top (`""`).
#[must_use]
pub fn joined(within: &str, name: &str) -> String {
    match within {
        "" => name.to_owned(),
        within => format!("{within}.{name}"),
    }
}

/// Returns whether the setting with this full name contains other settings.
pub(crate) fn is_table(name: &str) -> bool {
    NAMES.tables.contains(name)
}

/// Returns the error about an unknown setting; `None` if the name is known.
#[must_use]
pub fn unknown(name: &str) -> Option<String> {
    let Names { tables, values } = &*NAMES;
    if tables.contains(name) || values.contains(name) {
        return None;
    }
    let alike = values
        .iter()
        .map(|known| (strsim::jaro(name, known), known));
    let nearest = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    Some(match nearest {
        Some((likeness, known)) if likeness > ALIKE => {
            format!("there is no setting {name}; did you mean {known}?")
        }
        _ => format!("there is no setting {name}; `peermux config show` lists all settings"),
    })
}

/// Replaces the names of Rust's types in an error text of serde.
#[must_use]
pub fn in_words(error: &str) -> String {
    const EXPECTED: &str = ", expected ";
    const ADDRESS: &str = "an IP address and a port, such as \"127.0.0.1:30303\"";
    let error = error
        .replace(" as i128", "")
        .replace("invalid socket address syntax", &format!("not {ADDRESS}"));
    let Some((found, expected)) = error.rsplit_once(EXPECTED) else {
        return error;
    };
    let found = found
        .replace("floating point", "number")
        .replace("invalid type: sequence", "invalid type: list")
        .replace("invalid type: map", "invalid type: table");
    let name = expected.split(' ').next().unwrap_or_default();
    let rest = expected.get(name.len()..).unwrap_or_default();
    let expected = match name {
        "usize" | "u8" | "u16" | "u32" | "u64" => format!("a whole number (0 or more){rest}"),
        "struct" => match rest.trim_start().split_once(' ') {
            Some((_, place)) => format!("a table of settings {place}"),
            None => "a table of settings".to_owned(),
        },
        "socket" => expected.replace("socket address", ADDRESS),
        _ => expected.replace("a boolean", "true or false"),
    };
    format!("{found}{EXPECTED}{expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        for (name, nearest) in [
            ("max_pears", "max_peers"),
            ("max-peers", "max_peers"),
            ("peer.stall_limt", "peer.stall_limit"),
            ("metric", "metrics"),
        ] {
            let told = unknown(name).expect(name);
            let expected = format!("there is no setting {name}; did you mean {nearest}?");
            assert_eq!(told, expected);
        }
        let told = unknown("frobnicate").expect("there is none");
        assert!(told.contains("`peermux config show` lists all"), "{told}");
        for known in [
            "max_peers",
            "memory",
            "memory.per_peer",
            "metrics",
            "log_level",
        ] {
            assert_eq!(unknown(known), None);
        }
    }

    #[test]
    fn types_are_in_words() {
        for (error, words) in [
            (
                "invalid type: string \"many\", expected usize",
                "invalid type: string \"many\", expected a whole number (0 or more)",
            ),
            (
                "invalid type: integer `9` as i128, expected u64 at line 1 column 7",
                "invalid type: integer `9`, expected a whole number (0 or more) at line 1 column 7",
            ),
            (
                "invalid type: floating point `1.5`, expected u32",
                "invalid type: number `1.5`, expected a whole number (0 or more)",
            ),
            (
                "invalid type: integer `4`, expected struct MemoryLimits",
                "invalid type: integer `4`, expected a table of settings",
            ),
            (
                "invalid type: integer `1`, expected a boolean",
                "invalid type: integer `1`, expected true or false",
            ),
            (
                "invalid type: integer `1`, expected socket address",
                "invalid type: integer `1`, expected an IP address and a port, such as \"127.0.0.1:30303\"",
            ),
            (
                "invalid socket address syntax",
                "not an IP address and a port, such as \"127.0.0.1:30303\"",
            ),
            ("missing field `enode`", "missing field `enode`"),
        ] {
            assert_eq!(in_words(error), words);
        }
    }
}
