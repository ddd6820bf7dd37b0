//! Disables core dumps, which would contain the node's key and its session keys.

use std::io;

/// Disables core dumps, as ssh-agent does.
///
/// On Linux a limit of zero on the size of core dumps is not enough: the kernel ignores the limit if dumps
/// are piped to a program (`core(5)`). So the process is also marked as not dumpable. Such a process
/// rejects debuggers of the same user too, and its memory cannot be read through `/proc`.
pub(crate) fn refuse() -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        setrlimit(Resource::Core, none)?;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    #[test]
    fn there_are_neither_core_files_nor_dumps_for_a_program() {
        super::refuse().expect("a process may give up both");
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
        let dumpable = dumpable_behavior().expect("Linux");
        assert_eq!(dumpable, DumpableBehavior::NotDumpable);
    }
}
