//! A program under test whose JSON lines are events; every wait has a deadline.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long an event may take, on a machine that also runs other tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// How many lines of a program's log are kept.
const LOG_LINES: usize = 40;

/// A running program, killed when dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// The program's output so far, for failure messages.
    seen: Vec<String>,
    log: Arc<Mutex<VecDeque<String>>>,
}

/// The result of a program that ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The events that no test had waited for.
    pub(crate) events: Vec<Value>,
    /// The last lines on standard error.
    pub(crate) log: String,
}

impl Program {
    pub(crate) fn spawn(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let output = child.stdout.take().expect("a pipe");
        let errors = child.stderr.take().expect("a pipe");
        let (sender, lines) = sync_channel(64);
        thread::spawn(move || each_line(output, |line| sender.send(line).is_ok()));
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&log);
        thread::spawn(move || each_line(errors, |line| keep(&kept, line)));
        Self {
            name: name.to_owned(),
            input: child.stdin.take(),
            child,
            lines,
            seen: Vec::new(),
            log,
        }
    }

    /// Waits for the next event of this kind, and skips others before it.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        loop {
            match self.next() {
                Some(event) if event["event"] == kind => return event,
                Some(_) => {}
                None => panic!("{} ended without {kind}{}", self.name, self.story()),
            }
        }
    }

    /// Returns the next event, or `None` once the program has closed its output.
    pub(crate) fn next(&mut self) -> Option<Value> {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => Some(self.read(line)),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!(
                    "{} printed nothing within {DEADLINE:?}{}",
                    self.name,
                    self.story()
                )
            }
        }
    }

    /// Returns the next event if the program has already printed one.
    pub(crate) fn try_next(&mut self) -> Option<Value> {
        let line = self.lines.try_recv().ok()?;
        Some(self.read(line))
    }

    fn read(&mut self, line: String) -> Value {
        let event = serde_json::from_str(&line);
        let event = event.unwrap_or_else(|error| {
            panic!("{} printed {line:?}: {error}{}", self.name, self.story())
        });
        self.seen.push(line);
        event
    }

    /// Writes a line to the program's standard input.
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is still open");
        writeln!(input, "{line}").expect("the program reads its input");
    }

    /// Returns the program's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Discards the program's further output, so that the program never blocks on it.
    pub(crate) fn ignore_output(&mut self) {
        let (_, nothing) = sync_channel(0);
        let lines = std::mem::replace(&mut self.lines, nothing);
        thread::spawn(move || lines.into_iter().for_each(drop));
    }

    /// Closes the program's standard input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Sends SIGTERM through the shell, which works on every system that has the signal.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let kill = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &id])
            .status();
        assert!(
            kill.expect("a shell").success(),
            "cannot signal {}",
            self.name
        );
    }

    /// Waits for the program's end. Its standard input stays open until then.
    pub(crate) fn ended(mut self) -> Ended {
        let mut events = Vec::new();
        while let Some(event) = self.next() {
            events.push(event);
        }
        let status = self.child.wait().expect("a child of ours");
        let log = self.logged();
        Ended {
            status,
            events,
            log,
        }
    }

    /// Like [`ended`](Self::ended), but panics unless the program succeeded.
    pub(crate) fn succeeded(self) -> Vec<Value> {
        let name = self.name.clone();
        let Ended {
            status,
            events,
            log,
        } = self.ended();
        assert!(
            status.success(),
            "{name} ended with {status}: {events:?}\n{log}"
        );
        events
    }

    fn logged(&self) -> String {
        let log = self.log.lock().expect("no thread panicked");
        log.iter().map(|line| format!("    {line}\n")).collect()
    }

    fn story(&self) -> String {
        format!(
            "; it printed {:#?} and logged\n{}",
            self.seen,
            self.logged()
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program may already have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls `take` for each line until the end, or until `take` returns false.
pub(crate) fn each_line(from: impl Read, take: impl FnMut(String) -> bool) {
    let lines = BufReader::new(from).lines();
    let _enough = lines.map_while(Result::ok).all(take);
}

fn keep(log: &Mutex<VecDeque<String>>, line: String) -> bool {
    let mut log = log.lock().expect("no thread panicked");
    log.push_back(line);
    if log.len() > LOG_LINES {
        log.pop_front();
    }
    true
}
