//! A real terminal: a shell in tmux with a readable screen.

use std::env;
use std::io::{Write, stderr};
use std::process::Command;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::folder::Folder;

/// The time limit for a change of the screen, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The time between two looks at the screen.
const PAUSE: Duration = Duration::from_millis(50);

/// A terminal with a shell. The terminal closes when this is dropped.
pub(crate) struct Tmux {
    folder: Folder,
}

impl Tmux {
    /// Starts a terminal of this size.
    ///
    /// Without tmux this prints a notice and returns `None`. If `PEERMUX_INTEROP` is `required`, it fails
    /// instead.
    pub(crate) fn start(width: u16, height: u16) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(
                env::var_os("PEERMUX_INTEROP").is_none_or(|value| value != "required"),
                "tmux is missing"
            );
            // Write to standard error directly, because the captured output of passing tests is hidden.
            let told = stderr().write_all(b"tmux is missing: no test in a real terminal\n");
            told.expect("standard error");
            return None;
        }
        let tmux = Self {
            folder: Folder::new(),
        };
        let size = [width, height].map(|number| number.to_string());
        tmux.run(&[
            "-f",
            "/dev/null",
            "-u",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "exec sh",
        ]);
        Some(tmux)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.folder.path("tmux"));
        command
            .args(arguments)
            .env_remove("TMUX")
            .env_remove("ENV")
            .env_remove("NO_COLOR");
        let output = command.output().expect("tmux runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Presses keys by name, such as `q`, `Enter`, `Escape`.
    pub(crate) fn press(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Types a text.
    pub(crate) fn text(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
    }

    /// Types a line for the shell, or for a program in it.
    pub(crate) fn line(&self, text: &str) {
        self.text(text);
        self.press(&["Enter"]);
    }

    pub(crate) fn resize(&self, width: u16, height: u16) {
        let size = [width, height].map(|number| number.to_string());
        self.run(&["resize-window", "-x", &size[0], "-y", &size[1]]);
    }

    /// Returns the text of the screen.
    pub(crate) fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// Returns the text of the screen, with escape sequences for colours.
    pub(crate) fn coloured_screen(&self) -> String {
        self.run(&["capture-pane", "-p", "-e"])
    }

    /// Returns whether a program has taken over the screen, and whether the cursor is visible.
    pub(crate) fn state(&self) -> String {
        let state = self.run(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        state.trim().to_owned()
    }

    /// Waits until the screen shows all these texts, and returns the screen's text.
    pub(crate) fn shows(&self, texts: &[&str]) -> String {
        let shown = |screen: &str| texts.iter().all(|text| screen.contains(text));
        self.until(&format!("{texts:?}"), shown)
    }

    /// Waits until the condition holds for the screen, and returns the screen's text.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let since = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(
                since.elapsed() < DEADLINE,
                "no {what} on the screen:\n{screen}"
            );
            thread::park_timeout(PAUSE);
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(self.folder.path("tmux"))
            .arg("kill-server");
        // An error is ignored, because the shell may have ended, and tmux with it.
        let _ = command.output();
    }
}
