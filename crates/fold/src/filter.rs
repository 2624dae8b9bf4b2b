//! Which keys were touched: a Bloom filter over all collections.
//!
//! Of fixed size: "no" is certain, "yes" may be wrong, the more often the fuller it is. A wrong "yes" costs a document's way over the disk.

const PROBES: u64 = 4;

#[derive(Debug)]
pub(crate) struct Filter {
    words: Vec<u64>,
    words_max: usize,
}

impl Filter {
    /// Takes the memory only once something is added.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { words: Vec::new(), words_max: (bytes / 8).max(1) }
    }

    pub(crate) fn add(&mut self, hash: u64) {
        if self.words.is_empty() {
            self.words = vec![0; self.words_max];
        }
        for bit in bits(hash, self.words.len()) {
            self.words[bit / 64] |= 1 << (bit % 64);
        }
    }

    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        !self.words.is_empty() && bits(hash, self.words.len()).all(|bit| self.words[bit / 64] & (1 << (bit % 64)) != 0)
    }
}

/// The highest bits of a hash say the partition and are the same for many keys; all of them take part.
fn bits(hash: u64, words: usize) -> impl Iterator<Item = usize> {
    let step = hash.rotate_left(29) | 1;
    (0..PROBES).map(move |probe| (hash.wrapping_add(step.wrapping_mul(probe)) % (words as u64 * 64)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_added_is_found_and_little_else() {
        let hash = |number: u32| crate::key::hash(7, &number.to_le_bytes());
        let mut filter = Filter::new(16 << 10);
        assert!(!filter.may_hold(hash(1)));
        (0..10_000).for_each(|number| filter.add(hash(number)));
        assert!((0..10_000).all(|number| filter.may_hold(hash(number))));
        let wrong = (10_000..110_000).filter(|number| filter.may_hold(hash(*number))).count();
        // 13 bits for each key and 4 probes: about one in two hundred.
        assert!(wrong < 2_000, "{wrong} of 100,000 keys that were never added");
    }
}
