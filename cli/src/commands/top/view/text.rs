//! Wrapped names and values that can be longer than the view.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::theme::Theme;
use crate::output::printable;

/// Lines of text, at most as wide as the view.
#[derive(Debug)]
pub(super) struct Lines {
    theme: Theme,
    width: usize,
    lines: Vec<Line<'static>>,
}

/// The width of names.
const NAMES: usize = 14;

impl Lines {
    pub(super) fn new(theme: Theme, width: u16) -> Self {
        Self {
            theme,
            width: usize::from(width).max(1),
            lines: Vec::new(),
        }
    }

    /// Adds a value next to its name. A long value continues on the next lines.
    pub(super) fn value(&mut self, name: &str, value: &str) {
        let heading = self.theme.heading();
        let indent = NAMES.min(self.width / 3);
        let parts = wrapped(&printable(value), self.width - indent);
        for (number, part) in parts.into_iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            let mut name: String = name.chars().take(indent.saturating_sub(1)).collect();
            while name.chars().count() < indent {
                name.push(' ');
            }
            let spans = [Span::styled(name, heading), Span::raw(part)];
            self.lines.push(Line::from(spans.to_vec()));
        }
    }

    pub(super) fn heading(&mut self, text: &str) {
        let heading = self.theme.heading();
        self.lines.push(Line::styled(printable(text), heading));
    }

    pub(super) fn text(&mut self, text: &str) {
        for part in wrapped(&printable(text), self.width) {
            self.lines.push(Line::raw(part));
        }
    }

    /// Draws the lines that fit, starting at `from`. Returns the first line that is drawn.
    ///
    /// If there are too few lines after `from` to fill the view, it starts at an earlier line.
    pub(super) fn draw(self, frame: &mut Frame<'_>, area: Rect, from: usize) -> usize {
        let room = usize::from(area.height);
        let from = from.min(self.lines.len().saturating_sub(room));
        let shown = self.lines.into_iter().skip(from).take(room);
        frame.render_widget(Paragraph::new(shown.collect::<Vec<_>>()), area);
        from
    }
}

/// Splits a text into parts of at most `width` characters. Empty text is one part.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for char in text.chars() {
        match parts.last_mut() {
            Some(part) if part.chars().count() < width.max(1) => part.push(char),
            _ => parts.push(char.into()),
        }
    }
    parts
}
