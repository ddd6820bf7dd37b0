/// Counts of the requests to and from one peer since its protocol began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RequestStats {
    /// Requests that wait for their response now.
    pub open: usize,
    /// Requests that got a response.
    pub answered: u64,
    /// Requests that timed out.
    pub timed_out: u64,
    /// Requests whose caller stopped waiting after they were sent.
    pub cancelled: u64,
    /// Responses that arrived after their request was cancelled or timed out.
    pub late: u64,
    /// Responses that were not requested, of the wrong type, or too large.
    pub unasked: u64,
    /// Requests of the peer that were answered.
    pub served: u64,
    /// Requests of the peer that got the busy answer, because there were too many.
    pub busy: u64,
}
