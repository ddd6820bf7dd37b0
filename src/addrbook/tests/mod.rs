//! The address book in virtual time, with seeded randomness.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::buckets::Shape;
use super::keyed::BucketKey;
use super::{Book, BookConfig, Source};
use crate::node::{Enode, NodeId, PublicKey, SecretKey};

mod adding;
mod attempts;
mod buckets;
mod clocks;
mod drawing;
mod groups;
mod model;
mod nodes;
mod persistence;
mod rows;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Some moment.
fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAY
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn book() -> Book {
    Book::new(BookConfig::default(), &mut rng())
}

fn book_of_shape(shape: Shape) -> Book {
    Book::with_shape(BookConfig::default(), BucketKey::random(&mut rng()), shape)
}

fn key(number: u32) -> PublicKey {
    let mut secret = [1; 32];
    secret[28..].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_bytes(&secret).unwrap().public_key()
}

/// A node at its own address. Each node has its own group while unused groups are left.
fn node(number: u32) -> Enode {
    let [_, c, a, b] = number.to_be_bytes();
    let ip = Ipv4Addr::new(20 + a % 80, b, c, 1);
    Enode::new(key(number), SocketAddr::new(ip.into(), 30303))
}

fn at(number: u32, address: &str) -> Enode {
    Enode::new(key(number), address.parse().unwrap())
}

fn id(enode: &Enode) -> NodeId {
    enode.node_id()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn stranger() -> Source {
    Source::Ip(ip("173.144.173.111"))
}

fn add(book: &mut Book, enode: &Enode, now: SystemTime) {
    book.add(enode, stranger(), now, now, &mut rng()).unwrap();
}
