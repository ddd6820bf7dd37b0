//! Draws the model; what to show is decided in the model.

mod details;
mod dials;
mod events;
mod fields;
mod help;
mod memory;
mod peers;
mod protocols;
mod sheet;
#[cfg(test)]
mod tests;
mod text;
mod theme;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::model::{Mode, Model, SHORT_ID, Tab};
use crate::human;
use crate::output::printable;
use text::Lines;

pub(super) use theme::Theme;

/// The height below which only the list and the status line are shown.
const FLAT: u16 = 9;

/// Draws everything, and stores the size of the frame in the model for scrolling.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model, theme: Theme) {
    let mut rest = frame.area();
    if rest.height >= FLAT {
        line(frame, take_top(&mut rest), header(model, theme, rest.width));
        line(frame, take_top(&mut rest), tabs(model, theme, rest.width));
        line(frame, take_top(&mut rest), title(model, theme));
        line(
            frame,
            take_bottom(&mut rest),
            hints(model, theme, rest.width),
        );
    }
    let below = take_bottom(&mut rest);
    line(frame, below, status(model, theme, below.width));
    model.resize(usize::from(rest.height.saturating_sub(1)));
    if matches!(model.mode, Mode::Details(_) | Mode::Help(_)) {
        return draw_text(frame, rest, model, theme);
    }
    if model.node.is_none() {
        return;
    }
    match model.tab {
        Tab::Peers => peers::draw(frame, rest, model, theme),
        Tab::Protocols => protocols::draw(frame, rest, model, theme),
        Tab::Dials => dials::draw(frame, rest, model, theme),
        Tab::Memory => memory::draw(frame, rest, model, theme),
        Tab::Events => events::draw(frame, rest, model, theme),
    }
}

fn draw_text(frame: &mut Frame<'_>, area: Rect, model: &mut Model, theme: Theme) {
    let mut lines = Lines::new(theme, area.width);
    match model.mode {
        Mode::Details(_) => details::of_selected(model, &mut lines),
        _ => help::keys(&mut lines),
    }
    // Scrolling stops at the end of the text.
    if let Mode::Details(from) | Mode::Help(from) = &mut model.mode {
        *from = lines.draw(frame, area, *from);
    }
}

fn take_top(rest: &mut Rect) -> Rect {
    let height = rest.height.min(1);
    let top = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    top
}

fn take_bottom(rest: &mut Rect) -> Rect {
    let height = rest.height.min(1);
    rest.height -= height;
    Rect {
        y: rest.y + rest.height,
        height,
        ..*rest
    }
}

fn line(frame: &mut Frame<'_>, area: Rect, line: Line<'static>) {
    frame.render_widget(Paragraph::new(line), area);
}

/// Returns the line about the node, with as many parts as fit. The most important parts are preferred.
fn header(model: &Model, theme: Theme, width: u16) -> Line<'static> {
    let Some(node) = &model.node else {
        return Line::styled("peermux top", theme.heading());
    };
    let id: String = node.node_id.to_string().chars().take(SHORT_ID).collect();
    let memory = fields::part(node.memory.used as u64, node.memory.limit as u64);
    let [received, sent] = [model.total.received_bytes, model.total.sent_bytes];
    let [received, sent] = [received, sent].map(|bytes| human::bytes(bytes as u64));
    let listens = node.listen_addr.map(|addr| format!("listens on {addr}"));
    let parts = [
        (3, id, theme.heading()),
        (5, printable(&node.client), theme.plain()),
        (6, listens.unwrap_or_default(), theme.plain()),
        (
            0,
            format!("{}/{} peers", node.peers, node.max_peers),
            theme.plain(),
        ),
        (1, format!("in {received}/s"), theme.received()),
        (2, format!("out {sent}/s"), theme.sent()),
        (
            4,
            format!("memory {}", fields::percent(memory)),
            theme.plain(),
        ),
    ];
    packed(parts.to_vec(), width)
}

/// Returns the parts of a line that fit, preferring parts of low rank.
fn packed(parts: Vec<(u8, String, Style)>, width: u16) -> Line<'static> {
    let mut by_rank: Vec<usize> = (0..parts.len()).collect();
    by_rank.sort_by_key(|at| parts.get(*at).map(|(rank, ..)| *rank));
    let mut left = usize::from(width);
    let mut shown = vec![false; parts.len()];
    let mut gap = 0;
    for at in by_rank {
        let (Some((_, text, _)), Some(shown)) = (parts.get(at), shown.get_mut(at)) else {
            continue;
        };
        let needed = Span::raw(text).width() + gap;
        if !text.is_empty() && needed <= left {
            (*shown, gap) = (true, 2);
            left -= needed;
        }
    }
    let mut spans = Vec::new();
    for ((_, text, style), shown) in parts.into_iter().zip(shown) {
        if shown {
            if !spans.is_empty() {
                spans.push(Span::raw("  "));
            }
            spans.push(Span::styled(text, style));
        }
    }
    Line::from(spans)
}

