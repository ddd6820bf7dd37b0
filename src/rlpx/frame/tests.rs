use bytes::{Buf, Bytes, BytesMut};
use proptest::prelude::*;

use super::egress::{append_plaintext, header};
use super::*;
use crate::fault::Fault;
use crate::keccak::Keccak256;
use crate::rlpx::error::{FrameError, MessageIdError, SealError, SnappyError};
use crate::rlpx::mac::FrameMac;
use crate::rlpx::snappy;
use crate::rlpx::testing::{VECTORS, array, hex, sessions};

impl Egress {
    pub(in crate::rlpx) fn mac_digest_after(&self, suffix: &[u8]) -> [u8; 32] {
        self.mac.digest_after(suffix)
    }
}

impl Ingress {
    pub(in crate::rlpx) fn mac_digest_after(&self, suffix: &[u8]) -> [u8; 32] {
        self.mac.digest_after(suffix)
    }
}

/// Returns both ends of one direction, with the format's limits only.
fn pair() -> (Egress, Ingress) {
    let (initiator, recipient) = sessions();
    let mut ingress = recipient.ingress;
    ingress.set_max_frame_size(usize::MAX);
    (initiator.egress, ingress)
}

fn sealed(egress: &mut Egress, id: u64, data: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    egress.seal(id, data, &mut out).unwrap();
    out
}

fn opened<'b>(ingress: &mut Ingress, input: &'b mut [u8]) -> (Frame<'b>, usize) {
    match ingress.open(input).unwrap() {
        Opened::Frame { frame, consumed } => (frame, consumed),
        Opened::NeedMore { total } => panic!("{total} bytes needed"),
    }
}

/// The vector was made with a hash that always yields 01…01, as its MACs show.
///
/// The rest of the frame does not depend on the hash.
#[test]
fn golden_frame() {
    let golden = &VECTORS["golden_frame_constant_mac"];
    let states = [Keccak256::new(), Keccak256::new()];
    let [mac, _] = FrameMac::pair(&array(golden, "mac_secret"), states);
    let mut egress = Egress::new(&array(golden, "aes_secret"), mac);
    let mut out = sealed(&mut egress, 8, &hex(golden, "payload"));
    out[16..32].fill(1);
    out[48..].fill(1);
    assert_eq!(out, hex(golden, "wire"));
}

#[test]
fn mac_states_of_every_frame_of_the_transcripts() {
    for name in ["transcript_v4_uncompressed", "transcript_v5_snappy"] {
        let transcript = &VECTORS[name];
        let (aes, mac) = (
            array(transcript, "aes_secret"),
            array(transcript, "mac_secret"),
        );
        let seeded = |nonce: &str, packet: &str| {
            let nonce: [u8; 32] = array(transcript, nonce);
            let seed = crate::rlpx::secrets::xor(&mac, &nonce);
            let mut state = Keccak256::new();
            state.update(seed.as_ref());
            state.update(&hex(&transcript[packet], "packet"));
            state
        };
        let states = [
            seeded("recipient_nonce", "auth"),
            seeded("initiator_nonce", "ack"),
        ];
        let macs = FrameMac::pair(&mac, states);
        let [mut forth, mut back] = macs.map(|mac| Egress::new(&aes, mac));
        for frame in transcript["frames"].as_array().unwrap() {
            let egress = match frame["direction"].as_str() {
                Some("initiator_to_recipient") => &mut forth,
                _ => &mut back,
            };
            let before = egress.mac_digest_after(&[]);
            assert_eq!(before[..], hex(frame, "mac_digest_before"));
            let (frame_data, id) = (hex(frame, "frame_data"), frame["msg_id"].as_u64().unwrap());
            let (_, length) = crate::rlpx::message_id::decode(&frame_data).unwrap();
            let wire = sealed(egress, id, &frame_data[length..]);
            assert_eq!(wire, hex(frame, "wire"), "{name} {}", frame["name"]);
            let after = egress.mac_digest_after(&[]);
            assert_eq!(after[..], hex(frame, "mac_digest_after"));
        }
    }
}

#[test]
fn the_first_frame_is_limited_to_a_hello() {
    let (initiator, recipient) = sessions();
    let (mut egress, mut ingress) = (initiator.egress, recipient.ingress);
    let mut wire = sealed(&mut egress, 0, &[7; 2048]);
    let (frame, consumed) = opened(&mut ingress, &mut wire);
    assert_eq!((frame.data().len(), consumed), (2048, wire.len()));
    let mut wire = sealed(&mut egress, 0, &[7; 2049]);
    // The header alone is enough to reject the frame.
    assert_eq!(
        ingress.open(&mut wire[..32]).unwrap_err(),
        FrameError::FrameTooLarge {
            got: 2050,
            max: 2049
        }
    );
    assert_eq!(
        ingress.open(&mut wire).unwrap_err(),
        FrameError::AlreadyFailed
    );
}

