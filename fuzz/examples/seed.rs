//! Writes inputs made from published vectors into `corpus/`, as a start for a fuzzer.
//!
//! Run `cargo run --example seed` in this folder. The forms of the inputs are described next to
//! each target's code in `bodies/src`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::Value;

fn main() {
    let vectors = include_str!("../../tests/vectors/devp2p.json");
    let vectors: Value = serde_json::from_str(vectors).expect("valid JSON");
    payloads(&vectors);
    nodes(&vectors);
    lists(&vectors);
    messages(&vectors);
    frames(&vectors);
    handshakes(&vectors);
    comm();
    gossip();
}

fn payloads(vectors: &Value) {
    for case in cases(vectors, "disconnect_payloads") {
        keep("disconnect", &[&hex(case, "payload")]);
    }
    for case in cases(vectors, "disconnect_with_snappy_on") {
        let data = hex(case, "data");
        keep("disconnect", &[&data]);
        keep("message", &[&[0x81, 1], &data]);
    }
    for case in cases(vectors, "hello_payloads") {
        let payload = hex(case, "payload");
        keep("rlp", &[&payload]);
        // The bytes after the message choose the local protocols.
        keep(
            "hello",
            &[&payload, &[0x03, 0x70, 0x48, 0, 0, 0, 0, 0, 0, 0, 9, 0x21]],
        );
        keep("message", &[&[0xf8, 0x80], &payload]);
    }
}

fn nodes(vectors: &Value) {
    for case in cases(vectors, "node_records_and_urls") {
        let text = case["input"].as_str().expect("text");
        keep("enode", &[text.as_bytes()]);
        if let Some((_, endpoint)) = text.split_once('@') {
            keep("enode", &[&[0], b"@", endpoint.as_bytes()]);
        }
        let record = text.strip_prefix("enr:").unwrap_or_default();
        if let Ok(record) = BASE64URL_NOPAD.decode(record.as_bytes()) {
            keep("enode", &[&[1, 0], &record]);
            keep("rlp", &[&record]);
        }
    }
    // These inputs contain content to sign with an added key, and pairs for the builder.
    keep("enode", &[&[1, 1, 1, 5]]);
    keep("enode", &[&[1, 1, 1, 5, 0x61, 1, 0x62, 0xc2, 1, 2]]);
    let builder = [
        0, 0, 0, 0, 0, 0, 0, 1, 0, 10, 0, 0, 1, 2, 0x76, 0x5f, 3, 0x76, 0x60,
    ];
    keep("enode", &[&[1, 2], &builder]);
}

/// Writes texts of entries, the ends of other texts, and lists. The lists are whole, partial or
/// damaged.
fn lists(vectors: &Value) {
    for case in cases(vectors, "node_records_and_urls") {
        let text = case["input"].as_str().expect("text");
        keep("dns", &[&[0], text.as_bytes()]);
    }
    let hash = "JWXYDBPXYWG6FX3GMDIBFA6CJ4";
    let signature =
        "o908WmNp7LibOfPsr4btQwatZJ5URBr2ZAuxvK4UWHlsB9sUOTJQaGAlLPVAhM__XJesCHxLISo94z5Z2a463gA";
    keep("dns", &[&[0], hash.as_bytes()]);
    keep("dns", &[&[1], b"Nodes.example_1.org."]);
    keep("dns", &[&[2]]);
    keep("dns", &[&[2], format!("{hash},{hash}").as_bytes()]);
    let root = format!("e={hash} l={hash} seq=1 sig={signature}");
    keep("dns", &[&[3], root.as_bytes()]);
    keep("dns", &[&[4], format!("2 sig={signature}").as_bytes()]);
    let whole = [5, 17, 3, 7, 255, 255, 255, 9];
    keep("dns", &[&whole]);
    keep("dns", &[&[5, 17, 3, 1, 255, 255, 255, 9]]);
    keep("dns", &[&[5, 17, 3, 7, 20, 255, 255, 9]]);
    keep("dns", &[&[5, 17, 3, 7, 255, 7, 208, 0]]);
    for kind in 0..6 {
        for at in [0, 1, 9, 30] {
            keep("dns", &[&whole, &[0, at, kind, 0, 20], b"enr:"]);
        }
    }
}

fn messages(vectors: &Value) {
    for case in cases(vectors, "message_ids") {
        keep("message", &[&[0xf8], &hex(case, "encoded"), &[0xc0]]);
    }
    for (name, flags) in [
        ("transcript_v4_uncompressed", 0x80),
        ("transcript_v5_snappy", 0x81),
    ] {
        for frame in list(&vectors[name]["frames"]) {
            keep("message", &[&[flags], &hex(frame, "frame_data")]);
        }
    }
}

