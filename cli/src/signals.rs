//! The signals that end a command.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Signals in this time after the first one are the same wish: a shell and a supervisor may both
/// send one, and a key may be held down.
const ONE_WISH: Duration = Duration::from_secs(1);

/// What was asked for by SIGINT, SIGTERM or, in a terminal, SIGHUP.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts {
    /// The command is to end cleanly. Output that cannot be written asks for it too.
    pub(crate) once: CancellationToken,
    /// It is to end without waiting for its peers.
    pub(crate) twice: CancellationToken,
    /// Counts SIGHUP without a terminal, by which service managers ask for a configuration to be read again.
    hangups: watch::Sender<u64>,
}

/// What a signal asks for.
enum Wish {
    End,
    #[cfg(unix)]
    Reload,
}

impl Interrupts {
    /// From now on these signals do not kill the process. They are received on a thread of their
    /// own: a command may hang in a call of the system, such as one that opens a file.
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
                    tracing::warn!(
                        "SIGHUP is ignored: there is no configuration file to be read again"
                    );
                }
                #[cfg(unix)]
                Wish::Reload => self
                    .hangups
                    .send_modify(|count| *count = count.wrapping_add(1)),
            }
        }
    }

    /// Changes with each SIGHUP without a terminal from now on.
    #[cfg(unix)]
    pub(crate) fn hangups(&self) -> watch::Receiver<u64> {
        self.hangups.subscribe()
    }

    /// Takes note of a signal, and of its time if it is the first.
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
        /// `None` if the process was started to ignore it, as `nohup` does.
        hangup: Option<Signal>,
        has_terminal: bool,
    }

    impl Signals {
        pub(super) fn install() -> io::Result<Self> {
            let hangup = match ignores_hangup() {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
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
                // What ends the command first.
                biased;
                _ = self.interrupt.recv() => Wish::End,
                _ = self.terminate.recv() => Wish::End,
                () = received(self.hangup.as_mut()) => match self.has_terminal {
                    true => Wish::End,
                    false => Wish::Reload,
                },
            }
        }
    }

    async fn received(signal: Option<&mut Signal>) {
        match signal {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }

    /// Whether the process has a controlling terminal, whose end is meant by SIGHUP.
    fn has_terminal() -> bool {
        fs::File::open("/dev/tty").is_ok()
    }

    /// Whether SIGHUP is ignored already. Systems other than Linux do not tell.
    fn ignores_hangup() -> bool {
        let status = fs::read_to_string("/proc/self/status");
        status.is_ok_and(|status| ignored(&status) & 1 != 0)
    }

    /// The ignored signals, in the text that Linux has about a process: SIGHUP is the lowest bit.
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
