//! Writes output through a bounded queue and a separate thread.
//!
//! A pipe that is not read blocks the thread that writes to it. Therefore, that thread must not run
//! tasks of a node.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The capacity of the queue, in bytes. An empty queue accepts one text of any size.
const CAPACITY: usize = 4 << 20;

/// The number of bytes that are added to the size of each queued text.
const OVERHEAD: usize = 64;

/// How long to pause before retrying a write that would block.
///
/// The pipe may be non-blocking, because another process that shares it can make it so.
const RETRY: Duration = Duration::from_millis(10);

/// A handle on the queue.
///
/// If the queue is full, new text is dropped. The next text that is written then begins with a line that
/// says how many lines were dropped.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Arc<Shared>);

/// The reason why not all text was written.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// Writing failed.
    Failed(io::ErrorKind, String),
    /// This many lines were dropped, or are still queued.
    Lost(u64),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.kind(), error.to_string())
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the thread that writes.
    more: Condvar,
    /// Wakes the tasks that wait until the queue is written.
    done: Notify,
    /// Cancelled when writing has failed.
    failed: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Text>,
    /// The size of the queue in bytes, with the overhead of each text.
    size: usize,
    /// The number of lines that the thread is writing.
    in_hand: u64,
    /// The number of lines that were dropped and not reported yet.
    lost: u64,
    /// The number of lines that were dropped since the start.
    lost_in_all: u64,
    failure: Option<(io::ErrorKind, String)>,
}

#[derive(Debug, Default)]
struct Text {
    /// The number of lines that were dropped before this text.
    lost: u64,
    text: String,
}

impl Text {
    fn size(&self) -> usize {
        self.text.len() + OVERHEAD
    }

    fn lines(&self) -> u64 {
        self.text.matches('\n').count() as u64
    }
}

impl Lines {
    /// Starts a thread that writes to `sink` until the process ends.
    ///
    /// `notice` makes the line that reports lost lines. `failed` is cancelled when a write has failed.
    pub(crate) fn start(
        sink: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + 'static,
        failed: CancellationToken,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            failed,
            ..Shared::default()
        });
        let writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || writer.serve(sink, &notice))?;
        Ok(Self(shared))
    }

    /// Queues whole lines that end with a newline. Never waits.
    pub(crate) fn push(&self, text: String) {
        let mut state = self.0.lock();
        let text = Text { lost: 0, text };
        let size = state.size + text.size();
        match state.failure {
            None if state.queue.is_empty() || size <= CAPACITY => {
                let lost = mem::take(&mut state.lost);
                state.size = size;
                state.queue.push_back(Text { lost, ..text });
                self.0.more.notify_one();
            }
            _ => state.lose(text.lines()),
        }
    }

    /// Counts lines that were lost before they reached the queue.
    pub(crate) fn lose(&self, lines: u64) {
        self.0.lock().lose(lines);
        self.0.more.notify_one();
    }

    /// Waits until the queue is written, or a write has failed. Cancel safe.
    pub(crate) async fn written(&self) {
        loop {
            let done = self.0.done.notified();
            if self.0.lock().is_done() {
                return;
            }
            done.await;
        }
    }

    /// Fails if not all text so far was written.
    pub(crate) fn outcome(&self) -> Result<(), Unwritten> {
        let state = self.0.lock();
        if let Some((kind, text)) = &state.failure {
            return Err(Unwritten::Failed(*kind, text.clone()));
        }
        let waiting: u64 = state.queue.iter().map(Text::lines).sum();
        match state.lost_in_all + waiting + state.in_hand {
            0 => Ok(()),
            lost => Err(Unwritten::Lost(lost)),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut sink: impl Write, notice: &impl Fn(u64) -> String) {
        loop {
            let Text { lost, mut text } = self.next();
            if lost > 0 {
                text.insert_str(0, &notice(lost));
            }
            if let Err(error) = write_all(&mut sink, text.as_bytes()) {
                self.fail(&error);
                return;
            }
        }
    }

    /// Waits for the next text. The previous one must have been written, because it no longer
    /// counts as in hand.
    fn next(&self) -> Text {
        let mut state = self.lock();
        loop {
            if let Some(text) = state.queue.pop_front() {
                state.size -= text.size();
                state.in_hand = text.lines();
                return text;
            }
            state.in_hand = 0;
            if state.lost > 0 {
                let lost = mem::take(&mut state.lost);
                state.in_hand = 1;
                return Text {
                    lost,
                    ..Text::default()
                };
            }
            self.done.notify_waiters();
            state = self
                .more
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn fail(&self, error: &io::Error) {
        let mut state = self.lock();
        state.failure = Some((error.kind(), error.to_string()));
        state.queue.clear();
        drop(state);
        self.done.notify_waiters();
        self.failed.cancel();
    }
}

impl State {
    fn lose(&mut self, lines: u64) {
        self.lost += lines;
        self.lost_in_all += lines;
    }

    fn is_done(&self) -> bool {
        let idle = self.queue.is_empty() && self.in_hand == 0 && self.lost == 0;
        idle || self.failure.is_some()
    }
}

fn write_all(sink: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match patiently(|| sink.write(bytes))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = bytes.get(written..).unwrap_or_default(),
        }
    }
    patiently(|| sink.flush())
}

