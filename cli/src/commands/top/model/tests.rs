use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use peermux::NodeId;
use peermux_cli::request::{Change, Changed, Named, Target};

use super::samples::{Peer, enode, event, kept, snapshot};
use super::*;

fn press(model: &mut Model, code: KeyCode) -> Option<Wish> {
    model.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn write(model: &mut Model, text: &str) {
    for char in text.chars() {
        assert_eq!(press(model, KeyCode::Char(char)), None, "{char}");
    }
}

/// Returns a model of a node with these peers.
fn model(peers: &[Peer]) -> Model {
    let mut model = Model::new(Sort::Id);
    model.resize(10);
    model.refresh(snapshot(peers));
    model
}

fn peers(numbers: &[u16]) -> Vec<Peer> {
    numbers.iter().map(|number| Peer::new(*number)).collect()
}

fn ages(model: &Model) -> Vec<u64> {
    let rows = model.peers();
    rows.iter().map(|row| row.info.connected_ms).collect()
}

fn id(number: u16) -> NodeId {
    Peer::new(number).info().node_id
}

#[test]
fn each_column_sorts_and_r_turns_the_order_round() {
    let mut model = model(&peers(&[1, 2, 3]));
    let by_id = ages(&model);
    press(&mut model, KeyCode::Char('s'));
    assert_eq!(model.sort, Sort::Client);
    assert_eq!(ages(&model), [2000, 3000, 4000]);
    press(&mut model, KeyCode::Char('s'));
    assert_eq!(model.sort, Sort::Age);
    assert_eq!(ages(&model), [4000, 3000, 2000]);
    press(&mut model, KeyCode::Char('r'));
    assert_eq!(ages(&model), [2000, 3000, 4000]);
    press(&mut model, KeyCode::Char('r'));
    for _ in 0..8 {
        press(&mut model, KeyCode::Char('s'));
    }
    assert_eq!((model.sort, ages(&model)), (Sort::Id, by_id));
}

#[test]
fn rates_queues_and_round_trips_sort_the_most_first() {
    let first = [
        Peer::new(1).passed("echo", 0, 0),
        Peer::new(2).passed("echo", 0, 0),
    ];
    let mut model = model(&first);
    let later = [
        first[0].clone().aged(10_000).passed("echo", 5, 90),
        first[1].clone().aged(10_000).passed("echo", 50, 9),
    ];
    let later = [
        later[0]
            .clone()
            .lane("echo", "unread_bytes", 7)
            .with("rtt_p50_us", 9_000),
        later[1]
            .clone()
            .lane("echo", "pauses", 7)
            .with("rtt_p99_us", 9_000)
            .with("score", 3),
    ];
    model.refresh(snapshot(&later));
    for (sort, first) in [
        (Sort::In, 2),
        (Sort::Out, 1),
        (Sort::Queue, 1),
        (Sort::Stalls, 2),
        (Sort::P50, 1),
        (Sort::P99, 2),
        (Sort::Score, 2),
    ] {
        model.sort = sort;
        model.arrange();
        assert_eq!(model.peers()[0].info.node_id, id(first), "{sort:?}");
    }
    let total = model.total;
    assert!(total.received_bytes > 0.0 && total.sent_bytes > total.received_bytes);
}

#[test]
fn the_selection_stays_on_its_peer() {
    let mut model = model(&peers(&[1, 2, 3, 4]));
    press(&mut model, KeyCode::Down);
    let selected = model.selected().expect("a peer");
    press(&mut model, KeyCode::Char('r'));
    assert_eq!(model.selected(), Some(selected));
    assert_eq!(model.peer.index(), 2);
    let rest: Vec<_> = (1..=4).filter(|number| id(*number) != selected).collect();
    model.refresh(snapshot(&peers(&rest)));
    assert_ne!(model.selected(), Some(selected));
    assert_eq!(model.peer.index(), 2);
    model.refresh(snapshot(&[]));
    assert_eq!(model.selected(), None);
}

#[test]
fn a_filter_applies_while_it_is_written() {
    let other = Peer::new(3).with("client", "Geth/v1.17");
    let mut model = model(&[Peer::new(1), Peer::new(2), other]);
    press(&mut model, KeyCode::Char('/'));
    write(&mut model, "geth");
    assert_eq!(model.peers().len(), 1);
    press(&mut model, KeyCode::Backspace);
    write(&mut model, "q");
    assert_eq!(model.peers().len(), 0, "q is a letter here");
    press(&mut model, KeyCode::Esc);
    assert_eq!((model.peers().len(), &*model.filter), (3, ""));
    press(&mut model, KeyCode::Char('/'));
    write(&mut model, "Geth");
    press(&mut model, KeyCode::Enter);
    assert_eq!((&model.mode, model.peers().len()), (&Mode::List, 1));
    for text in ["inbound", "echo/1", "127.0.0.1:30003"] {
        model.filter_by(text.to_owned());
        assert!(!model.peers().is_empty(), "{text}");
    }
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.peers().len(), 3);
}

