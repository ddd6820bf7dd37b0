use crate::process::{Peermux, keys, run};

/// Somebody who listens, and the enode URL to join.
fn listener(arguments: &[&str]) -> (Peermux, String) {
    let mut chat = Peermux::start(&[&["chat", "--listen", "127.0.0.1:0"], arguments].concat());
    let enode = match arguments.contains(&"--json") {
        true => chat.event("listening")["enode"]
            .as_str()
            .expect("a URL")
            .to_owned(),
        false => chat.line(),
    };
    (chat, enode)
}

#[test]
fn two_people_talk() {
    let (mut ann, enode) = listener(&["--name", "Ann"]);
    ann.say("anybody there?");
    let mut ben = Peermux::start(&["chat", "--dial", &enode, "--name", "Ben"]);
    assert_eq!(ben.line(), "* Ann is here");
    assert_eq!(ann.line(), "* Ben is here");
    ben.say("hello Ann");
    assert_eq!(ann.line(), "Ben: hello Ann");
    ann.say("hello Ben, grüß dich");
    loop {
        // What was said before Ben came is in the history, unless Ann's line was read later.
        match ben.line().as_str() {
            "(earlier) Ann: anybody there?" | "Ann: anybody there?" => {}
            line => break assert_eq!(line, "Ann: hello Ben, grüß dich"),
        }
    }
    ben.end_input();
    assert_eq!(ann.line(), "* Ben is gone");
    assert_eq!(ben.ended().succeeded(), ["* Ann is gone"]);
    ann.end_input();
    assert!(ann.ended().succeeded().is_empty());
}

#[test]
fn two_people_hear_each_other_through_a_third() {
    let (mut ann, to_ann) = listener(&["--name", "Ann"]);
    let mut ben = Peermux::start(&["chat", "--dial", &to_ann, "--name", "Ben"]);
    assert_eq!(ann.line(), "* Ben is here");
    assert_eq!(ben.line(), "* Ann is here");
    let mut carol = Peermux::start(&["chat", "--dial", &to_ann, "--name", "Carol"]);
    assert_eq!(ann.line(), "* Carol is here");
    assert_eq!(carol.line(), "* Ann is here");
    ben.say("hello");
    assert_eq!(ann.line(), "Ben: hello");
    assert_eq!(carol.line(), "Ben: hello");
    carol.say("hi");
    assert_eq!(ann.line(), "Carol: hi");
    assert_eq!(ben.line(), "Carol: hi");
}

#[test]
fn who_joins_two_hears_each_line_once_and_others_join_too() {
    let (mut ann, to_ann) = listener(&["--name", "Ann"]);
    let (mut ben, to_ben) = listener(&["--name", "Ben"]);
    let both = ["--dial", &to_ann, "--dial", &to_ben];
    let (mut carol, to_carol) = listener(&[&both[..], &["--name", "Carol"]].concat());
    assert_eq!(carol.line(), "* Ann is here");
    assert_eq!(carol.line(), "* Ben is here");
    for joined in [&mut ann, &mut ben] {
        assert_eq!(joined.line(), "* Carol is here");
    }
    // Dan closes a circle, so each line comes to him and to Ann twice.
    let both = ["--dial", &to_ann, "--dial", &to_carol];
    let mut dan = Peermux::start(&[&["chat", "--name", "Dan"], &both[..]].concat());
    assert_eq!(dan.line(), "* Ann is here");
    assert_eq!(dan.line(), "* Carol is here");
    for joined in [&mut ann, &mut carol] {
        assert_eq!(joined.line(), "* Dan is here");
    }
    for line in ["one", "two"] {
        ben.say(line);
        for hears in [&mut ann, &mut carol, &mut dan] {
            assert_eq!(hears.line(), format!("Ben: {line}"));
        }
    }
}

