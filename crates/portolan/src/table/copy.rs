//! Copying a range: the pages of one page table in another, which then share their frames.

use super::PageTable;
use super::chain::Chain;
use super::model::NodeId;
use super::stack::Stack;
use super::tree::Tree;
use crate::addr::{PhysAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::spec::request;
use leaf::Leaf;
use vstd::prelude::*;

mod check;
mod lack;
pub(crate) mod leaf;
#[cfg(verus_only)]
mod proof;
mod run;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A range that is copied: from which tree, what the other was at the start, the first address and the end, whether the
/// right to write is taken away, and the tables that are set aside for it.
#[verifier::reject_recursive_types(M)]
pub(crate) ghost struct Copying<M: TableMemory, A: PagingMode, B: AccessBits> {
    pub from: Tree<M, A, B>,
    pub onto: Tree<M, A, B>,
    pub lo: int,
    pub hi: int,
    pub read_only: bool,
    pub tables: Set<NodeId>,
}

/// What comes next: the page, the table that it is in, the end of the range, and whether the right to write is taken away.
#[derive(Clone, Copy)]
struct Next {
    leaf: Leaf,
    table: PhysAddr,
    hi: u64,
    read_only: bool,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Maps in `into` all pages that are mapped here in `range`, at the same addresses, to the same frames, with the same
    /// sizes and properties, all of them or none; there may be holes. Answers with how many bytes they are.
    ///
    /// Accessed and dirty bits are copied as they are at that moment. All tables that `into` lacks are taken before the
    /// first page is mapped. A page costs one store, and one more where tables note how much of them is in use.
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] if the range's start, or its end, is not a multiple of the smallest page;
    /// [`Error::PastEnd`]; [`Error::CoveredByHugePage`] if a page here lies partly in the range and partly outside;
    /// [`Error::AlreadyMapped`] with the first page that `into` has in the range, or partly in it; [`Error::PhysTooWide`]
    /// with the first page's frame that `into`'s memory doesn't reach; [`Error::NoMemory`].
    pub fn copy_range(&self, range: VirtRange<A>, into: &mut Self) -> (r: Result<u64, Error>)
        ensures
            match r {
                Ok(bytes) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    &&& request::check_range(range) is None
                    &&& range.bytes() > 0 ==> !self@.is_cut(lo, hi)
                    &&& old(into)@.is_free(lo, hi)
                    &&& self@.is_within(lo, hi, old(into).phys_bits())
                    &&& self@.may_copy_range::<B>(lo, hi, false, old(into)@, final(into)@)
                    &&& bytes == self@.mapped_bytes(lo, hi)
                    &&& final(into).steps_through(*old(into))
                },
                Err(e) => {
                    &&& request::is_copy_range_error(
                        self@,
                        old(into)@,
                        old(into).phys_bits(),
                        range,
                        e,
                    )
                    &&& final(into).same_as(*old(into))
                },
            },
    {
        let (lo, hi) = self.check_copy(&range, &*into)?;
        proof {
            use_type_invariant(self);
            use_type_invariant(&*into);
        }
        if lo == hi {
            return Ok(0);
        }
        match into.owned.tree.copy_range(&self.owned.tree, lo, hi, false) {
            Some(bytes) => {
                proof {
                    into.owned.tree.lemma_range_mapped(old(into).owned.tree);
                }
                Ok(bytes)
            },
            None => Err(Error::NoMemory { addr: range.start().as_u64(), size: range.size() }),
        }
    }

    /// As [`copy_range`](PageTable::copy_range), and takes the right to write from all of these pages, here and in `into`:
    /// both can then share the frames until one of them writes (copy-on-write).
    ///
    /// No access meets a hole in between. A page that was written keeps its dirty bit, in the copy too. The flush is for
    /// this table's pages: until it is paid, processors may still write to them.
    ///
    /// # Errors
    /// Those of [`copy_range`](PageTable::copy_range); neither table is changed.
    pub fn copy_range_write_protected(&mut self, range: VirtRange<A>, into: &mut Self) -> (r:
        Result<(u64, Flush<M, A>), Error>)
        ensures
            match r {
                Ok((bytes, flush)) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    &&& request::check_range(range) is None
                    &&& range.bytes() > 0 ==> !old(self)@.is_cut(lo, hi)
                    &&& old(into)@.is_free(lo, hi)
                    &&& old(self)@.is_within(lo, hi, old(into).phys_bits())
                    &&& old(self)@.may_copy_range::<B>(lo, hi, true, old(into)@, final(into)@)
                    &&& old(self)@.may_write_protect_range(lo, hi, final(self)@)
                    &&& bytes == old(self)@.mapped_bytes(lo, hi)
                    &&& final(into).steps_through(*old(into))
                    &&& final(self).steps_through(*old(self))
                    &&& flush.due().reaches(old(self)@, lo, hi)
                    &&& old(self).frames() == final(self).frames()
                    &&& flush.frames() == Set::<PhysAddr>::empty()
                },
                Err(e) => {
                    &&& request::is_copy_range_error(
                        old(self)@,
                        old(into)@,
                        old(into).phys_bits(),
                        range,
                        e,
                    )
                    &&& final(self).same_as(*old(self))
                    &&& final(into).same_as(*old(into))
                },
            },
    {
        let (lo, hi) = self.check_copy(&range, &*into)?;
        proof {
            use_type_invariant(&*self);
            use_type_invariant(&*into);
        }
        if lo == hi {
            return Ok((0, Self::flush_for(&range, None, None)));
        }
        match into.owned.tree.copy_range(&self.owned.tree, lo, hi, true) {
            Some(bytes) => {
                let (least, _) = self.owned.tree.write_protect_range(lo, hi);
                proof {
                    into.owned.tree.lemma_range_mapped(old(into).owned.tree);
                    self.lemma_write_protected(*old(self), lo as int, hi as int);
                }
                Ok((bytes, Self::flush_for(&range, least, None)))
            },
            None => Err(Error::NoMemory { addr: range.start().as_u64(), size: range.size() }),
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Maps here, where nothing is mapped in the range, copies of the pages of `from` from `lo` to below `hi`; answers with
    /// how many bytes they are. `None`, and nothing is changed, if there are not enough frames for the tables that are
    /// missing.
    fn copy_range(&mut self, from: &Self, lo: u64, hi: u64, read_only: bool) -> (r: Option<u64>)
        requires
            from.inv(),
            old(self).inv(),
            lo < hi <= A::geo().limit(),
            !from.space().is_cut(lo as int, hi as int),
            old(self).is_untranslated(lo as int, hi as int),
            from.space().is_within(lo as int, hi as int, old(self).phys_bits()),
        ensures
            final(self).inv(),
            match r {
                Some(bytes) => {
                    &&& from.space().may_copy_range::<B>(
                        lo as int,
                        hi as int,
                        read_only,
                        old(self).space(),
                        final(self).space(),
                    )
                    &&& bytes == from.space().mapped_bytes(lo as int, hi as int)
                    &&& final(self).goes_through(*old(self))
                },
                None => final(self).unchanged_from(*old(self)),
            },
        no_unwind
    {
        let (missing, tables) = self.lacking(from, lo, hi);
        match self.reserve(missing) {
            Some(stack) => {
                let ghost reserved = *self;
                proof {
                    self.lemma_reserved(*old(self), stack, lo as int, hi as int);
                    from.lemma_served_same(*old(self), *self, tables@, lo as int, hi as int);
                }
                let bytes = self.copy_all(from, stack, tables, lo, hi, read_only);
                proof {
                    self.lemma_all(*old(self), reserved);
                }
                Some(bytes)
            },
            None => None,
        }
    }

    /// As `copy_range`, with all `tables` that are missing in `stack`.
    fn copy_all(
        &mut self,
        from: &Self,
        stack: Stack<A>,
        Ghost(tables): Ghost<Set<NodeId>>,
        lo: u64,
        hi: u64,
        read_only: bool,
    ) -> (r: u64)
        requires
            from.inv(),
            old(self).sound(),
            lo < hi <= A::geo().limit(),
            !from.space().is_cut(lo as int, hi as int),
            old(self).is_untranslated(lo as int, hi as int),
            from.space().is_within(lo as int, hi as int, old(self).phys_bits()),
            from.is_served(*old(self), tables, lo as int, hi as int),
            stack.inv(old(self).phys_bits()),
            old(self).is_using(stack),
            stack@.len() == tables.len(),
        ensures
            final(self).inv(),
            from.space().may_copy_range::<B>(
                lo as int,
                hi as int,
                read_only,
                old(self).space(),
                final(self).space(),
            ),
            r == from.space().mapped_bytes(lo as int, hi as int),
            final(self).goes_through(*old(self)),
        no_unwind
    {
        let ghost c = Copying {
            from: *from,
            onto: *self,
            lo: lo as int,
            hi: hi as int,
            read_only,
            tables,
        };
        let mut stack = stack;
        let mut near = from.top(lo);
        let mut at = lo;
        let mut bytes: u64 = 0;
        proof {
            self.lemma_copy_start(c, stack);
        }
        while at < hi
            invariant_except_break
                self.is_copying(c, stack, at as int, bytes as int),
            invariant
                c == (Copying {
                    from: *from,
                    onto: *old(self),
                    lo: lo as int,
                    hi: hi as int,
                    read_only,
                    tables,
                }),
                c.inv(),
                from.is_place(near),
                lo <= at <= hi,
            ensures
                self.is_copying(c, stack, hi as int, bytes as int),
            decreases hi - at,
        {
            let Some(leaf) = from.next_leaf(&mut near, at, hi) else {
                proof {
                    self.lemma_copy_none(c, stack, at as int, hi as int, bytes as int);
                }
                break;
            };
            proof {
                self.lemma_copy_next(c, stack, at as int, bytes as int, leaf);
            }
            let ghost so_far = (at as int, bytes as int);
            let next = Next { leaf, table: near.stop.table, hi, read_only };
            let (end, more) = self.copy_next(from, Ghost(c), Ghost(so_far), &mut stack, next);
            bytes += more;
            at = end;
        }
        let ghost mid = *self;
        proof {
            self.lemma_copying(c, stack, hi as int, bytes as int);
        }
        stack.free_all(&mut self.frames);
        proof {
            self.lemma_copy_end(mid, c, stack, bytes as int);
        }
        bytes
    }

    /// Copies the next page and those after it in the same table; only the page, if tables are missing, which are taken
    /// from `stack`. Answers with how far it got, and how many bytes the pages are.
    #[inline]
    fn copy_next(
        &mut self,
        from: &Self,
        Ghost(c): Ghost<Copying<M, A, B>>,
        Ghost(so_far): Ghost<(int, int)>,
        stack: &mut Stack<A>,
        next: Next,
    ) -> (r: (u64, u64))
        requires
            c.inv(),
            c.from == *from,
            next.is_of(c),
            c.is_next(so_far.0, next.leaf),
            old(self).is_copying(c, *old(stack), so_far.0, so_far.1),
        ensures
            final(self).is_copying(c, *final(stack), r.0 as int, so_far.1 + r.1),
            next.leaf.start < r.0 <= next.hi,
            r.1 <= r.0 - next.leaf.start,
        no_unwind
    {
        let leaf = next.leaf;
        let (va, level) = (leaf.start, leaf.level);
        let ghost phys_bits = self.frames.phys_bits();
        let ghost was = *stack;
        proof {
            self.lemma_copying(c, was, so_far.0, so_far.1);
        }
        let d = self.descend(va, level);
        proof {
            self.lemma_put_next(c, was, so_far.0, so_far.1, leaf, d);
        }
        if d.stop.level == level {
            return self.copy_run(from, Ghost(c), Ghost((was, so_far.0, so_far.1)), &d, next);
        }
        proof {
            Self::lemma_may_copy(c, so_far.0, leaf);
        }
        let prop = Self::copied(leaf.prop, next.read_only);
        let word = A::page(Ghost(phys_bits), level, leaf.frame, prop);
        let chain = Chain::<A>::take(stack, &mut self.frames, va, level, d.stop.level, word);
        let ghost linked = chain;
        let ghost taken = *self;
        proof {
            self.lemma_copy_chain(*old(self), c, was, so_far.0, so_far.1, leaf, d, *stack, chain);
        }
        self.hang(va, d, chain);
        proof {
            self.lemma_copy_hung(
                taken,
                *old(self),
                c,
                was,
                so_far.0,
                so_far.1,
                leaf,
                d,
                *stack,
                linked,
            );
        }
        (va + leaf.span, leaf.span)
    }

    /// What a copy has of a page's properties.
    #[inline(always)]
    fn copied(prop: PageProperty, read_only: bool) -> (r: PageProperty)
        ensures
            r == crate::arch::entry::stored::<B>(
                if read_only {
                    prop.read_only()
                } else {
                    prop
                },
            ),
        no_unwind
    {
        Self::stored(
            if read_only {
                prop.read_only()
            } else {
                prop
            },
        )
    }
}

} // verus!
