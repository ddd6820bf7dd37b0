//! The list of protocols, with sums over all peers.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::model::{Model, ProtocolRow};
use super::fields::{alarming, count, millis};
use super::sheet::{self, Column, Field, Visible};
use super::theme::Theme;
use crate::human;
use crate::output::printable;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let columns = [
        Column::text("protocol", 8, 10, 0),
        Column::text("versions", 8, 8, 7),
        Column::number("peers", 5, 3),
        Column::number("in/s", 8, 1),
        Column::number("out/s", 8, 2),
        Column::number("msgs in/s", 9, 5),
        Column::number("msgs out/s", 10, 6),
        Column::number("drops", 8, 4),
        Column::number("drops/s", 8, 8),
        Column::number("to send", 8, 9),
        Column::number("unread", 8, 10),
        Column::number("stalls", 7, 11),
        Column::number("gate p99", 9, 12),
    ];
    let all = model.protocols();
    let visible = Visible::of(&all, model.protocol.offset(), model.protocol.index(), area);
    sheet::draw(frame, area, theme, &columns, &visible, |row| {
        protocol_fields(row, theme)
    });
}

fn protocol_fields(row: &ProtocolRow, theme: Theme) -> Vec<Field> {
    let plain = |text: String| (text, theme.plain());
    let versions: Vec<_> = row.versions.iter().map(u64::to_string).collect();
    vec![
        plain(printable(&row.name)),
        plain(versions.join(",")),
        plain(row.peers.to_string()),
        (
            human::bytes(row.rate.received_bytes as u64),
            theme.received(),
        ),
        (human::bytes(row.rate.sent_bytes as u64), theme.sent()),
        plain(count(row.rate.received)),
        plain(count(row.rate.sent)),
        alarming(row.dropped, row.dropped.to_string(), theme),
        alarming(
            row.rate.dropped.ceil() as u64,
            count(row.rate.dropped),
            theme,
        ),
        plain(human::bytes(row.waiting_bytes)),
        plain(human::bytes(row.unread_bytes)),
        alarming(row.pauses, row.pauses.to_string(), theme),
        plain(millis(row.gate_wait)),
    ]
}
