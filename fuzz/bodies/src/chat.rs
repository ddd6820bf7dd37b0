//! Messages of `chat/2`, including the history.

use peermux::rlp::{Rlp, check_exact};
use peermux::{Message, MessageError, WireMessage};
use peermux_protocols::chat::{ChatMessage, MAX_HISTORY};

use super::assert_explained;

const NAME: u64 = 0;
const LINE: u64 = 1;
const HISTORY: u64 = 2;

/// The first byte selects the code; the rest is the payload.
pub fn chat(data: &[u8]) {
    let Some((choice, payload)) = data.split_first() else {
        return;
    };
    let code = u64::from(choice % 4);
    let decoded = ChatMessage::decode(Message::new(code, payload.to_vec()));
    assert_eq!(
        decoded.is_ok(),
        is_well_formed(code, payload),
        "{decoded:?}"
    );
    match decoded {
        Ok(message) => {
            assert_eq!(message.code(), code);
            let written = message.encode();
            assert_eq!(written, payload, "the encoding is the same byte for byte");
        }
        Err(error) => {
            assert_explained(&error);
            let unknown = matches!(error, MessageError::UnknownCode { .. });
            assert_eq!(unknown, code > HISTORY);
        }
    }
}

/// Returns whether a payload has the documented form. This does not use the decoder.
fn is_well_formed(code: u64, payload: &[u8]) -> bool {
    if check_exact(payload).is_err() {
        return false;
    }
    let value = Rlp::new(payload);
    match code {
        NAME => is_text(&value),
        LINE => is_line(&value),
        HISTORY => {
            let all_lines = || value.iter().all(|line| is_line(&line));
            value.is_list() && value.iter().count() <= MAX_HISTORY && all_lines()
        }
        _ => false,
    }
}

fn is_line(line: &Rlp<'_>) -> bool {
    let elements = || line.iter().count() == 3 && line.val_at::<u64>(0).is_ok();
    line.is_list() && elements() && line.iter().skip(1).all(|one| is_text(&one))
}

fn is_text(value: &Rlp<'_>) -> bool {
    value.is_data()
        && value
            .data()
            .is_ok_and(|bytes| str::from_utf8(bytes).is_ok())
}
