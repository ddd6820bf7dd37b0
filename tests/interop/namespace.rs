//! Programs in separate network namespaces.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

use libtest_mimic::{Completion, Failed};

use crate::foreign::BUILT;

/// Arguments that create a namespace with loopback up and run the program in it.
const NAMESPACE: [&str; 5] = [
    "--map-root-user",
    "--net",
    "sh",
    "-c",
    "ip link set lo up && exec \"$0\"",
];

/// Returns a command that runs a program in a new network namespace.
pub(crate) fn namespace(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).arg(program);
    command
}

/// Runs this program in a new namespace, with a variable that selects the test. Prints its output.
pub(crate) fn run_inside(variable: &str, value: impl AsRef<OsStr>) -> Result<Completion, Failed> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = namespace(this);
    let run = command.env(BUILT, "outside").env(variable, value).output();
    let run = run.map_err(|error| error.to_string())?;
    print!("{}", String::from_utf8_lossy(&run.stdout));
    if run.status.success() {
        return Ok(Completion::Completed);
    }
    let printed = String::from_utf8_lossy(&run.stderr);
    Err(format!("{}\n{printed}", run.status).into())
}

/// Checks whether namespaces can be created. If not, the error is the reason.
pub(crate) fn are_there() -> Result<(), String> {
    let tried = namespace("true").output();
    let tried = tried.map_err(|error| format!("`unshare` does not start: {error}"))?;
    if tried.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&tried.stderr);
    Err(format!("no network namespace: {why}"))
}
