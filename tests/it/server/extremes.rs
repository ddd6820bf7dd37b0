//! Every time and count that a type allows works, or is refused at the start.

use peermux::{DisconnectReason, Message, Protocol, ProtocolConn, ServerConfig, StartError};
use serde_json::{Value, json};

use super::*;

/// A deadline longer than a loopback connection takes with any settings.
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings that are neither a time nor a count.
const NO_NUMBERS: [&str; 6] = [
    "exempt_local",
    "name",
    "advertise",
    "no_dial",
    "message_events",
    "peer/recording",
];

/// One extreme value for each type of setting: all the largest, or all the smallest.
type End = [Value; 3];

fn largest() -> End {
    // These are `Duration::MAX`, `usize::MAX`, and `u32::MAX` for smaller types.
    [
        json!("18446744073709551615s 999ms 999us 999ns"),
        json!(usize::MAX),
        json!(u32::MAX),
    ]
}

fn zero() -> End {
    [json!("0s"), json!(0), json!("0 B")]
}

/// Collects the path of each setting in the configuration.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                leaves(value, &format!("{path}/{name}"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// Returns a configuration for each setting, and the setting's name. The setting is at its extreme,
/// and all others are at their defaults.
fn configurations(end: &End) -> Vec<(String, ServerConfig)> {
    let default = serde_json::to_value(ServerConfig::default()).unwrap();
    let mut settings = Vec::new();
    leaves(&default, "", &mut settings);
    settings.retain(|setting| !NO_NUMBERS.contains(&&setting[1..]));
    let with = |setting: &String, value: &Value| {
        let mut config = default.clone();
        *config.pointer_mut(setting).unwrap() = value.clone();
        serde_json::from_value::<ServerConfig>(config).ok()
    };
    let found: Vec<_> = settings
        .iter()
        .filter_map(|setting| {
            let config = end.iter().find_map(|value| with(setting, value))?;
            Some((setting.clone(), config))
        })
        .collect();
    // All settings but the lists and the address were found.
    assert_eq!(settings.len() - found.len(), 6, "{settings:?}");
    found
}

/// Returns a protocol that echoes each message.
fn echo() -> Protocol {
    Protocol::builder("echo", 1, 1).run(|_, mut conn: ProtocolConn<Message>| async move {
        while let Some(message) = conn.recv().await? {
            conn.send(&message).await?;
        }
        Ok(())
    })
}

/// Returns a protocol that sends one message, and disconnects when the message is returned.
fn ask() -> Protocol {
    Protocol::builder("echo", 1, 1).run(|peer, mut conn: ProtocolConn<Message>| async move {
        conn.send(&Message::new(0, "hello")).await?;
        conn.recv().await?;
        peer.disconnect(DisconnectReason::REQUESTED);
        Ok(())
    })
}

/// How far two nodes with these settings get.
#[derive(Debug, PartialEq)]
enum Reached {
    /// The setting is refused, and the error gives it this name.
    Refused(String),
    /// The two nodes start and stop, but do not connect.
    Apart,
    /// The two nodes connect, but one of them ends the connection.
    Silent,
    /// The two nodes connect and exchange messages.
    Talk,
}

async fn reached(config: ServerConfig) -> Reached {
    let config = config.with_listen("127.0.0.1:0".parse::<SocketAddr>().unwrap());
    let start = |protocol: Protocol| {
        let builder = Server::builder(key()).protocol(protocol);
        builder.config(config.clone()).start()
    };
    let (a, b) = match (start(ask()).await, start(echo()).await) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(StartError::Config(error)), _) => return Reached::Refused(error.setting().to_owned()),
        other => panic!("{other:?}"),
    };
    let dialled = a.dial(&b.enode()).await;
    let reached = match dialled {
        Ok(peer) => {
            let outcome = peer.ended().await.expect("it ends in an orderly way");
            match outcome.error.reason() {
                Some(DisconnectReason::REQUESTED) => Reached::Talk,
                _ => Reached::Silent,
            }
        }
        Err(_) => Reached::Apart,
    };
    for server in [a, b] {
        server.shutdown(Duration::MAX).await.expect("in time");
    }
    reached
}

async fn all_reached(end: &End) -> Vec<(String, Result<Reached, String>)> {
    let mut all = Vec::new();
    for (setting, config) in configurations(end) {
        let reached = tokio::spawn(timeout(PATIENCE, reached(config))).await;
        let reached = match reached {
            Ok(Ok(reached)) => Ok(reached),
            Ok(Err(_)) => Err("it hangs".to_owned()),
            Err(panic) => Err(panic.to_string()),
        };
        all.push((setting, reached));
    }
    all
}

#[tokio::test]
async fn each_setting_works_at_its_largest() {
    for (setting, reached) in all_reached(&largest()).await {
        assert_eq!(reached, Ok(Reached::Talk), "{setting}");
    }
}

#[tokio::test]
async fn each_setting_works_at_zero_or_is_refused_at_the_start() {
    for (setting, reached) in all_reached(&zero()).await {
        let expected = match &setting[1..] {
            "max_pending" | "max_dials" | "dial_timeout" | "event_capacity" => {
                Reached::Refused(setting[1..].into())
            }
            "memory/per_peer" => Reached::Refused("memory.per_peer".into()),
            "memory/per_node" => Reached::Refused("memory.per_node".into()),
            // These settings allow no peers, or no set-ups.
            "max_peers" | "setup_rate/burst" => Reached::Apart,
            // A set-up that completes at once succeeds even with a timeout of zero, so the result
            // is not checked.
            "setup_timeout" => continue,
            _ => Reached::Talk,
        };
        assert_eq!(reached, Ok(expected), "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_have_unlimited_time_to_end() {
    let (builder, mut script) = scripted();
    let (server, remote) = (builder.start().await.unwrap(), remote().await);
    let node = at(&remote, &public(1));
    let (peer, ()) = tokio::join!(server.dial(&node), async {
        reach(next_dial(&mut script).await, &remote);
    });
    let ending = peer.unwrap();
    let close = ending.close_gracefully(DisconnectReason::REQUESTED, Duration::MAX);
    timeout(LONG, close).await.expect("it ends");
    for server in [server, remote] {
        let stopped = timeout(LONG, server.shutdown(Duration::MAX)).await;
        stopped.expect("it ends").expect("in time");
    }
}
