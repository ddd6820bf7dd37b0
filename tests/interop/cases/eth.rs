//! `eth` against go-ethereum's own implementation on a chain of a few blocks.
//!
//! The tests cover the handshake, whichever side dials, and requests for headers in both
//! directions.

use peermux::DisconnectReason;
use peermux_protocols::eth::{
    Chain, Event, ForkFilter, HandshakeError, Hash, Head, Header, HeadersQuery, Status,
};
use serde_json::Value;

use super::Case;
use crate::eth_node::EthNode;
use crate::foreign::{Foreign, Implementation};
use crate::program::Program;

/// The versions of our `eth` that go-ethereum supports; go-ethereum dropped `eth/68`.
const VERSIONS: [u64; 2] = [69, 70];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![Case::new("eth::other_chains", other_chains).only(Implementation::Geth)];
    for version in VERSIONS {
        let ours = move |foreign: &Foreign| we_dial(foreign, version);
        cases.push(Case::new(format!("eth{version}::we_dial"), ours).only(Implementation::Geth));
        let theirs = move |foreign: &Foreign| they_dial(foreign, version);
        cases
            .push(Case::new(format!("eth{version}::they_dial"), theirs).only(Implementation::Geth));
    }
    cases
}

/// Starts a program that speaks one version of `eth`. Returns it with its chain and enode URL.
fn start(foreign: &Foreign, version: u64) -> (Program, Chain, String) {
    let mut theirs = foreign.eth(version);
    let chain = chain(&theirs.event("chain"));
    let listening = theirs.event("listening");
    let enode = listening["enode"]
        .as_str()
        .expect("an enode URL")
        .to_owned();
    (theirs, chain, enode)
}

fn chain(told: &Value) -> Chain {
    let number = |name: &str| told[name].as_u64().expect("a number");
    let forks = told["forks"].as_array().expect("a list");
    let forks = forks.iter().map(|fork| fork.as_u64().expect("a number"));
    Chain {
        network: number("network"),
        forks: ForkFilter::new(hash(&told["genesis"])).with_blocks(forks),
        head: Head {
            number: number("number"),
            time: number("time"),
            hash: hash(&told["hash"]),
            total_difficulty: 0,
            earliest: 0,
        },
    }
}

fn hash(text: &Value) -> Hash {
    let text = text.as_str().and_then(|text| text.strip_prefix("0x"));
    let text = text.expect("a hash");
    let byte = |index: usize| u8::from_str_radix(&text[2 * index..2 * index + 2], 16);
    Hash(std::array::from_fn(|index| byte(index).expect("hex")))
}

/// Checks that each side has received the other's Status.
fn joined(ours: &mut EthNode, theirs: &mut Program, status: &Status) -> peermux::Peer {
    let event = ours.event();
    let Event::Joined { peer, status: told } = event else {
        panic!("{event:?}");
    };
    assert_eq!(told, *status);
    let told = theirs.event("eth_peer");
    assert_eq!(told["version"], status.version, "{told}");
    let range = status.range().expect("has one");
    assert_eq!(told["earliest"], range.earliest, "{told}");
    assert_eq!(told["latest"], range.latest, "{told}");
    assert_eq!(hash(&told["latest_hash"]), range.latest_hash, "{told}");
    peer
}

fn we_dial(foreign: &Foreign, version: u64) {
    let (mut theirs, chain, enode) = start(foreign, version);
    let mut ours = EthNode::start(chain.clone(), 68..=70);
    ours.dial(&enode).expect("connects");
    let peer = joined(&mut ours, &mut theirs, &chain.status(version));
    headers_both_ways(&ours, &mut theirs, &peer, &chain);
}

fn they_dial(foreign: &Foreign, version: u64) {
    let (mut theirs, chain, _) = start(foreign, version);
    let mut ours = EthNode::start(chain.clone(), 68..=70);
    theirs.say(&format!("dial {}", ours.enode()));
    let peer = joined(&mut ours, &mut theirs, &chain.status(version));
    headers_both_ways(&ours, &mut theirs, &peer, &chain);
}

