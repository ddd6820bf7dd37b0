//! Changes settings of a node by their names.

use std::collections::BTreeMap;

use peermux::{Server, ServerConfig};
use peermux_cli::config::{Config, LOG_LEVEL};
use peermux_cli::log_filter::LogFilter;
use peermux_cli::setting_names::{in_words, unknown};
use serde_json::Value;

use crate::logs;

/// Changes settings of a running node, all of them or none.
pub(crate) async fn reconfigure(
    server: &Server,
    mut settings: BTreeMap<String, Value>,
) -> Result<(), String> {
    let log_level = settings.remove(LOG_LEVEL).map(|value| {
        let given = value.to_string();
        let read = serde_json::from_value::<LogFilter>(value);
        read.map_err(|error| wrong(LOG_LEVEL, &given, &error))
    });
    let log_level = log_level.transpose()?;
    let config = changed(&server.config(), settings)?;
    let done = server.reconfigure(config).await;
    done.map_err(|error| error.to_string())?;
    log_level.map_or(Ok(()), |filter| logs::set_filter(&filter))
}

/// Returns a configuration with new values for the named settings, such as `memory.per_peer`.
fn changed(
    config: &ServerConfig,
    settings: impl IntoIterator<Item = (String, Value)>,
) -> Result<ServerConfig, String> {
    let mut all = serde_json::to_value(config).map_err(|error| error.to_string())?;
    let mut changed = config.clone();
    for (name, value) in settings {
        let mut place = &mut all;
        for part in name.split('.') {
            place = place.get_mut(part).ok_or_else(|| no_setting(&name))?;
        }
        let given = value.to_string();
        *place = value;
        // Check after each setting, so that the error names the wrong setting.
        let read = serde_json::from_value(all.clone());
        changed = read.map_err(|error| wrong(&name, &given, &error))?;
    }
    Ok(changed)
}

/// Returns the error about a value.
fn wrong(name: &str, given: &str, error: &serde_json::Error) -> String {
    format!("{name} = {given}: {}", in_words(&error.to_string()))
}

/// Returns the error about a setting that a server does not have.
fn no_setting(name: &str) -> String {
    // The name may still be known: `metrics` is a setting of the node, but not of its server.
    unknown(name).unwrap_or_else(|| format!("{name} cannot change while the node runs"))
}

/// Returns the settings that differ, with their values in the second configuration.
pub(crate) fn differing(old: &Config, new: &Config) -> serde_json::Result<Vec<(String, Value)>> {
    let (old, new) = (serde_json::to_value(old)?, serde_json::to_value(new)?);
    let Value::Object(new) = new else {
        return Ok(Vec::new());
    };
    let differs = |(name, value): &(String, Value)| old.get(name) != Some(value);
    Ok(new.into_iter().filter(differs).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named() {
        let old = Config::default();
        let server = old.server.clone().with_max_peers(7);
        let new = Config::new(server, None, Some(LogFilter::default()));
        let differs = differing(&old, &new).expect("they have a JSON form");
        let log_level = ("log_level".to_owned(), json!("warn,discv5=error"));
        assert_eq!(differs, [log_level, ("max_peers".to_owned(), json!(7))]);
        assert!(
            differing(&old, &old)
                .expect("they have a JSON form")
                .is_empty()
        );
    }

    #[test]
    fn settings_change_by_their_names() {
        let old = ServerConfig::default();
        let change = |name: &str, value| changed(&old, [(name.to_owned(), value)]);
        assert_eq!(
            change("max_peers", json!(7)),
            Ok(old.clone().with_max_peers(7))
        );
        let memory = old.memory().with_per_node(1 << 30);
        assert_eq!(
            change("memory.per_node", json!("1 GiB")),
            Ok(old.clone().with_memory(memory))
        );
        for (name, value) in [
            ("max_peer", json!(7)),
            ("memory.all", json!(7)),
            ("max_peers.x", json!(7)),
            ("max_peers", json!("many")),
        ] {
            assert!(change(name, value).is_err(), "{name}");
        }
    }
}
