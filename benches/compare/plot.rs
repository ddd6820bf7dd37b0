//! Plots the throughput by message size.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figures::{Figure, Figures, Section, Summary, Unit};
use crate::kind::Kind;
use crate::load::{Load, bytes};
use crate::machine;

const SIZE: (u32, u32) = (960, 520);
const FONT: &str = "Helvetica, Arial, sans-serif";
const INK: RGBColor = RGBColor(36, 41, 47);
const FAINT: RGBColor = RGBColor(222, 226, 230);

/// The width of a bar, where 1 is the distance between two message sizes.
const BAR: f64 = 0.27;

type Plot<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, LogCoord<f64>>,
>;

/// Draws the messages per second, if any were measured. Returns whether the plot was drawn.
pub(crate) fn draw(figures: &Figures, path: &Path) -> Result<bool, Box<dyn Error>> {
    let bars = bars(figures);
    if bars.is_empty() {
        return Ok(false);
    }
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let sizes = Load::sizes().len() as f64;
    let mut plot = ChartBuilder::on(&root)
        .margin(16)
        .margin_top(112)
        .x_label_area_size(40)
        .y_label_area_size(72)
        .build_cartesian_2d(-0.5..sizes - 0.5, heights(&bars).log_scale())?;
    title(&root)?;
    axes(&mut plot)?;
    for bar in &bars {
        bar.draw(&mut plot)?;
    }
    legend(&root, &bars)?;
    root.present()?;
    Ok(true)
}

/// One implementation's throughput with messages of one size.
struct Bar {
    kind: Kind,
    /// The index of the message size on the axis.
    size: usize,
    summary: Summary,
}

fn bars(figures: &Figures) -> Vec<Bar> {
    let cells = figures.section(Section::Sink);
    let bar = |kind: Kind, (size, bytes_each): (usize, usize)| {
        let row = bytes(bytes_each);
        let wanted = |cell: &&&Figure| {
            cell.row == row && cell.column == kind.name() && cell.unit == Unit::MessagesPerSecond
        };
        let summary = cells.iter().find(wanted)?.summary();
        Some(Bar {
            kind,
            size,
            summary,
        })
    };
    let sizes = || Load::sizes().into_iter().enumerate();
    let kinds = Kind::ALL.into_iter();
    let bars = kinds.flat_map(|kind| sizes().filter_map(move |size| bar(kind, size)));
    bars.collect()
}

/// Returns the range of whole powers of ten that includes all bars.
fn heights(bars: &[Bar]) -> Range<f64> {
    let all = || bars.iter().map(|bar| bar.summary);
    let least = all().map(|bar| bar.min).fold(f64::INFINITY, f64::min);
    let most = all().map(|bar| bar.max).fold(1.0, f64::max);
    // Leave room for the label above the highest bar.
    let power = |value: f64| 10f64.powf(value);
    power(least.max(1.0).log10().floor())..power((most * 1.6).log10().ceil())
}

fn title(root: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn Error>> {
    let heading = "Messages a second from one process to another, over one connection";
    let small = format!(
        "by size of message, logarithmic scale, median, minimum and maximum; {}",
        machine::short()
    );
    root.draw_text(heading, &text(24), (20, 16))?;
    root.draw_text(&small, &text(16), (20, 44))?;
    Ok(())
}

/// Draws a line at each power of ten, and the sizes below the bars.
fn axes(plot: &mut Plot<'_, '_>) -> Result<(), Box<dyn Error>> {
    let (wide, high) = (plot.x_range(), plot.y_range());
    let mut height = high.start;
    while height <= high.end * 1.001 {
        let ends = vec![(wide.start, height), (wide.end, height)];
        plot.draw_series([PathElement::new(ends, FAINT)])?;
        let label = text(16).pos(Pos::new(HPos::Right, VPos::Center));
        let at = EmptyElement::at((wide.start, height)) + Text::new(short(height), (-8, 0), label);
        plot.draw_series([at])?;
        height *= 10.0;
    }
    for (place, size) in Load::sizes().into_iter().enumerate() {
        let label = text(18).pos(Pos::new(HPos::Center, VPos::Top));
        let at =
            EmptyElement::at((place as f64, high.start)) + Text::new(bytes(size), (0, 10), label);
        plot.draw_series([at])?;
    }
    Ok(())
}

fn legend(root: &DrawingArea<SVGBackend<'_>, Shift>, bars: &[Bar]) -> Result<(), Box<dyn Error>> {
    let shown = |kind: &Kind| bars.iter().any(|bar| bar.kind == *kind);
    let mut x = 20;
    for kind in Kind::ALL.into_iter().filter(shown) {
        root.draw(&Rectangle::new(
            [(x, 76), (x + 14, 90)],
            colour(kind).filled(),
        ))?;
        root.draw_text(kind.name(), &text(17), (x + 20, 77))?;
        x += 56 + 8 * kind.name().len() as i32;
    }
    Ok(())
}

impl Bar {
    fn draw(&self, plot: &mut Plot<'_, '_>) -> Result<(), Box<dyn Error>> {
        let place = Kind::ALL.iter().position(|kind| *kind == self.kind);
        let middle = self.size as f64 + (place.unwrap_or(0) as f64 - 1.0) * BAR;
        let (left, right) = (middle - BAR * 0.45, middle + BAR * 0.45);
        let Summary { median, min, max } = self.summary;
        let foot = plot.y_range().start;
        let corners = [(left, median), (right, foot)];
        plot.draw_series([Rectangle::new(corners, colour(self.kind).filled())])?;
        plot.draw_series([PathElement::new(vec![(middle, min), (middle, max)], INK)])?;
        let style = text(16).pos(Pos::new(HPos::Center, VPos::Bottom));
        let label = Text::new(short(median), (0, -4), style);
        plot.draw_series([EmptyElement::at((middle, max)) + label])?;
        Ok(())
    }
}

fn text(size: i32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

fn colour(kind: Kind) -> RGBColor {
    match kind {
        Kind::Peermux => RGBColor(200, 75, 49),
        Kind::Geth => RGBColor(45, 120, 160),
        Kind::EthereumJs => RGBColor(160, 165, 120),
    }
}

/// Formats a number with few characters.
fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{:.1} M", value / 1e6).replace(".0", ""),
        _ if value >= 1e4 => format!("{:.0} k", value / 1e3),
        _ if value >= 1e3 => format!("{:.1} k", value / 1e3).replace(".0", ""),
        _ => format!("{value:.0}"),
    }
}
