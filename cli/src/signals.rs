//! The signals that end a command, or reload the configuration of a node.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The time during which further signals count as part of the first.
///
/// A shell and a supervisor may both send a signal, and a key may be held down.
const ONE_WISH: Duration = Duration::from_secs(1);

/// The effects of SIGINT, SIGTERM and SIGHUP.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts {
    /// Cancelled by the first signal: the command must end cleanly. A failed write to standard output
    /// cancels this too.
    pub(crate) once: CancellationToken,
    /// Cancelled by the second signal: the command must end without waiting for its peers.
    pub(crate) twice: CancellationToken,
    /// Counts the SIGHUPs to a process without a terminal. Each asks to read the configuration again.
    hangups: watch::Sender<u64>,
}

/// The meaning of a signal.
enum Wish {
    End,
    #[cfg(unix)]
    Reload,
}

impl Interrupts {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on, on a separate thread.
    ///
    /// The thread is separate because a command may hang in a system call, such as one that opens a file.
    pub(crate) fn watch() -> io::Result<Self> {
        let interrupts = Self::default();
        let watched = interrupts.clone();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _entered = runtime.enter();
            Signals::install()?
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(watched.obey(signals)))?;
        Ok(interrupts)
    }

    async fn obey(&self, mut signals: Signals) {
        let mut first = None;
        while !self.twice.is_cancelled() {
            match signals.next().await {
                Wish::End => self.note(&mut first),
                #[cfg(unix)]
                Wish::Reload if self.hangups.receiver_count() == 0 => {
                    tracing::warn!("ignored SIGHUP: there is no configuration file to read again");
                }
                #[cfg(unix)]
                Wish::Reload => self
                    .hangups
                    .send_modify(|count| *count = count.wrapping_add(1)),
            }
        }
    }

    /// Returns a receiver that changes with each SIGHUP to a process without a terminal.
    #[cfg(unix)]
    pub(crate) fn hangups(&self) -> watch::Receiver<u64> {
        self.hangups.subscribe()
    }

    /// Handles a signal that asks for the end. Stores the time of the first such signal.
    fn note(&self, first: &mut Option<Instant>) {
        match first {
            None => {
                *first = Some(Instant::now());
                self.once.cancel();
            }
            Some(first) if first.elapsed() >= ONE_WISH => self.twice.cancel(),
            Some(_) => {}
        }
    }
}

#[cfg(unix)]
use unix::Signals;

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Wish;

    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
        /// SIGHUP; `None` if the process was started with SIGHUP ignored, as by `nohup`.
        hangup: Option<Signal>,
        has_terminal: bool,
    }

    impl Signals {
        pub(super) fn install() -> io::Result<Self> {
            let hangup = if ignores_hangup() {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            };
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup,
                has_terminal: has_terminal(),
            })
        }

        /// Waits for a signal.
        pub(super) async fn next(&mut self) -> Wish {
            tokio::select! {
                // First check the signals that end the command.
                biased;
                _ = self.interrupt.recv() => Wish::End,
                _ = self.terminate.recv() => Wish::End,
                () = received(self.hangup.as_mut()) => if self.has_terminal { Wish::End } else { Wish::Reload },
            }
        }
    }

    async fn received(signal: Option<&mut Signal>) {
        match signal {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }

    /// Returns whether the process has a controlling terminal. If so, SIGHUP reports that the terminal has
    /// closed.
    fn has_terminal() -> bool {
        fs::File::open("/dev/tty").is_ok()
    }

    /// Returns whether the process was started with SIGHUP ignored. This is known only on Linux.
    fn ignores_hangup() -> bool {
        let status = fs::read_to_string("/proc/self/status");
        status.is_ok_and(|status| ignored(&status) & 1 != 0)
    }

    /// Returns the mask of ignored signals in `/proc/self/status`. SIGHUP is the lowest bit.
    fn ignored(status: &str) -> u64 {
        let mut lines = status.lines();
        let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn ignored_signals_are_found_in_the_status_of_a_process() {
            let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
            assert_eq!(ignored(status), 0x1001);
            assert_eq!(ignored("Name:\tx\n"), 0);
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn install() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> Wish {
        let _ = self.0.recv().await;
        Wish::End
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn signals_within_a_second_are_one() {
        let (interrupts, mut first) = (Interrupts::default(), None);
        for _ in 0..10 {
            interrupts.note(&mut first);
            assert!(interrupts.once.is_cancelled());
            advance(ONE_WISH / 10).await;
        }
        assert!(!interrupts.twice.is_cancelled());
        interrupts.note(&mut first);
        assert!(interrupts.twice.is_cancelled());
    }
}
