//! A chain of tables, one a level, that hardware can't reach: not yet linked, or no longer.

use super::model::NodeId;
#[cfg(verus_only)]
use super::model::home;
use super::stack::Stack;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::Entry;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::memory::{Frames, TableMemory, TablePerm};
use core::marker::PhantomData;
#[cfg(verus_only)]
use spec::is_blank;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// The tables for one address from level `lo` to level `hi`: each refers to the next lower one and to nothing else.
pub(crate) struct Chain<A: PagingMode> {
    pub(crate) offset: u64,
    pub(crate) hi: u8,
    pub(crate) lo: u8,
    /// Where the table of level `hi` is.
    pub(crate) head: PhysAddr,
    pub(crate) perms: Tracked<Map<NodeId, TablePerm>>,
    pub(crate) mode: PhantomData<A>,
}

impl<A: PagingMode> Chain<A> {
    /// A chain from level `lo`, with one page there, to just below level `top`; `None`, and none taken, if there are not
    /// enough frames.
    pub(super) fn make<M: TableMemory>(
        frames: &mut Frames<M>,
        offset: u64,
        lo: u8,
        top: u8,
        word: u64,
    ) -> (r: Option<Self>)
        requires
            old(frames).phys_bits() <= A::frame_bits(),
            offset < A::geo().limit(),
            1 <= lo < top <= A::geo().levels,
            A::wf(old(frames).phys_bits(), lo as nat, word),
            A::entry(lo as nat, word) is Page,
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            match r {
                Some(chain) => {
                    &&& chain.inv(final(frames).phys_bits())
                    &&& chain.offset == offset && chain.lo == lo && chain.hi + 1 == top
                    &&& chain.page() == A::entry(lo as nat, word)
                    &&& chain.is_added(old(frames).held(), final(frames).held())
                },
                None => final(frames).held() == old(frames).held(),
            },
        no_unwind
    {
        let mut chain = Self::start(frames, offset, lo, word)?;
        while chain.hi + 1 < top
            invariant
                frames.phys_bits() == old(frames).phys_bits(),
                top <= A::geo().levels,
                chain.inv(frames.phys_bits()),
                chain.offset == offset,
                chain.lo == lo,
                chain.hi < top,
                chain.page() == A::entry(lo as nat, word),
                chain.is_added(old(frames).held(), frames.held()),
            decreases top - chain.hi,
        {
            match chain.grow(frames) {
                Ok(longer) => {
                    chain = longer;
                },
                Err(same) => {
                    let ghost held = frames.held();
                    same.free(frames);
                    proof {
                        same.lemma_undone(old(frames).held(), frames.held(), held);
                    }
                    return None;
                },
            }
        }
        Some(chain)
    }

    /// As `make`, of tables from a stack that has enough.
    pub(super) fn take<M: TableMemory>(
        stack: &mut Stack<A>,
        frames: &mut Frames<M>,
        offset: u64,
        lo: u8,
        top: u8,
        word: u64,
    ) -> (r: Self)
        requires
            old(frames).phys_bits() <= A::frame_bits(),
            offset < A::geo().limit(),
            1 <= lo < top <= A::geo().levels,
            A::wf(old(frames).phys_bits(), lo as nat, word),
            A::entry(lo as nat, word) is Page,
            old(stack).inv(old(frames).phys_bits()),
            old(stack)@.len() >= top - lo,
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
            r.inv(final(frames).phys_bits()),
            r.offset == offset && r.lo == lo && r.hi + 1 == top,
            r.page() == A::entry(lo as nat, word),
            final(stack).inv(final(frames).phys_bits()),
            final(stack)@.len() == old(stack)@.len() - (top - lo),
            r.is_added(final(stack).tables(), old(stack).tables()),
        no_unwind
    {
        let ghost phys_bits = frames.phys_bits();
        let ghost all = stack.tables();
        let (head, perm) = stack.take(frames, Ghost(lo as nat));
        let mut chain = Self::begin(frames, Ghost(stack.tables()), (head, perm), offset, lo, word);
        assert(stack.tables().insert(head) =~= all);
        while chain.hi + 1 < top
            invariant
                frames.phys_bits() == phys_bits,
                frames.held() == old(frames).held(),
                top <= A::geo().levels,
                chain.inv(phys_bits),
                chain.offset == offset,
                chain.lo == lo,
                chain.hi < top,
                chain.page() == A::entry(lo as nat, word),
                stack.inv(phys_bits),
                stack@.len() == old(stack)@.len() - (chain.hi + 1 - lo),
                old(stack)@.len() >= top - lo,
                chain.is_added(stack.tables(), all),
            decreases top - chain.hi,
        {
            let ghost left = stack.tables();
            let ghost was = chain;
            let (head, perm) = stack.take(frames, Ghost((chain.hi + 1) as nat));
            chain = chain.extend(frames, Ghost(was.tables()), (head, perm));
            proof {
                chain.lemma_taken(was, stack.tables(), left, all, head);
            }
        }
        chain
    }

