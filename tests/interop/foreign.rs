//! The other implementations: how their programs are built and run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use peermux::SecretKey;

use crate::program::Program;
use crate::{ethereumjs, geth};

/// The environment variable that makes a missing tool a failure, if its value is `required`.
const SWITCH: &str = "PEERMUX_INTEROP";

/// The environment variable that is set in a process inside a namespace. There, downloads are
/// impossible, so the programs that were built outside are used.
pub(crate) const BUILT: &str = "PEERMUX_INTEROP_BUILT";

/// An implementation that shares no code with peermux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Implementation {
    Geth,
    EthereumJs,
}

/// An implementation whose program is ready to run.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) implementation: Implementation,
    /// The program and its first arguments.
    pub(crate) command: Vec<OsString>,
    /// A part of the client name in the program's Hello.
    pub(crate) client: &'static str,
    /// The message sizes to test, in bytes.
    pub(crate) sizes: &'static [usize],
    /// go-ethereum's own command line, if there is one.
    pub(crate) devp2p: Option<PathBuf>,
}

impl Implementation {
    pub(crate) const ALL: [Self; 2] = [Self::Geth, Self::EthereumJs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Geth => "go-ethereum",
            Self::EthereumJs => "ethereumjs",
        }
    }

    /// Builds the program once per run of the tests.
    ///
    /// The error is one line with the reason. The full text goes to standard error once, because a
    /// skipped test is easily overlooked.
    pub(crate) fn ready(self) -> Result<&'static Foreign, &'static str> {
        static GETH: OnceLock<Result<Foreign, String>> = OnceLock::new();
        static ETHEREUMJS: OnceLock<Result<Foreign, String>> = OnceLock::new();
        let (once, build): (_, fn() -> _) = match self {
            Self::Geth => (&GETH, geth::build),
            Self::EthereumJs => (&ETHEREUMJS, ethereumjs::build),
        };
        let ready = once.get_or_init(|| {
            let built = build();
            if let Err(why) = &built {
                eprintln!("without {}: {why}", self.name());
            }
            built
        });
        let why = |why: &'static String| why.lines().next().unwrap_or_default();
        ready.as_ref().map_err(why)
    }
}

/// Returns whether a test counts as failed if it cannot be run.
pub(crate) fn is_required() -> bool {
    env::var_os(SWITCH).is_some_and(|value| value == "required")
}

impl Foreign {
    fn run(&self, arguments: &[&str]) -> Program {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args(arguments);
        Program::spawn(self.implementation.name(), command)
    }

    /// Starts a listening node, and returns it with its enode URL.
    pub(crate) fn serve(&self, arguments: &[&str]) -> (Program, String) {
        let mut program = self.run(&[&["serve"], arguments].concat());
        let listening = program.event("listening");
        let enode = listening["enode"].as_str().expect("an enode URL");
        (program, enode.to_owned())
    }

    /// Starts the program that encodes and decodes messages of real protocols, without a
    /// connection.
    pub(crate) fn packets(&self) -> Program {
        self.run(&["packets"])
    }

    /// Starts the program that makes packets of Node Discovery v4 and checks which are valid.
    pub(crate) fn discv4(&self, count: usize) -> Program {
        self.run(&["discv4", "--count", &count.to_string()])
    }

    /// Starts a listening node that speaks one version of `eth`.
    pub(crate) fn eth(&self, version: u64) -> Program {
        self.run(&["eth", "--version", &version.to_string()])
    }

    /// Starts a DNS server, and returns it with its address.
    pub(crate) fn dns(&self) -> (Program, SocketAddr) {
        let mut program = self.run(&["dns"]);
        let listening = program.event("listening");
        let address = listening["address"].as_str().expect("an address");
        (program, address.parse().expect("an address"))
    }

    /// Writes a private key in the format of go-ethereum's key files.
    pub(crate) fn write_key(&self, key: &SecretKey, password: &str, file: &str) {
        let hex: String = key
            .to_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let written = self.run(&["dns-key", &hex, password, file]).succeeded();
        assert!(written.is_empty());
    }

    /// Starts a node that dials `enode`.
    pub(crate) fn drive(&self, enode: &str, mode: &str, arguments: &[&str]) -> Program {
        self.run(&[&["drive", "--enode", enode, "--mode", mode], arguments].concat())
    }
}

/// Returns whether the foreign programs are already built.
pub(crate) fn is_built() -> bool {
    env::var_os(BUILT).is_some()
}

/// Returns the folder of the foreign programs' sources.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop")
}

/// Returns the folder, below the target folder, in which the foreign programs are built.
pub(crate) fn output() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop")
}

/// Prints what is about to be built, since that can take minutes without output.
pub(crate) fn announce(tool: &str, what: &str) {
    eprintln!("`{tool}` builds {what}; with an empty cache this takes minutes");
}

/// Runs a build tool to its end. The error says that the tool is missing, or is the tool's output.
pub(crate) fn build_with(
    tool: &str,
    folder: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<(), String> {
    let run = Command::new(tool)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    let output = run.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("no `{tool}` on this machine"),
        _ => format!("`{tool}` does not start: {error}"),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`{tool}` failed with {}:\n{printed}",
        output.status
    ))
}
