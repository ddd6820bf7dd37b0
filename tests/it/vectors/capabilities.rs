use peermux::p2p::{Capability, exceeds_one_byte_ids, match_capabilities};
use serde_json::Value;

use super::cases::{cases, list, number, text};

fn capability(entry: &Value) -> Capability {
    Capability::new(text(entry, "name"), number(entry, "version"))
}

#[test]
fn capability_matching() {
    for case in cases("capability_matching") {
        let name = text(case, "name");
        let local: Vec<_> = list(case, "local")
            .iter()
            .map(|entry| (capability(entry), number(entry, "length")))
            .collect();
        let remote: Vec<_> = list(case, "remote").iter().map(capability).collect();
        let expected: Vec<_> = list(case, "matched")
            .iter()
            .map(|entry| {
                let codes = number(entry, "first_code")..number(entry, "end_code_exclusive");
                (capability(entry), codes)
            })
            .collect();

        let shared = match_capabilities(&local, &remote).unwrap();
        let got: Vec<_> = shared
            .iter()
            .map(|entry| (entry.capability.clone(), entry.codes()))
            .collect();
        assert_eq!(got, expected, "{name}");
        for entry in &shared {
            assert_eq!(local[entry.local], (entry.capability.clone(), entry.length));
        }
        // Only whether the number of pairs is zero matters here.
        let useless = number(case, "matching_entries") == 0;
        assert_eq!(shared.is_empty(), useless, "{name}");
        assert_eq!(
            exceeds_one_byte_ids(&shared),
            name == "more than 112 codes in total",
            "{name}"
        );
    }
}