#[test]
fn tabs_change_by_numbers_and_round_the_end() {
    let mut model = model(&[]);
    for (digit, at) in [('5', 4), ('3', 2), ('2', 1), ('4', 3), ('1', 0)] {
        let tab = Tab::ALL[at];
        press(&mut model, KeyCode::Char(digit));
        assert_eq!(model.tab, tab);
    }
    press(&mut model, KeyCode::BackTab);
    assert_eq!(model.tab, Tab::Events);
    press(&mut model, KeyCode::Tab);
    assert_eq!(model.tab, Tab::Peers);
    press(&mut model, KeyCode::Right);
    assert_eq!(model.tab, Tab::Protocols);
    press(&mut model, KeyCode::Left);
    assert_eq!(model.tab, Tab::Peers);
}

#[test]
fn kick_and_trust_ask_at_once() {
    let trusted = Peer::new(2).with("trusted", true);
    for (peer, is_trusted) in [(Peer::new(1), false), (trusted, true)] {
        let mut model = model(std::slice::from_ref(&peer));
        let node = peermux_cli::request::Whom(peer.info().node_id);
        let kick = Some(Wish::Make(Change::Kick { node }));
        assert_eq!(press(&mut model, KeyCode::Char('K')), kick);
        let trust = if is_trusted {
            Change::Distrust { node }
        } else {
            Change::Trust {
                node: Named::Id(node.0),
            }
        };
        let wish = press(&mut model, KeyCode::Char('t'));
        assert_eq!(wish, Some(Wish::Make(trust)));
        // The selected node is not static, so there is no question.
        assert_eq!(press(&mut model, KeyCode::Char('d')), kick);
        press(&mut model, KeyCode::Enter);
        assert_eq!(
            press(&mut model, KeyCode::Char('K')),
            kick,
            "in the details"
        );
        assert!(matches!(model.mode, Mode::Details(_)));
        press(&mut model, KeyCode::Char('?'));
        assert_eq!(model.mode, Mode::List);
        press(&mut model, KeyCode::Enter);
        press(&mut model, KeyCode::Char('5'));
        assert_eq!((&model.mode, model.tab), (&Mode::List, Tab::Events));
        model.tab = Tab::Peers;
        let alt_k = KeyEvent::new(KeyCode::Char('K'), KeyModifiers::ALT);
        assert_eq!(model.press(alt_k), None);
    }
}

#[test]
fn a_node_that_is_kept_is_removed_after_a_question() {
    let mut model = model(&[]);
    let mut fresh = snapshot(&peers(&[1]));
    fresh.kept = vec![kept(1, true, 0), kept(2, false, 3)];
    model.refresh(fresh);
    let node = peermux_cli::request::Whom(id(1));
    for (answer, asks) in [('n', false), ('x', false), ('y', true)] {
        press(&mut model, KeyCode::Char('d'));
        assert!(matches!(model.mode, Mode::Question(_)));
        let wish = press(&mut model, KeyCode::Char(answer));
        let remove = Wish::Make(Change::Remove { node });
        assert_eq!(wish, asks.then_some(remove), "{answer}");
        press(&mut model, KeyCode::Esc);
    }
    press(&mut model, KeyCode::Char('3'));
    assert_eq!(model.selected(), Some(id(2)), "the missing one is first");
    assert_eq!(press(&mut model, KeyCode::Char('K')), None);
    let complaint = model.status.as_ref().expect("why not");
    assert!(
        complaint.text.ends_with("is not connected"),
        "{complaint:?}"
    );
}

