//! Excerpts of input for error messages, without keys.

/// A run of this many characters may be a secret key or half of one. A key takes 43 characters in
/// base64 and 64 in hexadecimal.
const KEY_LIKE: usize = 32;

/// Replaces with `…` each part of a text that may be a secret key.
///
/// So a key that was given by mistake does not appear in error messages. A part is replaced if it
/// contains 32 or more consecutive characters of hexadecimal, with or without colons, or of base64.
/// Public keys and node ids are replaced too.
///
/// ```
/// use peermux::node::withhold_keys;
///
/// let text = format!("no node is called {:?}", "c0ffee".repeat(11));
/// assert_eq!(withhold_keys(&text), "no node is called \"…\"");
/// ```
#[must_use]
pub fn withhold_keys(text: &str) -> String {
    let is_key_like = |char: char| char.is_ascii_alphanumeric() || "+/=-_:".contains(char);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.find(|char| !is_key_like(char)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(run);
        shown.push_str(if run.len() < KEY_LIKE { run } else { "…" });
        let other = after.find(is_key_like).unwrap_or(after.len());
        let (other, after) = after.split_at(other);
        shown.push_str(other);
        rest = after;
    }
    shown
}

/// Returns the input without keys, cut to 64 characters for an error message.
pub(crate) fn excerpt(piece: &str) -> String {
    const LONGEST: usize = 64;
    let piece = withhold_keys(piece);
    match piece.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &piece[..end]),
        None => piece,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_may_be_a_key_is_shown() {
        let key = "0123456789abcdef".repeat(4);
        let colons: Vec<_> = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let base64 = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ+8=";
        let half = &key[..32];
        for key in [key.as_str(), half, &colons.join(":"), base64] {
            assert_eq!(withhold_keys(key), "…");
            assert_eq!(withhold_keys(&format!("ä{key}@{key}.")), "ä…@….");
            assert_eq!(excerpt(key), "…");
        }
        assert_eq!(withhold_keys(""), "");
        let harmless = "http://boot-1.example.org:30303, [2001:db8::1]:30303";
        assert_eq!(withhold_keys(harmless), harmless);
        assert_eq!(excerpt(&"a.".repeat(100)), format!("{}…", "a.".repeat(32)));
    }
}
