//! The signals that end a command.

use std::io::{self, Write};
use std::process;

use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first SIGINT or SIGTERM: from now on these signals do not kill
/// the process. The second one does, since a command may wait for somebody who reads its output.
pub(crate) fn watch() -> io::Result<CancellationToken> {
    let mut signals = Signals::install()?;
    let interrupted = CancellationToken::new();
    let token = interrupted.clone();
    tokio::spawn(async move {
        signals.next().await;
        token.cancel();
        signals.next().await;
        // Without standard error there is nobody to tell.
        let _ = writeln!(
            io::stderr(),
            "peermux: interrupted twice, the peers were not waited for"
        );
        process::exit(1);
    });
    Ok(interrupted)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            // Both mean the same.
            biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
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

    async fn next(&mut self) {
        let _ = self.0.recv().await;
    }
}
