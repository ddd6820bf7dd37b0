use peermux::p2p::{Capability, DisconnectReason, Hello, HelloError};
use serde_json::Value;

use super::cases::{accepted, bytes, cases, list, number, text};

#[test]
fn hello_payloads() {
    for case in cases("hello_payloads") {
        let name = text(case, "name");
        let result = Hello::decode(&bytes(case, "payload"));
        if name == "id not on curve (all 0x01)" {
            // go-ethereum decodes this Hello, then refuses it because its key is not the
            // handshake's. Our key type accepts only points on the curve, so decoding itself fails.
            let error = result.unwrap_err();
            assert_eq!(error, HelloError::KeyNotOnCurve);
            assert_eq!(error.reason(), DisconnectReason::UNEXPECTED_IDENTITY);
        } else if accepted(case) {
            check(
                case,
                &result.unwrap_or_else(|error| panic!("{name}: {error}")),
            );
        } else {
            let reason = match text(case, "error") {
                "invalid node identity" => DisconnectReason::INVALID_IDENTITY,
                _ => DisconnectReason::BREACH_OF_PROTOCOL,
            };
            assert_eq!(result.unwrap_err().reason(), reason, "{name}");
        }
    }
}

fn check(case: &Value, hello: &Hello) {
    let name = text(case, "name");
    let capabilities: Vec<_> = list(case, "caps")
        .iter()
        .map(|entry| Capability::new(text(entry, "name"), number(entry, "version")))
        .collect();
    assert_eq!(hello.version, number(case, "version"), "{name}");
    assert_eq!(hello.client, bytes(case, "client_hex"), "{name}");
    assert_eq!(hello.capabilities, capabilities, "{name}");
    assert_eq!(hello.listen_port, number(case, "listen_port"), "{name}");
    assert_eq!(
        hello.public_key.to_bytes()[..],
        bytes(case, "node_pub"),
        "{name}"
    );

    let plain = number(case, "extra_elements") == 0 && name != "trailing bytes after list";
    if plain {
        assert_eq!(hello.encode(), bytes(case, "payload"), "{name}");
    }
}
