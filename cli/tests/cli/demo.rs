use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Peermux, run};

#[test]
fn programs_can_follow_the_tour() {
    let events = run(&["demo", "--json"]).events();
    let of = |kind: &str| -> Vec<&Value> {
        let events = events.iter();
        events.filter(|event| event["event"] == kind).collect()
    };

    let names: Vec<_> = of("started").iter().map(|node| &node["name"]).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);

    // The higher of two shared versions is used. The ranges of codes are sorted by name and start at 16.
    let matched = of("matched");
    let with_bob = json!([
        { "name": "bench", "version": 1, "offset": 16, "length": 8 },
        { "name": "echo", "version": 1, "offset": 24, "length": 2 },
        { "name": "greet", "version": 2, "offset": 26, "length": 3 },
        { "name": "slow", "version": 1, "offset": 29, "length": 1 },
    ]);
    let with_carol = json!([
        { "name": "echo", "version": 1, "offset": 16, "length": 2 },
        { "name": "greet", "version": 1, "offset": 18, "length": 2 },
    ]);
    assert_eq!(matched[0]["capabilities"], with_bob);
    assert_eq!(matched[1]["capabilities"], with_carol);

    let mut routed: Vec<_> = of("message")
        .into_iter()
        .map(|message| (message["to"].as_str(), message["protocol"].as_str()))
        .collect();
    routed.sort_unstable();
    let expected = [
        (Some("alice"), Some("greet/1")),
        (Some("alice"), Some("greet/2")),
        (Some("bob"), Some("greet/2")),
        (Some("carol"), Some("greet/1")),
    ];
    assert_eq!(routed, expected);

    let measured = of("throughput");
    assert_eq!(measured.len(), 5);
    assert!(measured.iter().all(|m| m["mb_per_s"].as_f64() > Some(0.0)));
    assert_eq!(of("slow")[0]["queued"], 64);

    let drops: Vec<_> = of("dropped")
        .into_iter()
        .map(|drop| {
            (
                drop["at"].as_str(),
                drop["reason"]["code"].as_u64(),
                drop["requested_by"].as_str(),
            )
        })
        .collect();
    let expected = [
        (Some("bob"), Some(0x10), Some("local")),
        (Some("carol"), Some(0x08), Some("remote")),
    ];
    assert_eq!(drops, expected);
    assert_eq!(events.last(), Some(&json!({ "event": "done", "ok": true })));
}

#[test]
fn people_get_one_screen() {
    let lines = run(&["demo"]).succeeded();
    assert!(lines.len() <= 40, "{lines:#?}");
    for line in &lines {
        assert!(line.chars().count() <= 110, "{line}");
    }
    let text = lines.join("\n");
    for part in ["1. ", "\n\n2. ", "\n\n3. ", "\n\n4. ", "\n\n5. ", "\n\n6. "] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn an_interrupt_ends_the_tour() {
    let mut demo = Peermux::start(&["demo", "--json"]);
    demo.event("started");
    demo.signal(Signal::INT);
    let events = demo.ended().events();
    assert!(
        events.iter().all(|event| event["event"] != "done"),
        "{events:?}"
    );
}
