//! Chance that can be repeated: SplitMix64.

#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x6f70_6c6f_6775_6500)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// `from` to `through`, both included.
    pub fn between(&mut self, from: u32, through: u32) -> u32 {
        let sides = u64::from(through - from) + 1;
        from + u32::try_from(self.roll() % sides).expect("smaller than a u32")
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.between(1, 100) <= chance
    }

    /// One of them. There must be one.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        let last = u32::try_from(all.len() - 1).expect("few");
        all[self.between(0, last) as usize]
    }
}
