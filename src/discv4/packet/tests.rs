use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::rlp::RlpError;

fn key() -> SecretKey {
    "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"
        .parse()
        .unwrap()
}

fn read(bytes: &[u8]) -> Result<(Packet, PublicKey), PacketError> {
    let datagram = Datagram::check(bytes)?;
    Ok((datagram.packet()?, datagram.sender()?))
}

/// Signs type and data as they are.
fn signed(kind: u8, data: &[u8]) -> Vec<u8> {
    let signature = key().sign_recoverable(&keccak256(&[&[kind], data]));
    let hash = keccak256(&[&signature, &[kind], data]);
    [&hash[..], &signature, &[kind], data].concat()
}

fn endpoint(ip: &str, udp: u16, tcp: u16) -> WireEndpoint {
    WireEndpoint {
        ip: ip.parse().ok(),
        udp,
        tcp,
    }
}

/// The packets of EIP-8, all signed by the same key.
const EIP8: [&str; 4] = [
    "71dbda3a79554728d4f94411e42ee1f8b0d561c10e1e5f5893367948c6a7d70bb87b235fa28a77070271b6c164a2dce8c7e13a5739b53b5e96f2e5acb0e458a02902f5965d55ecbeb2ebb6cabb8b2b232896a36b737666c55265ad0a68412f250001ea04cb847f000001820cfa8215a8d790000000000000000000000000000000018208ae820d058443b9a355",
    "e9614ccfd9fc3e74360018522d30e1419a143407ffcce748de3e22116b7e8dc92ff74788c0b6663aaa3d67d641936511c8f8d6ad8698b820a7cf9e1be7155e9a241f556658c55428ec0563514365799a4be2be5a685a80971ddcfa80cb422cdd0101ec04cb847f000001820cfa8215a8d790000000000000000000000000000000018208ae820d058443b9a3550102",
    "c7c44041b9f7c7e41934417ebac9a8e1a4c6298f74553f2fcfdcae6ed6fe53163eb3d2b52e39fe91831b8a927bf4fc222c3902202027e5e9eb812195f95d20061ef5cd31d502e47ecb61183f74a504fe04c51e73df81f25c4d506b26db4517490103f84eb840ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f8443b9a35582999983999999280dc62cc8255c73471e0a61da0c89acdc0e035e260add7fc0c04ad9ebf3919644c91cb247affc82b69bd2ca235c71eab8e49737c937a2c396",
    "c679fc8fe0b8b12f06577f2e802d34f6fa257e6137a995f6f4cbfc9ee50ed3710faf6e66f932c4c8d81d64343f429651328758b47d3dbc02c4042f0fff6946a50f4a49037a72bb550f3a7872363a83e1b9ee6469856c24eb4ef80b7535bcf99c0004f9015bf90150f84d846321163782115c82115db8403155e1427f85f10a5c9a7755877748041af1bcd8d474ec065eb33df57a97babf54bfd2103575fa829115d224c523596b401065a97f74010610fce76382c0bf32f84984010203040101b840312c55512422cf9b8a4097e9a6ad79402e87a15ae909a4bfefa22398f03d20951933beea1e4dfa6f968212385e829f04c2d314fc2d4e255e0d3bc08792b069dbf8599020010db83c4d001500000000abcdef12820d05820d05b84038643200b172dcfef857492156971f0e6aa2c538d8b74010f8e140811d53b98c765dd2d96126051913f44582e8c199ad7c6d6819e9a56483f637feaac9448aacf8599020010db885a308d313198a2e037073488203e78203e8b8408dcab8618c3253b558d459da53bd8fa68935a719aff8b811197101a4b2b47dd2d47295286fc00cc081bb542d760717d1bdd6bec2c37cd72eca367d6dd3b9df738443b9a355010203b525a138aa34383fec3d2719a0",
];

#[test]
fn the_published_packets_are_read_past_what_they_have_too_much() {
    let packets = EIP8.map(|hex| {
        let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
        let (packet, sender) = read(&bytes).unwrap();
        assert_eq!(sender, key().public_key());
        packet
    });
    let expiration = 1_136_239_445;
    let ping = |enr_seq| {
        Packet::Ping(Ping {
            version: 4,
            from: endpoint("127.0.0.1", 3322, 5544),
            to: endpoint("::1", 2222, 3333),
            expiration,
            enr_seq,
        })
    };
    assert_eq!(packets[..2], [ping(None), ping(Some(1))]);
    assert!(matches!(&packets[2], Packet::FindNode(find) if find.expiration == expiration));
    let Packet::Neighbors(neighbors) = &packets[3] else {
        panic!("{:?}", packets[3]);
    };
    let first = endpoint("99.33.22.55", 4444, 4445);
    assert_eq!(neighbors.nodes[0].endpoint, first);
    assert_eq!(
        (neighbors.nodes.len(), neighbors.expiration),
        (4, expiration)
    );
}

