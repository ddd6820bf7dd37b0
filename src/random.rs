//! Where a node's randomness comes from.

use rand::rngs::StdRng;
use rand::{CryptoRng, SeedableRng};

use crate::mutex::Mutex;

/// The one source from which all parts of a node draw: the system's, or a seed's, so that a run
/// can be replayed.
#[derive(Debug, Default)]
pub(crate) struct Random(Option<Mutex<StdRng>>);

impl Random {
    /// Draws the same in each run. Whoever knows the seed knows every key that is drawn.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Some(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Draws from the source itself. Where it has a seed, others wait meanwhile.
    pub(crate) fn draw<R>(&self, draw: impl FnOnce(&mut (dyn CryptoRng + 'static)) -> R) -> R {
        match &self.0 {
            Some(seeded) => draw(&mut *seeded.lock()),
            None => draw(&mut rand::rng()),
        }
    }

    /// A generator of its own for one part, so that how often others draw does not matter to it.
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
