//! Table frames, as the machine gives them.

use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::flush::FlushRange;
use crate::hw::processor::Moment;
use vstd::prelude::*;

verus! {

/// The machine's side of a page table: frames for tables, and access to their words.
///
/// A value is a cheap handle, such as a unit type or a reference; its clones stand for the same frames.
///
/// # Safety
/// Portolan's proofs rest on this:
/// - a frame from [`alloc_zeroed`](TableMemory::alloc_zeroed) is `bytes` long and a multiple of `bytes`, reads as zeros,
///   lies below 2 to the power of [`phys_bits`](TableMemory::phys_bits) and where the paging mode's entries reach (2^52 on
///   x86_64, 2^56 on RISC-V, 2^48 on AArch64), and is used by nobody else until it is freed;
/// - a word reads as what was written last, but for the accessed and dirty bits that the processor's walk sets in it;
/// - words are read, written and compared and exchanged as one access of 64 bits each, which the walk sees as one, in
///   the order in which they were made (Intel SDM vol. 3, 10.2.3.2 and 13.3: tables lie in write-back memory);
/// - none of the functions unwinds.
pub unsafe trait TableMemory: Clone {
    /// A frame of `bytes` bytes, aligned to `bytes` (a power of two) and filled with zeros, or `None`.
    fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr>;

    /// Takes a frame back.
    ///
    /// # Safety
    /// It came from `alloc_zeroed` with the same `bytes`, and neither software nor a walk will use it again.
    unsafe fn free(&self, table: PhysAddr, bytes: usize);

    /// Reads the 64-bit word `index` of a table.
    ///
    /// # Safety
    /// `table` came from `alloc_zeroed`, was not freed since, and holds more than `index` words.
    unsafe fn read(&self, table: PhysAddr, index: usize) -> u64;

    /// Writes the 64-bit word `index` of a table, after all that was written before.
    ///
    /// # Safety
    /// As for `read`.
    unsafe fn write(&self, table: PhysAddr, index: usize, word: u64);

    /// Writes `new` to the word `index` of a table if it holds `current`, in one atomic access; otherwise answers
    /// with what it holds. Never fails without a difference.
    ///
    /// # Errors
    /// What the word holds, if that is not `current`.
    ///
    /// # Safety
    /// As for `read`.
    unsafe fn compare_exchange(
        &self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
    ) -> Result<u64, u64>;

    /// How many bits the machine's physical addresses have (on x86_64 `MAXPHYADDR`, CPUID 80000008H:EAX\[7:0\]).
    fn phys_bits(&self) -> u8;
}

/// The machine's side of a flush.
///
/// ```
/// # use portolan::{Advice, FlushRange, Invalidate, X86_64};
/// # struct Kernel;
/// # impl Kernel { fn invlpg(_: u64) {} fn flush_all() {} }
/// // SAFETY: there is one processor
/// unsafe impl Invalidate<X86_64> for Kernel {
///     fn invalidate(&self, range: FlushRange<X86_64>) {
///         match range.advice(33) {
///             Advice::Pages { first, count, size } => {
///                 (0..count).for_each(|n| Kernel::invlpg(first.as_u64() + n * size.bytes()));
///             }
///             Advice::All => Kernel::flush_all(),
///         }
///     }
/// }
/// ```
///
/// # Safety
/// [`invalidate`](Invalidate::invalidate) does what it says.
pub unsafe trait Invalidate<A: PagingMode> {
    /// Returns once no processor that uses the table holds a translation that serves an address of `range`, nor, if
    /// [tables wait to be given back](FlushRange::frees_tables), a cached entry of an upper table for one.
    ///
    /// On x86_64: on each processor `INVLPG` for each page, which takes all entries of upper tables with it, or for
    /// everything a change of `CR4.PGE`, or a `MOV` to `CR3` if no page is global (Intel SDM vol. 3, 5.10.4.1).
    fn invalidate(&self, range: FlushRange<A>);
}

} // verus!
#[cfg(verus_only)]
use super::mmu::Mmu;