/// Repeats an operation that was interrupted or would block.
fn patiently<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::park_timeout(RETRY),
            result => return result,
        }
    }
}

/// Accepts the lines of the log, which writes whole lines in each call.
impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.push(String::from_utf8_lossy(lines).into_owned());
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A sink that passes each text to the test.
    ///
    /// It blocks while the channel is full.
    pub(crate) struct Pipe(pub(crate) SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            let sent = self.0.send(text);
            sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn pipe() -> (Lines, Receiver<String>, CancellationToken) {
        let (sender, reader) = sync_channel(0);
        let failed = CancellationToken::new();
        let notice = |lost| format!("lost {lost}\n");
        let lines = Lines::start(Pipe(sender), notice, failed.clone()).expect("a thread");
        (lines, reader, failed)
    }

    fn lost(lines: &Lines) -> u64 {
        match lines.outcome() {
            Ok(()) => 0,
            Err(Unwritten::Lost(lost)) => lost,
            Err(failed) => panic!("{failed:?}"),
        }
    }

    #[tokio::test]
    async fn lines_without_room_are_dropped_and_counted_in_the_next_one() {
        let (lines, reader, _) = pipe();
        let long = format!("{}\n", "x".repeat(CAPACITY / 2 - OVERHEAD - 1));
        lines.push("first\n".to_owned());
        // Wait until the thread is writing the second text. Then the queue has room for two long
        // texts.
        assert_eq!(reader.recv().expect("written"), "first\n");
        lines.push("second\n".to_owned());
        while !lines.0.lock().queue.is_empty() {
            tokio::task::yield_now().await;
        }
        for _ in 0..2 {
            lines.push(long.clone());
        }
        lines.push("a\nb\n".to_owned());
        lines.push("c\n".to_owned());
        assert_eq!(lost(&lines), 6, "three are queued, three are lost");
        assert_eq!(reader.recv().expect("written"), "second\n");
        assert_eq!(reader.recv().expect("written"), long);
        lines.push("third\n".to_owned());
        assert_eq!(reader.recv().expect("written"), long);
        assert_eq!(reader.recv().expect("written"), "lost 3\nthird\n");
        lines.written().await;
        assert_eq!(lost(&lines), 3, "they were reported, and stay lost");
    }

    #[tokio::test]
    async fn losses_are_reported_even_if_no_further_line_comes() {
        let (lines, reader, _) = pipe();
        lines.lose(2);
        assert_eq!(reader.recv().expect("written"), "lost 2\n");
        lines.written().await;
    }

    #[tokio::test]
    async fn a_single_text_may_be_of_any_size() {
        let (lines, reader, _) = pipe();
        let long = format!("{}\n", "x".repeat(CAPACITY + 1));
        lines.push(long.clone());
        assert_eq!(reader.recv().expect("written"), long);
        lines.written().await;
        assert_eq!(lost(&lines), 0);
    }

    #[tokio::test]
    async fn a_failed_write_ends_the_output_and_is_reported() {
        let (lines, reader, failed) = pipe();
        drop(reader);
        lines.push("a\n".to_owned());
        failed.cancelled().await;
        lines.push("b\n".to_owned());
        lines.written().await;
        let outcome = lines.outcome();
        assert!(
            matches!(
                outcome,
                Err(Unwritten::Failed(io::ErrorKind::BrokenPipe, _))
            ),
            "{outcome:?}"
        );
    }

    /// A non-blocking sink with room for one byte.
    struct Narrow {
        room: bool,
        to: SyncSender<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.room = !self.room;
            match (self.room, bytes.first()) {
                (false, _) | (_, None) => Err(io::ErrorKind::WouldBlock.into()),
                (true, Some(byte)) => {
                    self.to.send(*byte).expect("read");
                    Ok(1)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_pipe_that_does_not_block_is_tried_again() {
        let (to, reader) = sync_channel(16);
        let sink = Narrow { room: true, to };
        let lines = Lines::start(sink, |_| String::new(), CancellationToken::new());
        let lines = lines.expect("a thread");
        lines.push("abc\n".to_owned());
        lines.written().await;
        assert!(lines.outcome().is_ok());
        assert_eq!(reader.try_iter().collect::<Vec<_>>(), b"abc\n");
    }
}
