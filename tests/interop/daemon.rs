//! A program that logs lines of text until it is killed.

use std::io::Read;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;

use crate::program::{DEADLINE, each_line};

/// A running program. It is killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    /// A program that has started, and where it logs.
    pub(crate) fn of(child: Child, log: impl Read + Send + 'static) -> Self {
        let (sender, lines) = sync_channel(1024);
        thread::spawn(move || {
            each_line(log, |line| {
                // For the reader of a failure.
                eprintln!("    {line}");
                // Once nobody waits for lines, they are read all the same.
                let _ = sender.try_send(line);
                true
            });
        });
        Self { child, lines }
    }

    /// Waits for a line in which there is what is wanted.
    pub(crate) fn until<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let line = match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before the line came"),
                Err(RecvTimeoutError::Timeout) => panic!("no such line for {DEADLINE:?}"),
            };
            if let Some(found) = wanted(&line) {
                return found;
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