    /// A chain of one table of level `lo`, with one page or with nothing.
    pub(super) fn start<M: TableMemory>(
        frames: &mut Frames<M>,
        offset: u64,
        lo: u8,
        word: u64,
    ) -> (r: Option<Self>)
        requires
            old(frames).phys_bits() <= A::frame_bits(),
            offset < A::geo().limit(),
            1 <= lo < A::geo().levels,
            A::wf(old(frames).phys_bits(), lo as nat, word),
            !(A::entry(lo as nat, word) is Table),
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            match r {
                Some(chain) => {
                    &&& chain.inv(final(frames).phys_bits())
                    &&& chain.offset == offset && chain.lo == lo && chain.hi == lo
                    &&& chain.page() == A::entry(lo as nat, word)
                    &&& chain.is_added(old(frames).held(), final(frames).held())
                },
                None => final(frames).held() == old(frames).held(),
            },
        no_unwind
    {
        let ghost held = frames.held();
        let table = frames.alloc::<A>(Ghost(lo as nat))?;
        Some(Self::begin(frames, Ghost(held), table, offset, lo, word))
    }

    /// A chain of `table`, of level `lo`, with one page or with nothing.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "`perm` is the prover's"))]
    #[inline]
    fn begin<M: TableMemory>(
        frames: &mut Frames<M>,
        Ghost(held): Ghost<Set<PhysAddr>>,
        table: (PhysAddr, Tracked<TablePerm>),
        offset: u64,
        lo: u8,
        word: u64,
    ) -> (r: Self)
        requires
            old(frames).phys_bits() <= A::frame_bits(),
            offset < A::geo().limit(),
            1 <= lo < A::geo().levels,
            A::wf(old(frames).phys_bits(), lo as nat, word),
            !(A::entry(lo as nat, word) is Table),
            is_blank::<A>(table.1@, table.0, lo as nat, old(frames).phys_bits()),
            !held.contains(table.0),
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
            r.inv(final(frames).phys_bits()),
            r.offset == offset && r.lo == lo && r.hi == lo,
            r.page() == A::entry(lo as nat, word),
            r.is_added(held, held.insert(table.0)),
        no_unwind
    {
        let (head, perm) = table;
        let index = A::geometry().index(offset, lo);
        let tracked mut perm = perm.get();
        proof {
            A::geo().lemma_span(lo as nat);
            A::lemma_zero(frames.phys_bits(), lo as nat);
            A::lemma_settled(frames.phys_bits(), lo as nat, 0);
        }
        frames.write::<A>(head, index, word, Tracked(&mut perm));
        let tracked mut perms = Map::tracked_empty();
        proof {
            perms.tracked_insert(home(A::geo(), offset as int, lo as nat), perm);
        }
        let chain = Chain { offset, hi: lo, lo, head, perms: Tracked(perms), mode: PhantomData };
        proof {
            chain.lemma_start(held, frames.phys_bits(), word);
        }
        chain
    }

