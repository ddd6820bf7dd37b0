//! Files of nodes, in all their forms.

use std::io::Cursor;

use peermux_cli::node_file::{Format, KnownNode, NodeFileError, read, write};

use super::assert_explained;

/// The maximum number of nodes that are kept from a file.
const MAX: usize = 16;

/// Accepted files round-trip as JSON lines, and the node set contains all nodes.
pub fn nodes(data: &[u8]) {
    let lines = data.iter().filter(|byte| **byte == b'\n').count() as u64;
    match read(Cursor::new(data), MAX) {
        Ok(found) => {
            assert!(found.nodes.len() <= MAX && (found.left_out == 0 || found.nodes.len() == MAX));
            assert_eq!(again(Format::JsonLines, &found.nodes), found.nodes);
            let ids =
                |nodes: &[KnownNode]| nodes.iter().map(|node| node.node_id).collect::<Vec<_>>();
            assert_eq!(
                ids(&again(Format::NodeSet, &found.nodes)),
                ids(&found.nodes)
            );
            written(Format::Csv, &found.nodes);
        }
        Err(error) => {
            assert_explained(&error);
            if let NodeFileError::Entry { line, .. } = error {
                assert!((1..=lines + 1).contains(&line), "{line} of {lines}");
            }
        }
    }
}

fn again(format: Format, nodes: &[KnownNode]) -> Vec<KnownNode> {
    let text = written(format, nodes);
    read(Cursor::new(text), MAX)
        .expect("the written form")
        .nodes
}

fn written(format: Format, nodes: &[KnownNode]) -> Vec<u8> {
    let mut text = Vec::new();
    write(format, nodes, &mut text).expect("memory");
    text
}
