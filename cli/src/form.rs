//! Reads keys and nodes from text, and describes what is wrong with the text.
//!
//! No error repeats any of the text, because the text may be a secret key.

use std::error::Error;
use std::fmt;
use std::str;

use peermux::node::{KeyError, withhold_keys};
use peermux::{Enode, Node, SecretKey};

/// The number of hexadecimal digits of a secret key, and of a node id.
const KEY_DIGITS: usize = 2 * SecretKey::LENGTH;

/// The longest error text of a parser, in bytes.
const LONGEST_SENTENCE: usize = 640;

/// The way in which a text is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their texts say what they are")]
pub enum Malformed {
    Empty,
    ByteOrderMark,
    Utf16,
    Nul,
    NotUtf8,
    RawKey,
    Pem,
    PublicNode,
    Quoted,
    Spaced,
    Base64,
    Key(KeyError),
    KeyOrId,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::ByteOrderMark => "it begins with a byte order mark; save it without one",
            Self::Utf16 => "it is UTF-16; save it as UTF-8 or ASCII",
            Self::Nul => "it contains NUL bytes",
            Self::NotUtf8 => "it is not UTF-8",
            Self::RawKey => "it is the raw bytes of a key; hexadecimal digits are needed",
            Self::Pem => "it is a PEM file; hexadecimal digits are needed",
            Self::PublicNode => "it names a node (enode:// or enr:), which has no secret key",
            Self::Quoted => "it is in quotes",
            Self::Spaced => "it contains white space",
            Self::Base64 => "it is base64; hexadecimal digits are needed",
            Self::Key(error) => return write!(f, "64 hexadecimal digits are needed: {error}"),
            Self::KeyOrId => {
                "64 hexadecimal digits are a node id or a secret key; an enode URL or a node record is needed"
            }
        })
    }
}

impl Error for Malformed {}

/// Returns the error text of a parser in one line of bounded length, without keys.
///
/// Keys are withheld, because a parser may quote the text that it read.
pub(crate) fn sentence(error: &dyn fmt::Display) -> String {
    let said = withhold_keys(&error.to_string()).replace(char::is_control, " ");
    match said.split_at_checked(said.floor_char_boundary(LONGEST_SENTENCE)) {
        Some((said, rest)) if !rest.is_empty() => format!("{said}…"),
        _ => said,
    }
}

/// Returns bytes as text.
///
/// # Errors
///
/// [`Malformed`].
pub fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    match bytes {
        [] => Err(Malformed::Empty),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(Malformed::Utf16),
        [0xef, 0xbb, 0xbf, ..] => Err(Malformed::ByteOrderMark),
        // Every other byte of ASCII text in UTF-16 is zero.
        _ if zeros > 0 && zeros < bytes.len() && zeros >= bytes.len() / 2 => Err(Malformed::Utf16),
        _ if zeros > 0 => Err(Malformed::Nul),
        _ => str::from_utf8(bytes).map_err(|_| Malformed::NotUtf8),
    }
}

/// Reads a secret key from a file or an argument.
///
/// # Errors
///
/// [`Malformed`].
pub fn key(bytes: &[u8]) -> Result<SecretKey, Malformed> {
    // A raw key consists of random bytes, which are hardly ever all ASCII.
    if bytes.len() == SecretKey::LENGTH && !bytes.is_ascii() {
        return Err(Malformed::RawKey);
    }
    let text = text(bytes)?.trim_ascii();
    if text.is_empty() {
        return Err(Malformed::Empty);
    }
    if text.starts_with("-----BEGIN") {
        return Err(Malformed::Pem);
    }
    if text.starts_with("enode:") || text.starts_with("enr:") {
        return Err(Malformed::PublicNode);
    }
    written_plainly(text)?;
    text.parse().map_err(|error| match text.len() {
        // These are the lengths of 32 bytes in base64, without and with padding.
        43 | 44 if is_base64(text) => Malformed::Base64,
        _ => Malformed::Key(error),
    })
}

/// Reads a node from its enode URL or its record.
///
/// # Errors
///
/// [`Malformed`], or the error in the URL or the record.
pub fn node(text: &str) -> Result<Enode, Box<dyn Error + Send + Sync>> {
    any(text).map(Enode::from)
}

