//! Draws a screen of tmux in SVG.

use std::fmt::Write;

/// The size of a character cell, in units of the picture.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;

const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d7dae0";

/// The style of text, as set by escape sequences.
#[derive(Debug, Clone, Default, PartialEq)]
struct Look {
    colour: Option<u8>,
    is_bold: bool,
    is_dim: bool,
    is_reversed: bool,
}

impl Look {
    /// Applies the numbers of an escape sequence such as `\x1b[1;36m`.
    fn change(&mut self, numbers: &str) {
        let mut numbers = numbers.split(';').map(|number| number.parse().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.is_bold = true,
                2 => self.is_dim = true,
                7 => self.is_reversed = true,
                22 => (self.is_bold, self.is_dim) = (false, false),
                27 => self.is_reversed = false,
                30..=37 => self.colour = Some(number - 30),
                38 if numbers.next() == Some(5) => self.colour = numbers.next(),
                39 => self.colour = None,
                90..=97 => self.colour = Some(number - 90 + 8),
                _ => {}
            }
        }
    }

    fn colour(&self) -> &'static str {
        match self.colour {
            Some(1 | 9) => "#e06c75",
            Some(2 | 10) => "#98c379",
            Some(3 | 11) => "#e5c07b",
            Some(4 | 12) => "#61afef",
            Some(6 | 14) => "#56b6c2",
            Some(8) => "#7f848e",
            _ => FOREGROUND,
        }
    }
}

/// Draws a screen of this many columns. Its text may contain escape sequences.
pub(crate) fn svg(screen: &str, columns: u16) -> String {
    let rows = screen.lines().count();
    let [width, height] = [
        f64::from(columns) * WIDTH + 24.0,
        rows as f64 * HEIGHT + 24.0,
    ];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n"
    );
    // Each line begins with the style at the end of the previous line.
    let mut look = Look::default();
    for (row, line) in screen.lines().enumerate() {
        let mut column = 0;
        for (number, part) in line.split("\u{1b}[").enumerate() {
            let text = match part.split_once('m') {
                Some((numbers, text)) if number > 0 => {
                    look.change(numbers);
                    text
                }
                _ => part,
            };
            draw(&mut svg, &look, [column, row], text);
            column += text.chars().count();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, look: &Look, [column, row]: [usize; 2], text: &str) {
    let [x, y] = [column as f64 * WIDTH + 12.0, row as f64 * HEIGHT + 12.0];
    let mut colour = look.colour();
    if look.is_reversed {
        let length = text.chars().count() as f64 * WIDTH;
        let end = "height=\"18\"";
        writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" {end} fill=\"{colour}\"/>"
        )
        .expect("written");
        colour = BACKGROUND;
    }
    let weight = if look.is_bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let opacity = if look.is_dim { " opacity=\"0.6\"" } else { "" };
    let base = y + 14.0;
    for (start, part) in parts(text) {
        let x = x + start as f64 * WIDTH;
        let part = part.replace('&', "&amp;").replace('<', "&lt;");
        writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{base:.1}\" fill=\"{colour}\"{weight}{opacity}>{part}</text>"
        )
        .expect("written");
    }
}

/// Splits a text at two or more spaces, with the column of each part.
///
/// Each part is placed separately, because fonts differ in width.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut start = 0;
    for part in text.split("  ") {
        let trimmed = part.trim_start();
        let before = start + part.chars().count() - trimmed.chars().count();
        if !trimmed.is_empty() {
            parts.push((before, trimmed.trim_end()));
        }
        start += part.chars().count() + 2;
    }
    parts
}

#[test]
fn looks_and_places_are_those_of_the_screen() {
    let picture = svg(
        "a\u{1b}[1;36mb<\u{1b}[0m\u{1b}[7mc\u{1b}[27m\n\u{1b}[90md",
        4,
    );
    let lines: Vec<_> = picture.lines().collect();
    let [_, _, a, b, back, c, d, end] = lines.as_slice() else {
        panic!("another number of shapes: {picture}");
    };
    assert!(a.contains(">a<") && a.contains(FOREGROUND), "{a}");
    assert!(
        b.contains("x=\"20.4\"") && b.contains("bold") && b.contains(">b&lt;<"),
        "{b}"
    );
    assert!(back.starts_with("<rect") && c.contains(BACKGROUND), "{c}");
    assert!(d.contains("y=\"44.0\"") && d.contains("#7f848e"), "{d}");
    assert_eq!(*end, "</svg>");
}

#[test]
fn columns_of_a_text_stand_where_they_stood() {
    assert_eq!(parts(" a b   c  d "), [(1, "a b"), (7, "c"), (10, "d")]);
    assert!(parts("     ").is_empty());
}