#[test]
fn events_for_programs() {
    let (mut ann, enode) = listener(&["--name", "Ann", "--json"]);
    let mut ben = Peermux::start(&["chat", "--dial", &enode, "--name", "Ben", "--json"]);
    let joined = ann.event("joined");
    assert_eq!(keys(&joined), ["event", "name", "node_id"]);
    assert_eq!(joined["name"], "Ben");
    ben.event("joined");
    ben.say("one");
    let line = ann.event("line");
    assert_eq!(keys(&line), ["event", "name", "node_id", "text"]);
    assert_eq!(line["text"], "one");
    assert_eq!(line["node_id"], joined["node_id"]);
    // Ann has heard it, so it is history for whoever comes later.
    let mut carl = Peermux::start(&["chat", "--dial", &enode, "--name", "Carl", "--json"]);
    assert_eq!(carl.event("joined")["name"], "Ann");
    let history = carl.event("history");
    assert_eq!(history["name"], "Ben");
    assert_eq!(history["text"], "one");
}

#[test]
fn everything_piped_in_arrives() {
    let (mut ann, enode) = listener(&[]);
    let mut pipe = Peermux::start(&["chat", "--dial", &enode, "--name", "pipe"]);
    for number in 0..1000 {
        pipe.say(&format!("line {number}"));
    }
    pipe.end_input();
    assert_eq!(ann.line(), "* pipe is here");
    for number in 0..1000 {
        assert_eq!(ann.line(), format!("pipe: line {number}"));
    }
    assert_eq!(ann.line(), "* pipe is gone");
    pipe.ended().succeeded();
}

#[test]
fn nobody_moves_the_cursor_of_others() {
    let (mut ann, enode) = listener(&[]);
    let name = "evil\u{1b}[2J\u{9b}2J";
    let mut evil = Peermux::start(&["chat", "--dial", &enode, "--name", name]);
    evil.say("a\u{1b}]0;title\u{7}b\rc\u{9b}31md\u{202e}e");
    let shown = "evil\u{fffd}[2J\u{fffd}2J";
    assert_eq!(ann.line(), format!("* {shown} is here"));
    let line = format!("{shown}: a\u{fffd}]0;title\u{fffd}b\u{fffd}c\u{fffd}31md\u{fffd}e");
    assert_eq!(ann.line(), line);
}

#[test]
fn a_line_that_cannot_be_sent_is_told_and_the_chat_goes_on() {
    let (mut ann, enode) = listener(&[]);
    let mut ben = Peermux::start(&["chat", "--dial", &enode, "--name", "Ben"]);
    assert_eq!(ann.line(), "* Ben is here");
    ben.say(&"x".repeat(4097));
    ben.say("");
    ben.say("short");
    assert_eq!(ann.line(), "Ben: short");
    ben.end_input();
    let ended = ben.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.errors.len(), 1, "{ended:?}");
    assert!(
        ended.errors[0].contains("longer than 4096 bytes"),
        "{ended:?}"
    );
}

#[test]
fn ends_at_once_without_input() {
    let lines = run(&["chat", "--listen", "127.0.0.1:0"]).succeeded();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn a_node_without_chat_is_a_failure() {
    let (mut node, enode) = Peermux::listen(&[]);
    let (line, _) = Peermux::start(&["chat", "--dial", &enode]).ended().failed();
    assert!(
        line.contains("does not speak what is needed here (chat/2), but: bench/1, echo/1"),
        "{line}"
    );
    // And the node says what it was offered.
    let refused = node.json();
    assert_eq!(refused["event"], "inbound_failed");
    assert_eq!(refused["capabilities"][0]["name"], "chat", "{refused}");
}

#[test]
fn wrong_arguments_are_told() {
    let text = run(&["chat"]).refused();
    assert!(text.contains("--listen"), "{text}");
    let text = run(&["chat", "--listen", "127.0.0.1:0", "--dial", "enode://"]).refused();
    assert!(text.contains("enode URL has no public key"), "{text}");
    let name = "x".repeat(65);
    let text = run(&["chat", "--listen", "127.0.0.1:0", "--name", &name]).refused();
    assert!(
        text.contains("a name of 65 bytes: 1 to 64 are allowed"),
        "{text}"
    );
}