#[test]
fn each_wrong_part_is_named() {
    let good = signed(5, &[0xc1, 9]);
    assert!(read(&good).is_ok());
    assert_eq!(
        read(&good[..97]).unwrap_err(),
        PacketError::TooShort { got: 97, least: 98 }
    );
    assert_eq!(
        read(&[0; 1281]).unwrap_err(),
        PacketError::TooLong {
            got: 1281,
            limit: 1280
        }
    );
    let mut changed = good.clone();
    changed[99] ^= 1;
    assert_eq!(read(&changed).unwrap_err(), PacketError::Hash);
    let kind = PacketError::Kind { found: 7 };
    assert_eq!(read(&signed(7, &[0xc1, 9])).unwrap_err(), kind);
    let field = |packet, field, source| PacketError::Field {
        packet,
        field,
        source,
    };
    for (kind, data, error) in [
        (
            5,
            &[0x09][..],
            field("ENRRequest", "list", RlpError::NotAList),
        ),
        (
            5,
            &[0xc0],
            field("ENRRequest", "expiration", RlpError::ElementCount),
        ),
        (
            5,
            &[0xc2, 9, 0x82],
            field("ENRRequest", "further elements", RlpError::Truncated),
        ),
        (
            3,
            &[0xc2, 1, 9],
            field(
                "FindNode",
                "target",
                RlpError::Bytes {
                    wanted: 64,
                    count: 1,
                },
            ),
        ),
        (
            4,
            &[0xc3, 0xc1, 5, 9],
            field("Neighbors", "nodes", RlpError::NotAList),
        ),
        (
            1,
            &[0xc7, 4, 0xc5, 0x80, 0x83, 1, 0, 0],
            field(
                "Ping",
                "sender's endpoint",
                RlpError::NumberTooLarge { bits: 16 },
            ),
        ),
    ] {
        assert_eq!(read(&signed(kind, data)).unwrap_err(), error);
    }
    let mut unsigned = good;
    unsigned[96] = 4;
    let hash = keccak256(&[&unsigned[32..]]);
    unsigned[..32].copy_from_slice(&hash);
    assert!(matches!(read(&unsigned), Err(PacketError::Signature(_))));
}

#[test]
fn further_elements_may_be_anything_that_is_complete() {
    for data in [
        &[0xc3, 9, 0x81, 5][..],
        &[0xc4, 9, 0xc2, 0xff, 0xff],
        &[0xc1, 9, 1, 2, 3],
    ] {
        let (packet, _) = read(&signed(5, data)).unwrap();
        assert_eq!(packet, Packet::EnrRequest(EnrRequest { expiration: 9 }));
    }
}

#[test]
fn a_record_is_verified_and_returns() {
    let record = NodeRecord::builder(7).udp(9).sign(&key()).unwrap();
    let packet = Packet::EnrResponse(EnrResponse {
        request_hash: Some([3; 32]),
        record,
    });
    let sealed = packet.seal(&key()).unwrap();
    assert_eq!(read(&sealed.bytes).unwrap().0, packet);
    let mut changed = sealed.bytes[98..].to_vec();
    let at = changed.len() - 1;
    changed[at] ^= 1;
    assert!(matches!(
        read(&signed(6, &changed)),
        Err(PacketError::Record(_))
    ));
}

fn any_endpoint() -> impl Strategy<Value = WireEndpoint> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Some(IpAddr::from(ip))),
        any::<[u8; 16]>().prop_map(|ip| Some(IpAddr::from(ip).to_canonical())),
        Just(None),
    ];
    (ip, any::<u16>(), any::<u16>()).prop_map(|(ip, udp, tcp)| WireEndpoint { ip, udp, tcp })
}

fn any_neighbor() -> impl Strategy<Value = Neighbor> {
    let key = prop::collection::vec(any::<u8>(), 64);
    (any_endpoint(), key).prop_map(|(endpoint, key)| Neighbor {
        endpoint,
        key: key.try_into().unwrap(),
    })
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let ping = (
        any_endpoint(),
        any_endpoint(),
        any::<[u64; 2]>(),
        any::<Option<u64>>(),
    )
        .prop_map(|(from, to, [version, expiration], enr_seq)| {
            Packet::Ping(Ping {
                version,
                from,
                to,
                expiration,
                enr_seq,
            })
        });
    let pong = (
        any_endpoint(),
        any::<Option<[u8; 32]>>(),
        any::<u64>(),
        any::<Option<u64>>(),
    )
        .prop_map(|(to, ping_hash, expiration, enr_seq)| {
            Packet::Pong(Pong {
                to,
                ping_hash,
                expiration,
                enr_seq,
            })
        });
    let find =
        (prop::collection::vec(any::<u8>(), 64), any::<u64>()).prop_map(|(target, expiration)| {
            Packet::FindNode(FindNode {
                target: target.try_into().unwrap(),
                expiration,
            })
        });
    let neighbors = (prop::collection::vec(any_neighbor(), 0..12), any::<u64>())
        .prop_map(|(nodes, expiration)| Packet::Neighbors(Neighbors { nodes, expiration }));
    let request = any::<u64>().prop_map(|expiration| Packet::EnrRequest(EnrRequest { expiration }));
    prop_oneof![ping, pong, find, neighbors, request]
}

proptest! {
    #[test]
    fn packets_return(packet in any_packet()) {
        let sealed = packet.seal(&key()).unwrap();
        prop_assert_eq!(Datagram::check(&sealed.bytes).unwrap().hash(), sealed.hash);
        prop_assert_eq!(read(&sealed.bytes).unwrap(), (packet, key().public_key()));
    }

    #[test]
    fn split_keeps_all_nodes_in_few_packets(
        nodes in prop::collection::vec(any_neighbor(), 0..40),
        expiration: u64,
    ) {
        let packets = Neighbors::split(&nodes, expiration);
        prop_assert!(packets.len() <= nodes.len().div_ceil(12).max(1));
        let all: Vec<_> = packets.iter().flat_map(|packet| packet.nodes.clone()).collect();
        prop_assert_eq!(all, nodes);
        for packet in packets {
            prop_assert!(Packet::Neighbors(packet).seal(&key()).is_ok());
        }
    }

    #[test]
    fn any_data_is_read_or_refused(kind in 1u8..7, data: Vec<u8>) {
        let _ = Packet::read_body(kind, &data);
    }
}
