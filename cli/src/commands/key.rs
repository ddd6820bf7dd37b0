//! `peermux key`: makes a key file, or shows the public parts of a key.

use std::fmt;

use clap::Subcommand;
use peermux::{Endpoint, Enode, NodeId, PublicKey, SecretKey};
use serde::Serialize;

use crate::failure::Failure;
use crate::keys::{self, KeyArgs};
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  peermux key new --key-file node.key
  peermux key show --key-file node.key --addr 192.0.2.1:30303";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// The address of the node in its enode URL
    #[arg(long, global = true, value_name = "HOST:PORT")]
    addr: Option<Endpoint>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a file (--key-file) with a fresh key, mode 0600; never replaces a file
    New,
    /// Show the public key and the enode URL of a key (--key-file or --key)
    Show,
}

/// The public parts of a key.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename = "key")]
struct Report {
    public_key: PublicKey,
    node_id: NodeId,
    enode: Enode,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "public key {}", self.public_key)?;
        writeln!(f, "node id    {}", self.node_id)?;
        write!(f, "enode      {}", self.enode)
    }
}

pub(crate) fn run(args: &Args, given: &KeyArgs, out: &Output) -> Result<(), Failure> {
    let key = match args.action {
        Action::New => {
            let path = given.file()?;
            let key = SecretKey::generate();
            keys::create(path, &key)?;
            key
        }
        Action::Show => given.load()?.ok_or_else(|| {
            Failure::Usage("--key-file PATH or --key HEX is needed: the key to show".to_owned())
        })?,
    };
    let public_key = key.public_key();
    out.tell(&Report {
        public_key,
        node_id: public_key.node_id(),
        enode: match &args.addr {
            Some(endpoint) => Enode::with_endpoint(public_key, endpoint.clone()),
            None => Enode::incomplete(public_key),
        },
    })
}
