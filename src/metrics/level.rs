use super::Gauge;

/// Raises a gauge by one until this value is dropped.
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
