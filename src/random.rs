//! The source of a node's randomness.

use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng};

use crate::mutex::Mutex;

/// The one source of randomness of all parts of a node. It is the system's, or that of a seed,
/// which allows a run to be replayed.
#[derive(Debug, Default)]
pub(crate) struct Random(Option<Mutex<StdRng>>);

impl Random {
    /// Draws the same values in each run. The seed reveals every key that is drawn.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Some(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Draws from the source itself. If it has a seed, other callers wait meanwhile.
    pub(crate) fn draw<R>(&self, draw: impl FnOnce(&mut (dyn CryptoRng + 'static)) -> R) -> R {
        match &self.0 {
            Some(seeded) => draw(&mut *seeded.lock()),
            None => draw(&mut rand::rng()),
        }
    }

    /// Returns a generator for one part, which the draws of other parts do not affect.
    pub(crate) fn fork(&self) -> StdRng {
        match &self.0 {
            Some(seeded) => StdRng::from_rng(&mut *seeded.lock()),
            None => rand::make_rng(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt};

    use super::*;

    fn numbers(random: &Random) -> [u64; 3] {
        let mut fork = random.fork();
        [
            fork.next_u64(),
            random.draw(|rng| rng.random_range(0..u64::MAX)),
            random.fork().next_u64(),
        ]
    }

    #[test]
    fn a_seed_repeats_everything_and_the_system_nothing() {
        let seeded = |seed| numbers(&Random::seeded(seed));
        assert_eq!(seeded(1), seeded(1));
        assert_ne!(seeded(1), seeded(2));
        let [first, second, third] = seeded(1);
        assert!(first != second && second != third && first != third);
        assert_ne!(numbers(&Random::default()), numbers(&Random::default()));
    }
}
