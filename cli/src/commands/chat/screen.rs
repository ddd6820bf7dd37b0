//! A terminal that shows the line being typed, and received lines above it.
//!
//! While a thread reads keys, only that thread may write. Other threads hand their text to it.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::ExternalPrinter;

/// How long other threads wait for the thread that reads keys.
///
/// That thread reacts at once, unless it searches the history or the terminal is stopped.
const PATIENCE: Duration = Duration::from_secs(1);

/// The state of the screen, which decides which thread may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// No line is being typed: text is written directly.
    #[default]
    Off,
    /// A line is finished, and the next one has not begun.
    Between,
    /// The mode of the terminal is being changed, before the prompt appears.
    Beginning,
    /// A line is being typed.
    Typing,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Whether the thread that reads keys holds a text that it has not shown yet.
    has_text: bool,
}

/// The state shared by the thread that reads keys and the threads that write.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits while `is_so` holds, at most [`PATIENCE`].
    fn wait_while(&self, is_so: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, |state| is_so(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The terminal, whose mode is restored on drop.
#[derive(Debug)]
pub(super) struct Screen {
    shared: Arc<Shared>,
    usual: Termios,
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        let usual = tcgetattr(io::stdin())?;
        let shared = Arc::default();
        Ok(Self { shared, usual })
    }

    /// Returns the writer of text above the line.
    pub(super) fn above(&self, printer: impl ExternalPrinter + Send + 'static) -> Above {
        Above {
            shared: Arc::clone(&self.shared),
            printer: Box::new(printer),
        }
    }

    /// Returns the handle for the thread that reads keys.
    pub(super) fn keyboard(&self) -> Keyboard {
        self.shared.change(|state| state.phase = Phase::Between);
        Keyboard(Arc::clone(&self.shared))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut state = self
            .shared
            .wait_while(|state| state.phase == Phase::Beginning);
        let was_typing = matches!(state.phase, Phase::Beginning | Phase::Typing);
        if was_typing {
            // The thread still waits for a key, so it cannot restore the mode. An error is ignored, because
            // a terminal that has closed has no mode.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.usual);
            let _ = io::stdout().write_all(b"\n");
        }
        state.phase = Phase::Off;
        drop(state);
        self.shared.changed.notify_all();
    }
}

/// The handle of the thread that reads keys. Lines can be typed until it is dropped.
#[derive(Debug)]
pub(super) struct Keyboard(Arc<Shared>);

impl Keyboard {
    /// Returns whether another line may be typed. If so, the prompt must follow.
    pub(super) fn begins(&self) -> bool {
        let mut state = self.0.lock();
        if state.phase == Phase::Off {
            return false;
        }
        state.phase = Phase::Beginning;
        true
    }

    /// Notes the end of a line.
    pub(super) fn ends(&self) {
        self.0.change(|state| {
            if state.phase != Phase::Off {
                state.phase = Phase::Between;
            }
        });
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.0.change(|state| state.phase = Phase::Off);
    }
}

/// Draws the prompt when a line begins, and again after each text above the line.
impl rustyline::Prompt for Keyboard {
    fn raw(&self) -> &str {
        self.0.change(|state| {
            if state.phase == Phase::Beginning {
                state.phase = Phase::Typing;
            }
            state.has_text = false;
        });
        "> "
    }
}

/// Shows text above the line.
///
/// If a key is pressed at the same moment, the prompt is redrawn before the text is shown, and the
/// text counts as shown although it is not. This matters only for the last texts before the chat
/// ends.
pub(super) struct Above {
    shared: Arc<Shared>,
    printer: Box<dyn ExternalPrinter + Send>,
}

impl Write for Above {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let starts = |state: &State| matches!(state.phase, Phase::Between | Phase::Beginning);
        let mut state = self.shared.wait_while(starts);
        if matches!(state.phase, Phase::Beginning | Phase::Typing) {
            state.has_text = true;
            drop(state);
            let printed = self
                .printer
                .print(String::from_utf8_lossy(text).into_owned());
            let waits = |state: &State| state.has_text && state.phase != Phase::Off;
            let shown = self.shared.wait_while(waits);
            // If the thread that reads keys has ended without showing the text, write the text to
            // standard output instead.
            if printed.is_ok() && !(shown.has_text && shown.phase == Phase::Off) {
                return Ok(text.len());
            }
        }
        io::stdout().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};
    use std::thread;

    use rustyline::Prompt;

    use super::*;

    struct Printer(SyncSender<String>);

    impl ExternalPrinter for Printer {
        fn print(&mut self, text: String) -> rustyline::Result<()> {
            self.0.send(text).expect("read");
            Ok(())
        }
    }

    #[test]
    fn a_text_waits_for_the_prompt_and_until_it_is_shown() {
        let shared = Arc::new(Shared::default());
        shared.change(|state| state.phase = Phase::Between);
        let keyboard = Keyboard(Arc::clone(&shared));
        let (printer, printed) = sync_channel(1);
        let mut above = Above {
            shared,
            printer: Box::new(Printer(printer)),
        };
        let writer = thread::spawn(move || above.write(b"text\n"));
        assert!(keyboard.begins());
        assert!(printed.try_recv().is_err());
        keyboard.raw();
        assert_eq!(printed.recv().expect("a text"), "text\n");
        keyboard.raw();
        assert_eq!(writer.join().expect("no panic").expect("written"), 5);
        keyboard.ends();
        assert!(keyboard.begins());
    }

    #[test]
    fn no_line_begins_after_the_end() {
        let shared = Arc::new(Shared::default());
        assert!(!Keyboard(Arc::clone(&shared)).begins());
        assert_eq!(shared.lock().phase, Phase::Off);
    }
}
