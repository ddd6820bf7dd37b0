/// The bytes that a lane of weight 1 may send per round, as documented.
const QUANTUM: usize = 16 << 10;

/// The bytes sent by each pair of lanes while both lanes are busy.
pub(super) struct Fairness {
    weights: Vec<usize>,
    /// For each pair of lanes, the bytes that each has sent since both became busy.
    sent: Vec<Vec<[usize; 2]>>,
    /// The largest message of each lane since it became busy.
    largest: Vec<usize>,
}

impl Fairness {
    pub(super) fn new(weights: Vec<usize>) -> Self {
        let count = weights.len();
        Self {
            weights,
            sent: vec![vec![[0; 2]; count]; count],
            largest: vec![0; count],
        }
    }

    /// Records that a lane received a message.
    pub(super) fn pushed(&mut self, lane: usize, cost: usize) {
        self.largest[lane] = self.largest[lane].max(cost);
    }

    /// Records that a lane is empty.
    pub(super) fn emptied(&mut self, lane: usize) {
        self.largest[lane] = 0;
        for other in 0..self.weights.len() {
            self.sent[lane][other] = [0; 2];
            self.sent[other][lane] = [0; 2];
        }
    }

    /// Records that a lane sent a message while the lanes in `busy` have messages. While two lanes
    /// are busy, each must send in proportion to its weight, with a deviation of at most two rounds
    /// and two messages.
    pub(super) fn sent(&mut self, lane: usize, cost: usize, busy: impl Fn(usize) -> bool) {
        for other in (0..self.weights.len()).filter(|other| *other != lane && busy(*other)) {
            self.sent[lane][other][0] += cost;
            self.sent[other][lane][1] += cost;
            let [own, others] = self.sent[lane][other];
            let share = |lane: usize, sent: usize| sent / self.weights[lane];
            let slack = |lane: usize| 2 * (QUANTUM + share(lane, self.largest[lane]));
            let ahead = share(lane, own).abs_diff(share(other, others));
            assert!(ahead <= slack(lane) + slack(other), "{ahead} bytes ahead");
        }
    }
}
