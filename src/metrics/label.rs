/// A label of a metric, and its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    name: &'static str,
    values: Option<&'static [&'static str]>,
}

impl Label {
    pub(super) const fn of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self {
            name,
            values: Some(values),
        }
    }

    /// Returns a label whose values the program chooses.
    pub(super) const fn own(name: &'static str) -> Self {
        Self { name, values: None }
    }

    /// The label's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// All values that it can have.
    ///
    /// `None` if the program chooses them, such as names of protocols.
    #[must_use]
    pub const fn values(&self) -> Option<&'static [&'static str]> {
        self.values
    }
}
