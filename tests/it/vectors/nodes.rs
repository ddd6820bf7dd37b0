use peermux::node::{EndpointError, Enode, EnodeError, Host, Node, NodeError, RecordError};
use peermux::rlp::RlpError;
use serde_json::Value;

use super::cases::{accepted, cases, number, text};

#[test]
fn node_records_and_urls() {
    for case in cases("node_records_and_urls") {
        let input = text(case, "input");
        let result = input.parse::<Node>();
        if accepted(case) {
            check(
                case,
                &result.unwrap_or_else(|error| panic!("{input}: {error}")),
            );
        } else {
            let error = result.unwrap_err();
            let upstream = text(case, "upstream_error");
            assert!(
                upstream.contains(upstream_wording(&error)),
                "{input}: got {error}, expected {upstream}"
            );
        }
    }
}

fn check(case: &Value, node: &Node) {
    let input = text(case, "input");
    assert_eq!(node.to_string(), text(case, "to_string"));
    assert_eq!(node.to_enode().to_string(), text(case, "to_enode_url"));
    assert_eq!(node.public_key().to_string(), text(case, "pubkey"));
    assert_eq!(node.node_id().to_string(), text(case, "node_id"));
    assert_eq!(node.seq(), number(case, "seq"));

    let endpoint = node.endpoint();
    let (ip, hostname) = match endpoint.as_ref().map(|endpoint| &endpoint.host) {
        Some(Host::Ip(ip)) => (ip.to_string(), ""),
        Some(Host::Dns(name)) => (String::new(), name.as_str()),
        None => (String::new(), ""),
    };
    assert_eq!(ip, text(case, "ip"), "{input}");
    assert_eq!(hostname, text(case, "hostname"), "{input}");
    let (tcp, udp) = endpoint.as_ref().map_or((0, 0), |e| (e.tcp, e.udp));
    assert_eq!(u64::from(tcp), number(case, "tcp"), "{input}");
    assert_eq!(u64::from(udp), number(case, "udp"), "{input}");
}

/// Returns go-ethereum's text for the same error. go-ethereum reports several errors as invalid
/// signatures.
fn upstream_wording(error: &NodeError) -> &'static str {
    match error {
        NodeError::UnknownForm { .. } => "missing 'enr:' prefix",
        NodeError::Enode(error) => match error {
            EnodeError::KeyMissing { .. } => "does not contain node ID",
            EnodeError::KeyLength { .. } => "wrong length",
            EnodeError::KeyHex { .. } => "invalid byte",
            EnodeError::KeyNotOnCurve { .. } => "invalid secp256k1 public key",
            EnodeError::Endpoint(EndpointError::PortMissing { .. }) => "invalid port",
            EnodeError::Endpoint(EndpointError::Port { .. }) => "invalid port",
            EnodeError::Endpoint(EndpointError::Discport { .. }) => "invalid discport",
            other => panic!("no vector for {other}"),
        },
        NodeError::Record(error) => match error {
            RecordError::Base64 { .. } => "illegal base64 data",
            RecordError::TooLong { .. } => "bigger than 300 bytes",
            RecordError::Canonical(RlpError::Truncated) => "EOF",
            RecordError::Canonical(RlpError::Trailing(_)) => "more than one value",
            RecordError::TooFewElements { .. } => "less than two list elements",
            RecordError::KeyWithoutValue => "incomplete k/v pair",
            RecordError::Unsorted { .. } => "not sorted",
            RecordError::Duplicate { .. } => "duplicate key",
            RecordError::Missing { key: "secp256k1" } => "missing ENR key",
            RecordError::Missing { .. } | RecordError::Scheme { .. } => "invalid signature",
            RecordError::SignatureLength { .. } | RecordError::Signature => "invalid signature",
            RecordError::Key(_) => "invalid public key",
            other => panic!("no vector for {other}"),
        },
        other => panic!("no vector for {other}"),
    }
}

/// Only the parser of enode URLs accepts a bare key.
#[test]
fn a_bare_key_is_not_a_node_but_an_incomplete_enode() {
    let key = text(&cases("node_records_and_urls")[0], "pubkey");
    assert!(key.parse::<Node>().is_err());
    assert!(key.parse::<Enode>().is_ok());
}
