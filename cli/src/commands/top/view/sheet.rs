//! A list that shows as many columns as fit.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Cell, Row, Table};

use super::theme::Theme;

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) title: String,
    /// The minimum width.
    pub(super) width: u16,
    /// The maximum width, which the column has if there is room.
    pub(super) widest: u16,
    /// The rank of the column. If not all columns fit, the columns with the lowest ranks are shown.
    pub(super) rank: u8,
    pub(super) align: Alignment,
}

impl Column {
    /// Makes a column of left-aligned texts.
    pub(super) fn text(title: &str, width: u16, widest: u16, rank: u8) -> Self {
        Self {
            title: title.to_owned(),
            width,
            widest,
            rank,
            align: Alignment::Left,
        }
    }

    /// Makes a column of right-aligned numbers.
    pub(super) fn number(title: &str, width: u16, rank: u8) -> Self {
        Self {
            align: Alignment::Right,
            ..Self::text(title, width, width, rank)
        }
    }
}

/// Returns the columns that fit, with their widths. Columns of low rank are preferred.
pub(super) fn fit(columns: &[Column], width: u16) -> Vec<(usize, u16)> {
    let mut by_rank: Vec<usize> = (0..columns.len()).collect();
    by_rank.sort_by_key(|at| columns.get(*at).map(|column| column.rank));
    let mut shown: Vec<(usize, u16)> = Vec::new();
    let mut left = width;
    for at in by_rank {
        let Some(column) = columns.get(at) else {
            continue;
        };
        let gap = u16::from(!shown.is_empty());
        let first = shown.is_empty();
        match left.checked_sub(column.width.saturating_add(gap)) {
            Some(rest) => left = rest,
            None if first => left = 0,
            // If this column does not fit, no column of a higher rank may take its place.
            None => break,
        }
        shown.push((at, column.width.min(width)));
    }
    for (at, own) in &mut shown {
        let widest = columns.get(*at).map_or(0, |column| column.widest);
        let more = widest.saturating_sub(*own).min(left);
        *own += more;
        left -= more;
    }
    shown.sort_unstable();
    shown
}

/// A cell: its text and its style.
pub(super) type Field = (String, Style);

/// Draws the visible rows of a list below the titles of its columns.
///
/// `row` returns the fields of a row, one for each column.
pub(super) fn draw<T>(
    frame: &mut Frame<'_>,
    area: Rect,
    theme: Theme,
    columns: &[Column],
    visible: &Visible<'_, T>,
    row: impl Fn(&T) -> Vec<Field>,
) {
    let shown = fit(columns, area.width);
    let cell = |(text, style): Field, align: Alignment| {
        let line = Line::from(Span::styled(text, style)).alignment(align);
        Cell::from(Text::from(line))
    };
    let titles = shown.iter().filter_map(|(at, _)| columns.get(*at));
    let titles = titles.map(|column| cell((column.title.clone(), theme.heading()), column.align));
    let rows = visible.rows.iter().enumerate().map(|(number, item)| {
        let is_selected = number == visible.selected;
        let mut fields: Vec<_> = row(item).into_iter().map(Some).collect();
        let cells = shown.iter().filter_map(|(at, _)| {
            let (text, style) = fields.get_mut(*at)?.take()?;
            // The selected row is reversed as a whole: reversed cells of different colours would have
            // different backgrounds.
            let style = if is_selected { theme.plain() } else { style };
            Some(cell((text, style), columns.get(*at)?.align))
        });
        let drawn = Row::new(cells.collect::<Vec<_>>());
        if is_selected {
            drawn.style(theme.selected())
        } else {
            drawn
        }
    });
    let widths: Vec<_> = shown
        .iter()
        .map(|(_, width)| Constraint::Length(*width))
        .collect();
    let table = Table::new(rows.collect::<Vec<_>>(), widths)
        .header(Row::new(titles.collect::<Vec<_>>()))
        .column_spacing(1);
    frame.render_widget(table, area);
}

/// The visible rows of a list, and the selected one among them.
#[derive(Debug)]
pub(super) struct Visible<'a, T> {
    pub(super) rows: &'a [T],
    pub(super) selected: usize,
}

impl<'a, T> Visible<'a, T> {
    /// Returns the rows from `offset` on that fit into `area` below the titles.
    pub(super) fn of(all: &'a [T], offset: usize, selected: usize, area: Rect) -> Self {
        let rest = all.get(offset..).unwrap_or_default();
        let room = usize::from(area.height.saturating_sub(1));
        Self {
            rows: rest.get(..room).unwrap_or(rest),
            selected: selected.saturating_sub(offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_shown_by_rank_and_in_their_order() {
        let columns = [
            Column::text("a", 4, 9, 1),
            Column::number("b", 5, 2),
            Column::number("c", 3, 0),
        ];
        assert_eq!(fit(&columns, 40), [(0, 9), (1, 5), (2, 3)]);
        assert_eq!(fit(&columns, 14), [(0, 4), (1, 5), (2, 3)]);
        assert_eq!(fit(&columns, 13), [(0, 9), (2, 3)]);
        assert_eq!(fit(&columns, 7), [(2, 3)]);
        assert_eq!(fit(&columns, 2), [(2, 2)]);
        assert_eq!(fit(&columns, 0), [(2, 0)]);
    }
}
