use peermux::Bytes;
use rand::Rng;

/// The number of different contents of one filler.
const VARIETY: usize = 4096;

/// The step from one content to the next. It is odd, so every content is used before one repeats.
const STEP: usize = 1021;

/// Makes incompressible contents without generating each of them. Each content is a window into a
/// slightly longer random buffer.
#[derive(Debug)]
pub(super) struct Filler {
    random: Bytes,
    size: usize,
    at: usize,
}

impl Filler {
    pub(super) fn new(size: usize) -> Self {
        let mut random = vec![0; size + VARIETY - 1];
        rand::rng().fill_bytes(&mut random);
        Self {
            random: random.into(),
            size,
            at: 0,
        }
    }

    pub(super) fn next(&mut self) -> Bytes {
        self.at = (self.at + STEP) % VARIETY;
        self.random.slice(self.at..self.at + self.size)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn contents_differ_and_have_the_size() {
        let mut filler = Filler::new(64);
        let contents: HashSet<_> = (0..VARIETY).map(|_| filler.next()).collect();
        assert_eq!(contents.len(), VARIETY);
        assert!(contents.iter().all(|content| content.len() == 64));
        assert_eq!(Filler::new(0).next(), Bytes::new());
    }
}