/// Skips encryption, which is slow in unoptimised builds.
#[test]
fn the_largest_payload_just_fits_a_frame() {
    let mut data = vec![0; MAX_PAYLOAD];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut data);
    let mut out = BytesMut::new();
    let mut compressor = snappy::Compressor::new();
    let plaintext = append_plaintext(0x7f, &data, Some(&mut compressor), &mut out).unwrap();
    assert_eq!(plaintext.frame_size, MAX_FRAME_SIZE);
    assert_eq!(out.len(), HEADER + (1 << 24) + mac::LENGTH);
    let compressed = &out[HEADER + 1..][..plaintext.data];
    let declared = snappy::declared_length(compressed).unwrap();
    assert_eq!(declared, MAX_PAYLOAD as u64);
    let mut decompressed = BytesMut::new();
    snappy::decompress(compressed, MAX_PAYLOAD, &mut decompressed).unwrap();
    assert!(decompressed == data);
    // With an id of two bytes the same data is one byte too long.
    let result = append_plaintext(0x80, &data, Some(&mut compressor), &mut BytesMut::new());
    assert_eq!(
        result.err(),
        Some(SealError::FrameTooLarge {
            got: MAX_FRAME_SIZE + 1,
            max: MAX_FRAME_SIZE
        })
    );
}

#[test]
fn a_refused_message_changes_nothing() {
    let (mut egress, mut ingress) = pair();
    egress.set_snappy(true);
    ingress.set_snappy(true);
    let mut out = sealed(&mut egress, 1, b"before");
    let state = egress.mac_digest_after(&[]);
    let before = out.clone();
    for snappy in [true, false] {
        egress.set_snappy(snappy);
        let error = egress
            .seal(2, &vec![0; MAX_PAYLOAD + 1], &mut out)
            .unwrap_err();
        assert_eq!(
            error,
            SealError::PayloadTooLarge {
                got: MAX_PAYLOAD + 1,
                max: MAX_PAYLOAD
            }
        );
    }
    egress.set_snappy(true);
    let mut noise = vec![0; MAX_PAYLOAD];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut noise);
    let error = egress.seal(u64::MAX, &noise, &mut out).unwrap_err();
    assert!(matches!(error, SealError::FrameTooLarge { .. }));
    assert_eq!(error.fault(), Fault::Local);
    assert_eq!(out, before);
    assert_eq!(egress.mac_digest_after(&[]), state);
    egress.seal(3, b"after", &mut out).unwrap();
    let (frame, consumed) = opened(&mut ingress, &mut out);
    assert_eq!(
        (frame.id(), &frame.payload(6).unwrap()[..]),
        (1, &b"before"[..])
    );
    out.advance(consumed);
    let (frame, _) = opened(&mut ingress, &mut out);
    assert_eq!(
        (frame.id(), &frame.payload(6).unwrap()[..]),
        (3, &b"after"[..])
    );
}

#[test]
fn limits_on_the_payload() {
    let (mut egress, mut ingress) = pair();
    egress.set_snappy(true);
    let mut wire = sealed(&mut egress, 16, &[0; 1000]);
    egress.seal_uncompressed(16, &[0; 1000], &mut wire).unwrap();
    let too_large = FrameError::PayloadTooLarge {
        got: 1000,
        max: 999,
    };
    ingress.set_snappy(true);
    let (frame, consumed) = opened(&mut ingress, &mut wire);
    assert!(frame.is_compressed() && frame.data().len() < 100);
    assert_eq!(frame.payload(999), Err(too_large.clone()));
    assert_eq!(frame.payload(1000).unwrap().len(), 1000);
    wire.advance(consumed);
    ingress.set_snappy(false);
    let (frame, _) = opened(&mut ingress, &mut wire);
    assert!(!frame.is_compressed());
    assert_eq!(frame.payload(999), Err(too_large));
    assert_eq!(frame.payload(1000).unwrap().len(), 1000);
}

#[test]
fn empty_data_is_not_a_compressed_payload() {
    let (mut egress, mut ingress) = pair();
    let mut wire = sealed(&mut egress, 16, &[]);
    ingress.set_snappy(true);
    let (frame, _) = opened(&mut ingress, &mut wire);
    let empty = FrameError::Snappy(SnappyError::Empty);
    assert_eq!(frame.payload_len(), Err(empty.clone()));
    assert_eq!(frame.payload(0), Err(empty));
}

#[test]
fn no_state_is_shown() {
    let (egress, ingress) = pair();
    assert_eq!(format!("{egress:?}"), "Egress { snappy: false, .. }");
    assert!(format!("{ingress:?}").ends_with(".. }"));
}

