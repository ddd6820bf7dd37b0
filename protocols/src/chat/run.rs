use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use peermux::{
    DisconnectReason, MessageError, Peer, ProtocolConn, ProtocolError, ProtocolHandler,
    ProtocolLimits, TrySendError, WireMessage,
};
use tokio::sync::{Mutex as Turn, mpsc};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::room::{Member, Room};
use super::{
    ChatMessage, Config, Event, LengthError, Line, MAX_HISTORY, MAX_LINE, MAX_NAME, Spoken, check,
};

/// How long a peer may take to send its name.
const NAME_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of events queued for the application.
const EVENTS: usize = 256;
/// Maximum overhead per line of a history in bytes: a nonce and three RLP headers.
const LINE_EXTRA: usize = 24;

/// A node's `chat/2` handler.
///
/// Register a clone of it with a server, and keep one to send lines.
#[derive(Clone)]
pub struct Chat {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    room: Room,
    events: mpsc::Sender<Event>,
    /// Held while sending a line, so that all peers receive lines in the same order.
    speaking: Turn<()>,
}

/// The events of a chat, in order.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// Returns the next event, or `None` once no [`Chat`] is left.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Chat {
    /// Creates a node's chat and its events.
    ///
    /// Drop the events if the application does not need them.
    #[must_use]
    pub fn new(config: Config) -> (Self, Events) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let shared = Shared {
            room: Room::new(config.name.clone(), config.history),
            config,
            events,
            speaking: Turn::default(),
        };
        let shared = Arc::new(shared);
        (Self { shared }, Events(receiver))
    }

    /// Sends a line to all peers and returns how many accepted it.
    ///
    /// Waits while queues of peers are full, at most for the [patience](Config::with_patience) in
    /// total. A peer whose queue is still full after that is disconnected.
    ///
    /// # Cancel safety
    /// A dropped call may already have sent the line to some peers.
    ///
    /// # Errors
    /// [`LengthError`] if the line is empty or longer than [`MAX_LINE`].
    pub async fn say(&self, text: &str) -> Result<usize, LengthError> {
        check("a line", text, MAX_LINE)?;
        let _turn = self.shared.speaking.lock().await;
        let (line, members) = self.shared.room.say(text);
        Ok(self.send(line, members).await)
    }

    /// Sends a line to `members` and returns how many accepted it.
    async fn send(&self, line: Spoken, members: Vec<Member>) -> usize {
        let line = ChatMessage::Line(line);
        let all = members.len();
        let slow = members
            .into_iter()
            .map(|member| (member.sender.try_send(&line), member));
        let slow: Vec<_> = slow.filter(|(sent, _)| sent.is_err()).collect();
        let mut missed = 0;
        let (started, patience) = (Instant::now(), self.shared.config.patience);
        for (sent, member) in slow {
            let full = sent == Err(TrySendError::Full);
            let left = patience.saturating_sub(started.elapsed());
            match timeout(left, member.sender.send(&line)).await {
                Ok(Ok(())) => continue,
                Err(_) if full => {
                    debug!(peer = %member.peer.id(), "chat peer is too slow");
                    member.peer.disconnect(DisconnectReason::SUBPROTOCOL_ERROR);
                }
                _ => {}
            }
            missed += 1;
        }
        all - missed
    }
}

impl ProtocolHandler for Chat {
    type Message = ChatMessage;
    const NAME: &'static str = "chat";
    const VERSION: u64 = 2;

    async fn run(
        self: Arc<Self>,
        peer: Peer,
        mut conn: ProtocolConn<ChatMessage>,
    ) -> Result<(), ProtocolError> {
        let member = Member {
            peer: peer.clone(),
            sender: conn.sender(),
        };
        let _inside = self
            .shared
            .room
            .enter(member)
            .map_err(ProtocolError::other)?;
        let named = timeout(NAME_TIMEOUT, first_name(&mut conn)).await;
        let Some(name) =
            named.map_err(|_| ProtocolError::other("the peer did not send its name in time"))??
        else {
            return Ok(());
        };
        self.tell(Event::Joined {
            peer: peer.id(),
            name: name.clone(),
        })
        .await;
        let result = self.listen(&peer, &mut conn).await;
        let peer = peer.id();
        self.tell(Event::Left { peer, name }).await;
        result
    }

    fn limits(&self) -> ProtocolLimits {
        ProtocolLimits::default().with_max_message(MAX_HISTORY * (MAX_NAME + MAX_LINE + LINE_EXTRA))
    }
}

impl Chat {
    /// Handles the peer's messages after its name.
    async fn listen(
        &self,
        peer: &Peer,
        conn: &mut ProtocolConn<ChatMessage>,
    ) -> Result<(), ProtocolError> {
        let mut history_may_come = true;
        while let Some(message) = conn.recv().await? {
            let code = message.code();
            let peer = peer.id();
            match message.into_inner() {
                ChatMessage::Line(line) => {
                    check_line(&line).map_err(breach(code))?;
                    if let Some(others) = self.shared.room.heard(peer, &line) {
                        let said = Line::from(line.clone());
                        self.tell(Event::Said { peer, line: said }).await;
                        self.send(line, others).await;
                    }
                }
                ChatMessage::History(history) if history_may_come => {
                    let lines = history.0;
                    if lines.is_empty() {
                        return Err(not_allowed(code, "a History without lines").into());
                    }
                    for line in &lines {
                        check_line(line).map_err(breach(code))?;
                    }
                    let lines = self.shared.room.new_to_us(lines).into_iter();
                    let lines: Vec<_> = lines.map(Line::from).collect();
                    if !lines.is_empty() {
                        self.tell(Event::History { peer, lines }).await;
                    }
                }
                ChatMessage::History(_) => {
                    return Err(not_allowed(code, "a History that does not follow the Name").into());
                }
                ChatMessage::Name(_) => return Err(not_allowed(code, "a second Name").into()),
            }
            history_may_come = false;
        }
        Ok(())
    }

    async fn tell(&self, event: Event) {
        // The application may have dropped the events.
        let _ = self.shared.events.send(event).await;
    }
}

/// Returns the peer's name, or `None` if the peer disconnects first.
async fn first_name(conn: &mut ProtocolConn<ChatMessage>) -> Result<Option<String>, ProtocolError> {
    let Some(message) = conn.recv().await? else {
        return Ok(None);
    };
    let code = message.code();
    match message.into_inner() {
        ChatMessage::Name(name) => {
            check("a name", &name, MAX_NAME).map_err(breach(code))?;
            Ok(Some(name))
        }
        _ => Err(not_allowed(code, "a message before the Name").into()),
    }
}

fn check_line(line: &Spoken) -> Result<(), LengthError> {
    check("a name", &line.name, MAX_NAME)?;
    check("a line", &line.text, MAX_LINE)
}

fn breach(code: u64) -> impl FnOnce(LengthError) -> MessageError {
    move |_| not_allowed(code, "a name or line that is empty or too long")
}

fn not_allowed(code: u64, rule: &'static str) -> MessageError {
    MessageError::NotAllowed { code, rule }
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
