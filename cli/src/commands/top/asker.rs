//! Sends requests to the node one after the other, each with a deadline.

use std::path::PathBuf;
use std::time::Duration;

use peermux_cli::request::{Change, Changed, Event, Query};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::model::Snapshot;
use crate::admin::Client;
use crate::failure::Failure;

/// The time limit for all answers of a refresh, or for a change.
const DEADLINE: Duration = Duration::from_secs(5);

/// The idle time after which a connection is replaced. The node closes an idle connection after a minute.
const IDLE: Duration = Duration::from_secs(30);

/// A task for the asker.
#[derive(Debug)]
pub(super) enum Ask {
    Refresh,
    Change(Change),
}

/// The outcome of a task.
#[derive(Debug)]
pub(super) enum Answer {
    Fresh(Box<Snapshot>),
    /// The node did not answer, for this reason.
    Lost(String),
    Changed(Box<Change>, Result<Changed, String>),
}

/// The handle of the task that sends requests. The task ends when this is dropped.
#[derive(Debug)]
pub(super) struct Asker {
    asks: mpsc::Sender<Ask>,
    answers: mpsc::Receiver<Answer>,
    /// Whether an answer is outstanding.
    pub(super) is_busy: bool,
    task: JoinHandle<()>,
}

impl Asker {
    /// Starts the task with a connection to `path`, which the task replaces when necessary.
    pub(super) fn start(path: PathBuf, client: Client) -> Self {
        let (asks, mut asked) = mpsc::channel(1);
        let (answer, answers) = mpsc::channel(1);
        let mut node = Node {
            path,
            client: Some((client, Instant::now())),
            last_event: None,
        };
        let task = tokio::spawn(async move {
            while let Some(ask) = asked.recv().await {
                if answer.send(node.carry_out(ask).await).await.is_err() {
                    return;
                }
            }
        });
        Self {
            asks,
            answers,
            is_busy: false,
            task,
        }
    }

    /// Gives the asker a task, unless the answer to another one is outstanding.
    pub(super) fn ask(&mut self, ask: Ask) {
        if !self.is_busy && self.asks.try_send(ask).is_ok() {
            self.is_busy = true;
        }
    }

    /// Waits for the outcome of the task. Cancel safe.
    pub(super) async fn answer(&mut self) -> Result<Answer, Failure> {
        match self.answers.recv().await {
            Some(answer) => {
                self.is_busy = false;
                Ok(answer)
            }
            None => Err(Failure::because("the task that sends requests has ended")),
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connection to the node.
struct Node {
    path: PathBuf,
    /// The connection, if there is one, and the time of its last use.
    client: Option<(Client, Instant)>,
    /// The number of the last event from this connection.
    last_event: Option<u64>,
}

impl Node {
    async fn carry_out(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Refresh => match within(self.refresh()).await {
                Ok(snapshot) => Answer::Fresh(Box::new(snapshot)),
                Err(why) => {
                    self.client = None;
                    Answer::Lost(why)
                }
            },
            Ask::Change(change) => {
                let asked = change.clone();
                let changed = within(async { self.client().await?.ask(asked).await }).await;
                if changed.is_err() {
                    // Give up the connection, because an answer may be half read.
                    self.client = None;
                }
                Answer::Changed(Box::new(change), changed)
            }
        }
    }

    async fn refresh(&mut self) -> Result<Snapshot, Failure> {
        let client = self.client().await?;
        let node = client.ask(Query::NodeInfo {}).await?;
        let peers = client.ask(Query::Peers {}).await?;
        let kept = client.ask(Query::StaticNodes {}).await?;
        let discovery = client.ask(Query::Discovery {}).await?;
        let after = self.last_event.unwrap_or(0);
        let client = self.client().await?;
        let events: Vec<Event> = client.ask(Query::Events { after }).await?;
        let from_start = self.last_event.is_none();
        self.last_event = Some(events.last().map_or(after, |event| event.number));
        Ok(Snapshot {
            node,
            peers,
            kept,
            discovery,
            events,
            from_start,
        })
    }

    /// Returns the connection, or a new one. After a new connection all events are requested again, because
    /// the node may have restarted.
    async fn client(&mut self) -> Result<&mut Client, Failure> {
        let usable = self.client.take();
        let usable = usable.filter(|(_, used)| used.elapsed() < IDLE);
        let client = match usable {
            Some((client, _)) => client,
            None => {
                self.last_event = None;
                Client::connect(&self.path).await?
            }
        };
        let (client, _) = self.client.insert((client, Instant::now()));
        Ok(client)
    }
}

/// Waits for an answer until the deadline.
async fn within<T>(answer: impl Future<Output = Result<T, Failure>>) -> Result<T, String> {
    match timeout(DEADLINE, answer).await {
        Ok(answer) => answer.map_err(|failure| failure.text().unwrap_or_default()),
        Err(_) => Err(format!("no answer within {DEADLINE:?}")),
    }
}