/// Seals a malformed id, as a faulty remote would.
#[test]
fn an_id_that_is_cut_off_fails() {
    let (initiator, recipient) = sessions();
    let (mut egress, mut ingress) = (initiator.egress, recipient.ingress);
    let mut wire = BytesMut::from(&[[0; HEADER].as_slice(), &[0x82, 1], &[0; 30]].concat()[..]);
    egress.encrypt(header(2), &mut wire);
    assert_eq!(
        ingress.open(&mut wire).unwrap_err(),
        FrameError::MessageId(MessageIdError::Missing)
    );
}

fn messages() -> impl Strategy<Value = Vec<(u64, Vec<u8>, bool)>> {
    let id = prop_oneof![Just(0), 1u64..0x80, any::<u64>()];
    let data = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..70),
        prop::collection::vec(any::<u8>(), 0..20_000),
        (any::<u8>(), 0usize..100_000).prop_map(|(byte, length)| vec![byte; length]),
    ];
    prop::collection::vec((id, data, any::<bool>()), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Messages of any size, in chunks of any size, with and without compression.
    #[test]
    fn round_trip(messages in messages(), chunk in 1usize..5000) {
        let (mut egress, mut ingress) = pair();
        let mut wire = BytesMut::new();
        for (id, data, snappy) in &messages {
            egress.set_snappy(*snappy);
            let start = wire.len();
            let length = egress.seal(*id, data, &mut wire).unwrap();
            prop_assert_eq!((wire.len() - start) % 16, 0);
            prop_assert!(wire.len() - start >= 64 && wire.len() - start > length + 48);
        }
        let mut input = BytesMut::new();
        for (id, data, snappy) in &messages {
            ingress.set_snappy(*snappy);
            loop {
                let available = input.len();
                match ingress.open(&mut input).unwrap() {
                    Opened::NeedMore { total } => {
                        prop_assert!(total > available && total <= available + wire.len());
                        input.extend_from_slice(&wire.split_to(chunk.min(wire.len())));
                    }
                    Opened::Frame { frame, consumed } => {
                        prop_assert_eq!(frame.id(), *id);
                        prop_assert_eq!(frame.is_compressed(), *snappy);
                        prop_assert_eq!(frame.payload_len(), Ok(data.len()));
                        prop_assert_eq!(&frame.payload(data.len()).unwrap(), data);
                        input.advance(consumed);
                        break;
                    }
                }
            }
        }
        prop_assert!(input.is_empty() && wire.is_empty());
    }

    /// A frame sealed in pieces has the same bytes as a frame sealed at once.
    #[test]
    fn pieces_add_up_to_the_whole(
        messages in messages(),
        size in 1usize..5000,
        snappy: bool,
    ) {
        let (mut whole, mut piecewise) = (sessions().0.egress, sessions().0.egress);
        whole.set_snappy(snappy);
        piecewise.set_snappy(snappy);
        let (mut expected, mut wire) = (BytesMut::new(), BytesMut::new());
        for (id, data, _) in messages {
            whole.seal(id, &data, &mut expected).unwrap();
            let mut pieces = piecewise.begin(id, &data).unwrap();
            while let Some(piece) = piecewise.next_piece(&mut pieces, size) {
                wire.extend_from_slice(piece);
            }
        }
        prop_assert_eq!(wire, expected);
    }

    /// A changed byte makes the check of its MAC fail. All later calls fail, too.
    #[test]
    fn a_changed_byte_is_noticed(length in 0usize..200, position: prop::sample::Index, change in 1u8..) {
        let (mut egress, mut ingress) = pair();
        let mut wire = sealed(&mut egress, 16, &vec![1; length]);
        let position = position.index(wire.len());
        wire[position] ^= change;
        let expected = if position < HEADER { FrameError::HeaderMac } else { FrameError::BodyMac };
        prop_assert_eq!(ingress.open(&mut wire).unwrap_err(), expected);
        prop_assert_eq!(ingress.open(&mut wire).unwrap_err(), FrameError::AlreadyFailed);
    }
}

#[cfg(feature = "server")]
proptest! {
    #[test]
    fn prepared_data_is_sealed_to_the_same_frame(
        id in 0u64..300,
        data in prop::collection::vec(0u8..4, 0..40_000),
        snappy: bool,
        piece in 1usize..20_000,
    ) {
        let ((mut one, _), (mut other, _)) = (pair(), pair());
        one.set_snappy(snappy);
        other.set_snappy(snappy);
        let prepared = Prepared::new(Bytes::from(data.clone())).unwrap();
        // Two frames, since the second one's MAC depends on the first.
        for _ in 0..2 {
            let expected = sealed(&mut one, id, &data);
            let (mut out, mut rest) = (BytesMut::new(), 1);
            let mut pieces = other.begin_prepared(id, &prepared).unwrap();
            while other.append_piece(&mut pieces, piece, &mut out) {
                rest += 1;
            }
            prop_assert!(rest > 1);
            prop_assert_eq!(out, expected);
        }
    }
}
