//! The implementations, and how their processes are started in the namespaces.

use std::ffi::OsString;

use serde::Serialize;
use serde_json::Value;

use crate::copy::{self, Amount};
use crate::foreign::{Foreign, Implementation};
use crate::load::{CONCURRENCY, ECHO, Load};
use crate::namespaces::{LISTENER, Side};
use crate::program::Program;
use crate::{ROLE, talk};

/// The maximum number of peers, which is more than in any measurement.
const MAX_PEERS: &str = "2000";

/// A time limit in seconds that is longer than any measurement may take.
const TIMEOUT: &str = "120";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Peermux,
    Geth,
    Tcp,
}

/// A listener. Dropping it ends its process.
pub(crate) struct Served {
    _program: Program,
    /// The listener's enode URL, or for the copy its address.
    pub(crate) target: String,
}

/// One measurement: a dialler against a listener.
pub(crate) struct Errand<'a> {
    pub(crate) kind: Kind,
    pub(crate) target: &'a str,
    pub(crate) load: Load,
    /// The number of messages, round trips or connects.
    pub(crate) count: u64,
    /// The duration in seconds, if it is bounded by time.
    pub(crate) seconds: f64,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Peermux, Self::Geth, Self::Tcp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Peermux => "peermux",
            Self::Geth => "go-ethereum",
            Self::Tcp => "plain TCP",
        }
    }

    /// The name on the command line.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Peermux => "peermux",
            Self::Geth => "geth",
            Self::Tcp => "tcp",
        }
    }

    pub(crate) fn serve(self) -> Served {
        let side = Side::Listener;
        let addr = format!("{LISTENER}:0");
        let mut program = match self {
            Self::Peermux => {
                let most = (16 << 20).to_string();
                let limits = ["--max-peers", MAX_PEERS, "--bench-max", &most];
                peermux(side, &[&["listen", "--addr", &addr], &limits[..]].concat())
            }
            Self::Geth => {
                let arguments = ["--addr", &addr, "--max-peers", MAX_PEERS, "--log", "error"];
                let (program, target) = geth(side).serve(&arguments);
                return Served::new(program, target);
            }
            Self::Tcp => this(side, &[copy::LISTEN, &addr]),
        };
        let listening = program.event("listening");
        let target = listening["enode"].as_str().or(listening["addr"].as_str());
        let target = target.expect("an enode URL or an address").to_owned();
        Served::new(program, target)
    }
}

impl Served {
    fn new(mut program: Program, target: String) -> Self {
        program.ignore_output();
        Self {
            _program: program,
            target,
        }
    }
}

impl Errand<'_> {
    /// Runs a dialler to its end and returns its result.
    pub(crate) fn run(&self) -> Result<Value, String> {
        let ended = self.start().ended();
        let mut events = ended.events.into_iter();
        let result = events.find(|event| event["ok"].is_boolean());
        match result {
            Some(result) if result["ok"] == true => Ok(result),
            other => Err(format!("{}: {other:?}\n{}", self.kind.name(), ended.log)),
        }
    }

    fn start(&self) -> Program {
        let (mode, size) = match self.load {
            Load::Sink(size) => ("sink", size),
            Load::Echo => ("echo", ECHO),
            Load::Connect => ("handshake", 0),
            Load::Beside(size) => return self.talk(size),
        };
        let (target, side) = (self.target, Side::Dialler);
        let (size_text, count) = (size.to_string(), self.count.to_string());
        let many = CONCURRENCY.to_string();
        let numbers = [
            "--size",
            &size_text,
            "--count",
            &count,
            "--concurrency",
            &many,
        ];
        match self.kind {
            Kind::Peermux => {
                let arguments = ["bench", target, "--mode", mode];
                peermux(side, &[&arguments[..], &numbers].concat())
            }
            Kind::Geth => {
                let more = ["--timeout", TIMEOUT, "--log", "error"];
                geth(side).drive(target, mode, &[&numbers[..], &more].concat())
            }
            Kind::Tcp => {
                let amount = Amount::Bytes(self.count * size as u64).to_string();
                this(side, &[copy::SEND, target, &amount])
            }
        }
    }

    fn talk(&self, size: usize) -> Program {
        let (size, seconds) = (size.to_string(), self.seconds.to_string());
        this(Side::Dialler, &[talk::TALK, self.target, &size, &seconds])
    }
}

/// Runs the copy. Returns the bytes that it sent and the milliseconds of its connect.
pub(crate) fn copy_for(target: &str, amount: Amount) -> Result<(f64, f64), String> {
    let program = this(Side::Dialler, &[copy::SEND, target, &amount.to_string()]);
    let ended = program.ended();
    let told = ended.events.first();
    let number = |key: &str| told.and_then(|told| told[key].as_f64());
    number("bytes")
        .zip(number("connect_ms"))
        .ok_or_else(|| format!("{}: {told:?}\n{}", Kind::Tcp.name(), ended.log))
}

fn peermux(side: Side, arguments: &[&str]) -> Program {
    let arguments = [arguments, &["--json"]].concat();
    side.start("peermux", env!("CARGO_BIN_EXE_peermux"), &arguments)
}

/// Returns this binary in a role.
fn this(side: Side, role: &[&str]) -> Program {
    let binary = std::env::current_exe().expect("this binary");
    let binary = binary.to_str().expect("a path in Unicode");
    side.start(role[0], binary, &[&[ROLE], role].concat())
}

/// Returns the program of the interop tests in a namespace.
fn geth(side: Side) -> Foreign {
    let built = Implementation::Geth
        .ready()
        .expect("built before anything else");
    let inside = side.inside().into_iter().map(OsString::from);
    Foreign {
        command: inside.chain(built.command.iter().cloned()).collect(),
        implementation: built.implementation,
        client: built.client,
        sizes: built.sizes,
        devp2p: None,
    }
}
