//! The test vectors of EIP-2124, and later forks of mainnet and Sepolia.

use super::ForkError::{Incompatible, RemoteStale};
use peermux::rlp::{Encodable, RlpStream, encode};
use peermux::{NodeRecord, SecretKey};

use super::*;

const MAINNET: &str = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3";
const ROPSTEN: &str = "41941023680923e0fe4d74a34bdac8141f2540e3ae90623718e47d66d1ca4a2d";
const RINKEBY: &str = "6341fd3daf94b748c72ced5a5b26028f2474f5f00d824504e4fa37a75767e177";
const GOERLI: &str = "bf7e331f7f7c1dd2e05159666b3bf8bc7a8a3a9eb1d518969eab529dd9b88c1a";
const SEPOLIA: &str = "25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9";

/// Mainnet's forks up to Petersburg, the newest fork in the EIP. Constantinople and Petersburg have
/// the same block number.
const MAINNET_THEN: [u64; 8] = [
    1_150_000, 1_920_000, 2_463_000, 2_675_000, 4_370_000, 7_280_000, 7_280_000, 0,
];

type Judgement = Result<(), ForkError>;

/// A head's number, the checksum and the next fork.
type Rows = [(u64, u32, u64)];

#[rustfmt::skip]
const MAINNET_IDS_THEN: &Rows = &[
    (0, 0xfc64_ec04, 1_150_000),
    (1_149_999, 0xfc64_ec04, 1_150_000),
    (1_150_000, 0x97c2_c34c, 1_920_000),
    (1_919_999, 0x97c2_c34c, 1_920_000),
    (1_920_000, 0x91d1_f948, 2_463_000),
    (2_462_999, 0x91d1_f948, 2_463_000),
    (2_463_000, 0x7a64_da13, 2_675_000),
    (2_674_999, 0x7a64_da13, 2_675_000),
    (2_675_000, 0x3edd_5b10, 4_370_000),
    (4_369_999, 0x3edd_5b10, 4_370_000),
    (4_370_000, 0xa00b_c324, 7_280_000),
    (7_279_999, 0xa00b_c324, 7_280_000),
    (7_280_000, 0x668d_b0af, 0),
    (7_987_396, 0x668d_b0af, 0),
];

#[rustfmt::skip]
const ROPSTEN_IDS: &Rows = &[
    (0, 0x30c7_ddbc, 10),
    (9, 0x30c7_ddbc, 10),
    (10, 0x6376_0190, 1_700_000),
    (1_699_999, 0x6376_0190, 1_700_000),
    (1_700_000, 0x3ea1_59c7, 4_230_000),
    (4_229_999, 0x3ea1_59c7, 4_230_000),
    (4_230_000, 0x97b5_44f3, 4_939_394),
    (4_939_393, 0x97b5_44f3, 4_939_394),
    (4_939_394, 0xd6e2_149b, 6_485_846),
    (6_485_845, 0xd6e2_149b, 6_485_846),
    (6_485_846, 0x4bc6_6396, 0),
    (7_500_000, 0x4bc6_6396, 0),
];

#[rustfmt::skip]
const RINKEBY_IDS: &Rows = &[
    (0, 0x3b8e_0691, 1),
    (1, 0x6094_9295, 2),
    (2, 0x8bde_40dd, 3),
    (3, 0xcb3a_64bb, 1_035_301),
    (1_035_300, 0xcb3a_64bb, 1_035_301),
    (1_035_301, 0x8d74_8b57, 3_660_663),
    (3_660_662, 0x8d74_8b57, 3_660_663),
    (3_660_663, 0xe49c_ab14, 4_321_234),
    (4_321_233, 0xe49c_ab14, 4_321_234),
    (4_321_234, 0xafec_6b27, 5_435_345),
    (5_435_344, 0xafec_6b27, 5_435_345),
    (5_435_345, 0xcbdb_8838, 0),
    (6_000_000, 0xcbdb_8838, 0),
];

#[rustfmt::skip]
const GOERLI_IDS: &Rows = &[
    (0, 0xa3f5_ab08, 1_561_651),
    (1_561_650, 0xa3f5_ab08, 1_561_651),
    (1_561_651, 0xc25e_fa5c, 0),
    (2_000_000, 0xc25e_fa5c, 0),
];

