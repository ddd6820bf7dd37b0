//! Reads a node's configuration file.

use std::path::Path;

use peermux_cli::config::{self, Config};

use crate::failure::Failure;
use crate::refused::Refused;

/// Reads a TOML file with the fields of [`Config`], each optional.
pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
    let file = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        let why = Refused::Read.text(&error);
        Failure::because(format!("cannot read config file {file}: {why}"))
    })?;
    config::parse(&bytes).map_err(|error| Failure::Usage(format!("config file {file}{error}")))
}
