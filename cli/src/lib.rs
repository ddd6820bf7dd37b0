//! What the `peermux` command reads that others have written: requests to a running node,
//! configuration files, files of nodes, keys and nodes as text. No interface for other programs: it is a library so
//! that the fuzz targets reach it.
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod form;
#[doc(hidden)]
pub mod node_file;
#[doc(hidden)]
pub mod request;
#[doc(hidden)]
pub mod setting_names;
