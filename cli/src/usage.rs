//! Prints the help, or the error in the arguments.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Error;
use clap::error::{ContextKind, ContextValue};
use peermux::node::withhold_keys;

use crate::failure::WRONG_USAGE;
use crate::lines::Unwritten;
use crate::logs::Form;

/// Prints the help, the version or an error, and returns the exit code.
pub(crate) fn answer(error: Error) -> ExitCode {
    let error = without_keys(error);
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        // An error is ignored, because there is no way to report a closed standard error.
        _ if error.use_stderr() => ExitCode::from(WRONG_USAGE),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::report(&Unwritten::from(error).into(), Form::Text),
    }
}

/// Removes a key from an error that quotes the arguments.
fn without_keys(mut error: Error) -> Error {
    let given = [
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
        ContextKind::InvalidValue,
    ];
    for kind in given {
        let Some(ContextValue::String(text)) = error.get(kind) else {
            continue;
        };
        let shown = withhold_keys(text);
        if shown != *text {
            error.insert(kind, ContextValue::String(shown));
            // The suggestion is removed too, because it quotes the text.
            error.remove(ContextKind::Suggested);
        }
    }
    error
}
