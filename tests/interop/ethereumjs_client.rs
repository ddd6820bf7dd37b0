//! `eth` against EthereumJS's full node, on Sepolia.
//!
//! EthereumJS's node would look for the rest of the network, so it runs in a network namespace with
//! only a loopback device. Our node must be in the same namespace, so the test runs this program
//! again inside the namespace.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use libtest_mimic::Trial;
use peermux::SecretKey;
use peermux_protocols::eth::{
    Chain, Event, ForkFilter, HandshakeError, Hash, Head, Header, HeadersQuery, Start, Status,
};

use crate::daemon::Daemon;
use crate::eth_node::EthNode;
use crate::ethereumjs::install;
use crate::namespace::{are_there, run_inside};
use crate::report;

/// The environment variable with the client's folder, set inside the namespace.
const INSIDE: &str = "PEERMUX_INTEROP_CLIENT";

const CLIENT: &str = "node_modules/@ethereumjs/client/dist/esm/bin/cli.js";

const NETWORK: u64 = 11_155_111;
const GENESIS: [u8; 32] = [
    0x25, 0xa5, 0xcc, 0x10, 0x6e, 0xea, 0x71, 0x38, 0xac, 0xab, 0x33, 0x23, 0x1d, 0x71, 0x60, 0xd6,
    0x9c, 0xb7, 0x77, 0xee, 0x0c, 0x2c, 0x55, 0x3f, 0xcd, 0xdf, 0x51, 0x38, 0x99, 0x3e, 0x6d, 0xd9,
];
const GENESIS_TIME: u64 = 1_633_267_481;
const GENESIS_DIFFICULTY: u128 = 131_072;
const FORK_BLOCKS: [u64; 1] = [1_735_371];
const FORK_TIMES: [u64; 3] = [1_677_557_088, 1_706_655_072, 1_741_159_776];

/// Runs the test itself if this process is inside the namespace.
pub(crate) fn inside() -> Option<ExitCode> {
    let folder = env::var_os(INSIDE)?;
    shake_hands(Path::new(&folder));
    Some(ExitCode::SUCCESS)
}

pub(crate) fn trial() -> Trial {
    let ready = || are_there().and_then(|()| Ok(ready()?));
    let run = |folder: &Path| run_inside(INSIDE, folder);
    report::trial("ethereumjs-client::eth68::we_dial", ready, run)
}

/// Installs the client once per run of the tests, and returns its folder.
pub(crate) fn ready() -> Result<&'static Path, &'static str> {
    static READY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let ready = READY.get_or_init(|| install("ethereumjs-client"));
    ready.as_deref().map_err(String::as_str)
}

/// The client's process.
pub(crate) struct Client(Daemon);

impl Client {
    /// Starts the client without other nodes.
    fn start(folder: &Path) -> Self {
        // Nothing listens at this bootnode's address, but without a bootnode the client would dial
        // Sepolia's bootnodes.
        let nobody = SecretKey::random(&mut rand::rng()).public_key();
        let nobody = format!("enode://{nobody}@127.0.0.1:1");
        Self::run(folder, &folder.join("data"), &nobody, "--discV4=false")
    }

    /// Starts the client with Discovery v4, beginning with a bootnode.
    pub(crate) fn find(folder: &Path, data: &Path, bootnode: &str) -> Self {
        Self::run(folder, data, bootnode, "--discV4=true")
    }

    fn run(folder: &Path, data: &Path, bootnode: &str, discovery: &str) -> Self {
        // Remove the data, so that the client starts from the first block each time.
        let _ = fs::remove_dir_all(data);
        fs::create_dir_all(data).expect("a folder");
        let mut child = Command::new("node")
            .arg(folder.join(CLIENT))
            .args([
                "--network=sepolia",
                "--sync=full",
                "--discDns=false",
                discovery,
            ])
            .args([
                "--logFile=log",
                "--logRotate=false",
                "--logLevel=debug",
                "--port=30303",
            ])
            .arg(format!("--bootnodes={bootnode}"))
            .arg(format!("--dataDir={}", data.display()))
            .current_dir(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let output = child.stdout.take().expect("a pipe");
        Self(Daemon::of(child, output))
    }

    /// Waits until the client listens, and returns its enode URL.
    fn enode(&self) -> String {
        self.0.until(|line| {
            let (_, url) = line
                .split_once("Server listener up")
                .and(line.split_once("url="))?;
            let url = url.split_whitespace().next().expect("an enode URL");
            Some(url.replace("0.0.0.0", "127.0.0.1"))
        })
    }
}

pub(crate) fn sepolia() -> Chain {
    let genesis = Hash(GENESIS);
    let forks = ForkFilter::new(genesis).with_blocks(FORK_BLOCKS);
    Chain {
        network: NETWORK,
        forks: forks.with_times(GENESIS_TIME, FORK_TIMES),
        head: Head {
            total_difficulty: GENESIS_DIFFICULTY,
            ..Head::genesis(genesis, GENESIS_TIME)
        },
    }
}

fn shake_hands(folder: &Path) {
    let client = Client::start(folder);
    let enode = client.enode();
    let chain = sepolia();

    let mainnet = Chain {
        network: 1,
        ..chain.clone()
    };
    let mut useless = EthNode::start(mainnet, 68..=70);
    let peer = useless.dial(&enode).expect("connects");
    let event = useless.event();
    let Event::Refused {
        status: Some(status),
        error,
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!(
        error,
        HandshakeError::Network {
            ours: 1,
            theirs: NETWORK
        }
    );
    assert_is_new(&chain, &status);
    useless.outcome(&peer);

    // Our chain is one block ahead, so that the client requests that block.
    let newest = Hash([7; 32]);
    let mut ahead = chain.clone();
    ahead.head = Head {
        number: 1,
        hash: newest,
        total_difficulty: GENESIS_DIFFICULTY + 1,
        ..ahead.head
    };
    let mut ours = EthNode::start(ahead, 68..=70);
    ours.dial(&enode).expect("connects");
    let event = ours.event();
    let Event::Joined { peer, status } = event else {
        panic!("{event:?}");
    };
    assert_is_new(&chain, &status);
    let headers = ours.headers(&peer.id(), HeadersQuery::from_number(0, 10));
    assert_eq!(headers.iter().map(Header::number).collect::<Vec<_>>(), [0]);
    assert_eq!(headers[0].hash(), Hash(GENESIS));
    let asked = ours.asked();
    assert_eq!((asked.start, asked.limit), (Start::Hash(newest), 1));
}

/// Checks that a Status is that of a node with only the first block. Its next fork may differ from
/// ours.
fn assert_is_new(chain: &Chain, status: &Status) {
    let ours = chain.status(68);
    assert_eq!(status.fork_id.checksum, ours.fork_id.checksum, "{status:?}");
    let mut status = *status;
    status.fork_id = ours.fork_id;
    assert_eq!(status, ours);
}
