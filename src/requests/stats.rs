/// What has happened to the requests to and of one peer since its protocol began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RequestStats {
    /// Requests that wait for their response now.
    pub open: usize,
    /// Requests that got one.
    pub answered: u64,
    /// Requests that got none in time.
    pub timed_out: u64,
    /// Requests whose caller stopped waiting after they were sent.
    pub cancelled: u64,
    /// Responses that came after their request was given up.
    pub late: u64,
    /// Responses that nobody asked for, of the wrong type, or too large.
    pub unasked: u64,
    /// Requests of the peer that were answered.
    pub served: u64,
    /// Requests of the peer that were answered with the answer for when there are too many.
    pub busy: u64,
}
