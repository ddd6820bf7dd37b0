//! The list of peers by the memory that they hold.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::model::{Model, short};
use super::fields::{id_width, part, percent};
use super::sheet::{self, Column, Visible};
use super::theme::Theme;
use crate::human;
use crate::output::printable;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let id = id_width(area.width);
    let columns = [
        Column::text("node id", id, id, 0),
        Column::text("client", 9, 24, 4),
        Column::number("to send", 8, 1),
        Column::number("unread", 8, 2),
        Column::number("of limit", 8, 3),
        Column::text("", 10, 20, 5),
    ];
    let limit = model.node.as_ref().map_or(0, |node| node.memory.peer_limit);
    let all = model.holders();
    let visible = Visible::of(&all, model.holder.offset(), model.holder.index(), area);
    sheet::draw(frame, area, theme, &columns, &visible, |row| {
        let [waiting, unread] = row.queues();
        // The limit holds for each direction separately.
        let part = part(waiting.max(unread), limit as u64);
        let style = if part >= 0.5 {
            theme.error()
        } else {
            theme.plain()
        };
        vec![
            (short(&row.info.node_id), theme.plain()),
            (printable(&row.info.client), theme.plain()),
            (human::bytes(waiting), theme.plain()),
            (human::bytes(unread), theme.plain()),
            (percent(part), style),
            (bar(part, 20), style),
        ]
    });
}

/// Draws a bar that is filled to a fraction.
fn bar(part: f64, width: usize) -> String {
    let filled = (part * width as f64).ceil() as usize;
    "█".repeat(filled.min(width))
}
