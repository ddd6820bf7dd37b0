//! The list of keys.

use super::text::Lines;

const KEYS: [(&str, &str); 17] = [
    ("1–5 Tab", "peers, protocols, dials, memory, events"),
    ("↑ ↓ j k", "select a row; PgUp, PgDn, g and G go further"),
    ("Enter", "all about the selected row; Esc goes back"),
    ("s", "sort the peers by the next column"),
    ("r", "reverse the order"),
    (
        "/",
        "show only rows that contain a text; Esc shows all again",
    ),
    ("d", "disconnect the node, and no longer dial it"),
    ("K", "kick: disconnect the node; it may come back"),
    ("b", "ban the node for some time"),
    (
        "t",
        "accept the node even above the limit on peers, or no longer",
    ),
    ("a", "keep a node connected from now on"),
    ("?", "this text"),
    ("q Ctrl-C", "end the view; the node goes on"),
    ("", ""),
    ("queue", "bytes that wait to be sent and to be read"),
    (
        "stalls",
        "pauses of reading because a protocol did not read, and their present share of the time",
    ),
    ("score", "points for misbehaviour"),
];

pub(super) fn keys(lines: &mut Lines) {
    for (key, text) in KEYS {
        lines.value(key, text);
    }
}
