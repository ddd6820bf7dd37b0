//! A process in a role, which answers each command line with a line of numbers.
#![allow(dead_code, reason = "few benchmarks use all of it")]

use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The first argument of a process in a role.
pub(crate) const ROLE: &str = "role";

/// A child process. Dropping this closes its standard input, which ends it.
pub(crate) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The first line of the child's output.
    pub(crate) greeting: String,
}

impl Worker {
    pub(crate) fn start(role: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .arg(ROLE)
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut worker = Self {
            child,
            input,
            output,
            greeting: String::new(),
        };
        worker.greeting = worker.line();
        worker
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command to the child and waits for the numbers of its answer.
    pub(crate) fn ask(&mut self, command: &str) -> Vec<f64> {
        let input = self.input.as_mut().expect("open until dropped");
        writeln!(input, "{command}").expect("the worker lives");
        let line = self.line();
        let numbers = line.split_whitespace().map(str::parse::<f64>);
        let numbers: Result<_, _> = numbers.collect();
        numbers.unwrap_or_else(|error| panic!("{command}: {line}: {error}"))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the worker lives");
        assert!(!line.is_empty(), "a worker ended, see above");
        line.trim_end().to_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.input.take());
        // The result is ignored: a child that failed has already printed the reason.
        let _ = self.child.wait();
    }
}

/// Sends a line to the parent process.
pub(crate) fn tell(line: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("the parent lives");
}

/// Returns the commands until the parent closes the input.
pub(crate) fn commands() -> impl Iterator<Item = Vec<String>> {
    let lines = stdin().lines().map_while(Result::ok);
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect())
}
