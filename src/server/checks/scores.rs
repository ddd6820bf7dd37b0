//! Scores of nodes' misbehaviour, as reported by protocols.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::mutex::Mutex;
use crate::node::NodeId;

/// Maximum number of nodes with a score. If there are more, the lowest score is dropped.
const MOST: usize = 4096;

const HALF_LIFE: Duration = Duration::from_secs(60);

/// The score of each node. A score halves every minute, and outlives the node's connections.
#[derive(Debug, Default)]
pub(crate) struct Scores(Mutex<HashMap<NodeId, Score>>);

#[derive(Debug)]
struct Score {
    points: f64,
    /// The time at which the score was `points`.
    since: Instant,
}

impl Score {
    fn at(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.since);
        self.points * (-age.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2()
    }
}

impl Scores {
    /// Adds to a node's score, and returns the new score, rounded to whole points.
    pub(crate) fn add(&self, node: &NodeId, points: u32) -> u32 {
        let now = Instant::now();
        let mut scores = self.0.lock();
        let before = scores.remove(node).map_or(0.0, |score| score.at(now));
        if scores.len() >= MOST {
            let of = |score: &Score| score.at(now);
            let lowest = scores
                .iter()
                .min_by(|(_, a), (_, b)| of(a).total_cmp(&of(b)));
            if let Some(lowest) = lowest.map(|(id, _)| *id) {
                scores.remove(&lowest);
            }
        }
        let score = Score {
            points: before + f64::from(points),
            since: now,
        };
        // The cast saturates.
        let sum = score.points.round() as u32;
        scores.insert(*node, score);
        sum
    }

    /// Returns a node's score, rounded to whole points.
    pub(crate) fn of(&self, node: &NodeId) -> u32 {
        let scores = self.0.lock();
        let score = scores.get(node);
        // The cast saturates.
        score.map_or(0, |score| score.at(Instant::now()).round() as u32)
    }

    pub(crate) fn forget(&self, node: &NodeId) {
        self.0.lock().remove(node);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn node(number: u32) -> NodeId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(id)
    }

    #[tokio::test(start_paused = true)]
    async fn scores_add_up_and_fade() {
        let scores = Scores::default();
        assert_eq!(
            (scores.add(&node(1), 60), scores.add(&node(1), 40)),
            (60, 100)
        );
        advance(HALF_LIFE).await;
        assert_eq!((scores.add(&node(1), 0), scores.add(&node(2), 5)), (50, 5));
        scores.forget(&node(1));
        assert_eq!(scores.add(&node(1), u32::MAX), u32::MAX);
        assert_eq!(scores.add(&node(1), u32::MAX), u32::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn when_there_are_too_many_scores_the_lowest_is_forgotten() {
        let scores = Scores::default();
        scores.add(&node(u32::MAX), 1000);
        for number in 0..10_000 {
            scores.add(&node(number), 1);
        }
        assert_eq!(scores.0.lock().len(), MOST);
        assert_eq!(scores.add(&node(u32::MAX), 1), 1001);
    }
}
