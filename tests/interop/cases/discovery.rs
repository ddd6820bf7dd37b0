//! Node Discovery: go-ethereum's conformance suites, and its v4 decoder compared with ours.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use peermux::discv4::packet::{Datagram, PacketError};
use peermux::discv4::{Contact, Discv4, Discv4Config};
use peermux::discv5::{Discv5, Discv5Config, Sockets};
use peermux::{NodeRecord, SecretKey};
use tokio::net::UdpSocket;
use tokio::runtime::Builder;

use super::Case;
use super::packets::bytes;
use crate::foreign::{Foreign, Implementation};

/// The number of packets on which the decoders are compared.
const PACKETS: usize = 100_000;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("discovery::conformance_of_v4", conformance).only(Implementation::Geth),
        Case::new("discovery::conformance_of_v5", conformance_of_v5).only(Implementation::Geth),
        Case::new("discovery::decoders_of_v4_agree", decoders_agree).only(Implementation::Geth),
    ]
}

fn conformance(foreign: &Foreign) {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let _inside = runtime.enter();
    let key = SecretKey::generate();
    let record = NodeRecord::builder(1).ip([127, 0, 0, 1].into());
    let node = Discv4::builder(key.clone(), record.sign(&key).expect("a short record"))
        .config(Discv4Config::default().with_private_networks(true))
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    let addr = node.local_addr().expect("a socket of its own");
    let enode = Contact::new(key.public_key(), addr, 0).to_enode();

    let devp2p = foreign.devp2p.as_ref().expect("built with the node");
    let arguments = ["discv4", "test", "--remote", &enode.to_string()];
    let run = Command::new(devp2p).args(arguments).output();
    let output = run.expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let logged = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{logged}");
    assert!(printed.contains("15/15 tests passed"), "{printed}{logged}");
    runtime.block_on(node.shutdown());
}

fn conformance_of_v5(foreign: &Foreign) {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let key = SecretKey::generate();
    // The suite waits only a minute for a Ping to each of its nodes, so ping often. All of these
    // nodes are on this machine.
    let config = Discv5Config::default()
        .with_ping_interval(Duration::from_secs(5))
        .with_private_networks(true);
    let (_node, record) = runtime.block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let addr = socket.local_addr().expect("an address");
        let record = NodeRecord::builder(1).ip(addr.ip()).udp(addr.port());
        let record = record.sign(&key).expect("a short record");
        let sockets = Sockets::one(Arc::new(socket)).expect("an address");
        let builder = Discv5::builder(key, record.clone()).config(config);
        (builder.start(sockets).await.expect("it starts"), record)
    });

    let devp2p = foreign.devp2p.as_ref().expect("built with the node");
    let arguments = ["discv5", "test", &record.to_string()];
    let run = Command::new(devp2p).args(arguments).output();
    let output = run.expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let logged = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{logged}");
    assert!(printed.contains("10/10 tests passed"), "{printed}{logged}");
}

fn read(packet: &[u8]) -> Result<(), PacketError> {
    let datagram = Datagram::check(packet)?;
    datagram.packet()?;
    datagram.sender().map(drop)
}

fn decoders_agree(foreign: &Foreign) {
    let mut theirs = foreign.discv4(PACKETS);
    let (mut compared, mut accepted) = (0, 0);
    while compared < PACKETS {
        let event = theirs.event("discv4");
        let packets = event["packets"].as_array().expect("a list");
        let verdicts = event["accepted"].as_str().expect("digits");
        assert_eq!(packets.len(), verdicts.len());
        for (packet, verdict) in packets.iter().zip(verdicts.chars()) {
            let packet = packet.as_str().expect("hex");
            let ours = read(&bytes(packet));
            assert_eq!(ours.is_ok(), verdict == '1', "{ours:?} of {packet}");
            compared += 1;
            accepted += usize::from(ours.is_ok());
        }
    }
    // Check that the decoders neither accept nor reject nearly everything. If they did, their
    // agreement would prove little.
    assert!(
        accepted > PACKETS / 10 && accepted < PACKETS * 9 / 10,
        "{accepted}"
    );
    theirs.succeeded();
}