    /// Adds a table on top; `Err` if there is no memory for it.
    fn grow<M: TableMemory>(self, frames: &mut Frames<M>) -> (r: Result<Self, Self>)
        requires
            self.inv(old(frames).phys_bits()),
            self.hi + 1 < A::geo().levels,
            self.is_held(old(frames).held()),
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            match r {
                Ok(chain) => {
                    &&& chain.inv(final(frames).phys_bits())
                    &&& chain.offset == self.offset && chain.lo == self.lo && chain.hi == self.hi
                        + 1
                    &&& chain.page() == self.page()
                    &&& forall|held: Set<PhysAddr>| #[trigger]
                        self.is_added(held, old(frames).held()) ==> chain.is_added(
                            held,
                            final(frames).held(),
                        )
                },
                Err(chain) => chain == self && final(frames).held() == old(frames).held(),
            },
        no_unwind
    {
        let ghost level = self.hi + 1;
        let ghost held = frames.held();
        match frames.alloc::<A>(Ghost(level as nat)) {
            None => Err(self),
            Some(table) => Ok(self.extend(frames, Ghost(held), table)),
        }
    }

    /// Adds `table` on top.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "`perm` is the prover's"))]
    #[inline]
    fn extend<M: TableMemory>(
        self,
        frames: &mut Frames<M>,
        Ghost(held): Ghost<Set<PhysAddr>>,
        table: (PhysAddr, Tracked<TablePerm>),
    ) -> (r: Self)
        requires
            self.inv(old(frames).phys_bits()),
            self.hi + 1 < A::geo().levels,
            self.is_held(held),
            is_blank::<A>(table.1@, table.0, (self.hi + 1) as nat, old(frames).phys_bits()),
            !held.contains(table.0),
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
            r.inv(final(frames).phys_bits()),
            r.offset == self.offset && r.lo == self.lo && r.hi == self.hi + 1,
            r.page() == self.page(),
            forall|base: Set<PhysAddr>| #[trigger]
                self.is_added(base, held) ==> r.is_added(base, held.insert(table.0)),
        no_unwind
    {
        let (head, perm) = table;
        let level = self.hi + 1;
        let index = A::geometry().index(self.offset, level);
        let ghost phys_bits = frames.phys_bits();
        let tracked mut perm = perm.get();
        proof {
            A::geo().lemma_span(level as nat);
            A::lemma_zero(phys_bits, level as nat);
            A::lemma_settled(phys_bits, level as nat, 0);
            self.lemma_head(phys_bits);
        }
        let word = A::table(Ghost(phys_bits), level, self.head, 1);
        frames.write::<A>(head, index, word, Tracked(&mut perm));
        let ghost was = self;
        let tracked mut perms = self.perms.get();
        proof {
            perms.tracked_insert(home(A::geo(), self.offset as int, level as nat), perm);
        }
        let chain = Chain {
            offset: self.offset,
            hi: level,
            lo: self.lo,
            head,
            perms: Tracked(perms),
            mode: PhantomData,
        };
        proof {
            chain.lemma_grow(was, phys_bits, held, word);
        }
        chain
    }

