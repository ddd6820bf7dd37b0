//! Failures of a command, and their exit codes.

use std::error::Error;
use std::process::ExitCode;

use crate::explain::Trouble;

/// The exit code of a command whose output was closed by its reader.
///
/// Shells report this code for a process that SIGPIPE has killed.
const OUTPUT_CLOSED: u8 = 128 + 13;

/// The exit code for wrong usage.
pub(crate) const WRONG_USAGE: u8 = 2;

/// The reason why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command could not be carried out.
    Failed(Box<dyn Error + Send + Sync>),
    /// A connection failed.
    Connection(Box<Trouble>),
    /// The arguments are wrong.
    Usage(String),
    /// The reader of the output has closed it, as `head` does. Nothing is reported.
    OutputClosed,
}

impl Failure {
    /// Makes a failure from an error or a text.
    pub(crate) fn because(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(reason.into())
    }

    /// Makes the failure of a command that was interrupted twice.
    pub(crate) fn in_haste() -> Self {
        Self::because("interrupted twice; did not wait for the peers")
    }

    /// Returns the reason in one line, or `None` if nothing must be reported.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Failed(reason) => Some(reason.to_string()),
            Self::Connection(trouble) => Some(trouble.to_string()),
            Self::Usage(text) => Some(text.clone()),
            Self::OutputClosed => None,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) | Self::Connection(_) => ExitCode::FAILURE,
            Self::Usage(_) => ExitCode::from(WRONG_USAGE),
            Self::OutputClosed => ExitCode::from(OUTPUT_CLOSED),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Connection(Box::new(trouble))
    }
}
