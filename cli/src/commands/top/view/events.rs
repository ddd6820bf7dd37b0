//! Draws the list of events, each on one line.

use std::time::Duration;

use peermux::NodeId;
use peermux_cli::request::Event;
use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::Value;

use super::super::model::{Model, SHORT_ID};
use super::fields::{NARROW, REST};
use super::sheet::{self, Column, Visible};
use super::theme::Theme;
use crate::advertised::{self, Advertised};
use crate::human;
use crate::output::printable;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let columns = [
        Column::text("time", 8, if area.width < NARROW { 8 } else { 12 }, 0),
        Column::text("event", 16, 16, 1),
        Column::text("what", 8, REST, 2),
    ];
    let all = model.events();
    let visible = Visible::of(&all, model.event.offset(), model.event.index(), area);
    sheet::draw(frame, area, theme, &columns, &visible, |event: &&Event| {
        let style = if is_failure(event) {
            theme.warning()
        } else {
            theme.plain()
        };
        vec![
            (time(event), theme.dim()),
            (kind(event), style),
            (summary(event), theme.plain()),
        ]
    });
}

fn text<'a>(event: &'a Event, key: &str) -> Option<&'a str> {
    event.what.get(key)?.as_str()
}

/// Returns the time of an event without the day, in UTC: `17:30:12.366`.
fn time(event: &Event) -> String {
    let time = text(event, "time").unwrap_or_default();
    let clock = time.split_once('T').map_or(time, |(_, clock)| clock);
    printable(clock.trim_end_matches('Z'))
}

fn kind(event: &Event) -> String {
    printable(text(event, "event").unwrap_or("?"))
}

/// Returns whether an event reports a failure.
fn is_failure(event: &Event) -> bool {
    event
        .what
        .get("error")
        .is_some_and(|error| !error.is_null())
}

/// Describes an event: the node, and what happened.
fn summary(event: &Event) -> String {
    let error = event.what.get("error").and_then(|error| error.get("text"));
    let error = error.and_then(Value::as_str);
    let millis = |key| {
        let millis = event.what.get(key)?.as_u64()?;
        Some(human::time(Duration::from_millis(millis)))
    };
    let id = text(event, "node_id").or_else(|| text(event, "claimed_id"));
    let about = match error {
        Some(_) => [id, text(event, "addr"), None, None],
        None => [
            id,
            text(event, "direction"),
            text(event, "addr"),
            text(event, "client"),
        ],
    };
    // Leave out what the error already contains: most errors name the node.
    let is_new = |part: &&str| !error.is_some_and(|error| error.contains(part));
    let mut parts: Vec<_> = about
        .into_iter()
        .flatten()
        .filter(is_new)
        .map(str::to_owned)
        .collect();
    parts.extend(millis("connected_ms").map(|time| format!("after {time}")));
    parts.extend(endpoints(event));
    let about = parts.join(" ");
    let mut line = match error {
        Some(error) if about.is_empty() => error.to_owned(),
        Some(error) => format!("{about}: {error}"),
        None => about,
    };
    if let Some(time) = millis("retry_in_ms") {
        line.push_str("; next try in ");
        line.push_str(&time);
    }
    shortened(&line)
}

/// Describes the addresses in the node's own record, if the event is about that.
fn endpoints(event: &Event) -> Option<String> {
    let endpoints = event.what.get("endpoints")?;
    let endpoints: Vec<Advertised> = serde_json::from_value(endpoints.clone()).ok()?;
    Some(advertised::text(&endpoints))
}

/// Shortens the node ids in a text, and joins its lines into one.
pub(super) fn shortened(text: &str) -> String {
    let mut short = String::new();
    let mut digits = 0;
    for char in printable(text).chars() {
        digits = if char.is_ascii_hexdigit() {
            digits + 1
        } else {
            0
        };
        short.push(char);
        if digits == 2 * NodeId::LENGTH {
            short.truncate(short.len() - digits + SHORT_ID);
            digits = 0;
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_record_is_described_by_its_addresses() {
        let Value::Object(what) = serde_json::json!({
            "event": "record_changed",
            "record": "enr:-Iq4",
            "endpoints": [{ "ip": "203.0.113.7", "tcp": 30303, "udp": 0 }],
        }) else {
            unreachable!("an object");
        };
        let event = Event { number: 1, what };
        assert_eq!(summary(&event), "ip 203.0.113.7, tcp 30303, udp 0");
    }

    #[test]
    fn node_ids_in_texts_are_short() {
        let id = "0123456789abcdef".repeat(4);
        let text = format!("cannot connect to {id} at [::1]:1 (deadbeef)\u{1b}");
        let short = "cannot connect to 0123456789ab at [::1]:1 (deadbeef)\u{fffd}";
        assert_eq!(shortened(&text), short);
        assert_eq!(shortened(&id[1..]), id[1..]);
    }
}
