//! A stream of frames from an arbitrary sender, in reads of any size.
//!
//! [`script`] seals messages as the input specifies, correctly or not, and damages them in transit.
//! [`sent`] predicts the receiver's result for each message, and [`reader`] receives the messages.

mod reader;
mod script;
mod sent;

use super::input::Input;
use reader::Reader;

/// The first four bytes select the sizes of reads; the rest is the script.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    let reads = input.array();
    Reader::new(script::run(input), reads).run();
}
