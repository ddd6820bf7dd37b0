//! The configuration as a file.

use peermux::transport::SocketBound;
use peermux::{MemoryLimits, ProtocolLimits, ServerConfig, StartError};

use super::*;

#[test]
fn all_settings_can_be_written_to_a_file() {
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
        setup_rate = {{ burst = 200, per_second = 100 }}
        backoff.base = "1s"
        backoff.cap = "1m"
        memory.per_node = "1 GiB"
        [peer]
        ping_interval = "20s"
        [socket]
        unsent = 0
        receive_buffer = "1 MiB"
        "#,
        node.public_key()
    );
    let config: ServerConfig = toml::from_str(&text).unwrap();
    assert_eq!((config.name(), config.max_peers()), ("somebody", 20));
    assert_eq!(config.static_nodes(), [node]);
    assert_eq!(config.trusted_nodes().len(), 1);
    assert_eq!(config.throttle(), 90 * SECOND);
    assert_eq!(config.setup_timeout(), 5 * SECOND, "is the default");
    assert_eq!(config.memory().per_node(), 1 << 30);
    assert_eq!(config.memory().per_peer(), MemoryLimits::MIN);
    assert_eq!(config.socket().unsent(), SocketBound::System);
    assert_eq!(
        config.socket().receive_buffer(),
        SocketBound::Bytes(1 << 20)
    );
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<ServerConfig>(&again).unwrap(),
        config
    );
}

#[test]
fn an_error_names_the_mistake_and_its_line() {
    let cases = [
        ("max_peers = 1\nmax_pears = 2", "max_pears"),
        ("name = \"a\"\nthrottle = \"30 parsecs\"", "parsecs"),
        (
            "name = \"a\"\nmemory.per_node = \"4 elephants\"",
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
async fn settings_below_their_minimum_are_refused_by_name() {
    let memory = MemoryLimits::default().with_per_peer(1 << 20);
    let default = ServerConfig::default;
    for (config, setting) in [
        (default().with_max_pending(0), "max_pending"),
        (default().with_max_dials(0), "max_dials"),
        (default().with_event_capacity(0), "event_capacity"),
        (default().with_dial_timeout(Duration::ZERO), "dial_timeout"),
        (default().with_memory(memory), "memory.per_peer"),
    ] {
        let started = Server::builder(key()).config(config).start().await;
        let Err(StartError::Config(refused)) = started else {
            panic!("{setting}: {started:?}");
        };
        assert_eq!(refused.setting(), setting, "{refused}");
    }
    let limits = ProtocolLimits::default().with_queue_messages(0);
    let protocol = Protocol::builder("test", 1, 1).limits(limits);
    let protocol = protocol.run(|_, _| async { Ok(()) });
    let started = Server::builder(key()).protocol(protocol).start().await;
    let text = started.expect_err("no room").to_string();
    assert_eq!(
        text,
        "protocol test/1: queue_messages is 0, but must be at least 1"
    );
}

#[tokio::test]
async fn a_server_starts_from_its_configuration() {
    let listens = Server::builder(key())
        .protocol(idle("test"))
        .listen("127.0.0.1:0".parse().unwrap())
        .start()
        .await
        .unwrap();
    let config = ServerConfig::default()
        .with_name("configured")
        .with_static_nodes([listens.enode()])
        .with_trusted_nodes([listens.enode()]);
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

#[tokio::test]
async fn an_advertised_address_is_sent_to_other_nodes() {
    let everywhere = || Server::builder(key()).listen("0.0.0.0:0".parse().unwrap());
    let server = everywhere().start().await.unwrap();
    let port = server.local_addr().unwrap().port();
    let url = format!("@127.0.0.1:{port}?discport=0");
    assert!(server.enode().to_string().ends_with(&url));
    assert!(server.is_stand_in());

    let advertised = "node.example.org:4000".parse().unwrap();
    let server = everywhere().advertise(advertised).start().await.unwrap();
    let url = "@node.example.org:4000?discport=0";
    assert!(server.enode().to_string().ends_with(url));
    assert!(!server.is_stand_in());
    let info = server.node_info();
    assert!(info.enode.ends_with(url));
    let port = server.local_addr().unwrap().port();
    assert_eq!(info.listen_addr, Some(([0, 0, 0, 0], port).into()));

    let config = "advertise = \"192.0.2.1\"\nlisten = \"127.0.0.1:0\"";
    let config: ServerConfig = toml::from_str(config).unwrap();
    let server = Server::builder(key()).config(config).start().await.unwrap();
    let port = server.local_addr().unwrap().port();
    let url = format!("@192.0.2.1:{port}?discport=0");
    assert!(server.enode().to_string().ends_with(&url));
}
