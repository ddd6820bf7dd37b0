//! Reads the lines to send, from standard input or from the line editor.

use std::io;

use peermux_protocols::chat::MAX_LINE;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader, Stdin};
#[cfg(unix)]
use tokio::sync::mpsc;

#[cfg(unix)]
use super::screen::Screen;
use crate::failure::Failure;

/// A line without its newline, or the reason why it cannot be sent.
pub(super) type Line = Result<String, String>;

/// The source of the lines.
#[derive(Debug)]
pub(super) enum Input {
    /// Standard input without an editor.
    Plain(BufReader<Stdin>),
    /// The line editor, which also takes commands.
    ///
    /// When this is dropped, `lines` is dropped first. Then `_screen` takes the terminal back from the
    /// thread that reads keys.
    #[cfg(unix)]
    Typed {
        lines: mpsc::Receiver<io::Result<Line>>,
        _screen: Screen,
    },
}

impl Input {
    pub(super) fn plain() -> Self {
        Self::Plain(BufReader::new(tokio::io::stdin()))
    }

    /// Returns the next line; `None` at the end of input.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, Failure> {
        let line = match self {
            Self::Plain(input) => next_line(input).await,
            #[cfg(unix)]
            Self::Typed { lines, .. } => lines.recv().await.transpose(),
        };
        line.map_err(|error| Failure::because(format!("cannot read standard input: {error}")))
    }
}

/// Reads a line, which ends at a newline or at the end of input. Keeps only as much of the line as is
/// needed to see that it is too long.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut length = 0usize;
    loop {
        let read = input.fill_buf().await?;
        if read.is_empty() && length == 0 {
            return Ok(None);
        }
        let end = read.iter().position(|byte| *byte == b'\n');
        let part = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
        let room = (MAX_LINE + 1).saturating_sub(line.len());
        line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        let used = part.len() + usize::from(end.is_some());
        let ended = end.is_some() || read.is_empty();
        length += used;
        input.consume(used);
        if ended {
            return Ok(Some(finish_line(line)));
        }
    }
}

fn finish_line(mut line: Vec<u8>) -> Line {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    check_length(&line)?;
    String::from_utf8(line).map_err(|_| NOT_UTF8.to_owned())
}

/// The reason why a line that is not UTF-8 is rejected.
pub(super) const NOT_UTF8: &str = "it is not UTF-8";

/// Rejects a line that is too long to send.
pub(super) fn check_length(line: &[u8]) -> Result<(), String> {
    if line.len() > MAX_LINE {
        Err(format!("it is longer than {MAX_LINE} bytes"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8]) -> Vec<Result<String, String>> {
        let mut input = BufReader::with_capacity(7, input);
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input).await.expect("memory can be read") {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn lines_end_with_a_newline_or_the_input() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(lines(b"").await, []);
        assert_eq!(
            lines(b"a\n\nlonger than the buffer\r\nend").await,
            [ok("a"), ok(""), ok("longer than the buffer"), ok("end")]
        );
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_told_and_skipped() {
        let mut input = vec![b'x'; MAX_LINE];
        input.push(b'\n');
        input.extend(vec![b'y'; 3 * MAX_LINE]);
        input.extend(b"\n\xff\nlast");
        let lines = lines(&input).await;
        assert_eq!(lines.len(), 4);
        assert!(lines[0].is_ok() && lines[1].is_err() && lines[2].is_err());
        assert_eq!(lines[3], Ok("last".to_owned()));
    }
}
