//! The RLPx transport, without input or output.
