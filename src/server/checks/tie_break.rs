//! Decides which connection continues when two nodes dial each other.
//!
//! Without a rule, each side would complete its own dial first and reject the other side's dial, so
//! both connections would be lost. The rule applies to an inbound connection whose auth names a
//! node, before our ack:
//!
//! | our dial to that node | the inbound connection | the dial |
//! |---|---|---|
//! | there is none | continues | none starts before the inbound connection is decided |
//! | has not yet sent its auth | continues | pauses |
//! | has sent its auth but no Hello, and the remote's node id is larger | continues | pauses |
//! | anything else | waits for the dial's end | continues |
//!
//! Only a verified first frame proves the identity of the inbound connection's remote. Such a frame
//! cancels the paused dial. Anyone can replay an auth, so a dial pauses only once, for at most
//! [`PAUSE`], and then continues.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::mutex::Mutex;
use crate::node::NodeId;

/// The maximum time for which inbound connections delay a dial.
const PAUSE: Duration = Duration::from_secs(2);

/// The progress of an outbound connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Connected,
    AuthSent,
    HelloSent,
}

/// What an inbound connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Go,
    Hold,
}

fn judge(own: &NodeId, remote: &NodeId, dial: Option<Progress>) -> Verdict {
    match dial {
        None | Some(Progress::Connected) => Verdict::Go,
        Some(Progress::AuthSent) if remote > own => Verdict::Go,
        Some(_) => Verdict::Hold,
    }
}

/// The connections with one node that are being set up.
#[derive(Debug, Default)]
struct Contest {
    dial: Option<Progress>,
    /// The number of inbound connections that continue and are not yet decided.
    inbound: usize,
    /// Whether the remote of an inbound connection has proven its identity.
    verified: bool,
    /// The number of all connections that take part, including waiting ones.
    members: usize,
}

/// The contests of this node, one per remote node. An entry exists while the contest has members.
#[derive(Debug, Clone)]
pub(crate) struct TieBreak {
    own: NodeId,
    contests: Arc<Mutex<HashMap<NodeId, watch::Sender<Contest>>>>,
}

impl TieBreak {
    pub(crate) fn new(own: NodeId) -> Self {
        Self {
            own,
            contests: Arc::default(),
        }
    }

    /// Adds an outbound connection, whose stream is open, to its contest. Returns `None` if the
    /// contest already has an outbound connection.
    pub(crate) fn dial(&self, remote: NodeId) -> Option<DialTurn> {
        let member = self.join(remote);
        let mut first = false;
        member.change(|contest| {
            first = contest.dial.is_none();
            contest.dial.get_or_insert(Progress::Connected);
        });
        first.then_some(DialTurn {
            member,
            paused: None,
        })
    }

    /// Adds an inbound connection to the contest of `remote`, which its auth names.
    pub(crate) fn inbound(&self, remote: NodeId) -> InboundTurn {
        InboundTurn {
            member: self.join(remote),
            going: false,
        }
    }

    fn join(&self, remote: NodeId) -> Member {
        let mut contests = self.lock();
        let contest = contests.entry(remote).or_default();
        contest.send_modify(|contest| contest.members += 1);
        Member {
            contest: contest.clone(),
            remote,
            all: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, watch::Sender<Contest>>> {
        self.contests.lock()
    }
}

/// A connection's membership in a contest, until dropped.
#[derive(Debug)]
struct Member {
    contest: watch::Sender<Contest>,
    remote: NodeId,
    all: TieBreak,
}

impl Member {
    fn change(&self, change: impl FnOnce(&mut Contest)) {
        self.contest.send_modify(change);
    }

    async fn until(&self, condition: impl FnMut(&Contest) -> bool) {
        // The wait cannot fail, because `self` holds a sender, which keeps the channel open.
        let _ = self.contest.subscribe().wait_for(condition).await;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut contests = self.all.lock();
        let mut empty = false;
        self.change(|contest| {
            contest.members -= 1;
            empty = contest.members == 0;
        });
        if empty {
            contests.remove(&self.remote);
        }
    }
}

/// An inbound connection of the same node has replaced a dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Superseded;

/// A dial's part in a contest, until dropped.
#[derive(Debug)]
pub(crate) struct DialTurn {
    member: Member,
    /// The length of the dial's only pause.
    paused: Option<Duration>,
}

impl DialTurn {
    /// Pauses while an inbound connection has precedence. Call this before sending the auth.
    pub(crate) async fn before_auth(&mut self) -> Result<(), Superseded> {
        self.step(Progress::AuthSent).await
    }

    /// Pauses while an inbound connection has precedence. Call this before sending the Hello.
    pub(crate) async fn before_hello(&mut self) -> Result<(), Superseded> {
        self.step(Progress::HelloSent).await
    }

    /// Returns how long the dial has paused. The dial's deadline excludes this time.
    pub(crate) fn paused(&self) -> Duration {
        self.paused.unwrap_or_default()
    }

    /// Completes when an inbound connection replaces the dial before the dial's Hello.
    pub(crate) fn superseded(&self) -> impl Future<Output = Superseded> + use<> {
        let mut contest = self.member.contest.subscribe();
        async move {
            let taken = |c: &Contest| c.verified && c.dial != Some(Progress::HelloSent);
            if contest.wait_for(taken).await.is_ok() {
                return Superseded;
            }
            // The dial has ended, so no caller waits for the decision.
            std::future::pending().await
        }
    }

    async fn step(&mut self, next: Progress) -> Result<(), Superseded> {
        let decided = |contest: &Contest| contest.verified || contest.inbound == 0;
        if self.paused.is_none() && !decided(&self.member.contest.borrow()) {
            let started = Instant::now();
            // After [`PAUSE`] the dial continues, even if the inbound connections are still
            // undecided.
            let _ = timeout(PAUSE, self.member.until(decided)).await;
            self.paused = Some(started.elapsed());
        }
        let mut result = Ok(());
        self.member.change(|contest| {
            contest.dial = Some(next);
            if contest.verified {
                result = Err(Superseded);
            }
        });
        result
    }
}

impl Drop for DialTurn {
    fn drop(&mut self) {
        self.member.change(|contest| contest.dial = None);
    }
}

/// An inbound connection's part in a contest, until dropped.
#[derive(Debug)]
pub(crate) struct InboundTurn {
    member: Member,
    going: bool,
}

impl InboundTurn {
    /// Waits for the end of a dial that has precedence. Call this before sending the ack.
    pub(crate) async fn before_ack(&mut self) {
        loop {
            let mut verdict = Verdict::Hold;
            self.member.change(|contest| {
                verdict = judge(&self.member.all.own, &self.member.remote, contest.dial);
                if verdict == Verdict::Go {
                    contest.inbound += 1;
                }
            });
            if verdict == Verdict::Go {
                self.going = true;
                return;
            }
            self.member.until(|contest| contest.dial.is_none()).await;
        }
    }

    /// Records that the first frame proved the node's identity.
    pub(crate) fn verified(&self) {
        self.member.change(|contest| contest.verified = true);
    }
}

impl Drop for InboundTurn {
    fn drop(&mut self) {
        if self.going {
            self.member.change(|contest| contest.inbound -= 1);
        }
    }
}
