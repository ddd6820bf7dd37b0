//! The `metrics` facade; without that feature, handles and macros of the same names that do nothing.

#[cfg(feature = "metrics")]
pub(crate) use ::metrics::{Counter, Gauge, Histogram, SharedString, counter, gauge, histogram};

#[cfg(not(feature = "metrics"))]
pub(crate) use silent::*;

/// Counts something for as long as it lives.
#[derive(Debug)]
pub(crate) struct Level(Gauge);

impl Level {
    pub(crate) fn raise(gauge: Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

#[cfg(not(feature = "metrics"))]
mod silent {
    use std::time::Duration;

    pub(crate) type SharedString = std::borrow::Cow<'static, str>;

    #[derive(Debug, Clone)]
    pub(crate) struct Counter;

    impl Counter {
        pub(crate) fn noop() -> Self {
            Self
        }

        pub(crate) fn increment(&self, _by: u64) {}
    }

    #[derive(Debug, Clone)]
    pub(crate) struct Gauge;

    impl Gauge {
        pub(crate) fn increment(&self, _by: u32) {}

        pub(crate) fn decrement(&self, _by: u32) {}
    }

    #[derive(Debug, Clone)]
    pub(crate) struct Histogram;

    impl Histogram {
        pub(crate) fn record(&self, _value: Duration) {}
    }

    /// Defines a macro that takes a name and labels, as the facade's own, and makes `$handle`.
    macro_rules! silent {
        ($d:tt $macro:ident, $handle:ident) => {
            macro_rules! $macro {
                            ($d name:expr $d(, $d key:expr => $d value:expr)* $d(,)?) => {{
                                $d(let _ = &$d value;)*
                                $crate::metric::$handle
                            }};
                        }
            pub(crate) use $macro;
        };
    }
    silent!($ counter, Counter);
    silent!($ gauge, Gauge);
    silent!($ histogram, Histogram);
}