/// A head's number and time, the checksum and the next fork.
#[rustfmt::skip]
const MAINNET_IDS: &[(u64, u64, u32, u64)] = &[
    (0, 0, 0xfc64_ec04, 1_150_000),
    (7_280_000, 0, 0x668d_b0af, 9_069_000),
    (9_068_999, 0, 0x668d_b0af, 9_069_000),
    (9_069_000, 0, 0x879d_6e30, 9_200_000),
    (9_199_999, 0, 0x879d_6e30, 9_200_000),
    (9_200_000, 0, 0xe029_e991, 12_244_000),
    (12_244_000, 0, 0x0eb4_40f6, 12_965_000),
    (12_965_000, 0, 0xb715_077d, 13_773_000),
    (13_773_000, 0, 0x20c3_27fc, 15_050_000),
    (15_049_999, 0, 0x20c3_27fc, 15_050_000),
    (15_050_000, 0, 0xf0af_d0e3, 1_681_338_455),
    (20_000_000, 1_681_338_454, 0xf0af_d0e3, 1_681_338_455),
    (20_000_000, 1_681_338_455, 0xdce9_6c2d, 1_710_338_135),
    (30_000_000, 1_710_338_134, 0xdce9_6c2d, 1_710_338_135),
    (30_000_000, 1_710_338_135, 0x9f3d_2254, 1_746_612_311),
    (30_000_000, 1_746_612_311, 0xc376_cf8b, 1_764_798_551),
    (30_000_000, 1_764_798_551, 0x5167_e2a6, 1_765_290_071),
    (30_000_000, 1_765_290_071, 0xcba2_a1c0, 1_767_747_671),
    (30_000_000, 1_767_747_671, 0x07c9_462e, 0),
    (50_000_000, 2_000_000_000, 0x07c9_462e, 0),
];

#[rustfmt::skip]
const SEPOLIA_IDS: &[(u64, u64, u32, u64)] = &[
    (0, 0, 0xfe33_66e7, 1_735_371),
    (1_735_370, 0, 0xfe33_66e7, 1_735_371),
    (1_735_371, 0, 0xb96c_bd13, 1_677_557_088),
    (1_735_372, 1_677_557_087, 0xb96c_bd13, 1_677_557_088),
    (1_735_372, 1_677_557_088, 0xf7f9_bc08, 1_706_655_072),
    (1_735_372, 1_706_655_072, 0x88cf_81d9, 1_741_159_776),
    (1_735_372, 1_741_159_776, 0xed88_b5fd, 1_760_427_360),
    (1_735_372, 1_760_427_360, 0xe2ae_4999, 1_761_017_184),
    (1_735_372, 1_761_017_184, 0x5607_8a1e, 1_761_607_008),
    (1_735_372, 1_761_607_008, 0x2689_56b6, 1_791_294_816),
    (1_735_372, 1_791_294_815, 0x2689_56b6, 1_791_294_816),
    (1_735_372, 1_791_294_816, 0x6c1d_9423, 0),
];

/// Returns mainnet's forks, which are given out of order.
fn mainnet() -> ForkFilter {
    let blocks = [
        15_050_000, 13_773_000, 12_965_000, 12_244_000, 9_200_000, 9_069_000,
    ];
    let times = [
        1_767_747_671,
        1_765_290_071,
        1_764_798_551,
        1_746_612_311,
        1_710_338_135,
        1_681_338_455,
    ];
    let forks = ForkFilter::new(hash(MAINNET)).with_blocks(MAINNET_THEN.into_iter().chain(blocks));
    forks.with_times(0, times)
}

fn sepolia() -> ForkFilter {
    let genesis_time = 1_633_267_481;
    let times = [
        genesis_time,
        1_677_557_088,
        1_706_655_072,
        1_741_159_776,
        1_760_427_360,
        1_761_017_184,
        1_761_607_008,
        1_791_294_816,
    ];
    let forks = ForkFilter::new(hash(SEPOLIA)).with_blocks([0, 1_735_371]);
    forks.with_times(genesis_time, times)
}

