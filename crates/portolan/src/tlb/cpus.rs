//! Sets of processors.

use super::bits::{WORDS, lowest, mask_of, word_of};
#[cfg(verus_only)]
use super::bits::{bit, cpu_at, lemma_clear, lemma_from, lemma_set, lemma_zero};
use crate::hw::MAX_CPUS;
use vstd::prelude::*;

verus! {

/// A set of processors, by their numbers, which are less than [`MAX_CPUS`].
///
/// ```
/// use portolan::tlb::CpuSet;
///
/// let mut cpus = CpuSet::new();
/// assert!(cpus.insert(3) && cpus.insert(200));
/// assert!(!cpus.insert(256));
/// assert_eq!(cpus.next_from(4), Some(200));
/// assert_eq!(cpus.iter().collect::<Vec<_>>(), [3, 200]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CpuSet {
    words: [u64; WORDS],
}

impl CpuSet {
    /// Whether the processor `cpu` is in the set.
    pub closed spec fn holds(self, cpu: nat) -> bool {
        cpu < MAX_CPUS && bit(self.words[cpu as int / 64], (cpu % 64) as u64)
    }

    /// The bits of the processors from `64 * w` on.
    pub(crate) closed spec fn bits(self, w: int) -> u64 {
        self.words[w]
    }

    /// What the words say.
    pub(crate) proof fn lemma_bits(self)
        ensures
            forall|w: int, i: u64|
                0 <= w < WORDS && i < 64 ==> self.holds(#[trigger] cpu_at(w, i)) == bit(
                    self.bits(w),
                    i,
                ),
            forall|cpu: nat| #[trigger]
                self.holds(cpu) ==> cpu < MAX_CPUS && cpu == cpu_at(
                    cpu as int / 64,
                    (cpu % 64) as u64,
                ),
    {
    }

    /// No processor.
    #[inline]
    #[must_use]
    pub const fn new() -> (r: Self)
        ensures
            forall|cpu: nat| !#[trigger] r.holds(cpu),
        no_unwind
    {
        proof {
            lemma_zero();
        }
        CpuSet { words: [0, 0, 0, 0] }
    }

    /// The processors of four words.
    pub(crate) fn of(words: [u64; WORDS]) -> (r: Self)
        ensures
            forall|w: int| 0 <= w < WORDS ==> #[trigger] r.bits(w) == words[w],
        no_unwind
    {
        CpuSet { words }
    }

    /// The word of the processors from `64 * w` on.
    #[inline]
    pub(crate) fn word(&self, w: usize) -> (r: u64)
        requires
            w < WORDS,
        ensures
            r == self.bits(w as int),
    {
        self.words[w]
    }

    /// Whether the processor `cpu` is in the set.
    #[inline]
    #[must_use]
    pub fn contains(&self, cpu: usize) -> (r: bool)
        ensures
            r == self.holds(cpu as nat),
    {
        cpu < MAX_CPUS && self.words[word_of(cpu)] & mask_of(cpu) != 0
    }

    /// Puts the processor `cpu` into the set. Whether it is in the set now: not if the number is too large.
    #[inline]
    pub fn insert(&mut self, cpu: usize) -> (r: bool)
        ensures
            r == (cpu < MAX_CPUS),
            forall|c: nat| #[trigger] final(self).holds(c) == (old(self).holds(c) || r && c == cpu),
    {
        if cpu >= MAX_CPUS {
            return false;
        }
        let w = word_of(cpu);
        proof {
            lemma_set(self.words[w as int], (cpu % 64) as u64);
        }
        self.words[w] |= mask_of(cpu);
        true
    }

    /// Takes the processor `cpu` out of the set. Whether it was in the set.
    #[inline]
    pub fn remove(&mut self, cpu: usize) -> (r: bool)
        ensures
            r == old(self).holds(cpu as nat),
            forall|c: nat| #[trigger] final(self).holds(c) == (old(self).holds(c) && c != cpu),
    {
        if !self.contains(cpu) {
            return false;
        }
        let w = word_of(cpu);
        proof {
            lemma_clear(self.words[w as int], (cpu % 64) as u64);
        }
        self.words[w] &= !mask_of(cpu);
        true
    }

    /// The first processor of the set from `from` on.
    pub fn next_from(&self, from: usize) -> (r: Option<usize>)
        ensures
            match r {
                Some(cpu) => {
                    &&& from <= cpu < MAX_CPUS
                    &&& self.holds(cpu as nat)
                    &&& forall|c: nat| from <= c < cpu ==> !#[trigger] self.holds(c)
                },
                None => forall|c: nat| from <= c ==> !#[trigger] self.holds(c),
            },
    {
        let mut at = from;
        while at < MAX_CPUS
            invariant
                from <= at,
                forall|c: nat| from <= c < at ==> !#[trigger] self.holds(c),
            decreases MAX_CPUS - at,
        {
            let (w, i) = (word_of(at), (at % 64) as u64);
            let left = self.words[w] & (u64::MAX << i);
            proof {
                lemma_from(self.words[w as int], i);
            }
            if left != 0 {
                let low = lowest(left) as usize;
                proof {
                    assert forall|c: nat| at <= c < w * 64 + low implies !#[trigger] self.holds(
                        c,
                    ) by {
                        assert(!bit(left, (c % 64) as u64));
                    }
                }
                return Some(w * 64 + low);
            }
            at = (w + 1) * 64;
        }
        None
    }

    /// Whether no processor is in the set.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> (r: bool)
        ensures
            r == (forall|cpu: nat| !self.holds(cpu)),
    {
        self.next_from(0).is_none()
    }
}

} // verus!

/// The processors of a [`CpuSet`], in the order of their numbers.
#[derive(Clone, Debug)]
pub struct Cpus {
    set: CpuSet,
    from: usize,
}

impl CpuSet {
    /// How many processors are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// The processors of the set, in the order of their numbers.
    #[must_use]
    pub fn iter(&self) -> Cpus {
        Cpus {
            set: *self,
            from: 0,
        }
    }
}

impl Iterator for Cpus {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let cpu = self.set.next_from(self.from)?;
        self.from = cpu + 1;
        Some(cpu)
    }
}

impl IntoIterator for &CpuSet {
    type Item = usize;
    type IntoIter = Cpus;

    fn into_iter(self) -> Cpus {
        self.iter()
    }
}

impl Default for CpuSet {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<usize> for CpuSet {
    /// The processors whose numbers aren't too large.
    fn from_iter<T: IntoIterator<Item = usize>>(cpus: T) -> Self {
        let mut set = Self::new();
        for cpu in cpus {
            set.insert(cpu);
        }
        set
    }
}

impl core::fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self).finish()
    }
}
