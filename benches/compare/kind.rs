//! The implementations, and how their processes are started.

use std::process::Command;

use serde_json::Value;

use crate::foreign::{Foreign, Implementation};
use crate::load::Load;
use crate::process::Process;
use crate::program::Program;

/// A limit on peers that is higher than the number in any measurement.
const MAX_PEERS: &str = "2000";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Peermux,
    Geth,
    EthereumJs,
}

/// A listening node.
pub(crate) struct Served {
    pub(crate) process: Process,
    pub(crate) enode: String,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Peermux, Self::Geth, Self::EthereumJs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Peermux => "peermux",
            Self::Geth => "go-ethereum",
            Self::EthereumJs => "EthereumJS",
        }
    }

    /// The name on the command line.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Peermux => "peermux",
            Self::Geth => "geth",
            Self::EthereumJs => "ethereumjs",
        }
    }

    /// Builds the programs. If that fails, the reason is on standard error.
    pub(crate) fn is_ready(self) -> bool {
        self.implementation()
            .is_none_or(|other| other.ready().is_ok())
    }

    fn implementation(self) -> Option<Implementation> {
        match self {
            Self::Peermux => None,
            Self::Geth => Some(Implementation::Geth),
            Self::EthereumJs => Some(Implementation::EthereumJs),
        }
    }

    fn foreign(self) -> Option<&'static Foreign> {
        self.implementation()?.ready().ok()
    }

    /// Returns the arguments that keep the node's log short.
    fn silence(self) -> &'static [&'static str] {
        match self {
            Self::Geth => &["--log", "error"],
            Self::Peermux | Self::EthereumJs => &[],
        }
    }

    /// Returns how many messages are sent for warming up. Code that is compiled at run time needs
    /// them.
    pub(crate) fn warm_up(self, load: Load, count: u64) -> u64 {
        match (self, load) {
            (Self::Peermux, _) | (_, Load::Handshake(_)) => 0,
            (Self::Geth | Self::EthereumJs, _) => count / 10,
        }
    }

    pub(crate) fn serve(self) -> Served {
        let limit = ["--max-peers", MAX_PEERS];
        let (program, enode) = match self.foreign() {
            Some(foreign) => foreign.serve(&[&limit, self.silence()].concat()),
            None => {
                let arguments = ["listen", "--addr", "127.0.0.1:0"];
                let mut program = peermux(&[&arguments[..], &limit].concat());
                let listening = program.event("listening");
                let enode = listening["enode"].as_str().expect("an enode URL");
                (program, enode.to_owned())
            }
        };
        Served {
            process: Process::new(program),
            enode,
        }
    }

    /// Runs a load against a node and returns the dialler's result.
    pub(crate) fn drive(self, enode: &str, load: Load, count: u64) -> Result<Value, String> {
        let (size, many) = (load.size().to_string(), load.concurrency().to_string());
        let warm_up = self.warm_up(load, count).to_string();
        let count = count.to_string();
        let shared = ["--size", &size, "--count", &count, "--concurrency", &many];
        let program = match self.foreign() {
            Some(foreign) => {
                let more = ["--warm-up", &warm_up];
                let arguments = [&shared[..], &more, self.silence()].concat();
                foreign.drive(enode, load.mode(), &arguments)
            }
            None => {
                let arguments = ["bench", enode, "--mode", load.mode()];
                peermux(&[&arguments[..], &shared].concat())
            }
        };
        let ended = program.ended();
        let result = ended
            .events
            .into_iter()
            .find(|event| event["ok"].is_boolean());
        match result {
            Some(result) if result["ok"] == true => Ok(result),
            other => Err(format!("{}: {other:?}\n{}", self.name(), ended.log)),
        }
    }
}

fn peermux(arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peermux"));
    command.args(arguments).arg("--json");
    Program::spawn("peermux", command)
}
