//! Two complete connections between other implementations.

use bytes::BytesMut;
use peermux::rlpx::{Egress, Ingress, Opened, Session};
use serde_json::Value;

use super::{VECTORS, array, handshake, hex, key, text};

/// One direction of a connection: one side's writer and the other's reader.
struct Direction {
    egress: Egress,
    ingress: Ingress,
}

fn directions(initiator: Session, recipient: Session) -> [Direction; 2] {
    let direction = |egress, mut ingress: Ingress| {
        ingress.set_max_frame_size(1 << 20);
        Direction { egress, ingress }
    };
    [
        direction(initiator.egress, recipient.ingress),
        direction(recipient.egress, initiator.ingress),
    ]
}

#[test]
fn identities_and_bindings() {
    for name in ["transcript_v4_uncompressed", "transcript_v5_snappy"] {
        let transcript = &VECTORS[name];
        let (initiator, recipient) = handshake(transcript);
        for (remote, side) in [
            (initiator.remote, "recipient"),
            (recipient.remote, "initiator"),
        ] {
            let public = hex(transcript, &format!("{side}_static_pub"));
            assert_eq!(remote.to_bytes()[..], public);
            let id: [u8; 32] = array(transcript, &format!("{side}_node_id"));
            assert_eq!(remote.node_id().as_bytes(), &id);
            let secret = key(transcript, &format!("{side}_static_key"));
            assert_eq!(secret.public_key(), remote);
        }
        assert_eq!(initiator.binding, recipient.binding);
    }
    let binding = |name: &str| handshake(&VECTORS[name]).0.binding;
    assert_ne!(
        binding("transcript_v4_uncompressed"),
        binding("transcript_v5_snappy")
    );
}

/// Writes the frame and compares it with the transcript. Snappy encoders differ, so a compressed
/// frame is written from the transcript's compressed data. A frame that is written from its payload
/// only has to round-trip.
fn write(direction: &mut Direction, frame: &Value) -> BytesMut {
    let id = frame["msg_id"].as_u64().unwrap();
    let frame_data = hex(frame, "frame_data");
    let (_, id_length) = peermux::rlpx::message_id::decode(&frame_data).unwrap();
    let mut wire = BytesMut::new();
    let data = &frame_data[id_length..];
    let length = direction
        .egress
        .seal_uncompressed(id, data, &mut wire)
        .unwrap();
    assert_eq!(length, data.len());
    assert_eq!(wire, hex(frame, "wire"), "{}", text(frame, "name"));
    assert_eq!(wire.len() as u64, frame["wire_len"].as_u64().unwrap());
    wire
}

fn read(direction: &mut Direction, frame: &Value, wire: &mut BytesMut) {
    direction
        .ingress
        .set_snappy(frame["snappy"].as_bool().unwrap());
    let size = frame["wire_len"].as_u64().unwrap() as usize;
    // The bytes arrive one by one, as on the slowest connection.
    for available in 0..size {
        match direction.ingress.open(&mut wire[..available]).unwrap() {
            Opened::NeedMore { total } => {
                assert_eq!(total, if available < 32 { 32 } else { size });
            }
            Opened::Frame { .. } => panic!("{available} of {size} bytes were enough"),
        }
    }
    let Opened::Frame {
        frame: opened,
        consumed,
    } = direction.ingress.open(wire).unwrap()
    else {
        panic!("not complete");
    };
    assert_eq!(consumed, size);
    assert_eq!(opened.id(), frame["msg_id"].as_u64().unwrap());
    let payload = hex(frame, "payload");
    assert_eq!(opened.payload_len(), Ok(payload.len()));
    assert_eq!(opened.payload(payload.len()).unwrap(), payload);
}

#[test]
fn every_frame_is_written_and_read() {
    for name in ["transcript_v4_uncompressed", "transcript_v5_snappy"] {
        let transcript = &VECTORS[name];
        let (initiator, recipient) = handshake(transcript);
        let [mut forth, mut back] = directions(initiator, recipient);
        for frame in transcript["frames"].as_array().unwrap() {
            let direction = match text(frame, "direction") {
                "initiator_to_recipient" => &mut forth,
                _ => &mut back,
            };
            let mut wire = write(direction, frame);
            read(direction, frame, &mut wire);
        }
    }
}

#[test]
fn every_payload_round_trips_through_our_own_encoder() {
    for name in ["transcript_v4_uncompressed", "transcript_v5_snappy"] {
        let transcript = &VECTORS[name];
        let (initiator, recipient) = handshake(transcript);
        let [mut forth, mut back] = directions(initiator, recipient);
        for frame in transcript["frames"].as_array().unwrap() {
            let Direction { egress, ingress } = match text(frame, "direction") {
                "initiator_to_recipient" => &mut forth,
                _ => &mut back,
            };
            let (snappy, payload) = (frame["snappy"].as_bool().unwrap(), hex(frame, "payload"));
            egress.set_snappy(snappy);
            ingress.set_snappy(snappy);
            let (id, mut wire) = (frame["msg_id"].as_u64().unwrap(), BytesMut::new());
            egress.seal(id, &payload, &mut wire).unwrap();
            if !snappy {
                assert_eq!(wire, hex(frame, "wire"), "{}", text(frame, "name"));
            }
            let Ok(Opened::Frame { frame: opened, .. }) = ingress.open(&mut wire) else {
                panic!("{} was refused", text(frame, "name"));
            };
            assert_eq!((opened.id(), opened.is_compressed()), (id, snappy));
            assert_eq!(opened.payload(payload.len()).unwrap(), payload);
        }
    }
}
