//! Compares the view with the pictures in `snapshots/`.
//!
//! `UPDATE_SNAPSHOTS=1` in the environment rewrites the pictures.

use std::path::Path;
use std::{env, fs};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::super::model::samples::{Peer, event, kept, snapshot};
use super::super::model::{Model, Snapshot, Sort};
use super::*;

const PLAIN: Theme = Theme { colours: false };

const WIDTHS: [u16; 3] = [40, 80, 160];

fn draw(model: &mut Model, width: u16, height: u16, theme: Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let drawn = terminal.draw(|frame| super::draw(frame, model, theme));
    drawn.expect("drawn").buffer.clone()
}

/// Returns the text of a picture, without spaces at the ends of rows.
fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let row = |y: u16| {
        let mut row = String::new();
        let mut x = 0;
        while x < area.width {
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            // Wide characters take two cells.
            x += Span::raw(symbol).width().max(1) as u16;
        }
        format!("{}\n", row.trim_end())
    };
    (0..area.height).map(row).collect()
}

/// Compares pictures of a model, one below the other, with those in a file.
fn assert_kept(name: &str, model: &mut Model, sizes: &[(u16, u16)]) {
    let pictures = sizes.iter().map(|(width, height)| {
        let picture = text(&draw(model, *width, *height, PLAIN));
        format!("{width} x {height}\n{picture}")
    });
    let pictures: String = pictures.collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands/top/view/snapshots");
    let path = folder.join(format!("{name}.txt"));
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &pictures).expect("the file is written");
    }
    let kept = fs::read_to_string(&path).expect("a kept picture");
    assert!(kept == pictures, "{name} is now:\n{pictures}");
}

fn press(model: &mut Model, code: KeyCode) {
    let wish = model.press(KeyEvent::new(code, KeyModifiers::NONE));
    assert_eq!(wish, None);
}

/// Returns snapshots of three busy peers: one does not read, and one receives much.
fn three_peers() -> Vec<Snapshot> {
    let first = [
        Peer::new(1).passed("bench", 0, 0).passed("echo", 0, 0),
        Peer::new(2).passed("echo", 10, 10),
        Peer::new(3).passed("bench", 7, 0),
    ];
    let later = [
        first[0]
            .clone()
            .aged(4_000)
            .passed("bench", 2_000, 10)
            .passed("echo", 50, 51)
            .with("static", true),
        first[1]
            .clone()
            .aged(90_061_000)
            .passed("echo", 10, 300_000)
            .lane("echo", "waiting_bytes", 20 << 20)
            .with("client", "Geth/v1.17.0-stable/linux-amd64/go1.25")
            .with("addr", "[2001:db8::7]:30303")
            .with("trusted", true)
            .with("score", 12),
        first[2]
            .clone()
            .aged(5_000)
            .passed("bench", 7, 0)
            .lane("bench", "dropped", 3)
            .lane("bench", "unread_bytes", 3 << 20)
            .lane("bench", "pauses", 4)
            .lane("bench", "paused_ms", 900)
            .with("client", "a\u{1b}[31m\u{202e}漢字")
            .with("rtt_p50_us", serde_json::Value::Null)
            .with("rtt_p99_us", serde_json::Value::Null)
            .with("unanswered_ms", 12_345),
    ];
    let mut later = snapshot(&later);
    later.kept = vec![kept(1, true, 0), kept(8, false, 3), kept(9, false, 0)];
    later.events = (1..=4).map(event).collect();
    let error = serde_json::json!({ "text": "Connection refused", "stage": "dial", "fault": "io" });
    later.events[2]
        .what
        .insert("event".into(), "dial_failed".into());
    later.events[2].what.insert("error".into(), error);
    later.events[2]
        .what
        .insert("retry_in_ms".into(), 61_000.into());
    later.discovery.v4 = Some(peermux_cli::request::TableInfo {
        nodes: 52,
        live: 49,
    });
    vec![snapshot(&first), later]
}

fn model_of(snapshots: Vec<Snapshot>) -> Model {
    let mut model = Model::new(Sort::In);
    for snapshot in snapshots {
        model.refresh(snapshot);
    }
    model
}

fn at_all_widths(height: u16) -> Vec<(u16, u16)> {
    WIDTHS.iter().map(|width| (*width, height)).collect()
}

#[test]
fn before_the_first_answer_and_without_peers() {
    let mut model = Model::new(Sort::In);
    assert_kept("waiting", &mut model, &[(80, 10)]);
    model.refresh(snapshot(&[]));
    assert_kept("no-peers", &mut model, &at_all_widths(10));
}

#[test]
fn three_peers_at_all_widths() {
    let mut model = model_of(three_peers());
    assert_kept("three-peers", &mut model, &at_all_widths(12));
}

