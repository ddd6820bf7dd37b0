//! Text from remotes, made safe for terminals and logs.

/// Returns the first `most` characters of a remote's text, safe to print in one line. Characters
/// that a terminal may interpret as a command, or that change the position of later text, are
/// replaced.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let safe = |char| {
        if is_hostile(char) {
            char::REPLACEMENT_CHARACTER
        } else {
            char
        }
    };
    text.chars().take(most).map(safe).collect()
}

/// Whether a character may control the terminal or change the position of other text. Such
/// characters are control characters, line and paragraph separators, and the marks, embeddings and
/// isolates of the [bidirectional algorithm].
///
/// [bidirectional algorithm]: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
fn is_hostile(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_commands_are_replaced() {
        let hostile = "a\u{1b}[31m\u{9b}2J\r\n\t\u{7f}\u{202e}z\u{2066}\u{2028}\u{61c}";
        let shown = printable(hostile, usize::MAX);
        assert_eq!(shown.replace('\u{fffd}', "?"), "a?[31m?2J?????z???");
        assert_eq!(printable("ä漢字 👩‍💻", 3), "ä漢字");
    }
}
