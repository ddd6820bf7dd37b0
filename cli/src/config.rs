//! A node's configuration in a file.

use std::path::Path;

use peermux::ServerConfig;
use peermux::node::withhold_keys;

use crate::failure::Failure;
use crate::form;

/// Reads a TOML file with the fields of [`ServerConfig`]; what is left out keeps its default.
pub(crate) fn read(path: &Path) -> Result<ServerConfig, Failure> {
    let file = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::because(format!("cannot read config file {file}: {error}")))?;
    // TOML allows a byte order mark, and a file without anything.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Ok(ServerConfig::default());
    }
    let text = form::text(bytes)
        .map_err(|error| Failure::Usage(format!("config file {file}: {error}")))?;
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let (line, column) = position(text, start);
        // A value in several lines may be quoted, and a key may stand where it should not.
        let what = withhold_keys(error.message()).replace('\n', " ");
        Failure::Usage(format!(
            "config file {file}, line {line}, column {column}: {what}"
        ))
    })
}

/// Line and column of a byte, counted from 1, the column in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .chars()
        .rev()
        .take_while(|char| *char != '\n')
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_from_one_in_characters() {
        let text = "a = \"ä\" # ö\n\nb";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find('#').expect("there")), (1, 9));
        assert_eq!(position(text, text.find('b').expect("there")), (3, 1));
        assert_eq!(position(text, text.len()), (3, 2));
    }
}
