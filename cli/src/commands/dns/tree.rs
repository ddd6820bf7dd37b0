//! `peermux dns tree`: makes the records of a list.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use peermux::NodeRecord;
use peermux::dns::{Domain, Link, Tree};
use serde::Serialize;

use crate::failure::Failure;
use crate::keys::KeyArgs;
use crate::output::Output;
use crate::refused::Refused;

/// The size limit of a file of records, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// The longest string of a TXT record, in bytes. A longer text is split.
const STRING: usize = 255;

/// The times to live of the root and of other entries, in seconds.
///
/// The root's time is short, because only the root ever changes.
const ROOT_TTL: u32 = 30 * 60;
const ENTRY_TTL: u32 = 24 * 60 * 60;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the list
    #[arg(long, value_name = "NAME")]
    domain: Domain,
    /// The number of the list, higher than that of the published one
    #[arg(long, value_name = "N")]
    seq: u64,
    /// A file with the nodes' records, enr:…, one on each line; # begins a comment
    #[arg(long, value_name = "PATH")]
    nodes: PathBuf,
    /// A link to another list; can be repeated
    #[arg(long = "link", value_name = "enrtree://KEY@NAME")]
    links: Vec<Link>,
}

/// A line of the output.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    /// A TXT record of the DNS.
    Txt {
        name: String,
        ttl: u32,
        text: String,
    },
    Signed {
        link: Link,
        seq: u64,
    },
}

/// A line of a zone file.
impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed { link, seq } => write!(f, "; {link} number {seq}"),
            Self::Txt { name, ttl, text } => {
                write!(f, "{name}. {ttl} IN TXT")?;
                // A text can be split at any byte, because it is ASCII.
                let mut rest = text.as_str();
                while !rest.is_empty() {
                    let (string, further) = rest.split_at_checked(STRING).unwrap_or((rest, ""));
                    write!(f, " \"{string}\"")?;
                    rest = further;
                }
                Ok(())
            }
        }
    }
}

pub(super) fn run(args: &Args, given: &KeyArgs, out: &Output) -> Result<(), Failure> {
    let key = given.load()?.ok_or_else(|| {
        Failure::Usage(
            "--key-file PATH or --key HEX is needed: the key that signs the list".to_owned(),
        )
    })?;
    let nodes = read(&args.nodes)?;
    let tree = Tree::new(args.seq, nodes, args.links.clone()).map_err(Failure::because)?;
    let signed = tree.sign(&key);
    let records = signed.records(&args.domain);
    let records = records.map(|(name, text)| Line::Txt {
        ttl: if name == args.domain.as_str() {
            ROOT_TTL
        } else {
            ENTRY_TTL
        },
        name,
        text,
    });
    let link = signed.link(args.domain.clone());
    let end = Line::Signed {
        link,
        seq: args.seq,
    };
    out.tell_all(&records.chain([end]).collect::<Vec<_>>())
}

fn read(path: &Path) -> Result<Vec<NodeRecord>, Failure> {
    let wrong = |why: &dyn Display| {
        let path = path.display();
        Failure::because(format!("cannot read file of records {path}: {why}"))
    };
    let mut text = String::new();
    let file = File::open(path).map_err(|error| wrong(&Refused::Read.text(&error)))?;
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text);
    read.map_err(|error| wrong(&Refused::Read.text(&error)))?;
    if text.len() as u64 > MAX_FILE {
        return Err(wrong(&"it is too large"));
    }
    let lines = text.lines().enumerate().map(|(number, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        (number + 1, line)
    });
    let records = lines.filter(|(_, line)| !line.is_empty());
    let records = records.map(|(number, line)| {
        line.parse()
            .map_err(|error| wrong(&format!("line {number}: {error}")))
    });
    records.collect()
}
