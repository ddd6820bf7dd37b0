//! How a command ends when it does not succeed.

use std::error::Error;
use std::process::ExitCode;

use crate::explain::Trouble;

/// The exit code if the reader of the output has closed it: what shells report of a process that
/// SIGPIPE has killed.
const OUTPUT_CLOSED: u8 = 128 + 13;

/// The exit code for wrong usage.
pub(crate) const WRONG_USAGE: u8 = 2;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not do what it was asked for.
    Failed(Box<dyn Error + Send + Sync>),
    /// A connection did not come about, or broke.
    Connection(Box<Trouble>),
    /// It was asked for something that makes no sense.
    Usage(String),
    /// The reader of its output has closed it, as `head` does. There is nothing to say.
    OutputClosed,
}

impl Failure {
    /// A failure for this reason, an error or a text.
    pub(crate) fn because(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(reason.into())
    }

    /// A command was interrupted a second time.
    pub(crate) fn in_haste() -> Self {
        Self::because("interrupted twice, the peers were not waited for")
    }

    /// What to say, in one line.
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