fn tabs(model: &Model, theme: Theme, width: u16) -> Line<'static> {
    let names = match width {
        ..48 => ["Peers", "Prot", "Dials", "Mem", "Events"],
        _ => ["Peers", "Protocols", "Dials", "Memory", "Events"],
    };
    let mut spans = Vec::new();
    for (number, (tab, name)) in Tab::ALL.iter().zip(names).enumerate() {
        let style = if *tab == model.tab {
            theme.selected()
        } else {
            theme.plain()
        };
        let gap = if number == 0 { "" } else { " " };
        spans.push(Span::raw(gap));
        spans.push(Span::styled(format!("{} {name}", number + 1), style));
    }
    Line::from(spans)
}

/// Returns the line above the list.
fn title(model: &Model, theme: Theme) -> Line<'static> {
    let Some(node) = &model.node else {
        return Line::default();
    };
    let text = match model.tab {
        _ if matches!(model.mode, Mode::Help(_)) => "keys".to_owned(),
        Tab::Peers => {
            let (shown, all) = (model.peers().len(), model.all_peers());
            let order = if model.reverse { ", reversed" } else { "" };
            format!("{shown} of {all} peers, by {}{order}", model.sort.name())
        }
        Tab::Protocols => format!("{} protocols", model.protocols().len()),
        Tab::Dials => dials_title(model),
        Tab::Memory => {
            let (used, limit) = (node.memory.used as u64, node.memory.limit as u64);
            let part = fields::part(used, limit);
            let peer = human::bytes(node.memory.peer_limit as u64);
            format!(
                "{} of {} ({}); a peer may hold {peer} each way",
                human::bytes(used),
                human::bytes(limit),
                fields::percent(part),
            )
        }
        Tab::Events => {
            let lost = match model.lost_events() {
                0 => String::new(),
                lost => format!("; {lost} were lost"),
            };
            let shown = model.events().len();
            format!("last {shown} events, the newest first{lost}")
        }
    };
    let mut spans = vec![Span::styled(text, theme.dim())];
    if !model.filter.is_empty() && !matches!(model.mode, Mode::Help(_)) {
        let filter = format!("  filter: {}", printable(&model.filter));
        spans.push(Span::styled(filter, theme.warning()));
    }
    Line::from(spans)
}

fn dials_title(model: &Model) -> String {
    let [all, missing] = model.kept();
    let mut text = format!("{missing} of {all} kept nodes are not connected");
    let versions = [("v4", model.discovery.v4), ("v5", model.discovery.v5)];
    let tables = versions.iter().filter_map(|(name, table)| {
        let table = (*table)?;
        Some(format!(
            "{name} knows {} nodes, {} live",
            table.nodes, table.live
        ))
    });
    let tables: Vec<_> = tables.collect();
    text.push_str("; discovery ");
    if tables.is_empty() {
        text.push_str("is off");
    } else {
        text.push_str(&tables.join(", "));
    }
    text
}

/// Returns the line being typed, a question, or the last outcome.
fn status(model: &Model, theme: Theme, width: u16) -> Line<'static> {
    match &model.mode {
        Mode::Input(input) if model.status.is_none() => {
            let text = format!("{}{}_", input.prompt(), printable(&input.text));
            // If the line is too long, show its end.
            let extra = Span::raw(&text).width().saturating_sub(width.into());
            return Line::styled(
                text.chars().skip(extra).collect::<String>(),
                theme.warning(),
            );
        }
        Mode::Question(question) => {
            return Line::styled(question.text.clone(), theme.warning());
        }
        _ => {}
    }
    match (&model.status, &model.lost) {
        (Some(status), _) => {
            let style = if status.is_error {
                theme.error()
            } else {
                theme.received()
            };
            Line::styled(printable(&status.text), style)
        }
        (None, Some((why, attempts))) => {
            let text = format!("no answer ({attempts}), this is its last state: {why}");
            Line::styled(printable(&text), theme.error())
        }
        (None, None) if model.node.is_none() => Line::styled("waiting for the node", theme.dim()),
        (None, None) => Line::default(),
    }
}

fn hints(model: &Model, theme: Theme, width: u16) -> Line<'static> {
    let hints: &[(u8, &str)] = match model.mode {
        Mode::List => &[
            (0, "? help"),
            (3, "s sort"),
            (5, "r reverse"),
            (2, "/ filter"),
            (4, "⏎ details"),
            (7, "K kick"),
            (8, "b ban"),
            (9, "t trust"),
            (6, "a add"),
            (10, "d disconnect"),
            (1, "q quit"),
        ],
        Mode::Details(_) | Mode::Help(_) => &[(0, "Esc back"), (2, "↑ ↓ scroll"), (1, "q quit")],
        Mode::Input(_) => &[(0, "⏎ done"), (1, "Esc cancel"), (2, "Ctrl-U clear")],
        Mode::Question(_) => &[(0, "y yes"), (1, "n no")],
    };
    let parts = hints
        .iter()
        .map(|(rank, text)| (*rank, (*text).to_owned(), theme.dim()));
    packed(parts.collect(), width)
}
