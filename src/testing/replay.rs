use std::collections::VecDeque;

use bytes::Bytes;

use super::{Scripted, ScriptedFrame, Settings};
use crate::p2p::Capability;
use crate::peer::Peer;
use crate::recorder::{RecordedEvent, Recording};
use crate::setup::SetupError;

/// A remote that sends the same messages as the remote of a [`Recording`].
///
/// The messages have the same protocols, codes and sizes as the recorded ones. They are sent in the
/// recorded order, as fast as the peer reads them. Payloads are not recorded, so they are zeros, or
/// the test provides them.
///
/// ```
/// use peermux::testing::{self, Replay};
/// use peermux::{Message, Protocol};
///
/// # tokio_test::block_on(async {
/// let counts = Protocol::builder("count", 1, 8).run(|_, mut conn| async move {
///     while let Some(message) = conn.recv().await? {
///         conn.send(&Message::new(0, vec![message.payload.len() as u8])).await?;
///     }
///     Ok(())
/// });
/// let sends = Protocol::builder("count", 1, 8).run(|_, mut conn| async move {
///     conn.send(&Message::new(5, "12345")).await?;
///     conn.recv().await?;
///     Ok(())
/// });
/// let connected = testing::connect(sends, counts.clone()).await.expect("connects");
/// connected.right.ended().await;
///
/// let recording = connected.right.recording();
/// let (_peer, mut replay) = Replay::of(&recording, counts).await.expect("connects");
/// assert_eq!(replay.run().await, 1);
/// assert_eq!(replay.next().await.expect("an answer").payload, [5][..]);
/// # });
/// ```
#[derive(Debug)]
pub struct Replay {
    remote: Scripted,
    left: VecDeque<(u64, ReplayedMessage)>,
    answers: VecDeque<ScriptedFrame>,
}

/// A recorded message to resend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayedMessage {
    /// The message's protocol.
    pub protocol: Capability,
    /// The message's code, relative to the protocol.
    pub code: u64,
    /// The size of the message's payload in bytes.
    pub size: usize,
}

impl Replay {
    /// Runs a peer with `settings` in the background, and returns it with its remote.
    ///
    /// The remote announces the protocols of `recording`. Messages of protocols that the peer does
    /// not speak are omitted.
    ///
    /// # Errors
    /// [`SetupError`] as for [`connect`](super::connect).
    pub async fn of(
        recording: &Recording,
        settings: impl Into<Settings>,
    ) -> Result<(Peer, Self), SetupError> {
        let (peer, remote) = Scripted::remote_of(settings, recording.protocols()).await?;
        let shared = peer.shared_capabilities();
        let message = |event| {
            let (RecordedEvent::Received {
                protocol,
                code,
                size,
                ..
            }
            | RecordedEvent::Dropped {
                protocol,
                code,
                size,
                ..
            }) = event
            else {
                return None;
            };
            let protocol = recording.protocols().get(usize::from(protocol))?;
            let shared = shared.iter().find(|one| one.capability == *protocol)?;
            let id = shared.offset.checked_add(code)?;
            let message = ReplayedMessage {
                protocol: protocol.clone(),
                code,
                size: size as usize,
            };
            shared.codes().contains(&id).then_some((id, message))
        };
        let left = recording.entries();
        let replay = Self {
            left: left.filter_map(|entry| message(entry.event)).collect(),
            remote,
            answers: VecDeque::new(),
        };
        Ok((peer, replay))
    }

    /// The messages that remain to be sent, in order.
    pub fn left(&self) -> impl ExactSizeIterator<Item = &ReplayedMessage> {
        self.left.iter().map(|(_, message)| message)
    }

    /// Sends all remaining messages, with payloads of zeros.
    ///
    /// Returns how many were sent: all of them, unless the peer closes.
    pub async fn run(&mut self) -> usize {
        self.run_with(|message| Bytes::from(vec![0; message.size]))
            .await
    }

    /// Like [`run`](Self::run), with payloads that `payload` returns.
    pub async fn run_with(&mut self, mut payload: impl FnMut(&ReplayedMessage) -> Bytes) -> usize {
        let mut sent = 0;
        while let Some((id, message)) = self.left.pop_front() {
            let payload = payload(&message);
            let answers = &mut self.answers;
            let take = |frame| answers.push_back(frame);
            if !self.remote.send_and_take(id, &payload, take).await {
                break;
            }
            sent += 1;
        }
        sent
    }

    /// Returns the next message from the peer, or `None` once it has closed.
    ///
    /// # Panics
    /// Same as [`Scripted::next`].
    pub async fn next(&mut self) -> Option<ScriptedFrame> {
        match self.answers.pop_front() {
            Some(answer) => Some(answer),
            None => self.remote.next().await,
        }
    }

    /// The remote, to continue by hand.
    pub fn remote(&mut self) -> &mut Scripted {
        &mut self.remote
    }
}
