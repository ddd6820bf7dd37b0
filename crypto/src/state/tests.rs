//! Tests against the `sha3` crate, on every backend that the processor supports.

use proptest::prelude::*;
use sha3::Digest;

use super::*;

/// The same operations with the `sha3` crate.
#[derive(Clone, Default)]
struct Reference(sha3::Keccak256);

impl Reference {
    fn update(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }

    fn digest(&self) -> [u8; LENGTH] {
        self.0.clone().finalize().into()
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Update(Vec<u8>),
    Digest,
    DigestAndUpdate(Vec<u8>),
    DigestUpdateDigest(Vec<u8>),
    Clone,
}

impl Operation {
    fn run(&self, state: &mut Keccak256) -> Vec<[u8; LENGTH]> {
        match self {
            Self::Update(data) => {
                state.update(data);
                Vec::new()
            }
            Self::Digest => vec![state.digest()],
            Self::DigestAndUpdate(data) => vec![state.digest_and_update(data)],
            Self::DigestUpdateDigest(data) => {
                let (before, after) = state.digest_update_digest(data);
                vec![before, after]
            }
            Self::Clone => {
                let copy = state.clone();
                state.update(b"only the original");
                *state = copy;
                Vec::new()
            }
        }
    }

    fn expected(&self, reference: &mut Reference) -> Vec<[u8; LENGTH]> {
        let mut digests = Vec::new();
        if !matches!(self, Self::Update(_) | Self::Clone) {
            digests.push(reference.digest());
        }
        if let Self::Update(data) | Self::DigestAndUpdate(data) | Self::DigestUpdateDigest(data) =
            self
        {
            reference.update(data);
        }
        if let Self::DigestUpdateDigest(_) = self {
            digests.push(reference.digest());
        }
        digests
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect()
}

#[test]
fn uses_the_original_padding() {
    let empty: [u8; LENGTH] = [
        0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03,
        0xc0, 0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85,
        0xa4, 0x70,
    ];
    for backend in Backend::all() {
        assert_eq!(
            Keccak256::with_backend(backend).digest(),
            empty,
            "{backend:?}"
        );
    }
    assert_eq!(Keccak256::new().digest(), empty);
    assert_eq!(Keccak256::default().digest(), empty);
}

/// Tests every offset in a block, with every length up to beyond the next block.
///
/// From an empty block, it tests lengths up to beyond the third block.
#[test]
fn every_offset_and_length_matches_plain_rust() {
    let data = pattern(4 * RATE);
    let lengths = (0..RATE)
        .flat_map(|offset| (0..=RATE + 9).map(move |length| (offset, length)))
        .chain((0..=3 * RATE + 1).map(|length| (0, length)));
    for (offset, length) in lengths {
        let (start, rest) = data.split_at(offset);
        let rest = &rest[..length];
        let mut reference = Reference::default();
        reference.update(start);
        let before = reference.digest();
        reference.update(rest);
        let after = reference.digest();
        for backend in Backend::all() {
            let at = format!("{backend:?}, {length} bytes after {offset}");
            let mut state = Keccak256::with_backend(backend);
            state.update(start);

            let mut plain = state.clone();
            plain.update(rest);
            assert_eq!(plain.digest(), after, "{at}");

            let mut overlapped = state.clone();
            assert_eq!(overlapped.digest_and_update(rest), before, "{at}");
            assert_eq!(overlapped.digest(), after, "{at}");

            assert_eq!(state.digest_update_digest(rest), (before, after), "{at}");
            assert_eq!(state.digest(), after, "{at}");
        }
    }
}

#[test]
fn debug_shows_no_state_and_zeroize_resets_it() {
    let mut state = Keccak256::new();
    state.update(b"secret");
    assert_eq!(format!("{state:?}"), "Keccak256 { .. }");
    state.zeroize();
    assert_eq!(state.lanes, [0; 25]);
    assert_eq!(state.digest(), Keccak256::new().digest());
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let any_length = prop::collection::vec(any::<u8>(), 0..450);
    // The lengths of the seeds and padded bodies of RLPx frames.
    let sixteens = (0usize..20).prop_map(|count| pattern(16 * count));
    prop_oneof![any_length, sixteens]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        data().prop_map(Operation::Update),
        Just(Operation::Digest),
        data().prop_map(Operation::DigestAndUpdate),
        data().prop_map(Operation::DigestUpdateDigest),
        Just(Operation::Clone),
    ]
}

proptest! {
    #[test]
    fn any_sequence_of_operations_matches_plain_rust(
        operations in prop::collection::vec(operation(), 0..24)
    ) {
        for backend in Backend::all() {
            let mut state = Keccak256::with_backend(backend);
            let mut reference = Reference::default();
            for operation in &operations {
                prop_assert_eq!(
                    operation.run(&mut state),
                    operation.expected(&mut reference),
                    "{:?}: {:?}", backend, operation
                );
            }
            prop_assert_eq!(state.digest(), reference.digest());
        }
    }

    #[test]
    fn pieces_add_up_to_the_whole(whole in prop::collection::vec(any::<u8>(), 0..1000),
                            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
        cuts.push(whole.len());
        cuts.sort_unstable();
        for backend in Backend::all() {
            let mut state = Keccak256::with_backend(backend);
            let mut begin = 0;
            for &cut in &cuts {
                state.update(&whole[begin..cut]);
                begin = cut;
            }
            let mut reference = Reference::default();
            reference.update(&whole);
            prop_assert_eq!(state.digest(), reference.digest());
        }
    }
}
