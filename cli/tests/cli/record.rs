use crate::process::run;

/// The record in the example of EIP-778.
const EXAMPLE: &str = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8";
const KEY: &str = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291";

#[test]
fn a_record_is_shown_as_it_was_signed() {
    let shown = run(&["record", "show", EXAMPLE, "--json"]).report();
    assert_eq!(shown["seq"], 1);
    assert_eq!(
        shown["node_id"],
        "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"
    );
    let udp = shown["entries"]
        .as_array()
        .expect("a list")
        .last()
        .expect("udp");
    assert_eq!(udp["value"], "30303");
    let text = run(&["record", "show", EXAMPLE]).succeeded().join("\n");
    assert!(text.contains("\nip         127.0.0.1\n"), "{text}");
    // Sign a record like the example.
    let signed = run(&[
        "record",
        "sign",
        "--key",
        KEY,
        "--seq",
        "1",
        "--ip",
        "127.0.0.1",
        "--udp",
        "30303",
        "--json",
    ]);
    assert_eq!(signed.report()["record"], EXAMPLE);
}

#[test]
fn a_record_follows_another() {
    let sign = |arguments: &[&str]| {
        run(&[&["record", "sign", "--key", KEY, "--json"], arguments].concat()).report()
    };
    let next = sign(&[
        "--update",
        EXAMPLE,
        "--tcp",
        "30304",
        "--set",
        "eth=0xc7c684fc64ec0480",
        "--remove",
        "udp",
    ]);
    assert_eq!(next["seq"], 2);
    let enode = next["enode"].as_str().expect("a URL");
    assert!(enode.ends_with("@127.0.0.1:30304?discport=0"), "{enode}");
    let entries = next["entries"].as_array().expect("a list");
    let eth = entries.iter().find(|entry| entry["key"] == "eth");
    assert_eq!(eth.expect("it is set")["rlp"], "0xc7c684fc64ec0480");
}

#[test]
fn no_record_is_signed_with_a_wrong_key_or_none() {
    let other = &KEY.replace('b', "c");
    for arguments in [
        &["record", "sign", "--update", EXAMPLE][..],
        &["record", "sign", "--key", other, "--update", EXAMPLE],
        &["record", "sign", "--key", KEY, "--set", "eth=0x01ff"],
        &["record", "show", &EXAMPLE.replace("IS4Q", "IS4R")],
    ] {
        assert_eq!(run(arguments).code, Some(2), "{arguments:?}");
    }
    let long = format!("x=0xb8ff{}", "00".repeat(255));
    let signed = run(&["record", "sign", "--key", KEY, "--set", &long]);
    let (error, _) = signed.failed();
    assert!(error.contains("at most 300"), "{error}");
}