#[test]
fn identifiers_of_the_eip() {
    let chains: [(&str, &[u64], &Rows); 4] = [
        (MAINNET, &MAINNET_THEN, MAINNET_IDS_THEN),
        (
            ROPSTEN,
            &[0, 10, 1_700_000, 4_230_000, 4_939_394, 6_485_846],
            ROPSTEN_IDS,
        ),
        (
            RINKEBY,
            &[1, 2, 3, 1_035_301, 3_660_663, 4_321_234, 5_435_345],
            RINKEBY_IDS,
        ),
        (GOERLI, &[0, 1_561_651], GOERLI_IDS),
    ];
    for (genesis, blocks, ids) in chains {
        let forks = ForkFilter::new(hash(genesis)).with_blocks(blocks.iter().copied());
        for &(head, checksum, next) in ids {
            assert_eq!(
                forks.id(head, 0),
                ForkId::new(checksum, next),
                "{genesis} {head}"
            );
        }
    }
}

#[test]
fn identifiers_with_forks_by_time() {
    for (forks, ids) in [(mainnet(), MAINNET_IDS), (sepolia(), SEPOLIA_IDS)] {
        for &(head, time, checksum, next) in ids {
            assert_eq!(
                forks.id(head, time),
                ForkId::new(checksum, next),
                "{head} {time}"
            );
            assert_eq!(forks.check(head, time, forks.id(head, time)), Ok(()));
        }
    }
}

#[test]
fn judgements_of_the_eip() {
    #[rustfmt::skip]
    let judged: &[(u64, u32, u64, Judgement)] = &[
        // Both nodes have passed the same forks.
        (7_987_396, 0x668d_b0af, 0, Ok(())),
        // A fork in the future may or may not happen.
        (7_987_396, 0x668d_b0af, u64::MAX, Ok(())),
        // The remote may learn of the next fork before it happens.
        (7_279_999, 0xa00b_c324, 0, Ok(())),
        (7_279_999, 0xa00b_c324, 7_280_000, Ok(())),
        (7_279_999, 0xa00b_c324, u64::MAX, Ok(())),
        // The remote has passed fewer forks and knows the next one.
        (7_987_396, 0xa00b_c324, 7_280_000, Ok(())),
        (7_987_396, 0x3edd_5b10, 4_370_000, Ok(())),
        // This node has passed fewer forks than the remote.
        (7_279_999, 0x668d_b0af, 0, Ok(())),
        (4_369_999, 0xa00b_c324, 0, Ok(())),
        // The remote has passed fewer forks and does not know the next one.
        (7_987_396, 0xa00b_c324, 0, Err(RemoteStale)),
        // The remote has passed a fork that this node does not know.
        (7_987_396, 0x5cdd_c0e1, 0, Err(Incompatible)),
        (7_279_999, 0x5cdd_c0e1, 0, Err(Incompatible)),
        // The remote is on another chain.
        (7_987_396, 0xafec_6b27, 0, Err(Incompatible)),
        // The remote announces a fork whose block or time this node has passed without forking.
        (88_888_888, 0x668d_b0af, 88_888_888, Err(Incompatible)),
        (7_279_999, 0xa00b_c324, 7_279_999, Err(Incompatible)),
    ];
    let forks = ForkFilter::new(hash(MAINNET)).with_blocks(MAINNET_THEN);
    for &(head, checksum, next, wanted) in judged {
        let remote = ForkId::new(checksum, next);
        assert_eq!(forks.check(head, 0, remote), wanted, "{head} {remote}");
    }
}

