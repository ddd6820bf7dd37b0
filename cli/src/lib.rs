//! Parsers of the `peermux` command, as a library for its fuzz targets.
//!
//! The parsers read requests to a running node, configuration files, files of nodes, and keys and nodes as
//! text. The library is not meant for other programs.
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod form;
#[doc(hidden)]
pub mod log_filter;
#[doc(hidden)]
pub mod node_file;
#[doc(hidden)]
pub mod request;
#[doc(hidden)]
pub mod setting_names;
