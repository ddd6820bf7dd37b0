use std::io::Cursor;

use peermux::setup::FailureInfo;
use peermux::{DisconnectReason, Enode, Fault, Node, NodeRecord, SecretKey, Stage};

use super::*;

fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32]).expect("a key")
}

fn enode(number: u8) -> Enode {
    Enode::new(key(number).public_key(), ([8, 1, 0, number], 30303).into())
}

fn record(number: u8) -> NodeRecord {
    let record = NodeRecord::builder(7).ip([8, 1, 0, number].into()).tcp(1);
    record.sign(&key(number)).expect("a short record")
}

/// Returns a node with all optional fields, and a node without any of them.
fn nodes() -> Vec<KnownNode> {
    let full = KnownNode {
        outcome: Some(Outcome::Met),
        client: Some("a,\"b\"".to_owned()),
        p2p_version: Some(5),
        capabilities: vec![
            "eth/69".parse().expect("one"),
            "a/b/1".parse().expect("one"),
        ],
        eth: Some(EthStatus {
            version: 69,
            network: 1,
            genesis: "0x01".to_owned(),
            fork_id: "00000001/2".to_owned(),
            head: "0x02".to_owned(),
            latest: Some(3),
        }),
        rtt_us: Some(1234),
        error: Some(FailureInfo::new(
            Stage::Message,
            Fault::Remote,
            Some(DisconnectReason::TOO_MANY_PEERS),
            "none",
        )),
        first_seen: Some(UnixTime::from_secs(1)),
        last_seen: Some(UnixTime::from_secs(2)),
        last_check: Some(UnixTime::from_secs(3)),
        liveness: 4,
        ..KnownNode::new(record(1).into(), Source::V4)
    };
    vec![full, KnownNode::new(enode(2).into(), Source::Bootnode)]
}

fn written(format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    write(format, &nodes(), &mut out).expect("memory");
    out
}

fn read_all(text: impl AsRef<[u8]>) -> Result<NodesRead, NodeFileError> {
    read(Cursor::new(text), 100)
}

fn error(text: impl AsRef<[u8]>) -> String {
    read_all(text).expect_err("wrong").to_string()
}

#[test]
fn json_lines_come_back_as_they_were() {
    let read = read_all(written(Format::JsonLines)).expect("what was written");
    assert_eq!((read.nodes, read.left_out), (nodes(), 0));
}

#[test]
fn the_second_address_of_a_record_is_not_lost() {
    let record = NodeRecord::builder(1).ip([8, 1, 0, 1].into()).tcp(1);
    let record = record.ip("2001:470::1".parse().expect("an address"));
    let record = record.tcp6(2).sign(&key(1)).expect("a short record");
    let node = KnownNode::new(record.into(), Source::V5);
    assert_eq!(node.enode.tcp_endpoints().count(), 2);
    let mut out = Vec::new();
    write(Format::JsonLines, [&node], &mut out).expect("memory");
    assert_eq!(read_all(out).expect("what was written").nodes, [node]);
}

#[test]
fn a_node_set_keeps_what_it_has_a_place_for() {
    let text = String::from_utf8(written(Format::NodeSet)).expect("text");
    assert!(
        text.contains(r#""lastCheck":"1970-01-01T00:00:03Z""#),
        "{text}"
    );
    assert!(
        text.contains(r#""firstResponse":"0001-01-01T00:00:00Z""#),
        "{text}"
    );
    let [full, empty] = &read_all(&text).expect("what was written").nodes[..] else {
        panic!("not two: {text}");
    };
    let [mut wanted, other] = <[_; 2]>::try_from(nodes()).expect("two");
    wanted = KnownNode {
        first_seen: wanted.first_seen,
        last_seen: wanted.last_seen,
        last_check: wanted.last_check,
        liveness: wanted.liveness,
        ..KnownNode::new(Node::Record(record(1)), Source::File)
    };
    assert_eq!(*full, wanted);
    assert_eq!(empty.enode, other.enode);
    // A set on one line and an empty set are valid too.
    let short = text.replace('\n', "");
    assert_eq!(read_all(short).expect("the same").nodes.len(), 2);
    assert!(read_all("{}\n").expect("a set").nodes.is_empty());
}

#[test]
fn a_table_has_a_line_a_node_with_as_many_columns() {
    let text = String::from_utf8(written(Format::Csv)).expect("text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let columns = |line: &str| line.matches(',').count();
    assert_eq!(columns(lines[0]), columns(lines[2]), "{text}");
    assert!(
        lines[1].contains(r#",1,0,"a,""b""",5,eth/69 a/b/1,69,1,"#),
        "{text}"
    );
    assert!(
        text.contains(",1234,met,message,remote,4,too many peers,none,v4,"),
        "{text}"
    );
}

#[test]
fn a_list_of_nodes_is_read_too() {
    let text = format!("# mine\n\n{} # one\n  {}\n", enode(1), record(2));
    let read = read_all(text).expect("two nodes");
    let ids: Vec<_> = read.nodes.iter().map(|node| node.node_id).collect();
    assert_eq!(ids, [1, 2].map(|number| key(number).public_key().node_id()));
    assert!(read_all("").expect("nothing").nodes.is_empty());
}

#[test]
fn no_more_are_kept_than_may_be() {
    for format in [Format::JsonLines, Format::NodeSet] {
        let read = read(Cursor::new(written(format)), 1).expect("what was written");
        assert_eq!((read.nodes.len(), read.left_out), (1, 1));
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let lines = String::from_utf8(written(Format::JsonLines)).expect("text");
    let set = String::from_utf8(written(Format::NodeSet)).expect("text");
    let (one, two) = (enode(1), enode(2));
    let other = lines.replace(&two.to_string(), &one.to_string());
    let secret = "5ec2e7".repeat(11);
    let cases = [
        (format!("{lines}{{\"node_id\"\n"), "line 3: not an entry"),
        (lines.replace("\"v4\"", "\"x\""), "line 1: not an entry"),
        (other, "line 2: the id"),
        (set.replace("\"seq\"", "\"s\""), "line 2: not an entry"),
        (set.replace("00:00:03Z", "noon"), "line 2: not an entry"),
        (
            set.replace(&two.to_string(), &one.to_string()),
            "line 3: the id",
        ),
        (format!("\n\n{set}x"), "line 7: not an entry"),
        (format!("{one}\n{secret}\n"), "line 2: not a node: "),
        (
            "\u{feff}{}".to_owned(),
            "line 1: not a node: it begins with a byte order mark",
        ),
        (
            format!("{{\"node_id\": \"{}\"}}", "a".repeat(MAX_LINE)),
            "line 1: it has more than",
        ),
    ];
    for (text, wanted) in cases {
        let error = error(&text);
        assert!(error.starts_with(wanted), "{wanted:?}: {error}");
        assert!(!error.contains("5ec2e75ec2"), "{error}");
        assert!(!error.contains("at line"), "{error}");
    }
}

#[test]
fn the_name_of_a_file_says_its_form() {
    for (name, format) in [
        ("a.jsonl", Format::JsonLines),
        ("a", Format::JsonLines),
        ("b/a.CSV", Format::Csv),
        ("nodes.json", Format::NodeSet),
    ] {
        assert_eq!(Format::of_name(name.as_ref()), format, "{name}");
    }
}
