/// How urgent a protocol's messages are, compared with other messages on the connection.
///
/// More urgent messages go first, but each less urgent class with waiting messages still gets a
/// twentieth of the bytes, so no class starves. An urgent message therefore waits only for that
/// share of the other classes, and for the write in progress, which is less than 64 KiB plus one
/// message. Within a class, protocols share the bytes by [weight](crate::ProtocolBuilder::weight).
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