verus! {

/// The right to one table frame: its address, the level it was made for, and its words as software knows them.
///
/// Hardware may have turned a word into any that [`Mmu::may_become`] allows. There is one for each frame that
/// [`Frames`] has given out, and it can't be copied.
#[verifier::external_body]
pub(crate) tracked struct TablePerm {
    _private: core::marker::PhantomData<()>,
}

impl TablePerm {
    /// Where the frame is.
    pub uninterp spec fn addr(&self) -> PhysAddr;

    /// Which level it was made for.
    pub uninterp spec fn level(&self) -> nat;

    /// Its words, as last written or seen: all that the frame has, also those past a small root's entries.
    pub uninterp spec fn words(&self) -> Seq<u64>;

    /// When it was last written to, on the scale of [`Moment::time`](super::processor::Moment::time).
    pub uninterp spec fn written(&self) -> int;

    /// The right to an empty table, for use at another level.
    /// Trusted because a level is how hardware reads words, and it leaves zeros alone at every level: a zeroed table that
    /// nothing refers to has none yet.
    ///
    /// Exercised by `map_range::pages_grow_towards_the_middle_and_shrink_towards_the_end`.
    #[verifier::external_body]
    pub(crate) proof fn relevel<A: PagingMode>(tracked self, level: nat) -> (tracked r: TablePerm)
        requires
            self.words() == zeros::<A>(),
        ensures
            r.addr() == self.addr(),
            r.words() == self.words(),
            r.level() == level,
    {
        unimplemented!()
    }
}

/// The words of an empty table: all that its frame has.
pub(crate) open spec fn zeros<A: Mmu>() -> Seq<u64> {
    Seq::new(A::geo().words() as nat, |i: int| 0u64)
}

/// A machine's table frames, with an account of those that were given out through this value.
#[verifier::external_body]
#[verifier::reject_recursive_types(M)]
pub(crate) struct Frames<M> {
    memory: M,
    phys_bits: u64,
}

impl<M: TableMemory> Frames<M> {
    /// The frames given out through this value and not taken back.
    pub uninterp spec fn held(&self) -> Set<PhysAddr>;

    /// How many bits a physical address has, at most as many as the mode's entries can hold.
    pub uninterp spec fn phys_bits(&self) -> u64;

    /// An empty account with `memory`.
    /// Trusted because the account is the prover's: a new one holds nothing.
    ///
    /// Exercised by `basics::running_out_of_memory_changes_and_leaks_nothing`.
    #[verifier::external_body]
    #[inline]
    pub(crate) fn new<A: PagingMode>(memory: M) -> (r: Self)
        ensures
            r.held() == Set::<PhysAddr>::empty(),
            r.phys_bits() <= A::frame_bits(),
        opens_invariants none
        no_unwind
    {
        let phys_bits = u64::from(memory.phys_bits()).min(A::frame_limit());
        Frames { memory, phys_bits }
    }

    /// How many bits a physical address has.
    /// Trusted because it reads what `new` stored.
    ///
    /// Exercised by `conformance::four_levels_on_a_processor_that_keeps_all_it_may`.
    #[verifier::external_body]
    #[inline(always)]
    pub(crate) fn address_bits(&self) -> (r: u64)
        ensures
            r == self.phys_bits(),
        opens_invariants none
        no_unwind
    {
        self.phys_bits
    }

    /// A zeroed frame for a table of `level`.
    /// Trusted because the machine promises it ([`TableMemory`]): the frame is zeroed, aligned, reachable, and nobody else's.
    ///
    /// Exercised by `memory::frames_are_aligned_zeroed_and_counted`.
    #[verifier::external_body]
    #[inline]
    pub(crate) fn alloc<A: PagingMode>(&mut self, Ghost(level): Ghost<nat>) -> (r: Option<
        (PhysAddr, Tracked<TablePerm>),
    >)
        ensures
            final(self).phys_bits() == old(self).phys_bits(),
            match r {
                Some((table, perm)) => {
                    &&& perm@.addr() == table
                    &&& perm@.level() == level
                    &&& perm@.words() == zeros::<A>()
                    &&& crate::arch::entry::is_table_address::<A>(table, final(self).phys_bits())
                    &&& !old(self).held().contains(table)
                    &&& final(self).held() == old(self).held().insert(table)
                },
                None => final(self).held() == old(self).held(),
            },
        opens_invariants none
        no_unwind
    {
        let table = self.memory.alloc_zeroed(A::geometry().table_bytes())?;
        Some((table, Tracked(TablePerm { _private: core::marker::PhantomData })))
    }

    /// Takes a frame back.
    /// Trusted because the machine forgets the frame: the permission is used up.
    ///
    /// Exercised by `basics::dropping_frees_every_table`.
    #[verifier::external_body]
    #[inline]
    pub(crate) fn free<A: PagingMode>(&mut self, table: PhysAddr, Tracked(perm): Tracked<TablePerm>)
        requires
            perm.addr() == table,
            old(self).held().contains(table),
        ensures
            final(self).held() == old(self).held().remove(table),
            final(self).phys_bits() == old(self).phys_bits(),
        opens_invariants none
        no_unwind
    {
        // SAFETY: the permission shows that the frame came from `alloc`, and it is used up here
        unsafe { self.memory.free(table, A::geometry().table_bytes()) }
    }

    /// Word `index` of a table: as software knows it, or with bits that hardware has set.
    /// Trusted because the machine promises that a word reads as written last, and hardware changes only what the manual
    /// says it does (Intel SDM vol. 3, 5.8).
    ///
    /// Exercised by `conformance::four_levels_on_processors_with_adversarial_caches`.
    #[verifier::external_body]
    #[inline(always)]
    pub(crate) fn read<A: PagingMode>(
        &self,
        table: PhysAddr,
        index: usize,
        Tracked(perm): Tracked<&TablePerm>,
    ) -> (word: u64)
        requires
            perm.addr() == table,
            index < perm.words().len(),
        ensures
            A::may_become(perm.level(), perm.words()[index as int], word),
        opens_invariants none
        no_unwind
    {
        // SAFETY: the permission shows that the frame is ours, and the index is in range
        unsafe { self.memory.read(table, index) }
    }

    /// Writes word `index` of a table. Only for words that hardware leaves alone: what it sets would be lost.
    /// Trusted because the machine promises one access of 64 bits.
    ///
    /// Exercised by `controls::each_bit_of_a_page_entry_that_matters_is_noticed`.
    #[verifier::external_body]
    #[inline(always)]
    pub(crate) fn write<A: PagingMode>(
        &mut self,
        table: PhysAddr,
        index: usize,
        word: u64,
        Tracked(perm): Tracked<&mut TablePerm>,
    )
        requires
            old(perm).addr() == table,
            index < old(perm).words().len(),
            super::mmu::settled::<A>(old(perm).level(), old(perm).words()[index as int]),
        ensures
            final(self).held() == old(self).held(),
            final(self).phys_bits() == old(self).phys_bits(),
            final(perm).addr() == old(perm).addr(),
            final(perm).level() == old(perm).level(),
            final(perm).words() == old(perm).words().update(index as int, word),
        opens_invariants none
        no_unwind
    {
        // SAFETY: the permission shows that the frame is ours, and the index is in range
        unsafe { self.memory.write(table, index, word) }
    }

    /// Exchanges word `index` of a table for `new` if it is `current`; otherwise answers with what it is.
    /// Trusted because the machine promises one atomic access that fails only for a difference.
    ///
    /// Exercised by `memory::words_are_compared_before_they_are_exchanged`.
    #[verifier::external_body]
    #[inline(always)]
    pub(crate) fn compare_exchange<A: PagingMode>(
        &mut self,
        table: PhysAddr,
        index: usize,
        current: u64,
        new: u64,
        Tracked(perm): Tracked<&mut TablePerm>,
    ) -> (r: Result<u64, u64>)
        requires
            old(perm).addr() == table,
            index < old(perm).words().len(),
        ensures
            final(self).held() == old(self).held(),
            final(self).phys_bits() == old(self).phys_bits(),
            final(perm).addr() == old(perm).addr(),
            final(perm).level() == old(perm).level(),
            match r {
                Ok(was) => {
                    &&& was == current
                    &&& A::may_become(old(perm).level(), old(perm).words()[index as int], current)
                    &&& final(perm).words() == old(perm).words().update(index as int, new)
                },
                Err(now) => {
                    &&& now != current
                    &&& A::may_become(old(perm).level(), old(perm).words()[index as int], now)
                    &&& final(perm).words() == old(perm).words().update(index as int, now)
                },
            },
        opens_invariants none
        no_unwind
    {
        // SAFETY: the permission shows that the frame is ours, and the index is in range
        unsafe { self.memory.compare_exchange(table, index, current, new) }
    }

    /// Moves the account of `tables` to a value of its own.
    /// Trusted because only the account is split: clones of a handle stand for the same frames.
    ///
    /// Exercised by `controls::a_table_that_is_freed_before_the_flush_is_noticed`.
    #[verifier::external_body]
    #[inline]
    pub(crate) fn detach(&mut self, Ghost(tables): Ghost<Set<PhysAddr>>) -> (r: Self)
        requires
            tables.subset_of(old(self).held()),
        ensures
            r.held() == tables,
            r.phys_bits() == old(self).phys_bits(),
            final(self).held() == old(self).held().difference(tables),
            final(self).phys_bits() == old(self).phys_bits(),
        opens_invariants none
        no_unwind
    {
        Frames { memory: self.memory.clone(), phys_bits: self.phys_bits }
    }
}

/// That no processor holds anything stale of a range: made by invalidation, needed to give tables back.
#[verifier::external_body]
#[verifier::reject_recursive_types(A)]
pub(crate) tracked struct Flushed<A: PagingMode> {
    _private: core::marker::PhantomData<A>,
}

impl<A: PagingMode> Flushed<A> {
    /// Which range.
    pub uninterp spec fn range(&self) -> FlushRange<A>;

    /// Since when: stale is what was written before.
    pub uninterp spec fn since(&self) -> int;

    /// The same of a part.
    /// Trusted because who holds nothing stale of a range, holds nothing stale of what it covers.
    ///
    /// Exercised by `space::a_stale_translation_is_gone_after_sync`.
    #[verifier::external_body]
    pub(crate) proof fn narrow(tracked &self, part: FlushRange<A>) -> (tracked r: Flushed<A>)
        requires
            self.range().covers(part),
        ensures
            r.range() == part,
            r.since() == self.since(),
    {
        unimplemented!()
    }
}

/// Tells the processors of `range`, after a moment that has passed.
/// Trusted because the machine promises it ([`Invalidate`]).
///
/// Exercised by `controls::a_suite_that_pays_no_flush_meets_stale_translations`.
#[verifier::external_body]
#[inline]
pub(crate) fn invalidate<A: PagingMode, T: Invalidate<A>>(
    tlb: &T,
    range: FlushRange<A>,
    Tracked(stored): Tracked<&Moment>,
) -> (r: Tracked<Flushed<A>>)
    ensures
        r@.range() == range,
        r@.since() == stored.time(),
{
    tlb.invalidate(range);
    Tracked(Flushed { _private: core::marker::PhantomData })
}

/// The caller has told the processors of `range` itself, after a moment that has passed.
/// Trusted because only `Flush::assume_flushed` and `Broken::assume_flushed` lead to it, whose callers promise it by `unsafe`.
///
/// Exercised by `controls::a_table_that_is_freed_before_the_flush_is_noticed`.
#[verifier::external_body]
#[inline]
pub(crate) fn trust_flushed<A: PagingMode>(
    range: FlushRange<A>,
    Tracked(stored): Tracked<&Moment>,
) -> (r: Tracked<Flushed<A>>)
    ensures
        r@.range() == range,
        r@.since() == stored.time(),
{
    let _ = range;
    Tracked(Flushed { _private: core::marker::PhantomData })
}

} // verus!
