//! Keccak-f\[1600\] of FIPS 202, section 3.2, over any type of lane.
//!
//! All backends share this code.

/// The lanes of a state.
///
/// Lane `x + 5 * y` is `A[x, y]` in FIPS 202.
pub(crate) type Lanes = [u64; 25];

/// Bytes that a Keccak-256 state absorbs per permutation.
pub(crate) const RATE: usize = 136;

/// The part of a state that data is added to.
pub(crate) type Block = [u64; RATE / 8];

/// The part of a permuted state that is its digest.
pub(crate) type Digest = [u64; 4];

/// A block of zeroes, except for the first bit of the padding.
///
/// The last bit of the padding is [`LAST_BIT`].
pub(crate) type Padding = [u8; RATE];

/// Returns the padding after `offset` bytes of a block.
///
/// The padding is in constant memory, because loading a word that was just written as bytes would
/// have to wait for the writes.
pub(crate) fn padding(offset: usize) -> &'static Padding {
    static ZEROES_AROUND: [u8; 2 * RATE - 1] = {
        let mut bytes = [0; 2 * RATE - 1];
        bytes[RATE - 1] = 0x01;
        bytes
    };
    match ZEROES_AROUND[RATE - 1 - offset..].first_chunk() {
        Some(padding) => padding,
        None => unreachable!("the offset {offset} is within a block"),
    }
}

/// The end of the padding: the last bit of a block.
pub(super) const LAST_BIT: u64 = 1 << 63;

/// The constants that ι adds to lane 0, by round.
pub(super) const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// One round over the lanes `$a`, with the operations that the caller has in scope:
///
/// - `parity(a, b, c, d, e)`: the sum of a column;
/// - `effect(left, right)`: the sum that θ adds to a column, from the parities of its neighbours;
/// - `add(a, b)`: the sum of two lanes;
/// - `rotate::<N>(lane)`: the lane rotated to the left;
/// - `chi(a, b, c)`: `a ^ (!b & c)`;
/// - `iota(lane, constant)`: the lane plus a round constant.
///
/// This is a macro because a function with `#[target_feature]` cannot be forced inline, and each
/// operation has to become instructions of its backend.
macro_rules! round {
    ($a:ident, $constant:expr) => {{
        let c: [_; 5] = [
            parity($a[0], $a[5], $a[10], $a[15], $a[20]),
            parity($a[1], $a[6], $a[11], $a[16], $a[21]),
            parity($a[2], $a[7], $a[12], $a[17], $a[22]),
            parity($a[3], $a[8], $a[13], $a[18], $a[23]),
            parity($a[4], $a[9], $a[14], $a[19], $a[24]),
        ];
        let d: [_; 5] = [
            effect(c[4], c[1]),
            effect(c[0], c[2]),
            effect(c[1], c[3]),
            effect(c[2], c[4]),
            effect(c[3], c[0]),
        ];
        // π: each row of the new state comes from a diagonal of the old one.
        let p = [
            add($a[0], d[0]),
            rotate::<44>(add($a[6], d[1])),
            rotate::<43>(add($a[12], d[2])),
            rotate::<21>(add($a[18], d[3])),
            rotate::<14>(add($a[24], d[4])),
        ];
        let q = [
            rotate::<28>(add($a[3], d[3])),
            rotate::<20>(add($a[9], d[4])),
            rotate::<3>(add($a[10], d[0])),
            rotate::<45>(add($a[16], d[1])),
            rotate::<61>(add($a[22], d[2])),
        ];
        let r = [
            rotate::<1>(add($a[1], d[1])),
            rotate::<6>(add($a[7], d[2])),
            rotate::<25>(add($a[13], d[3])),
            rotate::<8>(add($a[19], d[4])),
            rotate::<18>(add($a[20], d[0])),
        ];
        let s = [
            rotate::<27>(add($a[4], d[4])),
            rotate::<36>(add($a[5], d[0])),
            rotate::<10>(add($a[11], d[1])),
            rotate::<15>(add($a[17], d[2])),
            rotate::<56>(add($a[23], d[3])),
        ];
        let t = [
            rotate::<62>(add($a[2], d[2])),
            rotate::<55>(add($a[8], d[3])),
            rotate::<39>(add($a[14], d[4])),
            rotate::<41>(add($a[15], d[0])),
            rotate::<2>(add($a[21], d[1])),
        ];
        $a = [
            iota(chi(p[0], p[1], p[2]), $constant),
            chi(p[1], p[2], p[3]),
            chi(p[2], p[3], p[4]),
            chi(p[3], p[4], p[0]),
            chi(p[4], p[0], p[1]),
            chi(q[0], q[1], q[2]),
            chi(q[1], q[2], q[3]),
            chi(q[2], q[3], q[4]),
            chi(q[3], q[4], q[0]),
            chi(q[4], q[0], q[1]),
            chi(r[0], r[1], r[2]),
            chi(r[1], r[2], r[3]),
            chi(r[2], r[3], r[4]),
            chi(r[3], r[4], r[0]),
            chi(r[4], r[0], r[1]),
            chi(s[0], s[1], s[2]),
            chi(s[1], s[2], s[3]),
            chi(s[2], s[3], s[4]),
            chi(s[3], s[4], s[0]),
            chi(s[4], s[0], s[1]),
            chi(t[0], t[1], t[2]),
            chi(t[1], t[2], t[3]),
            chi(t[2], t[3], t[4]),
            chi(t[3], t[4], t[0]),
            chi(t[4], t[0], t[1]),
        ];
    }};
}

pub(super) use round;
