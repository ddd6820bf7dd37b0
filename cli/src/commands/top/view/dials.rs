//! The list of static nodes.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::model::{Model, short};
use super::events::shortened;
use super::fields::{NONE, REST, alarming, id_width};
use super::sheet::{self, Column, Field, Visible};
use super::theme::Theme;
use crate::commands::peers::StaticNode;
use crate::human;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let id = id_width(area.width);
    let columns = [
        Column::text("node id", id, id, 0),
        Column::text("address", 15, 21, 4),
        Column::number("failures", 8, 3),
        Column::number("next try", 8, 1),
        Column::text("why", 12, REST, 2),
    ];
    let all = model.dials();
    let visible = Visible::of(&all, model.dial.offset(), model.dial.index(), area);
    sheet::draw(frame, area, theme, &columns, &visible, |node| {
        dial_fields(node, theme)
    });
}

fn dial_fields(node: &StaticNode, theme: Theme) -> Vec<Field> {
    let addr = node.enode.endpoint();
    let addr = addr.map(|addr| format!("{}:{}", addr.host, addr.tcp));
    let style = if node.connected {
        theme.dim()
    } else {
        theme.plain()
    };
    let (next, why) = next_try(node);
    vec![
        (short(&node.node_id), style),
        (addr.unwrap_or_else(|| NONE.to_owned()), style),
        alarming(node.failures.into(), node.failures.to_string(), theme),
        (next, style),
        (
            shortened(&why),
            if node.error.is_some() {
                theme.warning()
            } else {
                style
            },
        ),
    ]
}

/// Returns the time until a node's next dial, and why the node is not connected.
pub(super) fn next_try(node: &StaticNode) -> (String, String) {
    if node.connected {
        return (NONE.to_owned(), "connected".to_owned());
    }
    let next = match node.retry_in_ms {
        Some(wait) => human::time(Duration::from_millis(wait)),
        None => "now".to_owned(),
    };
    let why = match &node.error {
        Some(error) => error.text.clone(),
        None => "waits to be dialled".to_owned(),
    };
    (next, why)
}
