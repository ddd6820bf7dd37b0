//! The list of keys.

use super::text::Lines;

const KEYS: [(&str, &str); 17] = [
    ("1–5 Tab", "peers, protocols, dials, memory, events"),
    ("↑ ↓ j k", "select a row; PgUp, PgDn, g and G go further"),
    ("Enter", "all about the selected row; Esc goes back"),
    ("s", "sort the peers by the next column"),
    ("r", "the other way round"),
    (
        "/",
        "show only rows that contain a text; Esc shows all again",
    ),
    ("d", "disconnect the node, and dial it no more"),
    ("K", "kick: disconnect the node; it may come back"),
    ("b", "ban the node for some time"),
    (
        "t",
        "let the node in whatever the number of peers, or no more",
    ),
    ("a", "keep a node connected from now on"),
    ("?", "this text"),
    ("q Ctrl-C", "end the view; the node goes on"),
    ("", ""),
    ("queue", "bytes that wait to be sent and to be read"),
    (
        "stalls",
        "how often reading paused since a protocol did not read, and the part of the time now",
    ),
    ("score", "points for misbehaviour"),
];

pub(super) fn keys(lines: &mut Lines) {
    for (key, text) in KEYS {
        lines.value(key, text);
    }
}
