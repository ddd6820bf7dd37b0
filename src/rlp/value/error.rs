use std::fmt;

use crate::rlp::RlpError;

/// Why a payload holds no value of the type that is asked for, and where in it.
///
/// It displays as `Headers.headers[3].parent: a byte string of 32 bytes is wanted, not of 31`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError(
    // Boxed, so that reading a number, which succeeds nearly always, returns two words.
    Box<Inner>,
);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    path: String,
    problem: RlpError,
}

impl ValueError {
    /// Where the value stands: names of fields and indices of items, from the outside to the inside,
    /// e.g. `Headers.headers[3].parent`; empty for the whole of a payload.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path.trim_start_matches('.')
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> RlpError {
        self.0.problem
    }

    /// The same error, in a field of this name.
    #[must_use]
    pub fn in_field(self, name: impl fmt::Display) -> Self {
        self.inside(&format!(".{name}"))
    }

    /// The same error, in the item of a list with this index.
    #[must_use]
    pub fn in_item(self, index: usize) -> Self {
        self.inside(&format!("[{index}]"))
    }

    fn inside(mut self, step: &str) -> Self {
        self.0.path.insert_str(0, step);
        self
    }
}

impl From<RlpError> for ValueError {
    #[cold]
    fn from(problem: RlpError) -> Self {
        let path = String::new();
        Self(Box::new(Inner { path, problem }))
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            "" => self.0.problem.fmt(f),
            path => write!(f, "{path}: {}", self.0.problem),
        }
    }
}

impl std::error::Error for ValueError {}
