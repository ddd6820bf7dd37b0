//! Configuration files of a node.

use std::sync::LazyLock;
use std::time::Duration;

use peermux::node::withhold_keys;
use peermux::{SecretKey, Server, ServerConfig};
use peermux_cli::config::parse;
use tokio::runtime::{Builder, Runtime};

use super::assert_explained;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
});

/// An accepted file round-trips, and a node starts with it or reports why not.
pub fn config(data: &[u8]) {
    match parse(data) {
        Ok(config) => {
            let metrics = config.metrics.map(|addr| format!("metrics = \"{addr}\"\n"));
            let server = toml::to_string(&config.server).expect("it serializes");
            let log_level = config.log_level.as_ref().map(|filter| {
                let text = toml::Value::from(filter.to_string());
                format!("log_level = {text}\n")
            });
            let written = metrics.unwrap_or_default() + &log_level.unwrap_or_default() + &server;
            let again = parse(written.as_bytes());
            assert_eq!(again.as_ref(), Ok(&config), "{written}");
            RUNTIME.block_on(start(config.server));
        }
        Err(error) => {
            assert_explained(&error);
            let text = error.to_string();
            assert_eq!(withhold_keys(&text), text, "it repeats a key");
        }
    }
}

/// Starts a node that makes no connections.
async fn start(config: ServerConfig) {
    let alone = config
        .with_listen(None)
        .with_static_nodes(&[])
        .with_no_dial(true);
    let key = SecretKey::from_bytes(&[0x11; 32]).expect("a key");
    match Server::builder(key).config(alone).start().await {
        Ok(server) => server.shutdown(Duration::ZERO).await.expect("nothing runs"),
        Err(error) => assert_explained(&error),
    }
}