#[test]
fn the_other_tabs_at_all_widths() {
    for (key, name) in [
        ('2', "protocols"),
        ('3', "dials"),
        ('4', "memory"),
        ('5', "events"),
    ] {
        let mut model = model_of(three_peers());
        press(&mut model, KeyCode::Char(key));
        assert_kept(name, &mut model, &at_all_widths(12));
    }
}

#[test]
fn details_are_wrapped_and_scroll_to_their_end() {
    let mut model = model_of(three_peers());
    press(&mut model, KeyCode::Enter);
    assert_kept("details", &mut model, &[(40, 20), (80, 40)]);
    for _ in 0..500 {
        press(&mut model, KeyCode::PageDown);
    }
    assert_kept("details-end", &mut model, &[(40, 20)]);
    for key in ['2', '3', '5'] {
        let mut model = model_of(three_peers());
        press(&mut model, KeyCode::Char(key));
        press(&mut model, KeyCode::Enter);
        assert_kept(&format!("details-{key}"), &mut model, &[(80, 20)]);
    }
}

#[test]
fn help_input_and_questions() {
    let mut model = model_of(three_peers());
    press(&mut model, KeyCode::Char('?'));
    assert_kept("help", &mut model, &[(80, 24)]);
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::Char('/'));
    for char in "geth".chars() {
        press(&mut model, KeyCode::Char(char));
    }
    assert_kept("filter", &mut model, &[(40, 10), (80, 10)]);
    press(&mut model, KeyCode::Enter);
    press(&mut model, KeyCode::Char('b'));
    assert_kept("ban", &mut model, &[(40, 10), (80, 10)]);
    let mut model = model_of(three_peers());
    press(&mut model, KeyCode::Char('d'));
    assert_kept("question", &mut model, &[(80, 10)]);
}

#[test]
fn a_node_that_has_ended_keeps_its_last_state() {
    let mut model = model_of(three_peers());
    model.lose(
        "cannot connect to admin socket node/admin.sock: no node runs here any more".to_owned(),
    );
    assert_kept("ended", &mut model, &at_all_widths(12));
}

/// Returns a model of a node with many peers.
fn thousand() -> Model {
    let peers: Vec<_> = (1..=1_000)
        .map(|number| Peer::new(number).passed("echo", number.into(), 1))
        .collect();
    model_of(vec![snapshot(&peers)])
}

#[test]
fn of_a_thousand_peers_those_are_drawn_that_have_room() {
    let mut model = thousand();
    press(&mut model, KeyCode::Char('s'));
    assert_kept("thousand", &mut model, &at_all_widths(10));
    press(&mut model, KeyCode::Char('G'));
    assert_kept("thousand-end", &mut model, &[(80, 10)]);
}

#[test]
fn every_size_can_be_drawn() {
    let mut model = model_of(three_peers());
    for key in "12345".chars() {
        press(&mut model, KeyCode::Char(key));
        for width in [1, 2, 7, 13, 39, 300] {
            for height in [1, 2, 3, 8, 9, 60] {
                draw(&mut model, width, height, PLAIN);
                press(&mut model, KeyCode::Enter);
                draw(&mut model, width, height, PLAIN);
                press(&mut model, KeyCode::Esc);
            }
        }
    }
    assert_kept("tiny", &mut model_of(three_peers()), &[(24, 5), (12, 3)]);
}

/// Returns all colours of a picture, and whether any cell is highlighted.
fn colours(buffer: &Buffer) -> (Vec<Color>, bool) {
    let cells = buffer.content.iter();
    let coloured = cells.clone().flat_map(|cell| [cell.fg, cell.bg]);
    let coloured = coloured.filter(|colour| *colour != Color::Reset).collect();
    let mut cells = cells.map(|cell| cell.modifier);
    (
        coloured,
        cells.any(|modifier| modifier.contains(Modifier::REVERSED)),
    )
}

#[test]
fn without_colours_the_selection_is_still_seen() {
    let mut model = model_of(three_peers());
    model.complain("that did not work");
    let (none, selected) = colours(&draw(&mut model, 120, 20, PLAIN));
    assert_eq!((none, selected), (vec![], true));
    let (some, selected) = colours(&draw(&mut model, 120, 20, Theme { colours: true }));
    assert!(some.contains(&Color::Red) && selected, "{some:?}");
}

#[test]
fn nothing_that_a_remote_says_reaches_the_terminal_as_a_command() {
    let mut model = model_of(three_peers());
    for key in ['1', '4'] {
        press(&mut model, KeyCode::Char(key));
        for mode in [KeyCode::Esc, KeyCode::Enter] {
            press(&mut model, mode);
            let text = text(&draw(&mut model, 160, 60, PLAIN));
            let hostile = |char: char| char != '\n' && char.is_control() || char == '\u{202e}';
            assert!(!text.contains(hostile), "{text}");
        }
        press(&mut model, KeyCode::Esc);
    }
}
