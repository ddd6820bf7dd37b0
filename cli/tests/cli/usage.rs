use crate::folder::Folder;
use crate::foreign::OTHER_KEY;
use crate::process::{Peermux, command, run};

#[test]
fn wrong_usage_is_told_with_exit_code_2() {
    let cases: [(&[&str], &str); 14] = [
        (&[], "Usage: peermux"),
        (&["fly"], "unrecognized subcommand 'fly'"),
        (&["demo", "--fast"], "unexpected argument '--fast'"),
        (
            &["listen", "--addr", "localhost"],
            "no port follows \"localhost\"",
        ),
        (
            &["listen", "--addr", "127.0.0.1:70000"],
            "port \"70000\" is not",
        ),
        (&["listen", "--protocol", "eth"], "invalid value 'eth'"),
        (
            &["listen", "--nat", "stun"],
            "\"stun\" is not one of any, none,",
        ),
        (&["listen", "--max-peers", "many"], "invalid value 'many'"),
        (
            &["listen", "--whitelist", "10.0.0.0/8,here"],
            "\"here\" is not a network",
        ),
        (&["ping"], "<ENODE>"),
        (&["bench"], "--mode <MODE>"),
        (&["bench", "--mode", "fast"], "invalid value 'fast'"),
        (
            &["bench", "--mode", "handshake", "--concurrency", "0"],
            "0 is not in 1..=1024",
        ),
        (&["key"], "Usage: peermux key"),
    ];
    for (arguments, part) in cases {
        let text = run(arguments).refused();
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
}

#[test]
fn help_is_for_every_command() {
    let general = run(&["--help"]).succeeded().join("\n");
    for name in [
        "demo",
        "listen",
        "peers",
        "ping",
        "bench",
        "key",
        "config",
        "why",
        "chat",
        "crawl",
        "dns",
        "record",
        "resolve",
        "completions",
        "man",
    ] {
        assert!(general.contains(&format!("\n  {name} ")), "{general}");
        let help = run(&[name, "--help"]).succeeded().join("\n");
        assert!(help.contains("--json"), "{help}");
        assert!(name == "demo" || help.contains("Examples:"), "{help}");
    }
    let version = run(&["--version"]).succeeded();
    // If git is installed, the revision follows in parentheses.
    let expected = format!("peermux {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(version.len(), 1);
    assert!(version[0].starts_with(&expected), "{version:?}");
}

#[test]
fn one_thing_has_one_name_and_old_names_still_work() {
    let link = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@nodes.invalid";
    let id = "5e".repeat(32);
    for (command, name, old) in [
        (vec!["dns", "sync", link], "--dns-server <", "--server"),
        (vec!["dns", "sync", link], "--seconds <", "--timeout"),
        (vec!["resolve", &id], "--seconds <", "--timeout"),
    ] {
        let help = run(&[&command[..], &["--help"]].concat());
        let help = help.succeeded().join("\n");
        assert!(help.contains(name), "{help}");
        assert!(!help.contains(&format!(" {old} <")), "{help}");
        // The old name of the option still works: the error is about the value.
        let told = run(&[&command[..], &[old, "?"]].concat()).refused();
        assert!(told.contains("invalid value '?'"), "{told}");
    }
}

#[test]
fn every_time_is_a_number_of_seconds_or_has_a_unit() {
    let link = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@nodes.invalid";
    let (id, key) = ("5e".repeat(32), OTHER_KEY);
    let enode = format!("enode://{key}@127.0.0.1:1");
    let socket = ["--admin", "none"];
    let options = [
        (vec!["crawl", "--bootnode", &enode], "--seconds"),
        (vec!["crawl", "--bootnode", &enode], "--timeout"),
        (vec!["resolve", &id], "--seconds"),
        (vec!["dns", "sync", link], "--seconds"),
        (vec!["ping", &enode], "--interval"),
        (vec!["ping", &enode], "--timeout"),
        ([&["peers"], &socket[..]].concat(), "--watch"),
        ([&["peers"], &socket[..], &["ban", &id]].concat(), "--for"),
        ([&["why"], &socket[..], &[&id]].concat(), "--last"),
        #[cfg(feature = "top")]
        ([&["top"], &socket[..]].concat(), "--interval"),
    ];
    for (command, option) in options {
        let help = run(&[&command[..], &["--help"]].concat());
        let help = help.succeeded().join("\n");
        assert!(
            help.contains(&format!("{option} <TIME>"))
                || help.contains(&format!("{option} [<TIME>]")),
            "{help}"
        );
        let told = run(&[&command[..], &[option, "soon"]].concat()).refused();
        let why = format!("{option} ");
        assert!(
            told.contains(&why) && told.contains("no time such as 500ms, 30s, 5m or 1h"),
            "{told}"
        );
        // The last option is wrong, so that a time that was read does not start the command.
        for time in ["2", "2s", "1m", "1h"] {
            let told = run(&[&command[..], &[option, time, "--wrong"]].concat()).refused();
            assert!(told.contains("unexpected argument '--wrong'"), "{told}");
        }
    }
}

#[test]
fn a_malformed_log_filter_is_told() {
    let mut command = command(&["demo"]);
    command.env("PEERMUX_LOG", "peermux=loud");
    let text = Peermux::spawn(command).ended().refused();
    assert!(text.contains("PEERMUX_LOG: "), "{text}");
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).succeeded().join("\n");
        assert!(
            script.contains("peermux") && script.contains("resolve"),
            "{shell}"
        );
    }
    assert_eq!(run(&["completions", "bash", "--json"]).code, Some(2));
    let folder = Folder::new();
    run(&["man", &folder.text("man1")]).succeeded();
    let listen = std::fs::read_to_string(folder.path("man1/peermux-listen.1"));
    assert!(listen.expect("a page").contains("discovery"));
}
