//! A stream of frames from a sender that may do anything, in reads of any size.
//!
//! [`script`] seals messages as the input says, correctly or not, and foretells of each what the
//! receiver must make of it; [`reader`] receives them.

mod reader;
mod script;

use super::input::Input;
use reader::Reader;

/// The first four bytes choose the sizes of reads; the rest is the script.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    let reads = input.array();
    let (sent, ingress) = script::run(input);
    Reader::new(ingress, reads, &sent).run(&sent);
}
