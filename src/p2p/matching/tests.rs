use proptest::prelude::*;

use super::*;

fn local(entries: &[(&str, u64, u64)]) -> Vec<(Capability, u64)> {
    entries
        .iter()
        .map(|&(name, version, length)| (Capability::new(name, version), length))
        .collect()
}

fn remote(entries: &[(&str, u64)]) -> Vec<Capability> {
    entries
        .iter()
        .map(|&(name, version)| Capability::new(name, version))
        .collect()
}

/// A case's name, remote entries, local entries with lengths, and matches with offsets.
type Case = (
    &'static str,
    &'static [(&'static str, u64)],
    &'static [(&'static str, u64, u64)],
    &'static [(&'static str, u64, u64)],
);

const CASES: &[Case] = &[
    ("nothing remote", &[], &[("a", 1, 1)], &[]),
    ("nothing local", &[("a", 1)], &[], &[]),
    ("nothing mutual", &[("a", 1)], &[("b", 1, 1)], &[]),
    (
        "some mutual",
        &[("a", 1), ("b", 1), ("c", 1)],
        &[("b", 1, 3), ("c", 1, 5), ("d", 1, 7)],
        &[("b", 1, 16), ("c", 1, 19)],
    ),
    (
        "unordered names",
        &[("c", 1), ("b", 1), ("a", 1)],
        &[("b", 1, 4), ("a", 1, 2), ("c", 1, 1)],
        &[("a", 1, 16), ("b", 1, 18), ("c", 1, 22)],
    ),
    (
        "no mutual version",
        &[("a", 1), ("a", 2)],
        &[("a", 3, 1), ("a", 4, 1)],
        &[],
    ),
    (
        "one common version",
        &[("a", 1), ("a", 3)],
        &[("a", 2, 9), ("a", 3, 1)],
        &[("a", 3, 16)],
    ),
    (
        "two common versions",
        &[("a", 1), ("a", 2), ("a", 3)],
        &[("a", 2, 9), ("a", 3, 1)],
        &[("a", 3, 16)],
    ),
    (
        "unordered versions",
        &[("a", 3), ("a", 1), ("a", 2)],
        &[("a", 3, 1), ("a", 1, 9), ("a", 2, 9)],
        &[("a", 3, 16)],
    ),
    (
        "versions of different length before another name",
        &[("a", 1), ("a", 2), ("a", 3), ("b", 1)],
        &[("a", 1, 1), ("a", 2, 2), ("a", 3, 3), ("b", 1, 1)],
        &[("a", 3, 16), ("b", 1, 19)],
    ),
];

#[test]
fn returns_names_versions_and_offsets() {
    for &(case, remote_entries, local_entries, expected) in CASES {
        let shared = match_capabilities(&local(local_entries), &remote(remote_entries)).unwrap();
        let got: Vec<_> = shared
            .iter()
            .map(|s| (s.capability.name(), s.capability.version(), s.offset))
            .collect();
        assert_eq!(got, expected, "{case}");
    }
}

#[test]
fn the_first_of_equal_local_entries_counts() {
    let shared = match_capabilities(
        &local(&[("b", 1, 1), ("a", 1, 2), ("a", 1, 3)]),
        &remote(&[("a", 1)]),
    )
    .unwrap();
    assert_eq!((shared[0].local, shared[0].length), (1, 2));
}

#[test]
fn ids_beyond_64_bits_are_refused() {
    let most = u64::MAX - BASE_LENGTH;
    let fits = match_capabilities(&local(&[("a", 1, most)]), &remote(&[("a", 1)])).unwrap();
    assert_eq!(fits[0].codes().end, u64::MAX);

    let both = remote(&[("a", 1), ("b", 1)]);
    assert_eq!(
        match_capabilities(&local(&[("a", 1, most), ("b", 1, 1)]), &both),
        Err(MatchError::IdsExhausted {
            capability: Capability::new("b", 1),
            offset: u64::MAX,
            length: 1
        })
    );
}

#[test]
fn versions_do_not_wrap_at_a_byte() {
    let shared = match_capabilities(&local(&[("a", 1, 1)]), &remote(&[("a", 257)])).unwrap();
    assert!(shared.is_empty());
}

#[test]
fn warns_above_112_codes() {
    let shared = |length| {
        match_capabilities(
            &local(&[("a", 1, 100), ("b", 1, length)]),
            &remote(&[("a", 1), ("b", 1)]),
        )
        .unwrap()
    };
    assert!(!exceeds_one_byte_ids(&[]));
    assert!(!exceeds_one_byte_ids(&shared(12)));
    assert!(exceeds_one_byte_ids(&shared(13)));
}

proptest! {
    #[test]
    fn both_sides_agree_whatever_the_order(
        ours in prop::collection::btree_map(("[abAB]{0,2}", 0u64..3), 0u64..50, 0..12),
        theirs in prop::collection::vec(("[abAB]{0,2}", 0u64..3), 0..12),
        shuffle: prop::sample::Index,
    ) {
        let mut local: Vec<_> = ours
            .iter()
            .map(|((name, version), &length)| (Capability::new(name.as_str(), *version), length))
            .collect();
        let mut remote: Vec<_> = theirs
            .iter()
            .map(|(name, version)| Capability::new(name.as_str(), *version))
            .collect();
        let shared = match_capabilities(&local, &remote).unwrap();

        let mut next = BASE_LENGTH;
        for entry in &shared {
            prop_assert_eq!(entry.offset, next);
            prop_assert_eq!(&local[entry.local].0, &entry.capability);
            prop_assert!(remote.contains(&entry.capability));
            prop_assert!(!local.iter().any(|(other, _)| other.name() == entry.capability.name()
                && other.version() > entry.capability.version()
                && remote.contains(other)));
            next = entry.codes().end;
        }
        prop_assert!(shared.is_sorted_by(|a, b| a.capability.name() < b.capability.name()));

        let ranges = |shared: Vec<SharedCapability>| {
            shared.into_iter().map(|s| (s.capability.clone(), s.codes())).collect::<Vec<_>>()
        };
        if !local.is_empty() {
            let middle = shuffle.index(local.len());
            local.rotate_left(middle);
        }
        remote.reverse();
        prop_assert_eq!(ranges(match_capabilities(&local, &remote).unwrap()), ranges(shared));
    }
}