/// Reads a node like [`node`], but returns the record if there is one.
///
/// # Errors
///
/// The same as those of [`node`].
pub fn any(text: &str) -> Result<Node, Box<dyn Error + Send + Sync>> {
    check_node(text)?;
    Ok(if text.starts_with("enr:") {
        Node::Record(text.parse()?)
    } else {
        Node::Enode(text.parse()?)
    })
}

/// Checks that a text can be an enode URL or a record.
fn check_node(text: &str) -> Result<(), Malformed> {
    self::text(text.as_bytes())?;
    written_plainly(text)?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() == KEY_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Malformed::KeyOrId);
    }
    Ok(())
}

fn written_plainly(text: &str) -> Result<(), Malformed> {
    let quotes = ['"', '\'', '`', '“', '”', '‘', '’', '«', '»'];
    if text.starts_with(quotes) || text.ends_with(quotes) {
        return Err(Malformed::Quoted);
    }
    if text.contains(char::is_whitespace) {
        return Err(Malformed::Spaced);
    }
    Ok(())
}

fn is_base64(text: &str) -> bool {
    let is_digit = |char: char| char.is_ascii_alphanumeric() || "+/-_=".contains(char);
    text.chars().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";

    fn utf16(text: &str, to_bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn a_key_is_read_with_the_line_ends_that_editors_add() {
        for text in [
            DIGITS.to_owned(),
            format!("{DIGITS}\r\n"),
            format!(" 0x{DIGITS}\n"),
        ] {
            assert!(key(text.as_bytes()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_key_gets_an_error_that_names_the_cause() {
        let marked = format!("\u{feff}{DIGITS}");
        let mut raw = [0xc7; 32];
        raw[7] = 0;
        let base64 = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ+8=";
        let short = KeyError::Length {
            got: 31,
            expected: 32,
        };
        let bytes = |text: &str| text.as_bytes().to_vec();
        let cases = [
            (bytes(""), Malformed::Empty),
            (bytes(" \r\n"), Malformed::Empty),
            (bytes(&marked), Malformed::ByteOrderMark),
            (utf16(&marked, u16::to_le_bytes), Malformed::Utf16),
            (utf16(&marked, u16::to_be_bytes), Malformed::Utf16),
            (utf16(DIGITS, u16::to_le_bytes), Malformed::Utf16),
            (vec![0; 64], Malformed::Nul),
            (bytes(&format!("{DIGITS}\0")), Malformed::Nul),
            (raw.to_vec(), Malformed::RawKey),
            (b"\xff\xffabc".to_vec(), Malformed::NotUtf8),
            (bytes("-----BEGIN EC PRIVATE KEY-----"), Malformed::Pem),
            (bytes("enode://ab@1.2.3.4:5"), Malformed::PublicNode),
            (bytes(&format!("\"{DIGITS}\"\n")), Malformed::Quoted),
            (bytes(&format!("{DIGITS} {DIGITS}")), Malformed::Spaced),
            (bytes(base64), Malformed::Base64),
            (bytes(&DIGITS[..62]), Malformed::Key(short)),
            (bytes(&"z".repeat(64)), Malformed::Key(KeyError::NotHex)),
        ];
        for (bytes, cause) in cases {
            let error = key(&bytes).expect_err("no key");
            assert_eq!(error, cause, "{bytes:?}");
            assert!(!error.to_string().contains("5ec2"), "{error}");
        }
    }

    #[test]
    fn what_is_no_node_is_told_by_its_form() {
        let cases = [
            (String::new(), Malformed::Empty),
            (DIGITS.to_owned(), Malformed::KeyOrId),
            (format!("0x{DIGITS}"), Malformed::KeyOrId),
            ("'enode://ab'".to_owned(), Malformed::Quoted),
            ("enode://ab ".to_owned(), Malformed::Spaced),
            ("\u{feff}enode://ab".to_owned(), Malformed::ByteOrderMark),
        ];
        for (text, cause) in cases {
            assert_eq!(check_node(&text), Err(cause), "{text:?}");
        }
        assert_eq!(check_node("enr:-IS4"), Ok(()));
    }
}
