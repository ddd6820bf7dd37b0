//! Families of time series, which create handles.

use std::marker::PhantomData;
use std::sync::Arc;

use super::facade::Handle;
use super::{Label, SharedString};

/// All time series of one name, which differ in the values of their labels.
#[derive(Debug)]
pub(crate) struct Family<H, const N: usize> {
    name: &'static str,
    labels: &'static [Label; N],
    handle: PhantomData<fn() -> H>,
}

impl<H: Handle, const N: usize> Family<H, N> {
    pub(super) const fn new(name: &'static str, labels: &'static [Label; N]) -> Self {
        Self {
            name,
            labels,
            handle: PhantomData,
        }
    }

    /// Returns the handle to the series with these values, in the order of the labels.
    pub(crate) fn of(&self, node: &NodeLabel, values: [SharedString; N]) -> H {
        let labels = self.labels.iter().map(Label::name).zip(values);
        H::register(self.name, labels.chain(node.label()))
    }
}

/// The label that distinguishes the series of servers in one process; none by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeLabel {
    #[cfg(feature = "metrics")]
    value: Option<Arc<str>>,
}

impl NodeLabel {
    #[cfg_attr(
        not(feature = "metrics"),
        expect(unused_variables, reason = "there are no series")
    )]
    pub(crate) fn new(value: Option<&Arc<str>>) -> Self {
        Self {
            #[cfg(feature = "metrics")]
            value: value.cloned(),
        }
    }

    #[cfg(feature = "metrics")]
    fn label(&self) -> Option<(&'static str, SharedString)> {
        let value = self.value.as_ref()?;
        Some(("node", SharedString::from(Arc::clone(value))))
    }

    #[cfg(not(feature = "metrics"))]
    fn label(&self) -> Option<(&'static str, SharedString)> {
        None
    }
}
