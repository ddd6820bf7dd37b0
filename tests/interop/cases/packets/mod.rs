//! Compares messages of real protocols, byte for byte.
//!
//! Types defined by `messages!` encode and decode values exactly as the other implementations' own
//! types do.

mod eth;
mod snap;

use std::fmt::Debug;

use peermux::{Message, WireMessage};
use serde_json::Value;

use super::Case;
use crate::foreign::{Foreign, Implementation};
use crate::program::Program;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("packets::eth_68", eth::version_68).only(Implementation::EthereumJs),
        Case::new("packets::eth_69", eth::version_69).only(Implementation::Geth),
        Case::new("packets::eth_70", eth::version_70).only(Implementation::Geth),
        Case::new("packets::snap_1", snap::version_1).only(Implementation::Geth),
    ]
}

/// A foreign program that has printed its packets and decodes ours.
struct Theirs {
    program: Program,
    packets: Vec<Value>,
    /// The number of compared packets.
    compared: usize,
}

impl Theirs {
    /// Starts the program, and keeps those of its packets that belong to one protocol.
    fn start(foreign: &Foreign, protocol: &str, count: usize) -> Self {
        let mut program = foreign.packets();
        let mut packets = Vec::new();
        while packets.len() < count {
            let packet = program.event("packet");
            let name = packet["name"].as_str().expect("a name");
            if name.starts_with(protocol) {
                packets.push(packet);
            }
        }
        Self {
            program,
            packets,
            compared: 0,
        }
    }

    /// Checks that both sides encode a message identically and decode the other's encoding.
    fn compare<M: WireMessage + Debug + PartialEq>(&mut self, name: &str, message: &M) {
        let packet = self.packets.iter().find(|packet| packet["name"] == name);
        let packet = packet.unwrap_or_else(|| panic!("they printed no {name}"));
        let ours = message.encode();
        assert_eq!(packet["payload"], hex(&ours), "{name}");
        assert_eq!(packet["code"], message.code(), "{name}");
        let theirs = bytes(packet["payload"].as_str().expect("hex"));
        let decoded = M::decode(Message::new(message.code(), theirs));
        assert_eq!(decoded.as_ref(), Ok(message), "{name}");

        self.program.say(&format!("{name}|{}", hex(&ours)));
        let decoded = self.program.event("decoded");
        assert_eq!(decoded["payload"], hex(&ours), "{decoded}");
        self.compared += 1;
    }

    /// Checks that all packets of the program were compared.
    fn end(mut self) {
        assert_eq!(self.compared, self.packets.len());
        self.program.end_input();
        self.program.succeeded();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// Returns a hash whose bytes are all the same.
const fn hash(byte: u8) -> [u8; 32] {
    [byte; 32]
}

/// The id of all requests.
const ID: u64 = 1111;
