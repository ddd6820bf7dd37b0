//! Two network namespaces that are connected only to each other.

use std::fs;
use std::process::{Command, Stdio, id};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::program::Program;

/// The addresses of both ends, which exist only in the namespaces.
pub(crate) const DIALLER: &str = "10.198.0.1";
pub(crate) const LISTENER: &str = "10.198.0.2";

/// The prefix of the namespaces' names. The owner's process id and start time follow, because ids
/// are reused.
const PREFIX: &str = "peermux-wan-";

/// The folder where `ip` keeps namespaces.
const FOLDER: &str = "/var/run/netns";

/// One end of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Dialler,
    Listener,
}

/// Both namespaces. Dropping this removes them and kills the processes in them.
#[derive(Debug)]
pub(crate) struct Namespaces(());

/// A lock, held while namespaces are created or removed, and permanently after a signal.
static CHANGING: Mutex<()> = Mutex::new(());

impl Side {
    const BOTH: [Self; 2] = [Self::Dialler, Self::Listener];

    /// Returns the namespace's name.
    pub(crate) fn name(self) -> String {
        let owner = id();
        let started = started(owner).unwrap_or_default();
        let end = match self {
            Self::Dialler => "a",
            Self::Listener => "b",
        };
        format!("{PREFIX}{owner}-{started}-{end}")
    }

    fn address(self) -> &'static str {
        match self {
            Self::Dialler => DIALLER,
            Self::Listener => LISTENER,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Listener,
            Self::Listener => Self::Dialler,
        }
    }

    /// Returns the command prefix that runs a program in the namespace.
    pub(crate) fn inside(self) -> [String; 4] {
        ["ip", "netns", "exec", &self.name()].map(str::to_owned)
    }

    pub(crate) fn start(self, name: &str, program: &str, arguments: &[&str]) -> Program {
        let [ip, inside @ ..] = self.inside();
        let mut command = Command::new(ip);
        command.args(inside).arg(program).args(arguments);
        Program::spawn(name, command)
    }

    /// Returns a setting below /proc/sys/net/ipv4.
    pub(crate) fn setting(self, name: &str) -> Result<String, String> {
        self.shell(&format!("cat /proc/sys/net/ipv4/{name}"))
    }

    fn shell(self, script: &str) -> Result<String, String> {
        let [ip, inside @ ..] = self.inside();
        let mut words: Vec<&str> = inside.iter().map(String::as_str).collect();
        words.extend(["sh", "-c", script]);
        run(&ip, &words)
    }
}

impl Namespaces {
    pub(crate) fn create() -> Result<Self, String> {
        let _changing = changing();
        // If the second namespace cannot be created, dropping this removes the first one.
        let both = Self(());
        for side in Side::BOTH {
            run("ip", &["netns", "add", &side.name()])?;
            // Without this setting, a connection would start with the window and the round trip of
            // the previous one.
            side.shell("echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save")?;
        }
        Ok(both)
    }

    /// Sets the congestion control once the devices exist. It is set on the route, because a
    /// namespace may set its default only to algorithms that the whole machine allows.
    pub(crate) fn set_congestion(&self, name: &str) -> Result<(), String> {
        for side in Side::BOTH {
            let (here, there) = (side.address(), side.other().address());
            let space = side.name();
            let route = ["-n", &space, "route", "replace", there, "dev", "wan0"];
            let like_before = ["proto", "kernel", "scope", "link", "src", here];
            run(
                "ip",
                &[&route[..], &like_before, &["congctl", name]].concat(),
            )?;
        }
        Ok(())
    }

    /// Returns how many packets a device had no room for. The number should be zero.
    pub(crate) fn dropped_by_devices(&self) -> u64 {
        let counted = Side::BOTH.into_iter().filter_map(|side| {
            let told = side.shell("cat /sys/class/net/wan0/statistics/tx_dropped");
            told.ok()?.trim().parse::<u64>().ok()
        });
        counted.sum()
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // Do not wait for the lock: after a panic during creation, this thread still holds it.
        let _changing = CHANGING.try_lock();
        remove_own();
    }
}

fn changing() -> MutexGuard<'static, ()> {
    CHANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove_own() {
    for name in Side::BOTH.map(Side::name) {
        if fs::exists(format!("{FOLDER}/{name}")).unwrap_or(false) {
            remove(&name);
        }
    }
}

/// Removes the namespaces of earlier runs that were killed.
pub(crate) fn remove_stale() {
    let Ok(folder) = fs::read_dir(FOLDER) else {
        return;
    };
    for entry in folder.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(owner) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let mut parts = owner.split('-').map_while(|part| part.parse::<u64>().ok());
        let (Some(process), Some(began)) = (parts.next(), parts.next()) else {
            continue;
        };
        if u32::try_from(process).ok().and_then(started) != Some(began) {
            eprintln!("removing {name}, whose owner is gone");
            remove(name);
        }
    }
}

/// Removes a namespace, after killing everything in it.
fn remove(name: &str) {
    let inside = run("ip", &["netns", "pids", name]).unwrap_or_default();
    for process in inside.split_whitespace() {
        // The process may have ended in the meantime.
        let _ = run("kill", &["-KILL", process]);
    }
    if let Err(error) = run("ip", &["netns", "del", name]) {
        eprintln!("the namespace {name} stays: {error}");
    }
}

/// Returns a process's start time in ticks since boot, if it exists.
fn started(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Start after the name, which is in parentheses and may contain any character.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

fn run(tool: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{tool}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "{tool} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

/// Removes the namespaces and ends this process at SIGINT, SIGTERM or SIGHUP.
#[cfg(unix)]
pub(crate) fn remove_at_signals() {
    use tokio::signal::unix::{SignalKind, signal};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let entered = runtime.enter();
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let [mut interrupt, mut terminate, mut hangup] =
        kinds.map(|kind| signal(kind).expect("a handler"));
    drop(entered);
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        let _for_good = changing();
        remove_own();
        std::process::exit(130);
    });
}

#[cfg(not(unix))]
pub(crate) fn remove_at_signals() {}
