//! Nodes from sources.

use std::collections::{HashSet, VecDeque};

use peermux::connmgr::ConnectError as RawError;
use peermux::connmgr::{AddressSource, DialFilter};
use peermux::server::NetList;
use peermux::{Direction, DisconnectReason};

use super::*;

/// The server reserves four of its twelve seats for dialled peers.
#[tokio::test(start_paused = true)]
async fn the_seats_reserved_for_dialled_peers_are_filled_and_refilled() {
    let mut remotes = Vec::new();
    for _ in 0..9 {
        remotes.push(remote().await);
    }
    let nodes = remotes.iter().zip(1..);
    let nodes: VecDeque<_> = nodes.map(|(node, n)| at(node, &public(n))).collect();
    let find = |dial: &PendingDial<Enode>| {
        let id = dial.addr().node_id();
        let found = remotes.iter().find(|remote| remote.id() == id);
        found.expect("one of them").clone()
    };
    let (builder, mut script) = scripted();
    let builder = builder
        .configure(|config| config.with_max_peers(12))
        .source(nodes.clone());
    let server = builder.start().await.unwrap();
    let mut feed = server.subscribe();
    let mut dials = Vec::new();
    for node in nodes.iter().take(4) {
        let dial = next_dial(&mut script).await;
        assert_eq!(dial.addr(), node, "in the order of the list");
        dials.push(dial);
    }
    no_dial(&mut script, SECOND).await;

    // One dial fails, and another node is dialled instead.
    dials.remove(0).fail(RawError::Refused);
    dials.push(next_dial(&mut script).await);
    no_dial(&mut script, SECOND).await;
    for dial in dials {
        let remote = find(&dial);
        reach(dial, &remote);
        added(&mut feed).await;
    }
    no_dial(&mut script, SECOND).await;

    // Three peers disconnect, and three other nodes replace them.
    for peer in server.peers().into_iter().take(3) {
        peer.disconnect(DisconnectReason::REQUESTED);
        dropped(&mut feed).await;
    }
    for _ in 0..3 {
        let dial = next_dial(&mut script).await;
        let remote = find(&dial);
        reach(dial, &remote);
        added(&mut feed).await;
    }
    no_dial(&mut script, LONG).await;
    assert_eq!(server.peer_count(), 4);
}

