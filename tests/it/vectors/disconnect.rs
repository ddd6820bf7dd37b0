use peermux::p2p::{DisconnectReason, decode_disconnect};
use serde_json::Value;

use super::cases::{bytes, cases, text};

/// Returns the expected reason. `null` means a Disconnect without a reason.
fn wanted(case: &Value) -> Option<DisconnectReason> {
    match &case["wanted_reason"] {
        Value::Null => None,
        reason => Some(DisconnectReason(
            u8::try_from(reason.as_u64().unwrap()).unwrap(),
        )),
    }
}

#[test]
fn disconnect_payloads() {
    for case in cases("disconnect_payloads") {
        let decoded = decode_disconnect(&bytes(case, "payload"), false);
        assert_eq!(decoded, wanted(case), "{case}");
        // Where go-ethereum has the same reason, our name for the reason is the same.
        if let Some(reason) = decoded.filter(|reason| case["upstream_reason"] == reason.0) {
            assert_eq!(reason.to_string(), text(case, "upstream_name"));
        }
    }
}

#[test]
fn disconnect_with_snappy_on() {
    for case in cases("disconnect_with_snappy_on") {
        let decoded = decode_disconnect(&bytes(case, "data"), true);
        assert_eq!(decoded, wanted(case), "{case}");
    }
}
