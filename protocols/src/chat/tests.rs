use std::time::Duration;

use peermux::testing::{Scripted, ScriptedFrame, connect};
use peermux::{Capability, DisconnectReason, Message, Peer, PeerError, Protocol, WireMessage};

use super::{
    Chat, ChatMessage, Config, Event, Events, History, Line, MAX_HISTORY, MAX_LINE, Spoken,
};

/// The first code of the only protocol.
const OFFSET: u64 = 16;

fn chat(name: &str) -> (Chat, Events) {
    Chat::new(Config::new(name).expect("a name"))
}

fn line(name: &str, text: &str) -> Line {
    Line {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn spoken(nonce: u64, name: &str, text: &str) -> Spoken {
    Spoken {
        nonce,
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

async fn scripted(chat: &Chat) -> (Peer, Scripted) {
    let capabilities = [Capability::new("chat", 2)];
    Scripted::remote_of(Protocol::new(chat.clone()), &capabilities)
        .await
        .expect("connects")
}

async fn send(remote: &mut Scripted, message: &ChatMessage) {
    remote
        .send(OFFSET + message.code(), &message.encode())
        .await;
}

fn decode(frame: ScriptedFrame) -> ChatMessage {
    ChatMessage::decode(Message::new(frame.id - OFFSET, frame.payload)).expect("decodes")
}

#[tokio::test(start_paused = true)]
async fn two_participants_hear_each_other_and_the_end() {
    let ((ann, mut ann_hears), (ben, mut ben_hears)) = (chat("Ann"), chat("Ben"));
    let connected = connect(Protocol::new(ann.clone()), Protocol::new(ben.clone()))
        .await
        .expect("connects");
    let (to_ben, to_ann) = (connected.left.id(), connected.right.id());
    let joined = |peer, name: &str| Event::Joined {
        peer,
        name: name.to_owned(),
    };
    assert_eq!(ann_hears.next().await, Some(joined(to_ben, "Ben")));
    assert_eq!(ben_hears.next().await, Some(joined(to_ann, "Ann")));
    assert_eq!(ann.say("hello").await, Ok(1));
    assert_eq!(ben.say("hi").await, Ok(1));
    assert_eq!(
        ben_hears.next().await,
        Some(Event::Said {
            peer: to_ann,
            line: line("Ann", "hello")
        })
    );
    assert_eq!(
        ann_hears.next().await,
        Some(Event::Said {
            peer: to_ben,
            line: line("Ben", "hi")
        })
    );
    connected
        .left
        .close_gracefully(DisconnectReason::CLIENT_QUITTING, Duration::from_secs(1))
        .await;
    for events in [&mut ann_hears, &mut ben_hears] {
        assert!(matches!(events.next().await, Some(Event::Left { .. })));
    }
    assert_eq!(ann.say("anybody?").await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_late_peer_gets_the_last_lines_in_order() {
    let config = Config::new("Ann").expect("a name").with_history(3);
    let (ann, _events) = Chat::new(config);
    for text in ["a", "b", "c", "d"] {
        assert_eq!(ann.say(text).await, Ok(0));
    }
    let (_peer, mut remote) = scripted(&ann).await;
    assert_eq!(
        decode(remote.expect().await),
        ChatMessage::Name("Ann".to_owned())
    );
    let ChatMessage::History(history) = decode(remote.expect().await) else {
        panic!("a history")
    };
    let lines: Vec<_> = history.0.into_iter().map(Line::from).collect();
    assert_eq!(lines, ["b", "c", "d"].map(|text| line("Ann", text)));
    ann.say("e").await.expect("short enough");
    let ChatMessage::Line(said) = decode(remote.expect().await) else {
        panic!("a line")
    };
    assert_eq!(Line::from(said), line("Ann", "e"));
}

#[tokio::test(start_paused = true)]
async fn a_history_is_reported_and_lines_of_others_are_kept() {
    let (ann, mut events) = chat("Ann");
    let (peer, mut remote) = scripted(&ann).await;
    send(&mut remote, &ChatMessage::Name("Ben".to_owned())).await;
    let before = History(vec![spoken(1, "Cat", "before")]);
    send(&mut remote, &ChatMessage::History(before)).await;
    send(&mut remote, &ChatMessage::Line(spoken(2, "Ben", "now"))).await;
    let id = peer.id();
    assert!(matches!(events.next().await, Some(Event::Joined { .. })));
    let lines = vec![line("Cat", "before")];
    assert_eq!(
        events.next().await,
        Some(Event::History { peer: id, lines })
    );
    assert!(matches!(events.next().await, Some(Event::Said { .. })));

    let (_other, mut late) = scripted(&ann).await;
    late.expect().await;
    assert_eq!(
        decode(late.expect().await),
        ChatMessage::History(History(vec![spoken(2, "Ben", "now")]))
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_is_passed_on_once_and_not_back() {
    let (ann, mut events) = chat("Ann");
    let mut remotes = Vec::new();
    for name in ["Ben", "Carol"] {
        let (_, mut remote) = scripted(&ann).await;
        assert!(matches!(
            decode(remote.expect().await),
            ChatMessage::Name(_)
        ));
        send(&mut remote, &ChatMessage::Name(name.to_owned())).await;
        assert!(matches!(events.next().await, Some(Event::Joined { .. })));
        remotes.push(remote);
    }
    let [ben, carol] = remotes.as_mut_slice() else {
        panic!("two")
    };
    let said = ChatMessage::Line(spoken(7, "Ben", "hello"));
    send(ben, &said).await;
    assert_eq!(decode(carol.expect().await), said);
    // Carol has also received the line by another path, and sends it before she sees that Ann has
    // it.
    send(carol, &said).await;
    let other = ChatMessage::Line(spoken(8, "Ben", "hello"));
    send(carol, &other).await;
    // Nothing arrives before this line: neither Ben's own line nor the duplicate.
    assert_eq!(decode(ben.expect().await), other);
    for _ in 0..2 {
        let event = events.next().await;
        assert!(
            matches!(&event, Some(Event::Said { line: l, .. }) if *l == line("Ben", "hello")),
            "{event:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_hear_each_other_through_a_third() {
    let ((ann, _ann_hears), (ben, mut ben_hears), (carol, mut carol_hears)) =
        (chat("Ann"), chat("Ben"), chat("Carol"));
    let middle = || Protocol::new(ann.clone());
    let _one = connect(middle(), Protocol::new(ben.clone())).await;
    assert!(matches!(ben_hears.next().await, Some(Event::Joined { .. })));
    let _other = connect(middle(), Protocol::new(carol.clone())).await;
    assert!(matches!(
        carol_hears.next().await,
        Some(Event::Joined { .. })
    ));
    assert_eq!(ben.say("hello").await, Ok(1));
    let Some(Event::Said { line: heard, .. }) = carol_hears.next().await else {
        panic!("Carol hears Ben")
    };
    assert_eq!(heard, line("Ben", "hello"));
    assert_eq!(carol.say("hi").await, Ok(1));
    let Some(Event::Said { line: heard, .. }) = ben_hears.next().await else {
        panic!("Ben hears Carol")
    };
    assert_eq!(heard, line("Carol", "hi"));
}

#[tokio::test(start_paused = true)]
async fn a_history_reports_each_line_once() {
    let (ann, mut events) = chat("Ann");
    let mut told = Vec::new();
    for (round, lines) in [(100, 1..3), (101, 2..4), (102, 2..3)] {
        let (_, mut remote) = scripted(&ann).await;
        send(&mut remote, &ChatMessage::Name("Ben".to_owned())).await;
        let lines = lines.map(|nonce| spoken(nonce, "Cat", &nonce.to_string()));
        let history = ChatMessage::History(History(lines.collect()));
        send(&mut remote, &history).await;
        send(&mut remote, &ChatMessage::Line(spoken(round, "Ben", "end"))).await;
        loop {
            match events.next().await.expect("goes on") {
                Event::History { lines, .. } => told.push((round, lines.len())),
                Event::Said { .. } => break,
                _ => {}
            }
        }
    }
    assert_eq!(told, [(100, 2), (101, 1)]);
}

#[tokio::test(start_paused = true)]
async fn each_breach_disconnects_the_peer_with_0x02() {
    let name = || ChatMessage::Name("Ben".to_owned());
    let say = |text: &str| ChatMessage::Line(spoken(1, "Ben", text));
    let history =
        |lines: usize, text: &str| ChatMessage::History(History(vec![spoken(1, "C", text); lines]));
    let breaches = [
        vec![say("nameless")],
        vec![ChatMessage::Name(String::new())],
        vec![ChatMessage::Name("n".repeat(65))],
        vec![name(), name()],
        vec![name(), say("")],
        vec![name(), say(&"l".repeat(MAX_LINE + 1))],
        vec![name(), ChatMessage::Line(spoken(1, "", "x"))],
        vec![name(), history(0, "x")],
        vec![name(), history(MAX_HISTORY + 1, "x")],
        vec![name(), history(1, "")],
        vec![name(), history(1, "x"), history(1, "x")],
        vec![name(), say("first"), history(1, "x")],
    ];
    for messages in breaches {
        let (chat, _events) = chat("Ann");
        let (_peer, mut remote) = scripted(&chat).await;
        for message in &messages {
            send(&mut remote, message).await;
        }
        let reason = remote.disconnected().await;
        let breach = Some(DisconnectReason::BREACH_OF_PROTOCOL);
        assert_eq!(reason, breach, "{:?}", messages.last());
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_history_fits_into_one_message() {
    let config = Config::new("A".repeat(64)).expect("a name");
    let (ann, _hears) = Chat::new(config.with_history(MAX_HISTORY));
    let text = "x".repeat(MAX_LINE);
    for _ in 0..MAX_HISTORY {
        ann.say(&text).await.expect("fits");
    }
    let (ben, mut events) = chat("Ben");
    let _connected = connect(Protocol::new(ann), Protocol::new(ben))
        .await
        .expect("connects");
    assert!(matches!(events.next().await, Some(Event::Joined { .. })));
    let Some(Event::History { lines, .. }) = events.next().await else {
        panic!("the history arrives")
    };
    assert_eq!(lines.len(), MAX_HISTORY);
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_disconnected_and_delays_nobody() {
    let (ann, _events) = chat("Ann");
    let (slow, mut slow_remote) = scripted(&ann).await;
    let (quick, mut quick_remote) = scripted(&ann).await;
    for remote in [&mut slow_remote, &mut quick_remote] {
        // The greeting shows that the remote is a member. The slow remote reads no further
        // messages, so its queue fills.
        remote.expect().await;
        send(remote, &ChatMessage::Name("Ben".to_owned())).await;
    }
    let reading = tokio::spawn(async move {
        for _ in 0..2000 {
            let said = decode(quick_remote.expect().await);
            assert!(matches!(said, ChatMessage::Line(_)));
        }
        quick_remote
    });
    let text = "x".repeat(MAX_LINE);
    for _ in 0..2000 {
        ann.say(&text).await.expect("short enough");
    }
    let _quick_remote = reading.await.expect("hears every line");
    assert!(quick.outcome().is_none());
    let outcome = slow.ended().await.expect("has ended");
    assert!(matches!(
        outcome.error,
        PeerError::Local(DisconnectReason::SUBPROTOCOL_ERROR)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_a_name_is_disconnected() {
    let (ann, _events) = chat("Ann");
    let (_peer, mut remote) = scripted(&ann).await;
    let reason = remote.disconnected().await;
    assert_eq!(reason, Some(DisconnectReason::SUBPROTOCOL_ERROR));
}

#[test]
fn lengths_are_checked_before_sending() {
    assert!(Config::new("").is_err());
    assert!(Config::new("n".repeat(65)).is_err());
    assert!(Config::new("n".repeat(64)).is_ok());
}
