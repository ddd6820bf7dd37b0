//! How a command ends when it does not succeed.

use std::error::Error;
use std::process::ExitCode;

use crate::explain::Trouble;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not do what it was asked for.
    Failed(Box<dyn Error + Send + Sync>),
    /// A connection did not come about, or broke.
    Connection(Box<Trouble>),
    /// It was asked for something that makes no sense.
    Usage(String),
    /// Nobody reads its output any more, which is nobody's fault.
    OutputClosed,
}

impl Failure {
    /// A failure for this reason, an error or a text.
    pub(crate) fn because(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(reason.into())
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
            Self::Usage(_) => ExitCode::from(2),
            Self::OutputClosed => ExitCode::SUCCESS,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Connection(Box::new(trouble))
    }
}