    /// Gives the tables back.
    pub(super) fn free<M: TableMemory>(self, frames: &mut Frames<M>)
        requires
            self.inv(old(frames).phys_bits()),
            self.is_held(old(frames).held()),
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            self.is_added(final(frames).held(), old(frames).held()),
        no_unwind
    {
        let mut table = self.head;
        let mut level = self.hi;
        let ghost chain = self;
        let tracked mut perms = self.perms.get();
        let ghost held = frames.held();
        proof {
            chain.lemma_unfreed(frames.phys_bits(), held);
        }
        loop
            invariant_except_break
                chain.is_freed(level as nat, table, perms, held, frames.held()),
            invariant
                chain.inv(frames.phys_bits()),
                frames.phys_bits() == old(frames).phys_bits(),
                self.offset == chain.offset,
                self.lo == chain.lo,
                chain.is_held(held),
            ensures
                chain.is_added(frames.held(), held),
                frames.phys_bits() == old(frames).phys_bits(),
            decreases level,
        {
            let ghost id = home(A::geo(), self.offset as int, level as nat);
            let index = A::geometry().index(self.offset, level);
            proof {
                chain.lemma_free(
                    frames.phys_bits(),
                    level as nat,
                    table,
                    perms,
                    held,
                    frames.held(),
                );
            }
            let tracked perm = perms.tracked_remove(id);
            let word = frames.read::<A>(table, index, Tracked(&perm));
            proof {
                chain.lemma_next(frames.phys_bits(), level as nat, word);
            }
            frames.free::<A>(table, Tracked(perm));
            if level == self.lo {
                break;
            }
            level -= 1;
            if let Entry::Table { table: next, .. } = A::decode(level + 1, word) {
                table = next;
            }
        }
    }

    /// Empties the tables of a chain that maps nothing, and puts them on `stack`.
    pub(super) fn dismantle<M: TableMemory>(self, frames: &mut Frames<M>, stack: &mut Stack<A>)
        requires
            self.inv(old(frames).phys_bits()),
            self.page() is Empty,
            old(stack).inv(old(frames).phys_bits()),
            old(stack).tables().disjoint(self.tables()),
        ensures
            final(frames).phys_bits() == old(frames).phys_bits(),
            final(frames).held() == old(frames).held(),
            final(stack).inv(final(frames).phys_bits()),
            final(stack).tables() == old(stack).tables().union(self.tables()),
        no_unwind
    {
        let mut table = self.head;
        let mut level = self.hi;
        let ghost chain = self;
        let ghost mut rest = self.tables();
        let tracked mut perms = self.perms.get();
        proof {
            chain.lemma_unfreed(frames.phys_bits(), rest);
            assert(stack.tables() =~= stack.tables().union(self.tables().difference(rest)));
        }
        loop
            invariant_except_break
                chain.is_freed(level as nat, table, perms, chain.tables(), rest),
            invariant
                chain.inv(frames.phys_bits()),
                chain.page() is Empty,
                frames.phys_bits() == old(frames).phys_bits(),
                frames.held() == old(frames).held(),
                self.offset == chain.offset,
                self.lo == chain.lo,
                stack.inv(frames.phys_bits()),
                old(stack).tables().disjoint(chain.tables()),
                rest.subset_of(chain.tables()),
                stack.tables() == old(stack).tables().union(chain.tables().difference(rest)),
            ensures
                chain.is_added(rest, chain.tables()),
            decreases level,
        {
            let ghost id = home(A::geo(), self.offset as int, level as nat);
            let ghost l = level as nat;
            let index = A::geometry().index(self.offset, level);
            proof {
                chain.lemma_free(frames.phys_bits(), l, table, perms, chain.tables(), rest);
                chain.lemma_emptied(frames.phys_bits(), l);
            }
            let tracked mut perm = perms.tracked_remove(id);
            let word = frames.read::<A>(table, index, Tracked(&perm));
            proof {
                chain.lemma_next(frames.phys_bits(), l, word);
            }
            frames.write::<A>(table, index, 0, Tracked(&mut perm));
            stack.push(frames, table, Tracked(perm));
            proof {
                assert(stack.tables() =~= old(stack).tables().union(
                    chain.tables().difference(rest.remove(table)),
                ));
                rest = rest.remove(table);
            }
            if level == self.lo {
                break;
            }
            level -= 1;
            if let Entry::Table { table: next, .. } = A::decode(level + 1, word) {
                table = next;
            }
        }
        assert(stack.tables() =~= old(stack).tables().union(self.tables()));
    }
}

} // verus!
