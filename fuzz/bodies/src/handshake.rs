//! Shared parts of the targets for both handshake packets.

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use peermux::Fault;
use peermux::node::SecretKey;
use peermux::rlpx::{
    AuthReceived, HandshakeError, HandshakeRandomness, Initiator, Legacy, Opened, Recipient,
    Session, Step,
};
use zeroize::Zeroizing;

use super::assert_explained;
use super::input::Input;

/// The length of the longest packet, including its size prefix.
pub(super) const MAX_PACKET: usize = 2 + 2048;

/// Plaintexts are truncated to this length, well above what a packet can hold.
const MAX_PLAINTEXT: usize = 4096;

/// The parameters of a run.
pub(super) struct Setting {
    pub(super) legacy: Legacy,
    pub(super) padding: usize,
    /// How the packet is delivered.
    pub(super) how: u8,
}

/// The operations that both targets implement.
pub(super) trait Target: From<Setting> {
    /// Reads a raw packet.
    fn packet(&self, packet: &[u8]);
    /// Reads a correctly encrypted packet: only the plaintext matters.
    fn eip8(&self, plaintext: &[u8]);
    /// Reads a packet in the old format.
    fn old(&self, plaintext: &[u8]);
    /// Reads a valid packet that was changed on its way.
    fn changed(&self, changes: Input<'_>);
}

/// Runs a target. Bits 0 and 1 of the first byte select the input: a packet, an EIP-8 plaintext, an
/// old plaintext, or changes to a valid packet. Bit 2 selects whether the old format is accepted,
/// and bits 3 to 7 are the amount of padding. The second byte selects how the packet is delivered.
pub(super) fn run<T: Target>(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let target = T::from(Setting {
        legacy: match flags & 4 {
            0 => Legacy::Refuse,
            _ => Legacy::Accept,
        },
        padding: usize::from(flags >> 3),
        how: input.byte(),
    });
    match flags & 3 {
        0 => target.packet(input.rest()),
        1 => target.eip8(input.take(MAX_PLAINTEXT)),
        2 => target.old(input.take(MAX_PLAINTEXT)),
        _ => target.changed(input),
    }
}

/// The keys and nonces of one side, from a published transcript. The side's packets can be inputs.
pub(super) struct Side {
    static_key: &'static str,
    ephemeral: &'static str,
    nonce: &'static str,
    packet_key: &'static str,
}

pub(super) const INITIATOR: Side = Side {
    static_key: "97e13d7aa04c33b37db1a55399d593b6ba03210b68d3bd5e46006a66b1dbf034",
    ephemeral: "11ae8daa7d0df8476348cdb5978da1ed80936b0d83a3b79ebf3fdb00c737bcc7",
    nonce: "0edb9f963bc9ce539c65dc59a0d90494a80ee0f72162ae9158823a2181af8b58",
    packet_key: "5a82f59638006d29e0f98485631f33b96840baaea9e5dfc3e01cab30a393f2e0",
};

pub(super) const RECIPIENT: Side = Side {
    static_key: "154d21440ec155461da2bbcb0600bf53f22f7f885b6bb74a0ec5cea02534ea64",
    ephemeral: "bb030aca9489dd4c37c9c1d2f3d647e8ecceb5de3c1b5892bdb5d8779fcca598",
    nonce: "1662bf3a53dc62b867065c6c7ca1d51241592779f8ed06fbe0e1cf387ba8c51f",
    packet_key: "a275ac5767a88115fd45a0a49336144927f89c1f300401a6230bed9d4bb663a4",
};

impl Side {
    pub(super) fn key(&self) -> SecretKey {
        self.static_key.parse().unwrap()
    }

    pub(super) fn ephemeral(&self) -> SecretKey {
        self.ephemeral.parse().unwrap()
    }

    pub(super) fn nonce(&self) -> [u8; 32] {
        let digits = HEXLOWER.decode(self.nonce.as_bytes()).unwrap();
        digits.try_into().unwrap()
    }

