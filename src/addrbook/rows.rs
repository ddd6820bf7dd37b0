//! The rows of a store: their encoding, and how a book is built from them.
//!
//! Values are RLP lists. Times are milliseconds since 1970, and 0 means never.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::SystemTime;

use rand::CryptoRng;

use super::buckets::Shape;
use super::entry::{Entry, Place, slot};
use super::keyed::BucketKey;
use super::nodes::{Ban, BanTarget, KnownNode, NodeDb, NodeDbConfig};
use super::store::{Change, Row, Table};
use super::time::{from_millis, to_millis};
use super::{Book, BookConfig, Score, Source};
use crate::node::{Enode, NodeId, excerpt};
use crate::rlp::{Decodable, Rlp, RlpStream};

/// The version of the rows that is written, and the newest that can be read.
pub(super) const VERSION: u32 = 1;

const VERSION_KEY: &[u8] = b"version";
const SECRET_KEY: &[u8] = b"bucket key";

/// How many bytes of a key an error shows. A node id fits, and so does an IP address as text.
const LONGEST_KEY: usize = 40;

/// Why rows do not form a book.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadRows {
    Newer { found: u32 },
    Damaged(String),
}

/// Builds a book and a node database from all rows, or fails as a whole. Without rows the book is
/// empty. Addresses that the configuration no longer admits are left out, and removed from the
/// store with the next changes.
pub(super) fn load(
    rows: &[Row],
    config: BookConfig,
    nodes: NodeDbConfig,
    shape: Shape,
    now: SystemTime,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<(Book, NodeDb), BadRows> {
    if rows.is_empty() {
        let key = BucketKey::random(rng);
        return Ok((Book::with_shape(config, key, shape), NodeDb::new(nodes)));
    }
    let mut book = Book::with_shape(config, meta(rows)?, shape);
    let mut nodes = NodeDb::new(nodes);
    for row in rows {
        let read = match row.table {
            Table::Meta => Ok(()),
            Table::Addresses => restore_entry(&mut book, row),
            Table::Nodes => restore_node(&mut nodes, row, now),
            Table::IpBans => restore_ip_ban(&mut nodes, row, now),
        };
        read.map_err(|what| {
            // A damaged row may have a key of any length.
            let key = row.key.get(..LONGEST_KEY).unwrap_or(&row.key);
            let key = data_encoding::HEXLOWER.encode(key);
            BadRows::Damaged(format!("{} row {key}: {what}", row.table.name()))
        })?;
    }
    // Adding the rows has already dropped some of the ended bans; which ones depends on the order
    // of the rows. This call drops the others.
    nodes.expire(now);
    Ok((book, nodes))
}

/// The rows that a store needs before all others.
pub(super) fn meta_rows(book: &Book) -> Vec<Change> {
    let meta = |key: &[u8], value: &[u8]| Change::new(Table::Meta, key, Some(value.to_vec()));
    vec![
        meta(VERSION_KEY, &VERSION.to_be_bytes()),
        meta(SECRET_KEY, book.key.as_bytes()),
    ]
}

/// The rows that had changed when this was taken, and are still to be written.
#[derive(Debug, Default)]
pub(super) struct Pending {
    addresses: BTreeSet<NodeId>,
    nodes: BTreeSet<BanTarget>,
}

impl Pending {
    /// Takes all rows that the store does not hold yet.
    pub(super) fn take(book: &mut Book, nodes: &mut NodeDb) -> Self {
        Self {
            addresses: book.unsaved.take(),
            nodes: nodes.unsaved.take(),
        }
    }

    /// Takes up to `most` of the rows, with the content that they have now. If these cannot be
    /// written, hand them to [`put_back`].
    pub(super) fn next(&mut self, book: &mut Book, nodes: &mut NodeDb, most: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < most
            && let Some(id) = self.addresses.pop_first()
        {
            let value = book.entries.get(&id).map(entry_value);
            book.unsaved.writing(id, value.is_some());
            changes.push(Change::new(Table::Addresses, id.as_bytes(), value));
        }
        while changes.len() < most
            && let Some(target) = self.nodes.pop_first()
        {
            let row = match target {
                BanTarget::Node(id) => {
                    let value = nodes.node(&id).map(node_value);
                    Change::new(Table::Nodes, id.as_bytes(), value)
                }
                BanTarget::Ip(net) => {
                    let value = nodes.ip_ban(net).map(ban_value);
                    let key = net.to_string();
                    Change::new(Table::IpBans, key.as_bytes(), value)
                }
            };
            nodes.unsaved.writing(target, row.value.is_some());
            changes.push(row);
        }
        changes
    }

    /// Marks the remaining rows, so that they are taken again.
    pub(super) fn put_back(self, book: &mut Book, nodes: &mut NodeDb) {
        self.addresses
            .into_iter()
            .for_each(|id| book.unsaved.put_back(id));
        self.nodes
            .into_iter()
            .for_each(|target| nodes.unsaved.put_back(target));
    }
}

/// Marks changes that were not written, so that they are taken again.
pub(super) fn put_back(book: &mut Book, nodes: &mut NodeDb, changes: &[Change]) {
    for change in changes {
        match change.table {
            Table::Meta => {}
            Table::Addresses => node_id(&change.key)
                .into_iter()
                .for_each(|id| book.unsaved.put_back(id)),
            Table::Nodes => node_id(&change.key)
                .into_iter()
                .for_each(|id| nodes.unsaved.put_back(BanTarget::Node(id))),
            Table::IpBans => net(&change.key)
                .into_iter()
                .for_each(|net| nodes.unsaved.put_back(BanTarget::Ip(net))),
        }
    }
}

fn meta(rows: &[Row]) -> Result<BucketKey, BadRows> {
    let value = |key: &[u8]| {
        let row = rows
            .iter()
            .find(|row| row.table == Table::Meta && row.key == key)?;
        Some(row.value.as_slice())
    };
    let version =
        value(VERSION_KEY).and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    match version {
        Some(VERSION) => {}
        Some(found) if found > VERSION => return Err(BadRows::Newer { found }),
        Some(found) => return Err(BadRows::Damaged(format!("format version {found}"))),
        None => return Err(BadRows::Damaged("no format version".to_owned())),
    }
    value(SECRET_KEY)
        .and_then(BucketKey::from_slice)
        .ok_or_else(|| BadRows::Damaged("no bucket key".to_owned()))
}

fn entry_value(entry: &Entry) -> Vec<u8> {
    let source = match entry.source {
        Source::Own => String::new(),
        Source::Ip(ip) => ip.to_string(),
    };
    let mut row = RlpStream::new_list(7);
    row.append(&entry.enode.to_string());
    row.append(&source);
    row.append(&to_millis(entry.last_seen));
    row.append(&entry.attempts);
    row.append(&optional_millis(entry.last_attempt));
    row.append(&optional_millis(entry.last_success));
    match &entry.place {
        Place::New(buckets) => row.append_list(buckets),
        // The bucket is not written, since it follows from the address and the book's secret.
        Place::Tried(_) => row.append_list::<u16, u16>(&[]),
    };
    row.out().to_vec()
}

fn restore_entry(book: &mut Book, row: &Row) -> Result<(), String> {
    let value = Rlp::new(&row.value);
    let enode: Enode = parse(&value, 0, "enode")?;
    let source: String = field(&value, 1)?;
    let source = match source.as_str() {
        "" => Source::Own,
        ip => Source::Ip(
            ip.parse()
                .map_err(|_| format!("source {:?}", excerpt(ip)))?,
        ),
    };
    let id = enode.node_id();
    if row.key != id.as_bytes() {
        return Err("key and enode differ".to_owned());
    }
    // The row is admitted like an address from our own side, because a proven address may be a DNS
    // name, even if another node reported it.
    let Ok((endpoint, group)) = book.config.admit(&enode, &Source::Own) else {
        book.unsaved.put_back(id);
        return Ok(());
    };
    let slot = slot(endpoint);
    let mut entry = Entry::new(enode, group, source, time(&value, 2)?);
    entry.attempts = field(&value, 3)?;
    entry.last_attempt = optional_time(&value, 4)?;
    entry.last_success = optional_time(&value, 5)?;
    if book.by_endpoint.contains_key(&slot) {
        return Err(format!("second entry at {}:{}", slot.0, slot.1));
    }
    let buckets: Vec<u16> = value
        .list_at(6)
        .map_err(|error| format!("field 6: {error}"))?;
    if buckets.is_empty() {
        let address = format!("{}:{}", slot.0, slot.1);
        let bucket = book.key.tried_bucket(&book.shape, &entry.group, &address);
        if !book.tried.insert(bucket, id) {
            return Err(format!("tried bucket {bucket} overflows"));
        }
        entry.place = Place::Tried(bucket);
    } else {
        if buckets.len() > book.shape.new_per_address {
            return Err(format!("in {} buckets", buckets.len()));
        }
        if let Some(bucket) = buckets.iter().find(|bucket| !book.new.insert(**bucket, id)) {
            return Err(format!("new bucket {bucket} overflows"));
        }
        entry.place = Place::New(buckets);
    }
    book.insert(entry);
    book.unsaved.restored(id);
    Ok(())
}

fn node_value(info: &KnownNode) -> Vec<u8> {
    let mut row = RlpStream::new_list(9);
    row.append(&to_millis(info.first_seen));
    row.append(&optional_millis(info.last_seen));
    row.append(&info.failures);
    row.append(&optional_millis(info.last_failure));
    row.append(&info.score.lasting);
    row.append(&info.score.fading.to_bits());
    row.append(&optional_millis(info.score.since));
    row.append(&to_millis(info.touched));
    match &info.ban {
        Some(ban) => row.append_raw(&ban_value(ban), 1),
        None => row.begin_list(0),
    };
    row.out().to_vec()
}

fn restore_node(nodes: &mut NodeDb, row: &Row, now: SystemTime) -> Result<(), String> {
    let id = node_id(&row.key).ok_or("key is not a node id")?;
    let value = Rlp::new(&row.value);
    let mut info = KnownNode::new(time(&value, 0)?);
    info.last_seen = optional_time(&value, 1)?;
    info.failures = field(&value, 2)?;
    info.last_failure = optional_time(&value, 3)?;
    let fading = f64::from_bits(field(&value, 5)?);
    if !(fading.is_finite() && fading >= 0.0) {
        return Err(format!("score {fading}"));
    }
    info.score = Score {
        lasting: field(&value, 4)?,
        fading,
        since: optional_time(&value, 6)?,
    };
    // This time orders the records by age, so a time in the future would keep a record for years.
    info.touched = time(&value, 7)?.min(now);
    let ban = value.at(8).map_err(|error| format!("field 8: {error}"))?;
    if ban.item_count() != Ok(0) {
        info.ban = Some(read_ban(&ban, now)?);
    }
    nodes.restore(id, info);
    Ok(())
}

fn ban_value(ban: &Ban) -> Vec<u8> {
    let mut row = RlpStream::new_list(3);
    row.append(&to_millis(ban.until));
    row.append(&ban.reason);
    row.append(&to_millis(ban.since));
    row.out().to_vec()
}

fn read_ban(value: &Rlp<'_>, now: SystemTime) -> Result<Ban, String> {
    let until = time(value, 0)?;
    // Earlier versions did not write `since`.
    let since = match value.item_count() {
        Ok(2) => now.min(until),
        _ => time(value, 2)?,
    };
    Ok(Ban::restored(since, until, field(value, 1)?, now))
}

fn restore_ip_ban(nodes: &mut NodeDb, row: &Row, now: SystemTime) -> Result<(), String> {
    let net = net(&row.key).ok_or("key is not an IP address")?;
    nodes.restore_ip_ban(net, read_ban(&Rlp::new(&row.value), now)?);
    Ok(())
}

fn node_id(key: &[u8]) -> Option<NodeId> {
    Some(NodeId::from_bytes(key.try_into().ok()?))
}

fn net(key: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(key).ok()?.parse().ok()
}

fn field<T: Decodable>(value: &Rlp<'_>, index: usize) -> Result<T, String> {
    let field = value.val_at(index);
    field.map_err(|error| format!("field {index}: {error}"))
}

fn parse<T>(value: &Rlp<'_>, index: usize, what: &str) -> Result<T, String>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text: String = field(value, index)?;
    text.parse().map_err(|error| format!("{what}: {error}"))
}

fn time(value: &Rlp<'_>, index: usize) -> Result<SystemTime, String> {
    let millis = field(value, index)?;
    from_millis(millis).ok_or_else(|| format!("field {index}: time {millis}"))
}

fn optional_time(value: &Rlp<'_>, index: usize) -> Result<Option<SystemTime>, String> {
    match field::<u64>(value, index)? {
        0 => Ok(None),
        _ => time(value, index).map(Some),
    }
}

fn optional_millis(time: Option<SystemTime>) -> u64 {
    time.map(to_millis).unwrap_or_default()
}
