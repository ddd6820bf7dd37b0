//! Dials, accepted connections, and how connections end.

use std::net::SocketAddr;

use peermux::connmgr::ConnectError as RawError;
use peermux::testing::{Scripted, dial_script, memory_listener};
use peermux::{DisconnectReason, Enode, Peer, Protocol, Server};

use super::{SECOND, counted, idle, node, values};

#[test]
fn dials_are_counted_by_outcome() {
    let snapshotter = counted(async {
        let (dialer, mut script) = dial_script();
        let local = node().dialer(dialer).start().await.unwrap();
        let open = node().start().await.unwrap();
        let full = node()
            .configure(|config| config.with_max_peers(0))
            .start()
            .await
            .unwrap();
        let at = |server: &Server| {
            let addr = "20.1.1.1:30303".parse().unwrap();
            Enode::new(*server.enode().public_key(), addr)
        };
        for remote in [None, Some(&full), Some(&open)] {
            let node = at(remote.unwrap_or(&full));
            let answer = async {
                let dial = script.next().await.unwrap();
                match remote {
                    Some(remote) => drop(remote.accept_over(dial.succeed()).await),
                    None => dial.fail(RawError::Refused),
                }
            };
            let (dialled, ()) = tokio::join!(local.dial(&node), answer);
            let wanted = remote.is_some_and(|remote| remote.id() == open.id());
            assert_eq!(dialled.is_ok(), wanted, "{dialled:?}");
        }
        // A cancelled dial is neither a success nor a failure.
        let node = at(&full);
        tokio::select! {
            result = local.dial(&node) => panic!("{result:?}"),
            dial = script.next() => {
                local.shutdown(SECOND).await.unwrap();
                drop(dial);
            }
        }
    });
    let counted = values(&snapshotter);
    assert_eq!(counted["peermux_dials_in_flight{}"], 0.0);
    for (outcome, count) in [
        ("connected", 1.0),
        ("there", 1.0),
        ("unreachable", 1.0),
        ("not_attempted", 0.0),
    ] {
        let name = format!("peermux_dials_total{{outcome={outcome}}}");
        assert_eq!(counted[&name], count, "{outcome}");
    }
    let failures = |stage: &str, reason: &str| {
        let labels = format!("{{stage={stage},reason={reason}}}");
        counted[&format!("peermux_dial_failures_total{labels}")]
    };
    assert_eq!(failures("dial", "refused"), 1.0);
    assert_eq!(failures("hello", "too_many_peers"), 1.0);
}

#[test]
fn inbound_connections_are_counted_by_outcome() {
    let snapshotter = counted(async {
        let (listener, caller) = memory_listener::<SocketAddr>();
        let server = node().listener(listener).start().await.unwrap();
        let key = *server.enode().public_key();
        let mut failures = server.subscribe_connections();
        let stranger = node().start().await.unwrap();
        let stream = caller.call("20.1.1.1:1".parse().unwrap()).await;
        stranger.dial_over(stream, &key).await.unwrap();
        // The first of these two connections is rejected, because it is from the same address
        // again. The second fails, because its client closes at once.
        let _early = caller.call("20.1.1.1:2".parse().unwrap()).await;
        failures.recv().await.unwrap().unwrap();
        drop(caller.call("20.2.1.1:1".parse().unwrap()).await);
        failures.recv().await.unwrap().unwrap();
    });
    let counted = values(&snapshotter);
    assert_eq!(counted["peermux_inbound_in_flight{}"], 0.0);
    for outcome in ["connected", "failed", "rejected"] {
        let name = format!("peermux_inbound_total{{outcome={outcome}}}");
        assert_eq!(counted[&name], 1.0, "{outcome}");
    }
    let failures = |stage: &str, reason: &str| {
        let labels = format!("{{stage={stage},reason={reason}}}");
        counted[&format!("peermux_inbound_failures_total{labels}")]
    };
    assert_eq!(failures("accept", "too_soon"), 1.0);
    assert_eq!(failures("auth", "closed"), 1.0);
}