/// Writes scripts that send a transcript's messages, in small and large reads.
fn frames(vectors: &Value) {
    for name in ["transcript_v4_uncompressed", "transcript_v5_snappy"] {
        for (reads, damage, large) in [
            ([255; 4], 0, 255),
            ([4, 9, 1, 30], 0, 90),
            ([20; 4], 24, 40),
            ([90; 4], 28, 60),
        ] {
            let mut script = reads.to_vec();
            for (index, frame) in list(&vectors[name]["frames"]).iter().take(9).enumerate() {
                let payload = hex(frame, "payload");
                script.push(if index == 7 { damage << 3 } else { 0 });
                script.push(frame["msg_id"].as_u64().map_or(1, |id| id as u8 & 0x7f));
                script.extend(sized(&payload));
                if index == 1 {
                    // The following frames may be large, and are compressed in one transcript.
                    script.extend([5, 0xff, 0xff]);
                    script.extend((name == "transcript_v5_snappy").then_some(4));
                    script.extend([1, 0x20, large, 0x07, 1, 0x21, 40, 0x08, 6]);
                }
            }
            keep("frame", &[&script]);
        }
    }
    let [unusual] = list(&vectors["accepted_unusual_first_frames"]["cases"]) else {
        panic!("one unusual frame");
    };
    let header = [0, 0, 0, 0xc4, 1, 2, 3, 4, 9, 9, 9, 9, 9, 9, 9, 9];
    let payload = hex(unusual, "payload");
    let body = [&[16], &payload[..]].concat();
    for damage in 24..30 {
        let first = [&[3, 0][..], &header, &sized(&body)].concat();
        let second = [&[3 | damage << 3, 0][..], &header, &sized(&body), &[0, 40]].concat();
        keep("frame", &[&[255, 40, 7, 3], &first, &second, &first]);
    }
}

fn handshakes(vectors: &Value) {
    let transcript = &vectors["transcript_v4_uncompressed"];
    for packet in ["auth", "ack"] {
        let body = hex(&transcript[packet], "rlp_body");
        for how in [7, 0x22, 0x45] {
            keep(packet, &[&[0x21, how], &body]);
            keep(packet, &[&[0x03, how]]);
            keep(packet, &[&[0x0f, how, 0, 77, 1]]);
        }
        keep(packet, &[&[1, 7], &body, &[0xc0; 800]]);
        keep(packet, &[&[0, 7], &hex(&transcript[packet], "packet")]);
    }
    for section in ["accepted_auth_packets", "rejected_auth_packets"] {
        for case in cases(vectors, section) {
            keep("auth", &[&[4, 6], &hex(case, "packet")]);
        }
        for case in cases(vectors, section) {
            if case["plaintext"].is_string() {
                keep("auth", &[&[1, 6], &hex(case, "plaintext")]);
            }
        }
    }
    // Plaintexts of the old format have the same elements at fixed positions.
    let bytes = |name| hex(transcript, name);
    let (key, nonce) = (bytes("initiator_static_pub"), bytes("initiator_nonce"));
    let auth = [bytes("signature"), vec![0; 32], key, nonce, vec![0]].concat();
    let (key, nonce) = (bytes("recipient_ephemeral_pub"), bytes("recipient_nonce"));
    let ack = [key, nonce, vec![0]].concat();
    for (packet, plaintext) in [("auth", auth), ("ack", ack)] {
        keep(packet, &[&[6, 7], &plaintext]);
        keep(packet, &[&[2, 3], &plaintext]);
    }
}

/// Writes messages of each code, and valid proofs of identity, damaged or sent to others.
fn comm() {
    let long = [&[0xf8, 66, 7, 0x80, 3, 0xb8, 60][..], &[b'x'; 60], &[0x80]].concat();
    let establish = [
        &[0xf8, 143, 0xa0][..],
        &[1; 32],
        &[0xa0],
        &[2; 32],
        &[0xa0],
        &[3; 32],
        &[1, 0xaa],
        &[4; 42],
    ];
    keep("comm", &[&[0], &establish.concat()]);
    keep("comm", &[&[1, 0xc5, 0x80, 5, 1, b'a', 0x80]]);
    keep("comm", &[&[1], &long]);
    keep("comm", &[&[2, 0xc2, 7, 0x80]]);
    keep("comm", &[&[2, 0xc4, 7, 0x82, b'n', b'o']]);
    for choice in 0x80..0x90 {
        keep("comm", &[&[choice]]);
        keep("comm", &[&[choice, 0, 70, 1]]);
    }
}

/// Writes messages of each tag, and a signed message with damage in each part.
fn gossip() {
    let id = [&[0xa8][..], &[7; 40]].concat();
    let data = [
        &[0xd5, 0x82][..],
        b"me",
        &[7, 0x82, 3, 0xe8, 0x84],
        b"news",
        &[0x88],
        &[9; 8],
    ];
    keep("gossip", &[&[0, 0xc2, 1, 0xc0]]);
    keep("gossip", &[&[0, 0xeb, 0x80, 0xe9], &id]);
    keep("gossip", &[&[1, 0xf8, 82], &id, &id]);
    keep("gossip", &[&[2], &data.concat()]);
    for at in [0, 3, 80, 90, 160] {
        keep("gossip", &[&[0x90, 0, at, 1]]);
    }
}

/// Returns `bytes` after two bytes that contain their length.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn cases<'v>(vectors: &'v Value, section: &str) -> &'v [Value] {
    list(&vectors[section]["cases"])
}

fn hex(value: &Value, name: &str) -> Vec<u8> {
    let text = value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"));
    HEXLOWER
        .decode(text.as_bytes())
        .expect("hexadecimal digits")
}

fn keep(target: &str, parts: &[&[u8]]) {
    let input = parts.concat();
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&folder).expect("a folder");
    let name = format!("seed-{:016x}", hasher.finish());
    fs::write(folder.join(name), input).expect("a file");
}
