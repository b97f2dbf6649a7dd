//! Whether a range can be copied.

use super::super::PageTable;
use super::super::tree::Tree;
use super::leaf::Leaf;
use crate::addr::VirtRange;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::error::Error;
use crate::hw::TableMemory;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// The first address of `range` and its end, if it can be copied to `into`, as far as there are tables.
    pub(super) fn check_copy(&self, range: &VirtRange<A>, into: &Self) -> (r: Result<
        (u64, u64),
        Error,
    >)
        ensures
            match r {
                Ok((lo, hi)) => {
                    &&& request::check_range(*range) is None
                    &&& lo == range.first()@
                    &&& hi == lo + range.bytes()
                    &&& hi <= A::geo().limit()
                    &&& lo < hi ==> !self@.is_cut(lo as int, hi as int)
                    &&& into@.is_free(lo as int, hi as int)
                    &&& self@.is_within(lo as int, hi as int, into.phys_bits())
                },
                Err(e) => request::is_copy_range_error(self@, into@, into.phys_bits(), *range, e),
            },
    {
        let (lo, hi) = self.check_range(range)?;
        if lo == hi {
            return Ok((lo, hi));
        }
        proof {
            use_type_invariant(self);
            use_type_invariant(into);
        }
        let (from, onto) = (&self.owned.tree, &into.owned.tree);
        let mut near = onto.top(lo);
        if let Some(leaf) = onto.next_leaf(&mut near, lo, hi) {
            return Err(Error::AlreadyMapped { addr: A::canonicalize(leaf.start), size: leaf.span });
        }
        if let Some(leaf) = from.first_beyond(onto, lo, hi) {
            return Err(Error::PhysTooWide { addr: leaf.frame.0, size: leaf.span });
        }
        Ok((lo, hi))
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The first page from `lo` to below `hi` whose frame `onto`'s memory doesn't reach.
    fn first_beyond(&self, onto: &Self, lo: u64, hi: u64) -> (r: Option<Leaf>)
        requires
            self.inv(),
            onto.inv(),
            lo < hi <= A::geo().limit(),
            !self.space().is_cut(lo as int, hi as int),
        ensures
            match r {
                Some(leaf) => {
                    &&& self.is_leaf(leaf)
                    &&& self.space().is_first_beyond(
                        lo as int,
                        hi as int,
                        onto.phys_bits(),
                        leaf.start as int,
                    )
                },
                None => self.space().is_within(lo as int, hi as int, onto.phys_bits()),
            },
        no_unwind
    {
        if self.frames.address_bits() <= onto.frames.address_bits() {
            proof {
                self.lemma_reached(lo as int, hi as int, onto.phys_bits());
            }
            return None;
        }
        let mut near = self.top(lo);
        let mut at = lo;
        while at < hi
            invariant
                self.inv(),
                onto.inv(),
                lo < hi <= A::geo().limit(),
                !self.space().is_cut(lo as int, hi as int),
                self.is_place(near),
                lo <= at,
                self.space().is_within(lo as int, at as int, onto.phys_bits()),
            decreases
                    (if at < hi {
                        hi - at
                    } else {
                        0
                    }),
        {
            let Some(leaf) = self.next_leaf(&mut near, at, hi) else {
                proof {
                    self.lemma_within(lo as int, at as int, hi as int, onto.phys_bits());
                }
                return None;
            };
            proof {
                self.lemma_within_next(lo as int, at as int, hi as int, onto.phys_bits(), leaf);
            }
            if !onto.has_frame(leaf.frame, leaf.span) {
                return Some(leaf);
            }
            at = leaf.start + leaf.span;
        }
        None
    }
}

} // verus!
