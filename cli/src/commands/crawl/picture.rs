//! Draws the summary as bars in SVG.
//!
//! No library for plots is used, because it would be the largest part of the program.

use std::fmt::Write;

use super::summary::Summary;

/// The width of the picture. All lengths are in pixels.
const WIDTH: usize = 800;
const MARGIN: usize = 24;
/// The horizontal position of the left end of the bars.
const BARS: usize = 320;
/// The maximum length of a bar.
const LONGEST: usize = 380;
const ROW: usize = 22;
const TITLE: usize = 40;

/// The length limit of a label, in characters.
const LABEL: usize = 38;

const STYLE: &str = "\
text{font:13px sans-serif;fill:#24292f}\
.t{font-weight:bold;font-size:15px}\
.l{text-anchor:end}\
.b{fill:#4c78a8}";

/// Draws a summary.
pub(super) fn draw(summary: &Summary) -> String {
    let (mut body, mut y) = (String::new(), MARGIN);
    text(&mut body, MARGIN, y, "t", &summary.headline());
    for (title, table) in summary.tables() {
        let (rows, others) = table.rows();
        if rows.is_empty() {
            continue;
        }
        y += TITLE;
        text(&mut body, MARGIN, y, "t", title);
        let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let most = most.max(others).max(1);
        let others = ("others".to_owned(), others);
        let others = (others.1 > 0).then_some(&others);
        for (kind, count) in rows.iter().chain(others) {
            y += ROW;
            bar(&mut body, y, kind, *count, most);
        }
    }
    let height = y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\">\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

fn bar(out: &mut String, y: usize, kind: &str, count: usize, most: usize) {
    text(out, BARS - 8, y, "l", &label(kind));
    let length = (count.saturating_mul(LONGEST) / most).max(1);
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<rect class=\"b\" x=\"{BARS}\" y=\"{}\" width=\"{length}\" height=\"16\"/>",
        y.saturating_sub(13)
    );
    text(out, BARS + length + 6, y, "", &count.to_string());
}

fn text(out: &mut String, x: usize, y: usize, class: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
    );
}

fn label(kind: &str) -> String {
    match kind.char_indices().nth(LABEL) {
        Some((end, _)) => format!("{}…", kind.get(..end).unwrap_or(kind)),
        None => kind.to_owned(),
    }
}

/// Escapes a text for XML, because names that come from other nodes may contain markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peermux::{Enode, SecretKey};
    use peermux_cli::node_file::{KnownNode, Outcome, Source};

    use super::*;

    #[test]
    fn names_of_others_stay_text() {
        let key = SecretKey::generate().public_key();
        let enode = Enode::new(key, ([8, 1, 0, 1], 1).into());
        let mut node = KnownNode::new(enode.into(), Source::V4);
        node.outcome = Some(Outcome::Met);
        node.client = Some("<script>&\"\u{ffff}".repeat(20));
        let svg = draw(&Summary::of([&node], 0, Duration::ZERO));
        assert!(svg.contains("&lt;script&gt;&amp;&quot;\u{fffd}"), "{svg}");
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains(">nodes: 1 known, 1 met,"), "{svg}");
        assert!(svg.ends_with("</svg>\n"));
    }
}
