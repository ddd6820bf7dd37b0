use serde::{Deserialize, Serialize};

use super::SetupError;
use crate::fault::Fault;
use crate::p2p::DisconnectReason;
use crate::stage::Stage;

/// A failure in a form that programs can read.
///
/// A failure has the same form in every event and response:
///
/// ```json
/// { "stage": "hello", "fault": "remote", "reason": { "code": 4, "text": "too many peers" }, "text": "…" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureInfo {
    /// The stage of the connection, if the failure concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Who is at fault, if the failure concerns a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The reason in the Disconnect of either side, if one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<DisconnectReason>,
    /// The error in one line, for people. The words may change.
    pub text: String,
}

impl FailureInfo {
    /// Returns a failure of a connection.
    #[must_use]
    pub fn new(
        stage: Stage,
        fault: Fault,
        reason: Option<DisconnectReason>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            stage: Some(stage),
            fault: Some(fault),
            reason,
            text: text.into(),
        }
    }

    /// Returns a failure that consists of a text only.
    #[must_use]
    pub fn of_text(text: impl Into<String>) -> Self {
        Self {
            stage: None,
            fault: None,
            reason: None,
            text: text.into(),
        }
    }
}

impl From<&SetupError> for FailureInfo {
    fn from(error: &SetupError) -> Self {
        Self::new(
            error.stage(),
            error.fault(),
            error.reason(),
            error.to_string(),
        )
    }
}
