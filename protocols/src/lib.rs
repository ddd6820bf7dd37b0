//! Ready-made subprotocols for [`peermux`].
#![forbid(unsafe_code)]
