//! Packets of Node Discovery v4, and a node that receives them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use peermux::discv4::fuzzing::seal;
use peermux::discv4::machine::Now;
use peermux::discv4::packet::{Datagram, MAX_PACKET, Packet};
use peermux::discv4::{Discv4Config, Machine};
use peermux::{NodeRecord, SecretKey};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::Instant;

use super::assert_explained;
use super::input::Input;

/// The calendar time at the start of a script, in seconds since 1970.
const UNIX: u64 = 1_700_000_000;

/// The first byte selects the kind of input.
///
/// 0 is a raw datagram, 1 is the type and data of a datagram to sign, and anything else is
/// a script of packets for a node.
pub fn discv4(data: &[u8]) {
    match data {
        [0, datagram @ ..] => drop(read(datagram)),
        [1, kind, data @ ..] => signed(*kind, data),
        [_, script @ ..] => node(Input::new(script)),
        [] => {}
    }
}

fn key(number: u8) -> SecretKey {
    let mut bytes = [1; 32];
    bytes[31] = number;
    SecretKey::from_bytes(&bytes).unwrap()
}

fn read(bytes: &[u8]) -> Option<Packet> {
    let datagram = Datagram::check(bytes)
        .inspect_err(|error| assert_explained(error))
        .ok()?;
    let sender = datagram.sender();
    if let Err(error) = &sender {
        assert_explained(error);
    }
    datagram
        .packet()
        .inspect_err(|error| assert_explained(error))
        .ok()
}

/// A decoded packet round-trips.
fn signed(kind: u8, data: &[u8]) {
    let bytes = seal(&key(1), kind, data);
    if bytes.len() > MAX_PACKET {
        assert!(Datagram::check(&bytes).is_err());
        return;
    }
    let datagram = Datagram::check(&bytes).unwrap();
    assert_eq!(datagram.sender(), Ok(key(1).public_key()));
    let Some(packet) = read(&bytes) else {
        return;
    };
    // The new encoding is never longer than the packet: it lacks ignored data, and its numbers are
    // canonical.
    let sealed = packet.seal(&key(2)).unwrap();
    assert!(sealed.bytes.len() <= bytes.len());
    assert_eq!(read(&sealed.bytes), Some(packet));
}

/// Runs a node that receives packets from others, which may answer its Pings.
struct Script {
    machine: Machine,
    now: Now,
    /// The addresses that have answered a Ping and so may send requests.
    proven: BTreeSet<IpAddr>,
}

fn node(mut input: Input<'_>) {
    let now = Now {
        at: Instant::now(),
        unix: UNIX,
    };
    let own = SecretKey::from_bytes(&[2; 32]).unwrap();
    let record = NodeRecord::builder(1).udp(30_303).sign(&own).unwrap();
    let config = Discv4Config::default().with_private_networks(input.byte() & 1 != 0);
    let rng = StdRng::seed_from_u64(1);
    let mut script = Script {
        machine: Machine::new(own, record, config, &[], now, rng),
        now,
        proven: BTreeSet::new(),
    };
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        script.step(&mut input);
    }
}

impl Script {
    fn step(&mut self, input: &mut Input<'_>) {
        let (step, who) = (input.byte(), input.byte());
        let from = SocketAddr::from(([20, 0, who >> 2, 1], 30_303));
        match step % 4 {
            0 => {
                let (kind, data) = (input.byte(), input.sized());
                let datagram = seal(&key(who), kind, data);
                self.arrives(from, &datagram);
            }
            1 => {
                let wait = Duration::from_millis(10 * u64::from(input.byte()));
                self.now.at += wait;
                self.now.unix += wait.as_secs();
                self.machine.advance(self.now);
                self.sent(None, &key(who), false);
            }
            2 => {
                let mut target = [0; 64];
                target[0] = input.byte();
                let _ = self.machine.lookup(target, self.now);
                self.sent(None, &key(who), step & 4 != 0);
            }
            _ => {
                // This Ping's sender also answers the node's own Ping.
                let nowhere: &[u8] = &[0xc3, 0x80, 0x80, 0x80];
                let expires = (UNIX + 3600).to_be_bytes();
                let data = [&[0xce, 4], nowhere, nowhere, &[0x84], &expires[4..]];
                let datagram = seal(&key(who), 1, &data.concat());
                let _ = self.machine.received(from, &datagram, self.now);
                self.sent(Some(from), &key(who), true);
            }
        }
        while self.machine.poll_event().is_some() {}
        assert!(self.machine.table().count() <= 17 * 16);
    }

    fn arrives(&mut self, from: SocketAddr, datagram: &[u8]) {
        if let Err(why) = self.machine.received(from, datagram, self.now) {
            assert_explained(&why);
            assert!(self.machine.poll_transmit().is_none(), "{why}");
        }
        self.sent(Some(from), &key(1), false);
    }

    /// Checks the packets that the node sent, and answers its Pings if `answer` is true.
    fn sent(&mut self, caused_by: Option<SocketAddr>, key: &SecretKey, answer: bool) {
        let mut to_stranger = 0;
        while let Some(transmit) = self.machine.poll_transmit() {
            assert!(transmit.datagram.len() <= MAX_PACKET);
            let datagram = Datagram::check(&transmit.datagram).unwrap();
            let packet = datagram.packet().unwrap();
            let stranger = !self.proven.contains(&transmit.to.ip());
            if stranger && caused_by == Some(transmit.to) {
                to_stranger += 1;
                assert!(
                    matches!(packet, Packet::Ping(_) | Packet::Pong(_)),
                    "{packet:?}"
                );
                assert!(to_stranger <= 2, "a Pong and a Ping");
            }
            if answer && matches!(packet, Packet::Ping(_)) {
                let hash = datagram.hash();
                let expires = (UNIX + 3600).to_be_bytes();
                let parts: [&[u8]; 6] = [
                    &[0xea],
                    &[0xc3, 0x80, 0x80, 0x80],
                    &[0xa0],
                    &hash,
                    &[0x84],
                    &expires[4..],
                ];
                let pong = seal(key, 2, &parts.concat());
                if self.machine.received(transmit.to, &pong, self.now).is_ok() {
                    self.proven.insert(transmit.to.ip());
                }
            }
        }
    }
}
