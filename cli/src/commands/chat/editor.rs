//! The line editor of the chat, on a terminal.

use std::io::{self, IsTerminal};
use std::thread;

use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::input::{Input, Line, NOT_UTF8, check_length};
use super::screen::{Keyboard, Screen};
use crate::failure::Failure;
use crate::output::Output;

/// How many finished lines can wait to be sent.
const WAITING: usize = 16;

/// An editor that has not started.
pub(super) struct Editor {
    lines: DefaultEditor,
    screen: Screen,
}

impl Editor {
    /// Opens the editor, and an output that prints above the line being typed. Returns `None` if
    /// the terminal cannot do this.
    pub(super) fn open(failed: &CancellationToken) -> Result<Option<(Self, Output)>, Failure> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        // Bracketed paste is off, so that pasted text is split into lines, and each line is sent.
        let config = Config::builder()
            .auto_add_history(true)
            .bracketed_paste(false)
            .build();
        let lines = DefaultEditor::with_config(config);
        let mut lines = lines.map_err(|error| no_terminal(&error))?;
        let Ok(printer) = lines.create_external_printer() else {
            // The terminal cannot move its cursor.
            return Ok(None);
        };
        let screen = Screen::open().map_err(|error| no_terminal(&error))?;
        let out = Output::over(screen.above(printer), failed.clone())?;
        Ok(Some((Self { lines, screen }, out)))
    }

    /// Starts the editor, which ends when the returned input is dropped.
    pub(super) fn start(self) -> Result<Input, Failure> {
        let Self { mut lines, screen } = self;
        let keyboard = screen.keyboard();
        let (typed, waiting) = mpsc::channel(WAITING);
        thread::Builder::new()
            .name("editor".to_owned())
            .spawn(move || {
                read(&mut lines, &keyboard, &typed);
                // This also drops the texts that are not shown yet. The threads that wrote these
                // texts then print them directly.
                drop(lines);
            })
            .map_err(Failure::because)?;
        let lines = waiting;
        Ok(Input::Typed {
            lines,
            _screen: screen,
        })
    }
}

fn no_terminal(error: &dyn std::error::Error) -> Failure {
    Failure::because(format!("cannot edit lines on this terminal: {error}"))
}

fn read(lines: &mut DefaultEditor, keyboard: &Keyboard, typed: &mpsc::Sender<io::Result<Line>>) {
    while keyboard.begins() {
        let line = lines.readline(keyboard);
        keyboard.ends();
        let line = match line {
            Ok(line) => Ok(check_length(line.as_bytes()).map(|()| line)),
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return,
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Err(NOT_UTF8.to_owned()))
            }
            Err(error) => Err(io::Error::other(error)),
        };
        let has_failed = line.is_err();
        if typed.blocking_send(line).is_err() || has_failed {
            return;
        }
    }
}