#[test]
fn a_ban_takes_a_time_and_a_reason() {
    let mut model = model(&peers(&[1]));
    press(&mut model, KeyCode::Char('b'));
    let ban = |seconds: u64, reason: &str| Change::Ban {
        target: Target::Node(id(1)),
        time: seconds.try_into().expect("long enough"),
        reason: reason.to_owned(),
    };
    let wish = press(&mut model, KeyCode::Enter);
    assert_eq!(wish, Some(Wish::Make(ban(3600, ""))));
    press(&mut model, KeyCode::Char('b'));
    model.press(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
    for (wrong, why) in [
        ("soon", "no time such as 500ms"),
        ("500ms", "a ban lasts at least a second"),
        ("0", "a ban lasts at least a second"),
    ] {
        write(&mut model, wrong);
        assert_eq!(press(&mut model, KeyCode::Enter), None);
        let complaint = model.status.as_ref().expect("why not");
        assert!(complaint.text.contains(why), "{complaint:?}");
        model.press(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
    }
    write(&mut model, " 2d  sends spam ");
    let wish = press(&mut model, KeyCode::Enter);
    assert_eq!(wish, Some(Wish::Make(ban(172_800, "sends spam"))));
}

#[test]
fn a_node_is_added_by_its_url() {
    let mut model = model(&[]);
    press(&mut model, KeyCode::Char('a'));
    write(&mut model, "enode");
    assert_eq!(press(&mut model, KeyCode::Enter), None);
    assert!(model.status.as_ref().is_some_and(|status| status.is_error));
    write(
        &mut model,
        enode(1).strip_prefix("enode").expect("a scheme"),
    );
    let wish = press(&mut model, KeyCode::Enter);
    let node = enode(1).parse().expect("an enode URL");
    assert_eq!(wish, Some(Wish::Make(Change::Add { enode: node })));
}

#[test]
fn a_line_is_no_longer_than_a_request() {
    let mut model = model(&[]);
    press(&mut model, KeyCode::Char('a'));
    write(&mut model, &"x".repeat(5000));
    let Mode::Input(input) = &model.mode else {
        panic!("a line is written");
    };
    assert_eq!(input.text.len(), 4096);
}

#[test]
fn what_came_of_a_request_is_shown_until_the_next_key() {
    let mut model = model(&peers(&[1]));
    let change = Change::Kick {
        node: peermux_cli::request::Whom(id(1)),
    };
    model.conclude(
        &change,
        &Ok(Changed {
            kept: true,
            ban: None,
        }),
    );
    let status = model.status.clone().expect("the outcome");
    assert_eq!(
        (status.text, status.is_error),
        (format!("kicked {}", id(1)), false)
    );
    model.conclude(&change, &Err("is not connected".to_owned()));
    assert!(model.status.as_ref().is_some_and(|status| status.is_error));
    press(&mut model, KeyCode::Down);
    assert_eq!(model.status, None);
}

#[test]
fn keys_without_a_node_do_no_harm() {
    let mut model = Model::new(Sort::In);
    for char in ('!'..='~').filter(|char| *char != 'q') {
        assert_eq!(press(&mut model, KeyCode::Char(char)), None, "{char}");
        press(&mut model, KeyCode::Esc);
    }
    assert_eq!(press(&mut model, KeyCode::Char('q')), Some(Wish::Quit));
    press(&mut model, KeyCode::Enter);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(model.press(control_c), Some(Wish::Quit));
}

#[test]
fn a_lost_node_leaves_its_last_state() {
    let mut model = model(&peers(&[1]));
    model.lose("no node runs here any more".to_owned());
    model.lose("no node runs here any more".to_owned());
    assert_eq!(model.lost.as_ref().map(|(_, attempts)| *attempts), Some(2));
    assert_eq!(model.peers().len(), 1);
    model.refresh(snapshot(&[]));
    assert_eq!(model.lost, None);
}

#[test]
fn events_are_kept_the_newest_first_and_begin_anew_with_another_node() {
    let mut model = model(&[]);
    model.tab = Tab::Events;
    let numbers = |model: &Model| -> Vec<u64> {
        let events = model.events();
        events.iter().map(|event| event.number).collect()
    };
    let with = |events: std::ops::RangeInclusive<u64>, from_start| Snapshot {
        events: events.map(event).collect(),
        from_start,
        ..snapshot(&[])
    };
    model.refresh(with(1..=3, true));
    model.refresh(with(4..=4, false));
    assert_eq!(numbers(&model), [4, 3, 2, 1]);
    assert_eq!(
        model.event.selected(),
        Some(&4),
        "the newest stays selected"
    );
    press(&mut model, KeyCode::Down);
    model.refresh(with(5..=300, false));
    assert_eq!(model.events().len(), EVENTS);
    assert_eq!(model.event.index(), 1, "the event has gone");
    press(&mut model, KeyCode::Char('g'));
    press(&mut model, KeyCode::Down);
    model.refresh(with(301..=301, false));
    assert_eq!(model.event.selected(), Some(&299), "it stays on its event");
    assert_eq!(model.lost_events(), 0);
    model.refresh(with(310..=310, false));
    assert_eq!(model.lost_events(), 8);
    model.refresh(with(1..=1, true));
    assert_eq!((numbers(&model), model.lost_events()), (vec![1], 0));
}
