use peermux::{Bytes, messages};

messages! {
    /// The messages of `bench/1`.
    ///
    /// Code 0x07 is reserved.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum BenchMessage, length = 8 {
        /// A message that the receiver counts.
        0x00 => Data(Bytes),
        /// Asks the receiver to stream Data, then Done.
        0x01 => Ask {
            count: u64,
            size: u64,
        },
        /// Ends the answer to an Ask.
        0x02 => Done {
            count: u64,
            bytes: u64,
        },
        /// Asks the receiver to answer with the same bytes.
        0x03 => Echo(Bytes),
        /// The bytes of an Echo.
        0x04 => Echoed(Bytes),
        /// Asks the receiver to report its counters and reset them.
        0x05 => Flush,
        /// The Data received since the last Flush.
        0x06 => Stats {
            messages: u64,
            bytes: u64,
        },
    }
}
