//! What is printed in place of running a command: the help, or what is wrong with the arguments.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Error;

use crate::failure::OUTPUT_CLOSED;

/// The exit code for wrong usage.
pub(crate) const WRONG: u8 = 2;

/// Prints the help, the version or an error, and returns the exit code.
pub(crate) fn answer(error: &Error) -> ExitCode {
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        // Without standard error there is nobody to tell.
        _ if error.use_stderr() => ExitCode::from(WRONG),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(OUTPUT_CLOSED),
        Err(_) => ExitCode::FAILURE,
    }
}
