/// How urgent a protocol's messages are, compared with others on the connection.
///
/// More urgent messages go first: an urgent message waits for the write that is under way, of
/// 64 KiB or one larger message, and otherwise only for the share of the other classes. Each less
/// urgent class that waits keeps a twentieth of the bytes, so that none of them stands still.
/// Within a class protocols share by bytes and [weight](crate::ProtocolBuilder::weight).
#[doc(alias = "priority")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Class {
    /// For small messages that must not wait, such as votes.
    Urgent,
    /// For most protocols.
    #[default]
    Normal,
    /// For messages that may take their time, such as old blocks.
    Bulk,
}

impl Class {
    /// All classes, the most urgent first.
    pub(crate) const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Bulk];
}
