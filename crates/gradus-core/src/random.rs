//! Random streams: one seed, one independent stream for each purpose.
//!
//! ChaCha8 gives the same numbers on every machine. Each purpose draws from a stream of its own,
//! so that changing how often one of them draws never shifts the others.

pub use gradus_kernels::random::Stream;
use rand::SeedableRng;
pub use rand_chacha::ChaCha8Rng;

/// What a stream is used for; the number is part of the file format of reproducible runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Init = 1,
    /// The order of samples in each epoch.
    Shuffle = 2,
    /// Splitting data into parts.
    Split = 3,
    /// The built-in digits.
    Digits = 4,
    /// Which hidden units are dropped.
    Dropout = 5,
    /// What is added to hidden units.
    Noise = 6,
    /// Which inputs are dropped.
    InputDropout = 7,
    /// What is added to inputs.
    InputNoise = 8,
    /// How much of which other sample is mixed in.
    Mixup = 9,
    /// Distorting samples.
    Distort = 10,
    /// The settings of the runs of a search.
    Sweep = 11,
    /// Initial biases that depend on the data.
    InitBias = 12,
    /// Dealing samples to folds.
    Folds = 13,
    /// The seeds of the members of a bag.
    Members = 17,
    /// Which rows a model is asked about, and how a column is shuffled.
    Importance = 16,
    /// The order of blocks of samples in each epoch.
    Blocks = 14,
    /// The order of the rows of a group of blocks.
    BlockRows = 15,
    /// The order of samples that are packed into shards.
    Pack = 18,
}

/// The stream of `seed` for `purpose`.
pub fn stream(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    numbered_stream(seed, purpose, 0)
}

/// Stream number `index` of `seed` for `purpose`: one for each sample, epoch or block, so that
/// parallel work draws the same numbers whatever the number of threads.
pub fn numbered_stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((purpose as u64) << 48) | index);
    rng
}

/// The numbers of `seed` for `purpose` that belong to `part` of `step`, such as a sample of a batch.
/// Any worker can draw any of them, and a second time.
pub fn step_stream(seed: u64, purpose: Purpose, step: u64, part: u64) -> Stream {
    Stream { key: seed, counter: [purpose as u32, step as u32, part as u32] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_are_reproducible_and_differ() {
        let draw = |seed, purpose, index| numbered_stream(seed, purpose, index).next_u64();
        assert_eq!(draw(7, Purpose::Init, 0), draw(7, Purpose::Init, 0));
        assert_ne!(draw(7, Purpose::Init, 0), draw(8, Purpose::Init, 0));
        assert_ne!(draw(7, Purpose::Init, 0), draw(7, Purpose::Shuffle, 0));
        assert_ne!(draw(7, Purpose::Init, 0), draw(7, Purpose::Init, 1));
    }
}
