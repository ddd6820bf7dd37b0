mod announcements;
mod forks;
mod handshake;
mod headers;
mod messages;

use std::collections::BTreeMap;

use peermux::testing::Scripted;
use peermux::{Bytes, Capability, Peer, RlpValue};

use super::*;

/// The first code of the only protocol.
const OFFSET: u64 = 16;

/// Decodes hex.
fn hex(text: &str) -> Bytes {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}

fn hash(text: &str) -> Hash {
    Hash(hex(text)[..].try_into().expect("32 bytes"))
}

/// The fields of a header of Ethereum's first blocks.
#[derive(RlpValue)]
struct Fields {
    parent: Hash,
    ommers: Hash,
    coinbase: [u8; 20],
    state: Hash,
    transactions: Hash,
    receipts: Hash,
    bloom: [u8; 256],
    difficulty: u64,
    number: u64,
    gas_limit: u64,
    gas_used: u64,
    time: u64,
    extra: Bytes,
    mix: Hash,
    nonce: [u8; 8],
}

fn header(parent: Hash, number: u64, extra: &[u8]) -> Header {
    let fields = Fields {
        parent,
        ommers: Hash::default(),
        coinbase: [0; 20],
        state: Hash::default(),
        transactions: Hash::default(),
        receipts: Hash::default(),
        bloom: [0; 256],
        difficulty: 2222,
        number,
        gas_limit: 4444,
        gas_used: 5555,
        time: 6666,
        extra: Bytes::copy_from_slice(extra),
        mix: Hash::default(),
        nonce: [0; 8],
    };
    Header::from_rlp(&fields.to_rlp()).expect("a header")
}

/// A chain of headers, by number.
#[derive(Clone)]
struct Headers(BTreeMap<u64, Header>);

impl Headers {
    fn of(count: u64) -> Self {
        let mut headers: BTreeMap<u64, Header> = BTreeMap::new();
        for number in 0..count {
            let parent = number.checked_sub(1).map(|parent| headers[&parent].hash());
            headers.insert(number, header(parent.unwrap_or_default(), number, &[]));
        }
        Self(headers)
    }

    fn genesis(&self) -> Hash {
        self.0[&0].hash()
    }

    fn head(&self) -> Head {
        let (&number, newest) = self.0.last_key_value().expect("headers");
        Head {
            number,
            time: 1_700_000_000 + number,
            hash: newest.hash(),
            total_difficulty: u128::from(number) + 7,
            earliest: number.min(1),
        }
    }

    fn chain(&self) -> Chain {
        Chain {
            network: 7,
            forks: ForkFilter::new(self.genesis()).with_blocks([2, 50]),
            head: self.head(),
        }
    }

    /// Returns a node that has these headers.
    fn node(&self) -> (Eth, Events) {
        let headers = self.clone();
        let builder = Eth::builder(self.chain());
        let builder = builder.headers(move |_, query| {
            let found = headers.find(&query);
            async move { found }
        });
        builder.build()
    }

    fn find(&self, query: &HeadersQuery) -> Vec<Header> {
        let first = match query.start {
            Start::Number(number) => Some(number),
            Start::Hash(hash) => {
                let mut all = self.0.values();
                all.find(|header| header.hash() == hash).map(Header::number)
            }
        };
        let numbers = first.into_iter().flat_map(|first| query.numbers(first));
        numbers
            .map_while(|number| self.0.get(&number).cloned())
            .collect()
    }
}

/// Connects a scripted remote that speaks one version.
async fn scripted(eth: &Eth, version: u64) -> (Peer, Scripted) {
    let capabilities = [Capability::new("eth", version)];
    let connected = Scripted::remote_of(eth.protocols(), &capabilities).await;
    connected.expect("connects")
}

/// Connects a scripted remote that speaks `eth/69`, and exchanges Status with it.
async fn joined(eth: &Eth) -> (Peer, Scripted) {
    let (peer, mut remote) = scripted(eth, 69).await;
    let theirs = remote.expect().await;
    assert_eq!(theirs.id, OFFSET);
    assert!(remote.send(OFFSET, &theirs.payload).await);
    (peer, remote)
}
