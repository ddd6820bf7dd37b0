//! A `peermux` process under test.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The time limit for one line, on a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(60);

/// Returns the command that runs the binary with these arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peermux"));
    command.args(arguments).env_remove("PEERMUX_LOG");
    command
}

/// Returns the command that runs the binary without a terminal, like a service.
pub(crate) fn without_terminal(arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    // Set SIGHUP to its default action. If the tests run under nohup, the node would otherwise
    // inherit that SIGHUP is ignored.
    command.args(["--default-signal=HUP", "setsid"]);
    command.arg(env!("CARGO_BIN_EXE_peermux")).args(arguments);
    command.env_remove("PEERMUX_LOG");
    command
}

/// Runs a command without input to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    let mut process = Peermux::start(arguments);
    process.end_input();
    process.ended()
}

/// A running process. It is killed when dropped.
pub(crate) struct Peermux {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    errors: Receiver<String>,
}

/// A process that has ended, with the output that was not read before.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: Vec<String>,
    pub(crate) errors: Vec<String>,
}

impl Peermux {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(command(arguments))
    }

    /// Starts a node without a terminal, with a configuration file.
    pub(crate) fn service(file: &str) -> Self {
        Self::service_with(file, &[])
    }

    /// Starts such a node with more options.
    pub(crate) fn service_with(file: &str, options: &[&str]) -> Self {
        let arguments = [
            "listen",
            "--addr",
            "127.0.0.1:0",
            "--json",
            "--config",
            file,
        ];
        Self::spawn(without_terminal(&[&arguments, options].concat()))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::spawn_unread(command)
    }

    /// Starts a command. Reads those of its standard output and standard error that are pipes.
    pub(crate) fn spawn_unread(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Self {
            input: child.stdin.take(),
            output: lines(child.stdout.take()),
            errors: lines(child.stderr.take()),
            child,
        }
    }

    /// Starts a node on a free port of loopback, and returns its enode URL.
    pub(crate) fn listen(arguments: &[&str]) -> (Self, String) {
        let mut node =
            Self::start(&[&["listen", "--addr", "127.0.0.1:0", "--json"], arguments].concat());
        let listening = node.event("listening");
        let enode = listening["enode"].as_str().expect("an enode URL");
        node.event("record");
        (node, enode.to_owned())
    }

    /// Returns the next line on standard output.
    pub(crate) fn line(&mut self) -> String {
        let line = next(&self.output, "standard output");
        line.unwrap_or_else(|| panic!("no further line; {:?}", self.collect()))
    }

    /// Returns the next line on standard output, as JSON.
    pub(crate) fn json(&mut self) -> Value {
        parse(&self.line())
    }

    /// Returns the next event, which must be of this kind.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        loop {
            let event = self.json();
            // Skip reports of refused connections, except in tests that expect them.
            let refused = ["inbound_rejected", "inbound_failed"];
            if event["event"] == kind || !refused.iter().any(|name| event["event"] == *name) {
                assert_eq!(event["event"], kind, "{event}");
                return event;
            }
        }
    }

    /// Waits for a line on standard error that contains this.
    pub(crate) fn log(&mut self, part: &str) {
        while let Some(line) = next(&self.errors, "standard error") {
            if line.contains(part) {
                return;
            }
        }
        panic!("ended without logging {part:?}");
    }

    /// Writes a line to the process's standard input.
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is still open");
        writeln!(input, "{line}").expect("the process reads its input");
    }

    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child of ours");
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminated(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Sends SIGTERM repeatedly, until the process reports why it ends.
    pub(crate) fn terminated_in_haste(mut self) -> Ended {
        let errors = loop {
            self.signal(Signal::TERM);
            match self.errors.recv_timeout(Duration::from_millis(50)) {
                Err(RecvTimeoutError::Timeout) => {}
                said => break said.into_iter(),
            }
        };
        let mut ended = self.collect();
        ended.errors.splice(0..0, errors);
        ended
    }

    /// Waits for the end of the process. Does not close standard input before that.
    pub(crate) fn ended(mut self) -> Ended {
        self.collect()
    }

    fn collect(&mut self) -> Ended {
        let output = std::iter::from_fn(|| next(&self.output, "standard output")).collect();
        let errors = std::iter::from_fn(|| next(&self.errors, "standard error")).collect();
        let status = self.child.wait().expect("a child of ours");
        Ended {
            code: status.code(),
            output,
            errors,
        }
    }
}

impl Drop for Peermux {
    fn drop(&mut self) {
        // An error is ignored, because the process may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Returns the output of a process that must have succeeded without an error line.
    pub(crate) fn succeeded(self) -> Vec<String> {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert!(self.errors.is_empty(), "{self:?}");
        self.output
    }

    /// Like [`succeeded`](Self::succeeded), with JSON in each line.
    pub(crate) fn events(self) -> Vec<Value> {
        let lines = self.succeeded();
        lines.iter().map(|line| parse(line)).collect()
    }

    /// Returns the one JSON object in the output of a successful process.
    pub(crate) fn report(self) -> Value {
        match self.events().as_slice() {
            [report] => report.clone(),
            events => panic!("not one line: {events:#?}"),
        }
    }

    /// Returns the error line of a process that must have failed, and its output.
    pub(crate) fn failed(self) -> (String, Vec<String>) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let Ended { output, errors, .. } = self;
        let [line] = errors.as_slice() else {
            panic!("not one line: {errors:#?}");
        };
        let text = line.strip_prefix("peermux: ").expect(line);
        (text.to_owned(), output)
    }

    /// Returns the errors of a process that must have refused its arguments.
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert!(self.output.is_empty(), "{self:?}");
        self.errors.join("\n")
    }
}

/// Returns the host and the port in an enode URL.
pub(crate) fn address(enode: &str) -> &str {
    let (_, endpoint) = enode.split_once('@').expect("an address");
    endpoint.strip_suffix("?discport=0").expect("no discovery")
}

/// Returns the keys of a JSON object, sorted.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

pub(crate) fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?} is not JSON: {error}"))
}

/// Reads lines on a thread, ahead of the test.
///
/// The queue has room for the log that a process may write while the test reads its output.
fn lines(from: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, lines) = sync_channel(1024);
    let Some(from) = from else { return lines };
    thread::spawn(move || {
        let mut read = BufReader::new(from).lines().map_while(Result::ok);
        read.all(|line| sender.send(line).is_ok())
    });
    lines
}

/// Returns the next line, or `None` at the end.
fn next(lines: &Receiver<String>, what: &str) -> Option<String> {
    match lines.recv_timeout(DEADLINE) {
        Ok(line) => Some(line),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("nothing on {what} within {DEADLINE:?}"),
    }
}
