//! Selects nodes by their records.

use std::fmt;
use std::sync::Arc;

use crate::guarded::caught;
use crate::node::NodeRecord;

type Wanted = Arc<dyn Fn(&NodeRecord) -> bool + Send + Sync>;

/// A user's filter of records. Without a filter, all nodes are wanted.
#[derive(Clone, Default)]
pub(crate) struct RecordFilter(Option<Wanted>);

impl RecordFilter {
    pub(super) fn new(wanted: impl Fn(&NodeRecord) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(wanted)))
    }

    /// Returns whether there is a filter.
    pub(super) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Returns whether a node is wanted. With a filter, a node without a record is not wanted.
    pub(super) fn allows(&self, record: Option<&NodeRecord>) -> bool {
        let Some(wanted) = &self.0 else {
            return true;
        };
        record
            .is_some_and(|record| caught("the filter of records", || wanted(record)) == Some(true))
    }
}

impl fmt::Debug for RecordFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecordFilter").field(&self.is_set()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::SecretKey;

    #[test]
    fn a_filter_refuses_nodes_without_a_record_and_when_it_panics() {
        let record = |number: u8| {
            let record = NodeRecord::builder(1).value("x", &number);
            record.sign(&SecretKey::generate()).unwrap()
        };
        let all = RecordFilter::default();
        assert!(all.allows(None) && all.allows(Some(&record(1))));
        let some = RecordFilter::new(|record| match record.get::<u8>("x") {
            Some(2) => panic!("a fault of the user's"),
            number => number == Some(1),
        });
        assert!(some.allows(Some(&record(1))));
        assert!(!some.allows(Some(&record(2))) && !some.allows(Some(&record(3))));
        assert!(!some.allows(None));
    }
}
