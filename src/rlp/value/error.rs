use std::fmt;

use crate::rlp::RlpError;

/// Why and where a payload is not a value of the expected type.
///
/// The error displays e.g. as `Headers.headers[3].parent: expected a byte string of 32 bytes, got
/// 31`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError(
    // Boxed, so that the result of reading a number takes only two machine words. Errors are rare.
    Box<Inner>,
);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    path: String,
    problem: RlpError,
}

impl ValueError {
    /// Returns the path of the value, e.g. `Headers.headers[3].parent`.
    ///
    /// The path consists of field names and item indices, outermost first. It is empty if the error
    /// concerns the whole payload.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path.trim_start_matches('.')
    }

    /// Returns the problem with the value.
    #[must_use]
    pub fn problem(&self) -> RlpError {
        self.0.problem
    }

    /// Returns the same error with a field's name in front of its path.
    #[must_use]
    pub fn in_field(self, name: impl fmt::Display) -> Self {
        self.inside(&format!(".{name}"))
    }

    /// Returns the same error with an item's index in front of its path.
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
