use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps this process on one processor.
pub(crate) fn pin(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set).expect("this processor is there");
}
