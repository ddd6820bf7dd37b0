//! A process in a role: it takes commands as lines and answers each with a line of numbers.
#![allow(dead_code, reason = "few benchmarks ask for all of it")]

use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The first argument of a process in a role.
pub(crate) const ROLE: &str = "role";

/// A child process. It ends with its standard input, when this is dropped.
pub(crate) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it said first.
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

    /// Gives a command and waits for the numbers of its answer.
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
        // It may have failed, which was told.
        let _ = self.child.wait();
    }
}

/// Tells whoever started this process something.
pub(crate) fn tell(line: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("the parent lives");
}

/// The commands, until the parent has no more.
pub(crate) fn commands() -> impl Iterator<Item = Vec<String>> {
    let lines = stdin().lines().map_while(Result::ok);
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect())
}
