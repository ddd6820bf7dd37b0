use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::folder::Folder;
use crate::process::{Peermux, keys, run};
use crate::tmux::Tmux;

/// Starts a chat that listens, and returns its enode URL.
fn listener(arguments: &[&str]) -> (Peermux, String) {
    let mut chat = Peermux::start(&[&["chat", "--listen", "127.0.0.1:0"], arguments].concat());
    let enode = if arguments.contains(&"--json") {
        chat.event("listening")["enode"]
            .as_str()
            .expect("a URL")
            .to_owned()
    } else {
        chat.line()
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
        // Ann's line is in the history if it was read before Ben came. Otherwise it arrives later,
        // as an ordinary line.
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
    // Dan connects to Ann and to Carol, which closes a circle, so each line reaches Dan and Ann twice.
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
    // Ann has received the line, so later peers get it in the history.
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
        line.contains(
            "shares none of the protocols needed here (chat/2); it speaks: bench/1, echo/1"
        ),
        "{line}"
    );
    // The node reports the capabilities that the remote offered.
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

/// Returns a terminal, and the command line of a chat for it.
fn in_terminal(enode: &str, name: &str) -> Option<(Tmux, String)> {
    let terminal = Tmux::start(70, 24)?;
    let binary = env!("CARGO_BIN_EXE_peermux");
    let command = format!("{binary} chat --dial \"{enode}\" --name {name}");
    Some((terminal, command))
}

/// Checks that the mode of the terminal is restored.
fn assert_usual(terminal: &Tmux) {
    let is_usual = "stty -a | grep -q ' icanon' && stty -a | grep -q ' echo '";
    terminal.line(&format!("clear; {is_usual} && echo cooked-$((1+1))"));
    terminal.shows(&["cooked-2"]);
}

fn lines(screen: &str) -> Vec<&str> {
    screen.lines().map(str::trim_end).collect()
}

#[test]
fn a_line_being_typed_is_not_torn() {
    let (mut ann, enode) = listener(&["--name", "Ann"]);
    let Some((terminal, command)) = in_terminal(&enode, "Ben") else {
        return;
    };
    terminal.line(&format!("{command}; echo ended-$?"));
    terminal.shows(&["* Ann is here\n>"]);
    assert_eq!(ann.line(), "* Ben is here");
    terminal.text("half a l");
    terminal.shows(&["> half a l"]);
    ann.say("in between");
    ann.say("and more");
    terminal.until("line below what was said", |screen| {
        let whole = ["Ann: in between", "Ann: and more", "> half a l"];
        lines(screen.trim_end()).ends_with(&whole)
    });
    terminal.line("ine");
    assert_eq!(ann.line(), "Ben: half a line");

    // The last line is recalled, changed, and sent again.
    terminal.press(&["Up", "BSpace"]);
    terminal.line("d");
    assert_eq!(ann.line(), "Ben: half a lind");
    terminal.line("//peers");
    assert_eq!(ann.line(), "Ben: /peers");

    terminal.line("/peers");
    terminal.shows(&["1 connected:", "  Ann ("]);
    terminal.line("/nonsense here");
    terminal.shows(&["/nonsense is no command and was not sent"]);
    terminal.line("/help");
    terminal.shows(&["/quit     ends the chat"]);
    terminal.line(&"x".repeat(4097));
    terminal.shows(&["the line was not sent: it is longer than 4096 bytes"]);
    terminal.line("last");
    assert_eq!(ann.line(), "Ben: last");

    terminal.text("not said");
    terminal.press(&["C-c"]);
    assert_eq!(ann.line(), "* Ben is gone");
    terminal.shows(&["* Ann is gone", "ended-0"]);
    assert_usual(&terminal);
}

#[test]
fn long_lines_stay_whole_and_what_is_typed_ahead_is_said() {
    let (mut ann, enode) = listener(&["--name", "Ann"]);
    let Some((terminal, command)) = in_terminal(&enode, "Ben") else {
        return;
    };
    terminal.line(&format!("clear; {command}; echo ended-$?"));
    assert_eq!(ann.line(), "* Ben is here");
    terminal.shows(&["* Ann is here\n>"]);
    // The keys are sent in one write, like pasted text.
    terminal.press(&["o", "n", "e", "Enter", "t", "w", "o", "Enter"]);
    assert_eq!(ann.line(), "Ben: one");
    assert_eq!(ann.line(), "Ben: two");
    let (typed, said) = ("a".repeat(100), "b".repeat(100));
    terminal.text(&typed);
    terminal.until("long line", |screen| screen.matches('a').count() == 100);
    ann.say(&said);
    // The line is wrapped, because the terminal has 70 columns.
    let heard = format!("Ann: {said}");
    let line = format!("> {typed}");
    let rows = [&heard[..70], &heard[70..], &line[..70], &line[70..]];
    terminal.until("both", |screen| lines(screen.trim_end()).ends_with(&rows));
    terminal.press(&["Enter"]);
    assert_eq!(ann.line(), format!("Ben: {typed}"));
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_has_plain_lines() {
    let (mut ann, enode) = listener(&["--name", "Ann"]);
    let Some((terminal, command)) = in_terminal(&enode, "Ben") else {
        return;
    };
    terminal.line(&format!("clear; TERM=dumb {command}; echo ended-$?"));
    assert_eq!(ann.line(), "* Ben is here");
    terminal.shows(&["* Ann is here"]);
    terminal.line("/quit");
    assert_eq!(ann.line(), "Ben: /quit");
    terminal.press(&["C-d"]);
    terminal.shows(&["ended-0"]);
}

#[test]
fn a_chat_in_a_terminal_ends_by_command_by_key_and_with_its_input() {
    let (mut ann, enode) = listener(&["--name", "Ann"]);
    let Some((terminal, command)) = in_terminal(&enode, "Ben") else {
        return;
    };
    let ends: [&[&str]; 3] = [&["/", "q", "u", "i", "t", "Enter"], &["C-d"], &["C-c"]];
    for keys in ends {
        terminal.line(&format!("clear; {command}; echo ended-$?"));
        assert_eq!(ann.line(), "* Ben is here");
        terminal.until("prompt", |screen| {
            lines(screen.trim_end()).ends_with(&["* Ann is here", ">"])
        });
        terminal.press(keys);
        assert_eq!(ann.line(), "* Ben is gone");
        terminal.shows(&["* Ann is gone", "ended-0"]);
        assert_usual(&terminal);
    }
}

#[test]
fn a_chat_that_a_signal_ends_leaves_the_terminal_as_it_was() {
    let (mut ann, enode) = listener(&["--name", "Ann"]);
    let Some((terminal, command)) = in_terminal(&enode, "Ben") else {
        return;
    };
    let folder = Folder::new();
    let file = folder.text("pid");
    for signal in [Signal::TERM, Signal::INT] {
        terminal.line(&format!(
            "clear; sh -c 'echo $$ > {file}; exec {command}'; echo ended-$?"
        ));
        assert_eq!(ann.line(), "* Ben is here");
        terminal.shows(&["* Ann is here"]);
        terminal.text("half a line");
        terminal.shows(&["> half a line"]);
        let pid = fs::read_to_string(&file).expect("its process id");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), signal).expect("it runs");
        assert_eq!(ann.line(), "* Ben is gone");
        let screen = terminal.shows(&["ended-0"]);
        let shown = lines(screen.trim_end());
        let end = ["> half a line", "* Ann is gone", "ended-0"];
        assert!(shown.windows(3).any(|lines| lines == end), "{screen}");
        assert_usual(&terminal);
    }
}
