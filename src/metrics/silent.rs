//! Replaces the facade if the feature `metrics` is off: its handles do nothing.

use std::time::Duration;

pub(crate) type SharedString = std::borrow::Cow<'static, str>;

/// A handle on nothing.
pub(crate) trait Handle: Sized {
    fn register(
        name: &'static str,
        labels: impl Iterator<Item = (&'static str, SharedString)>,
    ) -> Self;
}

macro_rules! silent {
    ($Handle:ident { $($method:ident($value:ty);)+ }) => {
        #[derive(Debug, Clone)]
        pub(crate) struct $Handle;

        impl $Handle {
            $(pub(crate) fn $method(&self, _value: $value) {})+
        }

        impl Handle for $Handle {
            fn register(
                _: &'static str,
                _: impl Iterator<Item = (&'static str, SharedString)>,
            ) -> Self {
                Self
            }
        }
    };
}

impl Counter {
    pub(crate) fn noop() -> Self {
        Self
    }
}

silent!(Counter { increment(u64); });
silent!(Gauge { increment(u32); decrement(u32); });
silent!(Histogram { record(Duration); });
