//! The configuration as a file.

use peermux::transport::SocketBound;
use peermux::{MemoryLimits, ServerConfig};

use super::*;

#[test]
fn everything_can_be_written_down() {
    let node = stranger("20.1.1.1:1");
    let text = format!(
        r#"
        name = "somebody"
        listen = "127.0.0.1:0"
        max_peers = 20
        dial_ratio = 2
        static_nodes = ["{node}"]
        trusted_nodes = ["enode://{}"]
        net_restrict = "127.0.0.0/8, ::1"
        throttle = "1m 30s"
        redial_gap = "0s"
        setups_per_second = 100
        memory_per_node = "1 GiB"
        [peer]
        ping_interval = "20s"
        [socket]
        unsent = 0
        receive_buffer = "1 MiB"
        "#,
        node.public_key()
    );
    let config: ServerConfig = toml::from_str(&text).unwrap();
    assert_eq!((config.name.as_str(), config.max_peers), ("somebody", 20));
    assert_eq!(config.static_nodes, [node]);
    assert_eq!(config.trusted_nodes.len(), 1);
    assert_eq!(config.throttle, 90 * SECOND);
    assert_eq!(config.setup_timeout, 5 * SECOND, "is the default");
    assert_eq!(config.memory_per_node, 1 << 30);
    assert_eq!(config.memory_per_peer, MemoryLimits::MIN_PER_PEER);
    assert_eq!(config.socket.unsent(), SocketBound::System);
    assert_eq!(config.socket.receive_buffer(), SocketBound::Bytes(1 << 20));
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<ServerConfig>(&again).unwrap(),
        config
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let cases = [
        ("max_peers = 1\nmax_pears = 2", "max_pears"),
        ("name = \"a\"\nthrottle = \"30 parsecs\"", "parsecs"),
        (
            "name = \"a\"\nmemory_per_node = \"4 elephants\"",
            "4 elephants",
        ),
        (
            "name = \"a\"\nnet_restrict = \"10.0.0.0/40\"",
            "10.0.0.0/40",
        ),
        ("name = \"a\"\nlisten = \"nowhere\"", "socket address"),
        (
            "name = \"a\"\nstatic_nodes = [\"enode://xyz\"]",
            "static_nodes",
        ),
        ("max_peers = 1\npeer.patience = \"1s\"", "patience"),
    ];
    for (text, expected) in cases {
        let error = toml::from_str::<ServerConfig>(text)
            .expect_err(text)
            .to_string();
        assert!(error.contains("line 2, column"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_server_starts_from_its_configuration() {
    let listens = Server::builder(key())
        .protocol(idle("test"))
        .listen("127.0.0.1:0".parse().unwrap())
        .start()
        .await
        .unwrap();
    let mut config = ServerConfig::default();
    config.name = "configured".into();
    config.static_nodes = vec![listens.enode()];
    config.trusted_nodes = vec![listens.enode()];
    let mut feed = listens.subscribe();
    let builder = Server::builder(key()).config(config);
    let server = builder.protocol(idle("test")).start().await.unwrap();
    let peer = added(&mut feed).await;
    assert_eq!(
        (peer.id(), peer.full_name()),
        (server.id(), "configured".into())
    );
    let mut feed = server.subscribe();
    let peer = match server.peer(&listens.id()) {
        Some(peer) => peer,
        None => added(&mut feed).await,
    };
    assert!(peer.is_static() && peer.is_trusted());
}
