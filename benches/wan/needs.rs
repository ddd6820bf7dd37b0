//! Checks that the machine has what the benchmark needs.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use crate::foreign::Implementation;
use crate::forwarder::Forwarder;

/// Builds the programs. The error contains a line for each missing requirement.
pub(crate) fn ready() -> Result<Forwarder, String> {
    let missing: String = missing()
        .iter()
        .map(|what| format!("wan cannot run here: {what}\n"))
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    // The failed build logs the reason itself.
    Implementation::Geth.ready().map_err(|_| String::new())?;
    Forwarder::build().map_err(|why| format!("wan-path: {why}\n"))
}

fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    if !cfg!(target_os = "linux") {
        missing.push("it needs the network namespaces of Linux".to_owned());
    }
    if told("id", &["-u"]).is_none_or(|user| user.trim() != "0") {
        missing.push("it needs root, for network namespaces".to_owned());
    }
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    if let Err(error) = device {
        missing.push(format!("it needs /dev/net/tun: {error}"));
    }
    for (tool, argument, from) in [
        ("ip", "-V", "iproute2"),
        ("go", "version", "https://go.dev"),
    ] {
        if told(tool, &[argument]).is_none() {
            missing.push(format!("it needs `{tool}` ({from})"));
        }
    }
    missing
}

fn told(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