#[test]
fn judgements_with_forks_by_time() {
    #[rustfmt::skip]
    let judged: &[(u64, u64, u32, u64, Judgement)] = &[
        // A future fork by time that only one side knows may or may not happen.
        (15_050_000, 0, 0xf0af_d0e3, 0, Ok(())),
        (15_050_000, 0, 0xf0af_d0e3, 1_681_338_455, Ok(())),
        (15_050_000, 0, 0xf0af_d0e3, u64::MAX, Ok(())),
        // The remote has passed fewer forks and knows the next one.
        (20_000_000, 1_681_338_455, 0xf0af_d0e3, 1_681_338_455, Ok(())),
        (20_123_456, 1_681_338_456, 0xf0af_d0e3, 1_681_338_455, Ok(())),
        (20_000_000, 1_681_338_455, 0x20c3_27fc, 15_050_000, Ok(())),
        (21_000_000, 1_710_338_135, 0xdce9_6c2d, 1_710_338_135, Ok(())),
        // This node has passed fewer forks than the remote.
        (15_050_000, 0, 0xdce9_6c2d, 0, Ok(())),
        (13_773_000, 0, 0xf0af_d0e3, 0, Ok(())),
        (21_000_000, 1_700_000_000, 0x9f3d_2254, 0, Ok(())),
        (21_000_000, 1_678_000_000, 0xc376_cf8b, 0, Ok(())),
        // Both nodes have passed the same forks.
        (20_000_000, 1_681_338_455, 0xdce9_6c2d, 0, Ok(())),
        (20_000_000, 1_681_338_455, 0xdce9_6c2d, u64::MAX, Ok(())),
        // The remote has passed fewer forks and does not know the next one.
        (20_000_000, 1_681_338_455, 0xf0af_d0e3, 0, Err(RemoteStale)),
        (21_000_000, 1_710_338_135, 0xdce9_6c2d, 0, Err(RemoteStale)),
        // The remote announces a fork whose block or time this node has passed without forking.
        (888_888_888, 1_660_000_000, 0xf0af_d0e3, 1_660_000_000, Err(Incompatible)),
        (19_999_999, 1_667_999_999, 0xf0af_d0e3, 1_667_999_999, Err(Incompatible)),
        (88_888_888, 8_888_888_888, 0x07c9_462e, 8_888_888_888, Err(Incompatible)),
        // The remote is on another chain.
        (20_000_000, 1_681_338_455, 0x1234_5678, 0, Err(Incompatible)),
        (20_999_999, 1_699_999_999, 0x7114_7644, 1_700_000_000, Err(Incompatible)),
    ];
    let forks = mainnet();
    for &(head, time, checksum, next, wanted) in judged {
        let remote = ForkId::new(checksum, next);
        assert_eq!(
            forks.check(head, time, remote),
            wanted,
            "{head} {time} {remote}"
        );
    }
}

#[test]
fn encodings_of_the_eip() {
    let ids = [
        (ForkId::new(0, 0), "c6840000000080"),
        (
            ForkId::new(0xdead_beef, 0xbadd_cafe),
            "ca84deadbeef84baddcafe",
        ),
        (
            ForkId::new(u32::MAX, u64::MAX),
            "ce84ffffffff88ffffffffffffffff",
        ),
    ];
    for (id, encoded) in ids {
        assert_eq!(id.to_rlp(), hex(encoded));
        assert_eq!(ForkId::from_rlp(&hex(encoded)), Ok(id));
    }
}

/// A value that is already encoded as RLP.
struct Encoded(Bytes);

impl Encodable for Encoded {
    fn rlp_append(&self, stream: &mut RlpStream) {
        stream.append_raw(&self.0, 1);
    }
}

#[test]
fn a_record_contains_the_identifier() {
    let key = SecretKey::from_bytes(&[1; 32]).expect("a key");
    let of = |key_name: &str, value: &str| {
        let record = NodeRecord::builder(1).value(key_name, &Encoded(hex(value)));
        ForkId::of_record(&record.sign(&key).expect("a short record"))
    };
    let id = ForkId::new(0xdead_beef, 0xbadd_cafe);
    let entry = "cbca84deadbeef84baddcafe";
    assert_eq!(encode(&id.record_entry()), hex(entry));
    assert_eq!(of("eth", entry), Some(id));
    assert_eq!(of("et", entry), None);
    // Fields of later versions are ignored.
    assert_eq!(of("eth", "ccca84deadbeef84baddcafe01"), Some(id));
    for wrong in ["80", "c0", "c1c0", "c8c783deadbe820102", "c6c584deadbeef"] {
        assert_eq!(of("eth", wrong), None, "{wrong}");
    }
}
