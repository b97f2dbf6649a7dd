//! The registers that say what the cache indices of entries mean.

use portolan::CachePolicy;
use portolan_machine::walk::{Leaf, Regime};

/// What the indices of entries mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policies(Option<[CachePolicy; 8]>);

impl Policies {
    /// As Portolan has them.
    pub const OWN: Policies = Policies(None);

    /// As `IA32_PAT` says (Intel SDM vol. 3, table 13-10), if none of its bytes is reserved.
    pub fn of_pat(register: u64) -> Option<Self> {
        let mut policies = [CachePolicy::Uncacheable; 8];
        for (entry, byte) in policies.iter_mut().zip(register.to_le_bytes()) {
            *entry = match byte {
                0 => CachePolicy::Uncacheable,
                1 => CachePolicy::WriteCombining,
                4 => CachePolicy::WriteThrough,
                5 => CachePolicy::WriteProtected,
                6 => CachePolicy::WriteBack,
                7 => CachePolicy::UncacheableMinus,
                _ => return None,
            };
        }
        Some(Policies(Some(policies)))
    }

    /// As `MAIR_EL1` says (Arm ARM, D19.2): of the outer and the inner cacheability, the lesser counts.
    pub fn of_mair(register: u64) -> Self {
        let cacheability = |half: u8| match half {
            4 => 0,
            0..=3 | 8..=11 => 1,
            _ => 2,
        };
        let policy = |byte| match (byte >> 4, byte & 0xf) {
            (0, _) => CachePolicy::Uncacheable,
            // Tagged memory is ordinary memory
            (0xf, 0) => CachePolicy::WriteBack,
            (outer, inner) => match cacheability(outer).min(cacheability(inner)) {
                0 => CachePolicy::WriteCombining,
                1 => CachePolicy::WriteThrough,
                _ => CachePolicy::WriteBack,
            },
        };
        Policies(Some(register.to_le_bytes().map(policy)))
    }

    /// How accesses to the page that `word` maps at `level` are cached.
    pub fn policy(&self, regime: Regime, level: u8, word: u64, leaf: &Leaf) -> CachePolicy {
        match (&self.0, regime.cache_index(level, word)) {
            (Some(policies), Some(index)) => policies[usize::from(index & 7)],
            _ => leaf.cache,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CachePolicy::{
        Uncacheable, UncacheableMinus, WriteBack, WriteCombining, WriteProtected, WriteThrough,
    };

    #[test]
    fn the_page_attribute_table_is_read_from_its_lowest_byte() {
        let linux = Policies::of_pat(0x0407_0506_0007_0106).unwrap();
        let policies = [
            WriteBack,
            WriteCombining,
            UncacheableMinus,
            Uncacheable,
            WriteBack,
            WriteProtected,
            UncacheableMinus,
            WriteThrough,
        ];
        assert_eq!(linux, Policies(Some(policies)));
        assert_eq!(Policies::of_pat(2), None);
    }

    #[test]
    fn memory_attributes_are_the_lesser_of_outer_and_inner() {
        let policies = Policies::of_mair(0x4ff4_bb44_0400_f0ff);
        let expected = [
            WriteBack,
            WriteBack,
            Uncacheable,
            Uncacheable,
            WriteCombining,
            WriteThrough,
            WriteCombining,
            WriteCombining,
        ];
        assert_eq!(policies, Policies(Some(expected)));
    }
}
