/// Counts of the requests to and from a peer since its protocol started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RequestStats {
    /// Requests that are waiting for their response.
    pub open: usize,
    /// Requests that got a response.
    pub answered: u64,
    /// Requests that timed out.
    pub timed_out: u64,
    /// Sent requests whose caller has stopped waiting.
    pub cancelled: u64,
    /// Responses that arrived after their request was cancelled or timed out.
    pub late: u64,
    /// Responses that were not requested, had the wrong type, or were too large.
    pub unasked: u64,
    /// Requests from the peer that were answered.
    pub served: u64,
    /// Requests from the peer that got the busy answer, because there were too many.
    pub busy: u64,
}