#[test]
fn the_stages_of_handshakes_are_timed() {
    let snapshotter = counted(async {
        let (listener, caller) = memory_listener::<SocketAddr>();
        let server = node().listener(listener).start().await.unwrap();
        let key = *server.enode().public_key();
        let (dialer, mut script) = dial_script();
        let local = node().dialer(dialer).start().await.unwrap();
        let addr = "20.1.1.1:30303".parse().unwrap();
        let remote = Enode::new(key, addr);
        let relay = async {
            let mut dialled = script.next().await.unwrap().succeed();
            let mut accepted = caller.call("20.1.1.2:1".parse().unwrap()).await;
            tokio::spawn(async move {
                // The task ends with the two peers.
                let _ = tokio::io::copy_bidirectional(&mut dialled, &mut accepted).await;
            });
        };
        let (dialled, ()) = tokio::join!(local.dial(&remote), relay);
        dialled.unwrap();
    });
    let counted = values(&snapshotter);
    for (direction, stage) in [
        ("outbound", "dial"),
        ("outbound", "ack"),
        ("outbound", "hello"),
        ("inbound", "auth"),
        ("inbound", "ack"),
        ("inbound", "hello"),
    ] {
        let labels = format!("{{direction={direction},stage={stage}}}");
        let name = format!("peermux_handshake_seconds{labels}");
        assert_eq!(counted[&name], 1.0, "{direction} {stage}");
    }
}

#[test]
fn disconnects_are_counted_by_cause_reason_side_and_protocol() {
    let snapshotter = counted(async {
        let (peer, mut remote) = scripted(idle()).await;
        // An unknown reason must not create a series.
        remote.send(1, &DisconnectReason(0x42).encode()).await;
        peer.ended().await.unwrap();
        let failing = Protocol::builder("idle", 1, 1)
            .run(|_, _| async { Err(DisconnectReason::USELESS_PEER.into()) });
        let (peer, _remote) = scripted(failing).await;
        peer.ended().await.unwrap();
        let (peer, remote) = scripted(idle()).await;
        drop(remote);
        peer.ended().await.unwrap();
    });
    let counted = values(&snapshotter);
    for labels in [
        "cause=remote,reason=unknown,side=remote,protocol=",
        "cause=protocol,reason=useless_peer,side=local,protocol=idle/1",
        "cause=closed,reason=none,side=io,protocol=",
    ] {
        let name = format!("peermux_disconnects_total{{{labels}}}");
        assert_eq!(counted.get(&name), Some(&1.0), "{labels}: {counted:#?}");
    }
    for state in ["active", "ending"] {
        let name = format!("peermux_peers{{direction=inbound,state={state}}}");
        assert_eq!(counted[&name], 0.0, "{state}");
    }
}

#[test]
fn a_server_has_all_its_series_from_the_start() {
    let snapshotter = counted(async {
        let server = node().start().await.unwrap();
        server.shutdown(SECOND).await.unwrap();
    });
    let counted = values(&snapshotter);
    for name in [
        "peermux_disconnects_total{cause=remote,reason=too_many_peers,side=remote,protocol=}",
        "peermux_disconnects_total{cause=stalled,reason=subprotocol_error,side=local,protocol=idle/1}",
        "peermux_messages_total{protocol=idle/1,direction=ingress}",
        "peermux_dials_total{outcome=unreachable}",
    ] {
        assert_eq!(counted.get(name), Some(&0.0), "{name}: {counted:#?}");
    }
}

#[test]
fn retransmitted_segments_have_the_label_of_their_server() {
    let snapshotter = counted(async {
        let server = |name: &str| {
            let addr = "127.0.0.1:0".parse().unwrap();
            node().metrics_label(name).listen(addr).start()
        };
        let (one, two) = (server("one").await.unwrap(), server("two").await.unwrap());
        one.dial(&two.enode()).await.unwrap();
    });
    let counted = values(&snapshotter);
    let series: Vec<_> = counted
        .keys()
        .filter(|name| name.starts_with("peermux_tcp_retransmits_total"))
        .collect();
    let expected =
        ["one", "two"].map(|node| format!("peermux_tcp_retransmits_total{{node={node}}}"));
    assert_eq!(series, expected.each_ref());
}

#[test]
fn services_that_end_are_counted() {
    let snapshotter = counted(async {
        let server = node().stop_with("my task", async {}).start().await.unwrap();
        assert!(server.stopped().await.is_err());
    });
    let counted = values(&snapshotter);
    let name = "peermux_service_failures_total{service=my task}";
    assert_eq!(counted[name], 1.0);
}

/// Returns a peer with one protocol, and its scripted remote.
async fn scripted(protocol: Protocol) -> (Peer, Scripted) {
    let capability = protocol.capability().clone();
    Scripted::remote_of(protocol, &[capability]).await.unwrap()
}
