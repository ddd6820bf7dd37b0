//! What is printed in place of running a command: the help, or what is wrong with the arguments.

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
        // Without standard error there is nobody to tell.
        _ if error.use_stderr() => ExitCode::from(WRONG_USAGE),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::told(&Unwritten::from(error).into(), Form::Text),
    }
}

/// An error that does not repeat a key which was given where something else belongs.
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
            // It repeats the text too.
            error.remove(ContextKind::Suggested);
        }
    }
    error
}
