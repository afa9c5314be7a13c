//! Philox 4x32-10, the counter-based generator behind [`Op::Rng`](super::Op::Rng): equal integers on every back end.
//!
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Counter and key go in, four words come out; there is no
//! state. Back ends that emit it as code take the constants from here.

/// Multipliers of words 0 and 2 of the counter.
pub const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the two words of the key after each round.
pub const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Number of rounds.
pub const ROUNDS: usize = 10;

/// The four words of the block at `counter` under `key`.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let [p0, p1] = [0, 1].map(|i| u64::from(MULTIPLIERS[i]) * u64::from(counter[2 * i]));
        counter = [(p1 >> 32) as u32 ^ counter[1] ^ key[0], p1 as u32, (p0 >> 32) as u32 ^ counter[3] ^ key[1], p0 as u32];
        key = [0, 1].map(|i| key[i].wrapping_add(KEY_STEPS[i]));
    }
    counter
}

/// A word as a number in the open interval (0, 1): the middle of its 2⁻²³ wide cell, exact in f32.
pub fn uniform(word: u32) -> f32 {
    (word >> 9) as f32 * (1.0 / (1 << 23) as f32) + 1.0 / (1 << 24) as f32
}

/// The first `count` numbers of the draw `stream` under the `key` operand of [`Op::Rng`](super::Op::Rng):
/// (seed low, seed high, step, turn).
pub fn draw(key: [u32; 4], stream: u32, count: usize) -> Vec<f32> {
    let [seed_low, seed_high, step, turn] = key;
    let blocks = (0..count.div_ceil(4) as u32).flat_map(|i| philox([i, step, turn, stream], [seed_low, seed_high]));
    blocks.take(count).map(uniform).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_random123_distribution() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn uniforms_stay_inside_the_open_interval() {
        assert_eq!(uniform(0), 2f32.powi(-24));
        assert_eq!(uniform(!0), 1.0 - 2f32.powi(-24));
        assert_eq!(uniform(1 << 31), 0.5 + 2f32.powi(-24));
    }

    #[test]
    fn draws_are_prefixes_of_longer_draws_and_differ_between_streams() {
        let (short, long) = (draw([1, 2, 3, 4], 5, 6), draw([1, 2, 3, 4], 5, 9));
        assert_eq!(short[..], long[..6]);
        for other in [draw([1, 2, 3, 4], 6, 6), draw([1, 2, 4, 4], 5, 6), draw([1, 2, 3, 5], 5, 6), draw([0, 2, 3, 4], 5, 6)]
        {
            assert_ne!(short, other);
        }
    }
}
