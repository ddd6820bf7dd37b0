//! A program that logs lines of text until it is killed.

use std::io::Read;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;

use crate::program::{DEADLINE, each_line};

/// A running program, killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    /// Watches the log of a program that has started.
    pub(crate) fn of(child: Child, log: impl Read + Send + 'static) -> Self {
        let (sender, lines) = sync_channel(1024);
        thread::spawn(move || {
            each_line(log, |line| {
                // To diagnose a failure.
                eprintln!("    {line}");
                // An error is ignored, since the log must be read even if no test waits for its
                // lines.
                let _ = sender.try_send(line);
                true
            });
        });
        Self { child, lines }
    }

    /// Waits for a line for which `wanted` returns a value.
    pub(crate) fn until<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let line = match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before the expected line"),
                Err(RecvTimeoutError::Timeout) => panic!("no expected line within {DEADLINE:?}"),
            };
            if let Some(found) = wanted(&line) {
                return found;
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The process may already have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
