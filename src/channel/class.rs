/// How urgent the messages of a protocol are, beside those of others on a connection.
///
/// What is more urgent goes first, always: an urgent message waits for nothing of the others but
/// the write that is on its way, of 64 KiB or one larger message. Less urgent protocols that wait keep a
/// twentieth of the bytes each class sends, so that none of them stands still. Inside a class
/// protocols share by bytes and [weight](super::ProtocolLimits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Class {
    /// For small messages that must not wait, such as votes.
    Urgent,
    /// For most.
    #[default]
    Normal,
    /// For what may take its time, such as old blocks.
    Bulk,
}

impl Class {
    /// All of them, the most urgent first.
    pub(crate) const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Bulk];
}
