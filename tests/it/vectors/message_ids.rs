//! Message ids and their encoding.

use peermux::rlpx::message_id::{MAX_LENGTH, decode, encode};

use super::{cases, hex};

#[test]
fn message_ids() {
    for case in cases("message_ids") {
        let (id, encoded) = (case["id"].as_u64().unwrap(), hex(case, "encoded"));
        assert_eq!(encode(id, &mut [0; MAX_LENGTH]), encoded);
        assert_eq!(decode(&encoded), Ok((id, encoded.len())));
        assert!(decode(&encoded[..encoded.len() - 1]).is_err());
    }
}
