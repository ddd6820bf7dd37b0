//! The list of peers.

use std::time::Duration;

use peermux::Direction;
use peermux::peer::PeerInfo;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::model::{Model, Rate, Row, Sort, notes, short};
use super::fields::{NONE, alarming, id_width, millis};
use super::sheet::{self, Column, Field, Visible};
use super::theme::Theme;
use crate::human;
use crate::output::printable;
use crate::round_trip::RoundTrip;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let columns = peer_columns(model, area.width);
    let all = model.peers();
    let visible = Visible::of(&all, model.peer.offset(), model.peer.index(), area);
    sheet::draw(frame, area, theme, &columns, &visible, |row| {
        peer_fields(row, theme)
    });
}

fn peer_columns(model: &Model, width: u16) -> Vec<Column> {
    let id = id_width(width);
    let mut columns = vec![
        (Some(Sort::Id), Column::text("node id", id, id, 0)),
        (None, Column::text("dir", 3, 3, 3)),
        (None, Column::text("address", 21, 21, 9)),
        (Some(Sort::Client), Column::text("client", 9, 24, 4)),
        (None, Column::text("capabilities", 14, 40, 10)),
        (Some(Sort::Age), Column::number("age", 7, 7)),
        (Some(Sort::In), Column::number("in/s", 8, 1)),
        (Some(Sort::Out), Column::number("out/s", 8, 2)),
        (Some(Sort::Queue), Column::number("queue", 8, 6)),
        (Some(Sort::Stalls), Column::number("stalls", 8, 12)),
        (Some(Sort::P50), Column::number("p50", 9, 5)),
        (Some(Sort::P99), Column::number("p99", 9, 11)),
        (Some(Sort::Score), Column::number("score", 6, 8)),
        (None, Column::text("notes", 14, 14, 13)),
    ];
    for (sort, column) in &mut columns {
        if *sort == Some(model.sort) {
            column.title.push(if model.reverse { '▲' } else { '▼' });
        }
    }
    columns.into_iter().map(|(_, column)| column).collect()
}

fn peer_fields(row: &Row, theme: Theme) -> Vec<Field> {
    let info = &row.info;
    let plain = |text: String| (text, theme.plain());
    let queue: u64 = row.queues().iter().sum();
    let bytes_of = |of: fn(&Rate) -> f64| row.rate.as_ref().map(|rate| of(rate) as u64);
    let busy = |bytes: Option<u64>, style| match bytes {
        None => (NONE.to_owned(), theme.dim()),
        Some(0) => (human::bytes(0), theme.dim()),
        Some(bytes) => (human::bytes(bytes), style),
    };
    vec![
        plain(short(&info.node_id)),
        plain(direction(info.direction).to_owned()),
        plain(
            info.addr
                .map_or_else(|| NONE.to_owned(), |addr| addr.to_string()),
        ),
        plain(printable(&info.client)),
        plain(capabilities(info)),
        plain(human::time(Duration::from_millis(info.connected_ms))),
        busy(bytes_of(|rate| rate.received_bytes), theme.received()),
        busy(bytes_of(|rate| rate.sent_bytes), theme.sent()),
        busy(Some(queue), theme.warning()),
        stalls(row, theme),
        round_trip(info, theme),
        plain(millis(info.rtt_p99_us)),
        alarming(info.score.into(), info.score.to_string(), theme),
        plain(notes(row)),
    ]
}

/// Returns the median round trip. If a Ping is unanswered, returns the time since it was sent.
fn round_trip(info: &PeerInfo, theme: Theme) -> Field {
    let round_trip = RoundTrip::of(info);
    let style = match round_trip {
        RoundTrip::Silent(_) => theme.warning(),
        _ => theme.plain(),
    };
    (round_trip.to_string(), style)
}

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "in",
        Direction::Outbound => "out",
    }
}

/// Returns the shared capabilities.
fn capabilities(info: &PeerInfo) -> String {
    let shared = info.capabilities.iter().filter(|one| one.offset.is_some());
    let shared: Vec<_> = shared
        .map(|one| format!("{}/{}", one.name, one.version))
        .collect();
    printable(&shared.join(","))
}

/// Returns how often reading has paused, and the paused share of the recent time.
fn stalls(row: &Row, theme: Theme) -> Field {
    let pauses = row.pauses();
    let now = row.rate.map_or(0.0, |rate| rate.paused.min(1.0) * 100.0);
    if now >= 1.0 {
        (format!("{pauses} {now:.0}%"), theme.error())
    } else {
        alarming(pauses, pauses.to_string(), theme)
    }
}
