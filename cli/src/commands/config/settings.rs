//! Lists the settings of a configuration.

use std::fmt;

use peermux::ServerConfig;
use peermux_cli::config::{Config, LOG_LEVEL};
use peermux_cli::log_filter::LogFilter;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::output::Output;

/// All settings, by name.
#[derive(Debug)]
pub(super) struct Settings(Vec<Setting>);

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "setting")]
struct Setting {
    /// The full name of the setting, such as `memory.per_peer`.
    name: String,
    value: Value,
    default: Value,
}

impl Setting {
    fn is_default(&self) -> bool {
        self.value == self.default
    }
}

/// Formats a line of a configuration file. A setting that has its default is a comment.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            default,
        } = self;
        match (self.is_default(), value) {
            (true, Value::Null) => write!(f, "# {name}: not set"),
            // Strings, numbers and lists of JSON are valid TOML.
            (true, value) => write!(f, "# {name} = {value}"),
            (false, Value::Null) => write!(f, "# {name}: not set, by default {default}"),
            (false, value) if default.is_null() => write!(f, "{name} = {value}"),
            (false, value) => write!(f, "{name} = {value}  # default {default}"),
        }
    }
}

impl Settings {
    /// Returns the settings of a node.
    pub(super) fn of_node(config: &Config) -> Result<Self, Failure> {
        let mut settings = Self::of(&config.server)?;
        settings.0.push(Setting {
            name: "metrics".to_owned(),
            value: serde_json::to_value(config.metrics).map_err(Failure::because)?,
            default: Value::Null,
        });
        let log_level = config.log_level.clone().unwrap_or_default();
        settings.0.push(Setting {
            name: LOG_LEVEL.to_owned(),
            value: log_level.to_string().into(),
            default: LogFilter::default().to_string().into(),
        });
        settings.0.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(settings)
    }

    /// Returns the settings of a server.
    fn of(config: &ServerConfig) -> Result<Self, Failure> {
        let json = |config| serde_json::to_value(config).map_err(Failure::because);
        let (values, defaults) = (json(config)?, json(&ServerConfig::default())?);
        let mut all = Vec::new();
        flatten(String::new(), &values, &defaults, &mut all);
        Ok(Self(all))
    }

    /// Returns the number of settings that are not the default.
    pub(super) fn changed(&self) -> usize {
        self.0
            .iter()
            .filter(|setting| !setting.is_default())
            .count()
    }

    /// Prints the settings that are not the default, and then all other settings.
    pub(super) fn show(mut self, out: &Output) -> Result<(), Failure> {
        self.0.sort_by_key(Setting::is_default);
        out.tell_all(&self.0)
    }
}

fn flatten(name: String, value: &Value, default: &Value, into: &mut Vec<Setting>) {
    if let (Value::Object(fields), Value::Object(_)) = (value, default) {
        for (field, value) in fields {
            let name = match name.as_str() {
                "" => field.clone(),
                name => format!("{name}.{field}"),
            };
            flatten(
                name,
                value,
                default.get(field).unwrap_or(&Value::Null),
                into,
            );
        }
        return;
    }
    into.push(Setting {
        name,
        value: value.clone(),
        default: default.clone(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_as_the_same_configuration() {
        let config = ServerConfig::default()
            .with_max_peers(7)
            .with_name("a \"b\"");
        let memory = config.memory().with_per_node(1 << 30);
        let config = config.with_memory(memory);
        let settings = Settings::of(&config).expect("it has a JSON form");
        assert_eq!(settings.changed(), 3);
        let lines: Vec<_> = settings.0.iter().map(ToString::to_string).collect();
        let text = lines.join("\n");
        assert!(text.contains("max_peers = 7  # default 50"), "{text}");
        assert_eq!(toml::from_str(&text), Ok(config));
        // The text is also valid if all comments are turned into settings.
        let all = lines
            .iter()
            .map(|line| line.strip_prefix("# ").unwrap_or(line));
        let all: Vec<_> = all.filter(|line| !line.ends_with("not set")).collect();
        let text = all.join("\n");
        let settings = Settings::of(&toml::from_str(&text).expect("TOML")).expect("a form");
        assert_eq!(settings.changed(), 3, "{text}");
    }
}
