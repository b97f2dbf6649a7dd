//! From the tree to what a user is told of a range.

use super::super::PageTable;
use super::super::descend::Descent;
use super::super::model::{Model, home};
use super::super::perms::space;
use super::super::tree::Tree;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// Where the one page that covers an address starts.
    proof fn lemma_base(self, base: int, va: int)
        requires
            self.is_disjoint(),
            self.covers(base, va),
        ensures
            self.base(va) == base,
            self.lookup(va) == Some(self.pages[base]),
    {
        assert(self.covers(self.base(va), va));
    }

    /// A mix of pages is a mix at each address, if pages of the one are where those of the other are.
    pub(super) proof fn lemma_passes(self, mid: Self, new: Self)
        requires
            self.is_disjoint(),
            self.mixes(mid, new),
            forall|base: int| #[trigger]
                new.pages.contains_key(base) ==> {
                    &&& self.pages.contains_key(base)
                    &&& self.pages[base].size == new.pages[base].size
                    &&& self.pages[base].frame == new.pages[base].frame
                },
        ensures
            self.passes(mid, new),
    {
        assert forall|base: int, va: int| #[trigger] mid.covers(base, va) implies self.covers(
            base,
            va,
        ) by {
            assert(self.keeps(mid, base) || new.keeps(mid, base));
        }
        assert forall|base: int, va: int| #[trigger] new.covers(base, va) implies self.covers(
            base,
            va,
        ) by {}
        assert(mid.is_disjoint());
        assert(new.is_disjoint());
        assert forall|va: int| #[trigger] self.agrees(mid, va) || new.agrees(mid, va) by {
            self.lemma_passes_at(mid, new, va);
        }
    }

    /// The page that starts at `base` in `now` is one of this, and the same unless it starts from `lo` to below `hi`.
    pub(super) open spec fn changes_at(self, now: Self, lo: int, hi: int, base: int) -> bool {
        if lo <= base < hi {
            now.pages.contains_key(base) ==> {
                &&& self.pages.contains_key(base)
                &&& self.pages[base].size == now.pages[base].size
                &&& self.pages[base].frame == now.pages[base].frame
            }
        } else {
            self.same_at(now, base)
        }
    }

    /// So is each.
    pub(super) open spec fn changes_within(self, now: Self, lo: int, hi: int) -> bool {
        forall|base: int| #[trigger] self.changes_at(now, lo, hi, base)
    }

    /// What resembles what resembles this, does.
    proof fn lemma_resembles_outside_on(self, mid: Self, now: Self, lo: int, hi: int)
        requires
            self.resembles(mid),
            mid.resembles_outside(now, lo, hi),
        ensures
            self.resembles_outside(now, lo, hi),
    {
        assert forall|va: int| !(lo <= va < hi) implies #[trigger] self.agrees(now, va) by {
            assert(self.agrees(mid, va));
            assert(mid.agrees(now, va));
        }
    }

    /// The pages of a range that was cut are of the sizes that cutting gives them, and end in it.
    proof fn lemma_cut_sizes<A: EntryFormat>(self, now: Self, lo: int, hi: int)
        requires
            self.may_cut::<A>(lo, hi, now),
            !now.is_cut(lo, hi),
        ensures
            forall|base: int|
                lo <= base < hi && #[trigger] self.cut::<A>(lo, hi).pages.contains_key(base) ==> {
                    &&& now.pages.contains_key(base)
                    &&& now.pages[base].size == self.cut::<A>(lo, hi).pages[base].size
                    &&& base + now.pages[base].size.bytes() <= hi
                },
    {
        let was = self.cut::<A>(lo, hi);
        assert forall|base: int|
            lo <= base < hi && #[trigger] was.pages.contains_key(base) implies {
            &&& now.pages.contains_key(base)
            &&& now.pages[base].size == was.pages[base].size
            &&& base + now.pages[base].size.bytes() <= hi
        } by {
            assert(was.pages.dom().contains(base) == now.pages.dom().contains(base));
            assert(was.pages[base].may_become(now.pages[base]));
        }
    }

    /// Then no address outside is translated in another way, if no page lies partly in the range.
    proof fn lemma_changes_within(self, now: Self, lo: int, hi: int)
        requires
            self.is_disjoint(),
            now.is_disjoint(),
            !self.is_cut(lo, hi),
            self.changes_within(now, lo, hi),
        ensures
            self.resembles_outside(now, lo, hi),
    {
        assert forall|va: int| !(lo <= va < hi) implies #[trigger] self.agrees(now, va) by {
            if exists|base: int| self.covers(base, va) {
                let base = choose|base: int| self.covers(base, va);
                assert(self.changes_at(now, lo, hi, base));
                assert(now.covers(base, va));
                self.lemma_base(base, va);
                now.lemma_base(base, va);
            } else if exists|base: int| now.covers(base, va) {
                let base = choose|base: int| now.covers(base, va);
                assert(self.changes_at(now, lo, hi, base));
                assert(self.covers(base, va));
            }
        }
    }

    /// At one address.
    proof fn lemma_passes_at(self, mid: Self, new: Self, va: int)
        requires
            self.is_disjoint(),
            mid.is_disjoint(),
            new.is_disjoint(),
            self.mixes(mid, new),
            forall|base: int| #[trigger] mid.covers(base, va) ==> self.covers(base, va),
            forall|base: int| #[trigger] new.covers(base, va) ==> self.covers(base, va),
        ensures
            self.agrees(mid, va) || new.agrees(mid, va),
    {
        if exists|base: int| self.covers(base, va) {
            let base = choose|base: int| self.covers(base, va);
            self.lemma_base(base, va);
            assert(self.keeps(mid, base) || new.keeps(mid, base));
            if mid.covers(base, va) {
                mid.lemma_base(base, va);
            }
            if new.covers(base, va) {
                new.lemma_base(base, va);
            }
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// No address is in two pages.
    pub(crate) proof fn lemma_disjoint(self)
        requires
            self.linked(),
        ensures
            self.space().is_disjoint(),
    {
        let m = self.model();
        assert forall|a: int, b: int, va: int| #[trigger]
            self.space().covers(a, va) && #[trigger] self.space().covers(b, va) implies a == b by {
            m.lemma_covers::<A>(a, va);
            m.lemma_covers::<A>(b, va);
        }
    }

    /// The page that a descent found, and where it starts.
    pub(crate) proof fn lemma_cover(self, at: u64, d: Descent, start: u64)
        requires
            self.sound(),
            self.is_descent(at as int, 1, d),
            start == at & !((A::geo().span(d.stop.level as nat) - 1) as u64),
        ensures
            ({
                let span = A::geo().span(d.stop.level as nat);
                &&& 0 <= start <= at < start + span <= 0x400_0000_0000_0000
                &&& d.entry is Page ==> {
                    &&& self.space().covers(start as int, at as int)
                    &&& self.space().pages[start as int].size.bytes() == span
                    &&& start < A::geo().limit()
                }
                &&& forall|base: int| #[trigger]
                    self.space().covers(base, at as int) ==> d.entry is Page && base == start
            }),
    {
        let (m, l, va) = (self.model(), d.stop.level as nat, at as int);
        A::geo().lemma_align_down(at, l);
        A::geo().lemma_decompose(va, l);
        A::geo().lemma_span(l);
        A::geo().lemma_limit();
        assert(A::geo().span(l) <= A::geo().cover(l)) by {
            A::geo().lemma_entry_end(l, 0);
        }
        A::geo().lemma_bounds(va, l);
        assert(m.nodes.contains_key(home(A::geo(), va, l)));
        assert(m.slot_ok(home(A::geo(), va, l), A::geo().index_of(va, l)));
        m.lemma_stop(va, l);
        m.lemma_lookup::<A>(va);
        if d.entry is Page {
            m.lemma_size::<A>(va, l);
        }
        assert forall|base: int| #[trigger] self.space().covers(base, va) implies d.entry is Page
            && base == start by {
            m.lemma_covers::<A>(base, va);
        }
    }

    /// A range is whole if the pages at its ends are.
    pub(super) proof fn lemma_no_cut(self, lo: int, hi: int)
        requires
            lo < hi,
            self.is_whole_at(lo, hi, lo),
            self.is_whole_at(lo, hi, hi - 1),
        ensures
            !self.space().is_cut(lo, hi),
    {
        let space = self.space();
        assert forall|base: int| #[trigger]
            space.pages.contains_key(base) && base < hi && lo < base
                + space.pages[base].size.bytes() implies lo <= base && base
            + space.pages[base].size.bytes() <= hi by {
            if base <= lo {
                assert(space.covers(base, lo));
            } else if base + space.pages[base].size.bytes() > hi {
                assert(space.covers(base, hi - 1));
            }
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// In an empty range there is nothing to do.
    pub(in super::super) proof fn lemma_nothing_to_do(self, lo: int)
        requires
            self.owned.tree.inv(),
        ensures
            self@ == self@.unmap_range(lo, lo),
            self@.may_cut::<A>(lo, lo, self@),
            self@.resembles_outside(self@, lo, lo),
            self.steps_through(self),
            self.frames() == self.frames().union(Set::empty()),
    {
        self.owned.tree.lemma_disjoint();
        self@.lemma_became_self();
        self@.lemma_became(self@, self@);
        assert(self@.pages =~= self@.unmap_range(lo, lo).pages);
        assert(self.frames() =~= self.frames().union(Set::empty()));
    }

    /// All that was seen in between was, at each address, the old space or the new.
    proof fn lemma_steps(self, old: Self)
        requires
            old.owned.tree.inv(),
            self.owned.tree.mixes_from(old.owned.tree),
            forall|base: int| #[trigger]
                self@.pages.contains_key(base) ==> {
                    &&& old@.pages.contains_key(base)
                    &&& old@.pages[base].size == self@.pages[base].size
                    &&& old@.pages[base].frame == self@.pages[base].frame
                },
        ensures
            self.steps_through(old),
    {
        let (was, now) = (old.owned.tree, self.owned.tree);
        was.lemma_disjoint();
        assert(old.history().len() == was.trace@.len() && self.history().len() == now.trace@.len());
        assert(old.history() =~= self.history().take(old.history().len() as int)) by {
            assert(was.trace@ =~= now.trace@.take(was.trace@.len() as int));
        }
        assert forall|k: int| old.history().len() <= k < self.history().len() implies old@.passes(
            #[trigger] self.history()[k],
            self@,
        ) by {
            assert(self.history()[k] == space::<A>(now.trace@[k]));
            old@.lemma_passes(self.history()[k], self@);
        }
    }

    /// What the range's ends were cut for was seen as well.
    proof fn lemma_steps_on(self, cut: Self, old: Self, lo: int, hi: int)
        requires
            cut.is_cut_from(old, lo, hi),
            self.steps_through(cut),
        ensures
            self.steps_through(old),
    {
        assert(old.history() =~= self.history().take(old.history().len() as int));
        assert forall|k: int| old.history().len() <= k < self.history().len() implies old@.passes(
            #[trigger] self.history()[k],
            self@,
        ) by {
            let seen = self.history()[k];
            if k < cut.history().len() {
                assert(seen == cut.history()[k]);
            } else {
                assert forall|va: int| #[trigger]
                    old@.agrees(seen, va) || self@.agrees(seen, va) by {
                    assert(cut@.agrees(seen, va) || self@.agrees(seen, va));
                    assert(old@.agrees(cut@, va));
                }
            }
        }
    }

    /// What is told of a range that was worked on, after its ends were cut.
    proof fn lemma_worked_on(self, cut: Self, old: Self, lo: int, hi: int)
        requires
            self.owned.tree.inv(),
            cut.owned.tree.inv(),
            cut.is_cut_from(old, lo, hi),
            self.owned.tree.mixes_from(cut.owned.tree),
            cut@.changes_within(self@, lo, hi),
        ensures
            self.steps_through(old),
            old@.resembles_outside(self@, lo, hi),
            old@.mapped_bytes(lo, hi) == cut@.mapped_bytes(lo, hi),
            forall|base: int|
                lo <= base < hi && #[trigger] old@.cut::<A>(lo, hi).pages.contains_key(base) ==> {
                    &&& cut@.pages.contains_key(base)
                    &&& cut@.pages[base].size == old@.cut::<A>(lo, hi).pages[base].size
                    &&& base + cut@.pages[base].size.bytes() <= hi
                },
    {
        cut.owned.tree.lemma_disjoint();
        self.owned.tree.lemma_disjoint();
        assert forall|base: int| #[trigger] self@.pages.contains_key(base) implies {
            &&& cut@.pages.contains_key(base)
            &&& cut@.pages[base].size == self@.pages[base].size
            &&& cut@.pages[base].frame == self@.pages[base].frame
        } by {
            assert(cut@.changes_at(self@, lo, hi, base));
        }
        self.lemma_steps(cut);
        self.lemma_steps_on(cut, old, lo, hi);
        cut@.lemma_changes_within(self@, lo, hi);
        old@.lemma_resembling_bytes(cut@, lo, hi);
        old@.lemma_resembles_outside_on(cut@, self@, lo, hi);
        old@.lemma_cut_sizes::<A>(cut@, lo, hi);
    }

    /// What is told of a range that was unmapped.
    pub(super) proof fn lemma_unmapped_range(self, cut: Self, old: Self, lo: int, hi: int)
        requires
            self.owned.tree.inv(),
            cut.owned.tree.inv(),
            cut.is_cut_from(old, lo, hi),
            self.owned.tree.mixes_from(cut.owned.tree),
            self@ == cut@.unmap_range(lo, hi),
        ensures
            self.steps_through(old),
            old@.resembles_outside(self@, lo, hi),
            old@.mapped_bytes(lo, hi) == cut@.mapped_bytes(lo, hi),
            forall|base: int|
                lo <= base < hi && #[trigger] old@.cut::<A>(lo, hi).pages.contains_key(base) ==> {
                    &&& cut@.pages.contains_key(base)
                    &&& cut@.pages[base].size == old@.cut::<A>(lo, hi).pages[base].size
                    &&& base + cut@.pages[base].size.bytes() <= hi
                },
    {
        assert(cut@.changes_within(self@, lo, hi));
        self.lemma_worked_on(cut, old, lo, hi);
    }

    /// What is told of a range that was given other properties.
    pub(super) proof fn lemma_protected_range(
        self,
        cut: Self,
        old: Self,
        lo: int,
        hi: int,
        prop: PageProperty,
    )
        requires
            self.owned.tree.inv(),
            cut.owned.tree.inv(),
            cut.is_cut_from(old, lo, hi),
            self.owned.tree.mixes_from(cut.owned.tree),
            cut@.may_protect_range(lo, hi, prop, self@),
            request::needs_no_break::<A>(cut@, lo, hi, prop),
        ensures
            self.steps_through(old),
            old@.resembles_outside(self@, lo, hi),
            request::needs_no_break::<A>(old@, lo, hi, prop),
            old@.mapped_bytes(lo, hi) == cut@.mapped_bytes(lo, hi),
            forall|base: int|
                lo <= base < hi && #[trigger] old@.cut::<A>(lo, hi).pages.contains_key(base) ==> {
                    &&& cut@.pages.contains_key(base)
                    &&& cut@.pages[base].size == old@.cut::<A>(lo, hi).pages[base].size
                    &&& base + cut@.pages[base].size.bytes() <= hi
                },
    {
        assert forall|base: int| #[trigger] cut@.changes_at(self@, lo, hi, base) by {
            assert(cut@.pages.dom().contains(base) == self@.pages.dom().contains(base));
        }
        self.lemma_worked_on(cut, old, lo, hi);
    }

    /// What is told of a range from which the right to write was taken.
    pub(crate) proof fn lemma_write_protected(self, old: Self, lo: int, hi: int)
        requires
            old.owned.tree.inv(),
            self.owned.tree.mixes_from(old.owned.tree),
            old@.may_write_protect_range(lo, hi, self@),
            !old@.is_cut(lo, hi),
        ensures
            self.steps_through(old),
            forall|base: int|
                lo <= base < hi && #[trigger] old@.pages.contains_key(base) ==> base
                    + old@.pages[base].size.bytes() <= hi,
    {
        assert forall|base: int| #[trigger] self@.pages.contains_key(base) implies {
            &&& old@.pages.contains_key(base)
            &&& old@.pages[base].size == self@.pages[base].size
            &&& old@.pages[base].frame == self@.pages[base].frame
        } by {
            assert(old@.pages.dom().contains(base) == self@.pages.dom().contains(base));
        }
        self.lemma_steps(old);
    }
}

} // verus!