fn numbers(headers: &[Header]) -> Vec<u64> {
    headers.iter().map(Header::number).collect()
}

fn headers_both_ways(ours: &EthNode, theirs: &mut Program, peer: &peermux::Peer, chain: &Chain) {
    let (id, head) = (peer.id(), chain.head);
    let all = ours.headers(&id, HeadersQuery::from_number(0, 1000));
    assert_eq!(numbers(&all), (0..=head.number).collect::<Vec<_>>());
    assert_eq!(all[0].hash(), chain.forks.genesis());
    assert_eq!(all.last().map(Header::hash), Some(head.hash));
    assert!(all.windows(2).all(|two| two[1].parent() == two[0].hash()));
    let some = HeadersQuery::from_hash(head.hash, 3)
        .with_skip(2)
        .reversed();
    let some = numbers(&ours.headers(&id, some));
    assert_eq!(some, [head.number, head.number - 3, head.number - 6]);
    let none = ours.headers(&id, HeadersQuery::from_number(head.number + 1, 3));
    assert!(none.is_empty());

    let mut ask = |question: &str, wanted: &[usize]| {
        theirs.say(&format!("ask {question}"));
        let told = theirs.event("headers");
        let told = told["hashes"].as_array().expect("a list");
        let told: Vec<_> = told.iter().map(hash).collect();
        let wanted: Vec<_> = wanted.iter().map(|&number| all[number].hash()).collect();
        assert_eq!(told, wanted, "{question}");
    };
    ask("3 4 0 false", &[3, 4, 5, 6]);
    ask("9 4 1 true", &[9, 7, 5, 3]);
    ask(&format!("{} 2 0 true", all[7].hash()), &[7, 6]);
    ask("1000 4 0 false", &[]);
}

/// Tells whether a refusal has the expected error.
type IsWanted = fn(&HandshakeError) -> bool;

/// Each side refuses a peer on another chain.
fn other_chains(foreign: &Foreign) {
    let (mut theirs, chain, enode) = start(foreign, 69);
    let genesis = Hash([1; 32]);
    let network = Chain {
        network: 1,
        ..chain.clone()
    };
    let first = Chain {
        forks: ForkFilter::new(genesis).with_blocks([5]),
        ..chain.clone()
    };
    let forks = ForkFilter::new(chain.forks.genesis()).with_blocks([6]);
    let forks = Chain {
        forks,
        ..chain.clone()
    };
    let cases: [(Chain, IsWanted, &str); 3] = [
        (
            network,
            |error| matches!(error, HandshakeError::Network { .. }),
            "network",
        ),
        (
            first,
            |error| matches!(error, HandshakeError::Genesis { .. }),
            "genesis",
        ),
        (
            forks,
            |error| matches!(error, HandshakeError::Fork { .. }),
            "fork",
        ),
    ];
    for (ours, is_wanted, they_name) in cases {
        let mut ours = EthNode::start(ours, 68..=70);
        let peer = ours.dial(&enode).expect("connects");
        let refused = theirs.event("eth_refused");
        let error = refused["error"].as_str().expect("text");
        let they_refuse = error.to_lowercase().contains(they_name);
        let outcome = ours.outcome(&peer);
        // The first side to refuse disconnects. The other side may not have received a Status by
        // then, because the foreign node sends its Status while it reads ours.
        let Some(event) = ours.told() else {
            assert!(they_refuse, "{error}; {}", outcome.error);
            continue;
        };
        let they_saw_ours = outcome.error.remote_requested();
        assert!(they_refuse || !they_saw_ours, "{error}; {}", outcome.error);
        let Event::Refused { status, error, .. } = event else {
            panic!("{event:?}");
        };
        assert_eq!(status, Some(chain.status(69)));
        assert!(is_wanted(&error), "{error}");
        assert_eq!(error.reason(), DisconnectReason::USELESS_PEER);
    }
}