    pub(super) fn randomness(&self, padding: usize) -> HandshakeRandomness {
        HandshakeRandomness::from_parts(
            self.ephemeral(),
            Zeroizing::new(self.nonce()),
            self.packet_key.parse().unwrap(),
            [0xff; 16],
            padding,
        )
    }
}

/// Returns the initiator that has sent its auth with this much padding, and the auth.
pub(super) fn initiator(padding: usize) -> (Initiator, Bytes) {
    let remote = RECIPIENT.key().public_key();
    Initiator::new(&INITIATOR.key(), &remote, INITIATOR.randomness(padding)).unwrap()
}

/// Returns the recipient's state after a valid auth.
pub(super) fn received(auth: &[u8], legacy: Legacy) -> AuthReceived {
    let recipient = Recipient::new(&RECIPIENT.key(), legacy);
    match recipient.read_auth(&mut BytesMut::from(auth)) {
        Ok(Step::Done(received)) => received,
        Ok(Step::NeedMore { bytes, .. }) => panic!("{bytes} more bytes needed"),
        Err(error) => panic!("{error}"),
    }
}

/// How bytes reach the other side.
pub(super) struct Delivery {
    /// The packet and the bytes after it, which stand for a first frame.
    pub(super) wire: Vec<u8>,
    /// The size of each read.
    read: usize,
}

/// The bytes that a step has consumed from the input, and the step's result.
pub(super) type Taken<T> = Option<(Vec<u8>, T)>;

impl Delivery {
    pub(super) fn new(packet: &[u8], how: u8) -> Self {
        let behind = vec![how; usize::from(how >> 5)];
        Self {
            wire: [packet, &behind].concat(),
            read: [1, 2, 100, 307, 500, 1000, 2050, usize::MAX][usize::from(how & 7)],
        }
    }

    /// Delivers the bytes to `state` and checks each step. Returns `None` if the last step still
    /// waits for more bytes.
    pub(super) fn run<S, T>(
        &self,
        mut state: S,
        step: impl Fn(S, &mut BytesMut) -> Result<Step<S, T>, HandshakeError>,
    ) -> Result<Taken<T>, HandshakeError> {
        let (mut input, mut arrived) = (BytesMut::new(), 0);
        let mut needed = 0;
        loop {
            let before = input.clone();
            match step(state, &mut input).inspect_err(check_error)? {
                Step::Done(result) => {
                    assert!(before.len() >= needed);
                    let (taken, rest) = before.split_at(before.len() - input.len());
                    assert_eq!(rest, input);
                    assert!(taken.len() <= MAX_PACKET);
                    return Ok(Some((taken.to_vec(), result)));
                }
                Step::NeedMore { state: next, bytes } => {
                    assert_eq!(before, input);
                    needed = input.len() + bytes;
                    assert!(bytes > 0 && needed <= MAX_PACKET);
                    if arrived == self.wire.len() {
                        return Ok(None);
                    }
                    let end = arrived.saturating_add(self.read).min(self.wire.len());
                    input.extend_from_slice(&self.wire[arrived..end]);
                    arrived = end;
                    state = next;
                }
            }
        }
    }
}

fn check_error(error: &HandshakeError) {
    assert_explained(error);
    assert_eq!(error.fault(), Fault::Remote);
}

/// Returns what the receiver decrypts. The padding is not separated from the plaintext, so its
/// zeros may complete a list that the plaintext began.
pub(super) fn padded(plaintext: &[u8], padding: usize) -> Vec<u8> {
    let mut padded = plaintext.to_vec();
    padded.resize(plaintext.len() + padding, 0);
    padded
}

/// Changes some bytes of a packet, as `input` says.
pub(super) fn damaged(packet: &[u8], mut input: Input<'_>) -> Vec<u8> {
    let mut packet = packet.to_vec();
    while !input.is_empty() {
        let (position, change) = (input.u16(), input.byte());
        match position.checked_rem(packet.len()) {
            Some(_) if position >= 0xf000 => packet.truncate(position & 0xfff),
            Some(position) => packet[position] ^= change,
            None => packet.push(change),
        }
    }
    packet
}

/// Checks whether two sessions are the ends of one connection, as expected.
pub(super) fn check_sessions(mut ours: Session, mut theirs: Session, same: bool) {
    assert_eq!(ours.binding == theirs.binding, same);
    for (egress, ingress) in [
        (&mut ours.egress, &mut theirs.ingress),
        (&mut theirs.egress, &mut ours.ingress),
    ] {
        let mut wire = BytesMut::new();
        egress.seal(0, b"hello", &mut wire).unwrap();
        match ingress.open(&mut wire) {
            Ok(Opened::Frame { frame, .. }) => assert!(same && frame.data() == b"hello"),
            Ok(Opened::NeedMore { total }) => panic!("{total} bytes needed"),
            Err(_) => assert!(!same),
        }
    }
}
