//! The base protocol.
