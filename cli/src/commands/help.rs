//! `peermux completions` and `peermux man`: shell completions and manual pages.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output::Output;
use crate::refused::Refused;

pub(super) fn complete(shell: Shell, out: &Output) -> Result<(), Failure> {
    if out.is_json() {
        return Err(Failure::Usage(
            "--json: a completion script has no JSON form".to_owned(),
        ));
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "peermux", &mut script);
    let script = String::from_utf8(script).map_err(Failure::because)?;
    out.remark(script.trim_end());
    Ok(())
}

/// Writes `peermux.1`, and a page such as `peermux-listen.1` for each command.
pub(super) fn write_manual(folder: &Path, out: &Output) -> Result<(), Failure> {
    let wrong = |error| {
        let (folder, why) = (folder.display(), Refused::Make.text(&error));
        Failure::because(format!("cannot write manual pages to {folder}: {why}"))
    };
    fs::create_dir_all(folder).map_err(wrong)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(wrong)?;
    out.remark(&format!("manual pages are in {}", folder.display()));
    Ok(())
}
