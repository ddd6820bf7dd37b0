//! Reads files of nodes, in any form.

use std::io::{BufRead, Cursor, Read};

use super::{KnownNode, NodeFileError, Source, WrongEntry, node_set};
use crate::form;

/// The size limit of a file, in bytes.
pub const MAX_FILE: u64 = 512 << 20;

/// The size limit of a line of JSON or text, in bytes.
pub const MAX_LINE: usize = 64 << 10;

/// The nodes of a file.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct NodesRead {
    /// The nodes, in the order of the file.
    pub nodes: Vec<KnownNode>,
    /// The number of nodes that were not kept, because the limit was reached.
    pub left_out: u64,
    max: usize,
}

impl NodesRead {
    pub(super) fn keep(&mut self, node: KnownNode) {
        if self.nodes.len() < self.max {
            self.nodes.push(node);
        } else {
            self.left_out += 1;
        }
    }
}

/// Reads a file, and keeps at most `max` nodes.
///
/// # Errors
///
/// [`NodeFileError`], with the line.
pub fn read(file: impl BufRead, max: usize) -> Result<NodesRead, NodeFileError> {
    let mut nodes = NodesRead {
        max,
        ..NodesRead::default()
    };
    let mut file = file.take(MAX_FILE + 1);
    let (mut first, mut line) = (Vec::new(), 0);
    while first.trim_ascii().is_empty() {
        line += 1;
        first.clear();
        if read_line(&mut file, &mut first)? == 0 {
            return Ok(nodes);
        }
    }
    let is_set = first.trim_ascii_start().starts_with(b"{") && !is_json_line(&first);
    if is_set {
        node_set::read(Cursor::new(first).chain(&mut file), line, &mut nodes)?;
    } else {
        read_lines(&mut file, first, line, &mut nodes)?;
    }
    match file.limit() {
        0 => Err(NodeFileError::TooLarge { limit: MAX_FILE }),
        _ => Ok(nodes),
    }
}

/// Returns whether the first line is one of JSON lines, which contain `"node_id"`.
fn is_json_line(line: &[u8]) -> bool {
    let word = br#""node_id""#;
    line.windows(word.len()).any(|part| part == word)
}

/// Reads one line, or the beginning of a line that is too long.
fn read_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> Result<usize, NodeFileError> {
    let limit = (MAX_LINE + 1) as u64;
    Ok(file.take(limit).read_until(b'\n', line)?)
}

fn read_lines(
    file: &mut impl BufRead,
    first: Vec<u8>,
    mut number: u64,
    nodes: &mut NodesRead,
) -> Result<(), NodeFileError> {
    let mut line = first;
    loop {
        let entry = entry(&line).map_err(|why| NodeFileError::Entry { line: number, why })?;
        if let Some(node) = entry {
            nodes.keep(node);
        }
        number += 1;
        line.clear();
        if read_line(file, &mut line)? == 0 {
            return Ok(());
        }
    }
}

/// Returns the node on a line, if there is one.
fn entry(line: &[u8]) -> Result<Option<KnownNode>, WrongEntry> {
    if line.len() > MAX_LINE {
        return Err(WrongEntry::TooLong { limit: MAX_LINE });
    }
    let line = line.trim_ascii();
    if line.starts_with(b"{") {
        let node: KnownNode =
            serde_json::from_slice(line).map_err(|error| WrongEntry::json(&error))?;
        return node.checked().map(Some);
    }
    let text = line.split(|byte| *byte == b'#').next().unwrap_or_default();
    let text = text.trim_ascii();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |error: &dyn std::fmt::Display| WrongEntry::Node(form::sentence(error));
    let text = form::text(text).map_err(|error| wrong(&error))?;
    let node = form::any(text).map_err(|error| wrong(&error))?;
    Ok(Some(KnownNode::new(node, Source::File)))
}
