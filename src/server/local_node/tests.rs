use super::*;

fn listening() -> LocalNodeSettings {
    LocalNodeSettings {
        bound: Some(SocketAddr::from(([0, 0, 0, 0], 30303))),
        udp: Some(30303),
        ..LocalNodeSettings::default()
    }
}

fn kept(folder: &tempfile::TempDir) -> LocalNodeSettings {
    LocalNodeSettings {
        file: Some(folder.path().join("record")),
        ..listening()
    }
}

/// Reports `seen` as the node's address, from this many public networks.
fn voted(node: &LocalNode, networks: u8, seen: &str) {
    for network in 0..networks {
        let voter = SocketAddr::from(([80, network, 1, 1], 30303));
        node.vote(voter, seen.parse().unwrap(), Instant::now());
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_grows_only_with_a_change_and_across_restarts() {
    let (key, folder) = (SecretKey::generate(), tempfile::tempdir().unwrap());
    let start = || LocalNode::new(&key, kept(&folder)).unwrap();
    let node = start();
    let first = node.record();
    assert_eq!(start().record(), first);
    node.set_entry(b"shop", Some(encoded(&7u8))).unwrap();
    let second = node.record();
    assert_eq!(second.seq(), first.seq() + 1);
    assert_eq!(second.get::<u8>("shop"), Some(7));
    node.set_entry(b"shop", Some(encoded(&7u8))).unwrap();
    assert_eq!(node.record(), second, "nothing changed");
    // A restart removes an entry that is not in the settings, and so changes the record.
    assert_eq!(start().record().seq(), second.seq() + 1);
    let with_entry = |mut settings: LocalNodeSettings| {
        settings.entries.insert(b"shop".to_vec(), encoded(&7u8));
        LocalNode::new(&key, settings).unwrap().record()
    };
    let third = with_entry(kept(&folder));
    assert_eq!(third.seq(), second.seq() + 2);
    assert_eq!(with_entry(kept(&folder)), third);
}

#[tokio::test(start_paused = true)]
async fn the_observed_address_is_adopted_and_kept() {
    let (key, folder) = (SecretKey::generate(), tempfile::tempdir().unwrap());
    let node = LocalNode::new(&key, kept(&folder)).unwrap();
    let mut changes = node.watch();
    assert!(node.is_stand_in());
    voted(&node, 9, "9.8.7.6:4000");
    assert!(!changes.has_changed().unwrap());
    voted(&node, 10, "9.8.7.6:4000");
    let record = changes.borrow_and_update().clone();
    let udp = "9.8.7.6:30303?discport=4000";
    assert!(node.enode().to_string().ends_with(udp), "{}", node.enode());
    assert_eq!(record.to_enode(), node.enode());
    assert!(!node.is_stand_in());
    let again = LocalNode::new(&key, kept(&folder)).unwrap();
    assert_eq!((again.record(), again.enode()), (record, node.enode()));
}

#[tokio::test(start_paused = true)]
async fn votes_do_not_replace_the_configured_address() {
    let settings = LocalNodeSettings {
        advertised: Some(Endpoint {
            host: Host::Ip([9, 0, 0, 1].into()),
            tcp: 5,
            udp: 0,
        }),
        ..listening()
    };
    let node = LocalNode::new(&SecretKey::generate(), settings).unwrap();
    let before = node.record();
    voted(&node, 20, "9.8.7.6:4000");
    assert_eq!(node.record(), before);
    let enode = node.enode().to_string();
    assert!(enode.ends_with("9.0.0.1:5?discport=30303"), "{enode}");
}

#[test]
fn a_mapped_address_is_in_the_record_until_the_mapping_ends() {
    let settings = LocalNodeSettings {
        bound: Some(SocketAddr::from(([192, 168, 0, 2], 30303))),
        ..listening()
    };
    let node = LocalNode::new(&SecretKey::generate(), settings).unwrap();
    assert_eq!(node.ports(), (Some(30303), Some(30303)));
    let before = node.record();
    let ends_with = |end| {
        let enode = node.enode().to_string();
        assert!(enode.ends_with(end), "{enode}");
        assert_eq!(node.record().to_enode(), node.enode());
    };
    ends_with("192.168.0.2:30303");
    let mapped = Own {
        ip: [9, 8, 7, 6].into(),
        tcp: Some(4000),
        udp: Some(4001),
    };
    node.set_mapped(Some(mapped));
    ends_with("9.8.7.6:4000?discport=4001");
    node.set_mapped(Some(mapped));
    assert_eq!(node.record().seq(), before.seq() + 1, "nothing changed");
    node.set_mapped(None);
    ends_with("192.168.0.2:30303");
}

#[test]
fn an_external_address_uses_the_node_s_ports_unless_one_is_advertised() {
    let external_ip = Some([9, 0, 0, 2].into());
    let enode = |advertised: Option<&str>| {
        let settings = LocalNodeSettings {
            advertised: advertised.map(|text| text.parse().unwrap()),
            external_ip,
            ..listening()
        };
        let node = LocalNode::new(&SecretKey::generate(), settings).unwrap();
        node.set_mapped(Some(Own {
            ip: [9, 8, 7, 6].into(),
            tcp: None,
            udp: None,
        }));
        node.enode().to_string()
    };
    assert!(enode(None).ends_with("9.0.0.2:30303"));
    assert!(enode(Some("9.0.0.1:5")).ends_with("9.0.0.1:5?discport=30303"));
}

#[test]
fn a_damaged_file_is_renamed_and_another_node_s_file_replaced() {
    let (key, folder) = (SecretKey::generate(), tempfile::tempdir().unwrap());
    let path = folder.path().join("record");
    let other = LocalNode::new(&SecretKey::generate(), listening()).unwrap();
    for content in [
        "nonsense".to_owned(),
        format!("{}\n", other.record()),
        String::new(),
    ] {
        std::fs::write(&path, &content).unwrap();
        let node = LocalNode::new(&key, kept(&folder)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", node.record()));
    }
    let aside =
        |number| std::fs::read_to_string(folder.path().join(format!("record.damaged-{number}")));
    assert_eq!([aside(1).unwrap(), aside(2).unwrap()], ["nonsense", ""]);
    assert!(aside(3).is_err());
}

#[test]
fn a_given_record_stays_unchanged_until_an_entry_changes() {
    let key = SecretKey::generate();
    let given = NodeRecord::builder(7)
        .tcp(1)
        .value("x", &1u8)
        .sign(&key)
        .unwrap();
    let settings = LocalNodeSettings {
        record: Some(given.clone()),
        ..listening()
    };
    let node = LocalNode::new(&key, settings).unwrap();
    assert_eq!(node.record(), given);
    node.set_entry(b"y", Some(encoded(&2u8))).unwrap();
    let next = node.record();
    assert_eq!(
        (next.seq(), next.get("tcp"), next.get("x")),
        (8, Some(1u16), Some(1u8))
    );
}

#[test]
fn invalid_entries_change_nothing() {
    let node = LocalNode::new(&SecretKey::generate(), listening()).unwrap();
    let before = node.record();
    for key in ["id", "ip", "udp6", "secp256k1"] {
        let error = node.set_entry(key.as_bytes(), None).unwrap_err();
        assert_eq!(
            error,
            EntryError::Reserved {
                key: key.to_owned()
            }
        );
    }
    let long = node
        .set_entry(b"x", Some(encoded(&vec![1u8; 300])))
        .unwrap_err();
    assert!(
        matches!(long, EntryError::Record(RecordError::TooLong { .. })),
        "{long}"
    );
    let not_rlp = node.set_entry(b"x", Some(vec![0xc1])).unwrap_err();
    assert!(matches!(not_rlp, EntryError::Record(_)), "{not_rlp}");
    assert_eq!(node.record(), before);
    node.set_entry(b"x", Some(encoded(&1u8))).unwrap();
    assert_eq!(node.record().seq(), before.seq() + 1);
}
