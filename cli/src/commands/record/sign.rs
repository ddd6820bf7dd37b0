//! `peermux record sign`: signs a record.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use peermux::NodeRecord;
use peermux::node::NodeRecordBuilder;
use peermux::rlp::{Encodable, RlpStream, check_exact};

use super::show::Line;
use crate::failure::Failure;
use crate::keys::KeyArgs;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The record to update: keeps entries that are not set here, with the next number
    #[arg(long, value_name = "RECORD", conflicts_with = "seq")]
    update: Option<NodeRecord>,
    /// The number, higher than in earlier records of the node [default: now, in milliseconds]
    #[arg(long, value_name = "N")]
    seq: Option<u64>,
    /// The address of the node; can be given twice, for IPv4 and IPv6
    #[arg(long, value_name = "IP")]
    ip: Vec<IpAddr>,
    /// The port for connections
    #[arg(long, value_name = "PORT")]
    tcp: Option<u16>,
    /// The port for discovery
    #[arg(long, value_name = "PORT")]
    udp: Option<u16>,
    /// The port for connections over IPv6, if it differs
    #[arg(long, value_name = "PORT")]
    tcp6: Option<u16>,
    /// The port for discovery over IPv6, if it differs
    #[arg(long, value_name = "PORT")]
    udp6: Option<u16>,
    /// Another entry, with its value as RLP in hexadecimal digits; can be repeated
    #[arg(long, value_name = "KEY=RLP", value_parser = entry)]
    set: Vec<Entry>,
    /// An entry to remove; can be repeated
    #[arg(long, value_name = "KEY", requires = "update")]
    remove: Vec<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    key: String,
    value: Encoded,
}

/// A value that is already encoded as RLP.
#[derive(Debug, Clone)]
struct Encoded(Vec<u8>);

impl Encodable for Encoded {
    fn rlp_append(&self, stream: &mut RlpStream) {
        stream.append_raw(&self.0, 1);
    }
}

fn entry(text: &str) -> Result<Entry, String> {
    let (key, digits) = text.split_once('=').ok_or("KEY=RLP is needed")?;
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    let rlp = bytes(digits.strip_prefix("0x").unwrap_or(digits))
        .ok_or("the value must be RLP in pairs of hexadecimal digits")?;
    check_exact(&rlp).map_err(|error| format!("the value is not one RLP value: {error}"))?;
    Ok(Entry {
        key: key.to_owned(),
        value: Encoded(rlp),
    })
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            &[high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()
            }
            _ => None,
        })
        .collect()
}

pub(super) fn run(args: &Args, given: &KeyArgs, out: &Output) -> Result<(), Failure> {
    let key = given.load()?.ok_or_else(|| {
        Failure::Usage("--key-file PATH or --key HEX is needed: the key of the node".to_owned())
    })?;
    let mut record = match &args.update {
        Some(old) if *old.public_key() != key.public_key() => {
            let (of, own) = (old.node_id(), key.public_key().node_id());
            return Err(Failure::Usage(format!(
                "--update: the record belongs to {of}, and the key to {own}"
            )));
        }
        Some(old) => old.update().map_err(Failure::because)?,
        None => NodeRecord::builder(args.seq.unwrap_or_else(now)),
    };
    record = args.remove.iter().fold(record, NodeRecordBuilder::remove);
    record = args.ip.iter().fold(record, |record, ip| record.ip(*ip));
    let ports = [
        ("tcp", args.tcp),
        ("udp", args.udp),
        ("tcp6", args.tcp6),
        ("udp6", args.udp6),
    ];
    for (key, port) in ports {
        if let Some(port) = port {
            record = record.value(key, &port);
        }
    }
    for Entry { key, value } in &args.set {
        record = record.value(key.as_bytes(), value);
    }
    let record = record.sign(&key).map_err(Failure::because)?;
    out.tell(&Line::of(&record))
}

/// Returns the sequence number of a node's first record: the time since 1970, in milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "a record signed later needs a higher number"
)]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_value_of_rlp() {
        assert_eq!(entry("eth=0xc101").expect("a list").value.0, [0xc1, 1]);
        for wrong in [
            "eth", "=01", "eth=", "eth=0x1", "eth=zz", "eth=+1", "eth=0101", "eth=8101", "a=b=01",
        ] {
            assert!(entry(wrong).is_err(), "{wrong}");
        }
    }
}
