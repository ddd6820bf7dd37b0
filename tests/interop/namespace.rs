//! Programs in network namespaces of their own.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

use libtest_mimic::{Completion, Failed};

use crate::foreign::BUILT;

/// Makes a namespace in which loopback is up, and runs the program behind it there.
const NAMESPACE: [&str; 5] = [
    "--map-root-user",
    "--net",
    "sh",
    "-c",
    "ip link set lo up && exec \"$0\"",
];

/// A command that runs a program in a network namespace of its own.
pub(crate) fn namespace(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).arg(program);
    command
}

/// Runs this program in a namespace of its own, with a variable that says what for, and prints what it printed.
pub(crate) fn run_inside(variable: &str, value: impl AsRef<OsStr>) -> Result<Completion, Failed> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = namespace(this);
    let run = command.env(BUILT, "outside").env(variable, value).output();
    let run = run.map_err(|error| error.to_string())?;
    print!("{}", String::from_utf8_lossy(&run.stdout));
    match run.status.success() {
        true => Ok(Completion::Completed),
        false => {
            let printed = String::from_utf8_lossy(&run.stderr);
            Err(format!("{}\n{printed}", run.status).into())
        }
    }
}

/// Whether there can be one. The error is why not.
pub(crate) fn are_there() -> Result<(), String> {
    let tried = namespace("true").output();
    let tried = tried.map_err(|error| format!("`unshare` does not start: {error}"))?;
    match tried.status.success() {
        true => Ok(()),
        false => {
            let why = String::from_utf8_lossy(&tried.stderr);
            Err(format!("no network namespace: {why}"))
        }
    }
}
