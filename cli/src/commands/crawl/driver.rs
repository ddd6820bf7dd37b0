//! Carries out the plan of a crawl.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use peermux::addrbook::{Clock, SystemClock};
use peermux::discv4::Discv4;
use peermux::{NodeId, NodeRecord};
use peermux_cli::node_file::UnixTime;
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::ending::Ending;
use super::files::Files;
use super::plan::{Plan, Step};
use super::progress::text;
use super::report::Line;
use super::sources::News;
use super::summary::Summary;
use super::visit::Visitor;
use super::visited::Visited;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::{Progress, SHOWN};

/// The interval between saves, in updates of the progress line.
const SAVED: u32 = 60;

/// A running crawl.
pub(super) struct Crawl<'a> {
    pub(super) plan: Plan,
    pub(super) ending: Ending,
    pub(super) news: mpsc::Receiver<News>,
    pub(super) v4: Option<Discv4>,
    pub(super) files: Files,
    pub(super) out: &'a Output,
    pub(super) clock: SystemClock,
    pub(super) started: Instant,
    pub(super) until: Instant,
}

/// The result of a step.
enum Done {
    Fetched(NodeId, Option<NodeRecord>),
    Visited(NodeId, Option<Visited>),
}

impl Crawl<'_> {
    /// Runs until no new node can be found, until the time limit or an interrupt.
    pub(super) async fn run(
        &mut self,
        visitor: &Visitor,
        interrupted: &CancellationToken,
    ) -> Result<(), Failure> {
        let progress = Progress::start(self.out.is_json());
        let walked = self.walk(visitor, interrupted, &progress).await;
        progress.end().await;
        walked
    }

    /// Writes the results, and prints the summary.
    pub(super) fn conclude(&self) -> Result<(), Failure> {
        let saved = block_in_place(|| self.files.save(self.plan.nodes()));
        let took = self.started.elapsed();
        let summary = Summary::of(self.plan.nodes(), self.plan.turned_away(), took);
        let drawn = block_in_place(|| self.files.draw(&summary));
        self.out.tell(&summary)?;
        saved.and(drawn)
    }

    async fn walk(
        &mut self,
        visitor: &Visitor,
        interrupted: &CancellationToken,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let v4 = self.v4.clone();
        let mut tasks = FuturesUnordered::new();
        let mut shown = interval(SHOWN);
        shown.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut times: u32 = 0;
        loop {
            while let Some((id, step)) = self.plan.next(self.now()) {
                tasks.push(perform(visitor, v4.as_ref(), id, step));
            }
            self.tell_finished()?;
            let idle = tasks.is_empty() && self.plan.is_idle();
            if idle && self.ending.is_reached(Instant::now()) {
                break;
            }
            tokio::select! {
                // Check the end first. Handle finished visits second, because they make room for new
                // visits.
                biased;
                () = interrupted.cancelled() => break,
                () = sleep_until(self.until) => break,
                Some(done) = tasks.next() => self.take_done(done),
                Some(news) = self.news.recv() => self.take_news(news),
                _ = shown.tick() => {
                    progress.show(&text(self.plan.counts(), self.started.elapsed()));
                    times = times.wrapping_add(1);
                    if times.is_multiple_of(SAVED) {
                        self.save_meanwhile();
                    }
                }
            }
        }
        visitor.stop.cancel();
        // The visits under way disconnect, which takes a short time.
        while let Some(done) = tasks.next().await {
            self.take_done(done);
        }
        self.tell_finished()
    }

    fn now(&self) -> UnixTime {
        UnixTime::of(self.clock.now())
    }

    fn take_done(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Fetched(id, record) => self.plan.fetched(id, record, now),
            Done::Visited(id, visited) => self.plan.dialled(id, visited, now),
        }
    }

    fn take_news(&mut self, news: News) {
        match news {
            News::Found {
                node,
                source,
                proven,
            } => {
                let seen = proven.then(|| self.now());
                if self.plan.found(node, source, seen) {
                    self.ending.found();
                }
            }
            News::LookedUp { version, answered } => {
                self.ending.looked_up(version, answered, Instant::now());
            }
            News::ListRead => self.ending.list_read(),
        }
    }

    /// Prints the nodes whose visit has ended, unless they only go into a file.
    fn tell_finished(&mut self) -> Result<(), Failure> {
        let finished = self.plan.take_finished();
        if self.files.take_nodes() && !self.out.is_json() {
            return Ok(());
        }
        let nodes = finished.iter().filter_map(|id| self.plan.node(id));
        let lines: Vec<_> = nodes.map(|node| Line { node }).collect();
        self.out.tell_all(&lines)
    }

    fn save_meanwhile(&self) {
        if let Err(failure) = block_in_place(|| self.files.save(self.plan.nodes())) {
            let why = failure.text().unwrap_or_default();
            tracing::warn!("cannot save the results so far: {why}");
        }
    }
}

async fn perform(visitor: &Visitor, v4: Option<&Discv4>, id: NodeId, step: Step) -> Done {
    match (step, v4) {
        (Step::Fetch(enode), Some(v4)) => {
            let asked = visitor.stop.run_until_cancelled(v4.request_record(&enode));
            Done::Fetched(id, asked.await.and_then(Result::ok))
        }
        (Step::Fetch(_), None) => Done::Fetched(id, None),
        (Step::Dial(enode), _) => Done::Visited(id, visitor.visit(&enode).await),
    }
}
