use peermux::{Bytes, messages};

messages! {
    /// The messages of `echo/1`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum EchoMessage, length = 2 {
        /// Asks the receiver to answer with the same bytes.
        0x00 => Request(Bytes),
        /// The bytes of a request.
        0x01 => Response(Bytes),
    }
}
