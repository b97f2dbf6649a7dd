//! The way along: from a table that is known to what is mapped next, without going back to the root.

use super::PageTable;
use super::descend::Stop;
#[cfg(verus_only)]
use super::model::home;
use super::tree::{Slot, Tree};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A table that is known, and an address that it covers.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) va: u64,
    pub(crate) stop: Stop,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The root, as the table for `va`.
    #[inline]
    pub(super) fn top(&self, va: u64) -> (r: Place)
        requires
            self.sound(),
            va < A::geo().limit(),
        ensures
            self.is_place(r),
            r.va == va,
        no_unwind
    {
        let level = A::geometry().levels;
        let stop = Stop { level, table: self.root.addr, above: self.root.addr, used: 1 };
        proof {
            self.lemma_descent_root(va as int, stop);
        }
        Place { va, stop }
    }

    /// The entry that decides about `va`: from the table known if it covers `va`, from the root otherwise.
    #[inline]
    pub(super) fn seek(&self, near: Place, va: u64) -> (r: (Place, Entry))
        requires
            self.sound(),
            self.is_place(near),
            va < A::geo().limit(),
        ensures
            self.is_decided(r.0, r.1),
            r.0.va == va,
        no_unwind
    {
        let geometry = A::geometry();
        let known = Self::is_home(&near, va);
        let mut stop = if known {
            near.stop
        } else {
            self.top(va).stop
        };
        proof {
            if known {
                self.lemma_neighbour(near, va as int);
            }
        }
        loop
            invariant
                self.sound(),
                geometry == A::geo(),
                va < A::geo().limit(),
                self.is_stop(va as int, stop),
            decreases stop.level,
        {
            let index = geometry.index(va, stop.level);
            let slot = Slot { level: stop.level, table: stop.table, index };
            let read = self.read(Ghost(va as int), slot);
            let entry = read.1;
            proof {
                self.lemma_read_table(va as int, stop, read.0, entry);
            }
            if let Entry::Table { table, used } = entry {
                let ghost was = stop;
                stop = Stop { level: stop.level - 1, table, above: stop.table, used };
                proof {
                    self.lemma_descent_stop(va as int, was, stop);
                }
                continue;
            }
            return (Place { va, stop }, entry);
        }
    }

    /// Whether the table of `near` covers `va`, too.
    #[inline(always)]
    fn is_home(near: &Place, va: u64) -> (r: bool)
        requires
            1 <= near.stop.level <= A::geo().levels,
            near.va < A::geo().limit(),
            va < A::geo().limit(),
        ensures
            r == (home(A::geo(), va as int, near.stop.level as nat) == home(
                A::geo(),
                near.va as int,
                near.stop.level as nat,
            )),
        no_unwind
    {
        let geometry = A::geometry();
        let level = near.stop.level;
        proof {
            proof::lemma_home_bits::<A>(near.va, va, level as nat);
        }
        level == geometry.levels || {
            let mask = !(geometry.entry_span(level + 1) - 1);
            near.va & mask == va & mask
        }
    }

    /// Where the entry that decides about `place` starts, and how many bytes it covers.
    #[inline]
    pub(super) fn extent(&self, place: &Place) -> (r: (u64, u64))
        requires
            self.sound(),
            self.is_place(*place),
        ensures
            r.1 == A::geo().span(place.stop.level as nat),
            r.0 == place.va - place.va as int % r.1 as int,
            r.0 <= place.va < r.0 + r.1 <= A::geo().limit() < u64::MAX,
        no_unwind
    {
        let span = A::geometry().entry_span(place.stop.level);
        proof {
            A::geo().lemma_align_down(place.va, place.stop.level as nat);
            proof::lemma_extent::<A>(place.va as int, place.stop.level as nat);
        }
        (place.va & !(span - 1), span)
    }

    /// The first address from `va` to below `hi` that is mapped, and its page; or else a table on the way.
    pub(super) fn scan(&self, near: Place, va: u64, hi: u64) -> (r: (Place, Option<Entry>))
        requires
            self.sound(),
            self.is_place(near),
            hi <= A::geo().limit(),
        ensures
            match r.1 {
                Some(entry) => {
                    &&& self.is_decided(r.0, entry)
                    &&& entry is Page
                    &&& r.0.va < hi
                    &&& self.space().is_next(va as int, r.0.va as int)
                },
                None => self.is_place(r.0) && self.space().is_free(va as int, hi as int),
            },
        no_unwind
    {
        let mut near = near;
        let mut at = va;
        while at < hi
            invariant
                self.sound(),
                self.is_place(near),
                hi <= A::geo().limit(),
                va <= at,
                self.space().is_free(va as int, at as int),
            decreases
                    (if at < hi {
                        hi - at
                    } else {
                        0
                    }),
        {
            let (place, entry) = self.seek(near, at);
            proof {
                self.lemma_decided(place, entry);
            }
            if let Entry::Page { .. } = entry {
                return (place, Some(entry));
            }
            near = place;
            let (start, span) = self.extent(&place);
            at = start + span;
        }
        (near, None)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Whether an address is mapped, and from where to where the page reaches, or else a hole. Addresses are counted from the
    /// start of what the table covers.
    #[inline]
    pub(crate) fn extent_at(&self, at: u64) -> (r: (bool, u64, u64))
        requires
            at < A::geo().limit(),
        ensures
            r.0 == (self@.lookup(at as int) is Some),
            r.0 ==> r.1 == self@.base(at as int),
            r.1 <= at < r.2 <= A::geo().limit(),
            self@.is_extent(at as int, r.1 as int, r.2 - r.1),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let tree = &self.owned.tree;
        let (place, entry) = tree.seek(tree.top(at), at);
        proof {
            tree.lemma_decided(place, entry);
        }
        let (start, span) = tree.extent(&place);
        (matches!(entry, Entry::Page { .. }), start, start + span)
    }
}

} // verus!