#[tokio::test(start_paused = true)]
async fn only_nodes_in_permitted_networks_are_dialled() {
    let inside = ["127.0.2.1:1", "127.0.2.2:1"].map(stranger);
    let outside = ["127.0.1.1:1", "127.0.3.1:1"].map(stranger);
    let nodes: VecDeque<_> = inside.iter().chain(&outside).cloned().collect();
    let (builder, mut script) = scripted();
    let builder = builder.source(nodes);
    let builder = builder
        .configure(|config| config.with_net_restrict("127.0.2.0/24".parse::<NetList>().unwrap()));
    let server = builder.start().await.unwrap();
    let (first, second) = (next_dial(&mut script).await, next_dial(&mut script).await);
    assert_eq!([first.addr(), second.addr()], [&inside[0], &inside[1]]);
    let error = server.dial(&outside[0]).await.expect_err("outside");
    assert!(
        error.to_string().contains("outside the permitted"),
        "{error}"
    );
    assert!(script.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dialled_us_is_dialled_only_after_it_has_left() {
    let (builder, mut script) = scripted();
    let remote = remote().await;
    let nodes = VecDeque::from([at(&remote, &public(1))]);
    // Nothing may be dialled before the other side is connected.
    let (release, released) = tokio::sync::oneshot::channel();
    let builder = builder.source(Late(Some(released), nodes));
    let server = builder.start().await.unwrap();
    let (near, far) = tokio::io::duplex(1 << 16);
    let key = *server.enode().public_key();
    let (accepted, dialled) = tokio::join!(server.accept_over(near), remote.dial_over(far, &key));
    let (peer, _) = (accepted.unwrap(), dialled.unwrap());
    release.send(()).unwrap();
    no_dial(&mut script, LONG).await;
    peer.disconnect(DisconnectReason::REQUESTED);
    assert_eq!(next_dial(&mut script).await.addr().node_id(), remote.id());
}

/// A source that has no nodes at first.
struct Late(Option<tokio::sync::oneshot::Receiver<()>>, VecDeque<Enode>);

impl AddressSource<Enode> for Late {
    async fn next(&mut self, wanted: &DialFilter<Enode>) -> Option<Enode> {
        if let Some(released) = &mut self.0 {
            released.await.ok();
            self.0 = None;
        }
        self.1.next(wanted).await
    }
}

#[tokio::test(start_paused = true)]
async fn sources_take_turns_and_a_waiting_one_delays_no_other() {
    let list = |hosts: [u8; 4]| hosts.map(|host| stranger(&public(host)));
    let (first, second) = (list([1, 2, 3, 4]), list([5, 6, 7, 8]));
    let (_never, waiting) = tokio::sync::oneshot::channel();
    let (builder, mut script) = scripted();
    let server = builder
        .configure(|config| config.with_max_peers(12))
        .source(VecDeque::from(first.clone()))
        .source(Late(Some(waiting), VecDeque::new()))
        .source(VecDeque::from(second.clone()));
    let _server = server.start().await.unwrap();
    let (mut dialled, mut dials) = (HashSet::new(), Vec::new());
    for _ in 0..4 {
        let dial = next_dial(&mut script).await;
        dialled.insert(dial.addr().clone());
        dials.push(dial);
    }
    for list in [first, second] {
        let served = list.iter().filter(|node| dialled.contains(node)).count();
        assert_eq!(served, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn one_connection_per_network_except_among_local_addresses() {
    let same = VecDeque::from(["20.1.1.1:1", "20.1.2.2:1", "20.2.1.1:1"].map(stranger));
    let (builder, mut script) = scripted();
    let _server = builder.source(same).start().await.unwrap();
    let (first, second) = (next_dial(&mut script).await, next_dial(&mut script).await);
    assert!(first.addr().to_string().contains("@20.1."));
    assert!(second.addr().to_string().contains("@20.2."));
    no_dial(&mut script, SECOND).await;

    let local = VecDeque::from(["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(stranger));
    let (builder, mut script) = scripted();
    let _server = builder.source(local).start().await.unwrap();
    let mut dials = Vec::new();
    for _ in 0..3 {
        dials.push(next_dial(&mut script).await);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_source_no_seat_is_reserved() {
    let server = Server::builder(key())
        .protocol(idle("test"))
        .configure(|config| config.with_max_peers(3));
    let server = server.start().await.unwrap();
    let mut remotes = Vec::new();
    for _ in 0..3 {
        let remote = remote().await;
        let (near, far) = tokio::io::duplex(1 << 16);
        let key = *server.enode().public_key();
        let (peer, _) = tokio::join!(server.accept_over(near), remote.dial_over(far, &key));
        assert_eq!(peer.expect("has a seat").direction(), Direction::Inbound);
        remotes.push(remote);
    }
}

#[tokio::test(start_paused = true)]
async fn static_nodes_take_seats_of_dialled_peers() {
    let (builder, mut script) = scripted();
    let nodes: VecDeque<_> = (1..9).map(|n| stranger(&public(n))).collect();
    let builder = builder
        .configure(|config| config.with_max_peers(9))
        .source(nodes);
    let fixed = stranger(&public(100));
    let server = builder
        .configure(|config| config.with_static_nodes([fixed.clone()]))
        .start()
        .await
        .unwrap();
    let mut dials = Vec::new();
    for _ in 0..3 {
        dials.push(next_dial(&mut script).await);
    }
    server.add_static(stranger(&public(101))).await.unwrap();
    let mut given_up = 0;
    for dial in &mut dials {
        given_up += usize::from(timeout(SECOND, dial.given_up()).await.is_ok());
    }
    assert_eq!(given_up, 1, "the newest one from the source gives way");
}
