//! The page that is found is the first that was used.

use super::super::PageTable;
use super::super::change::Change;
use super::super::model::Model;
use super::super::perms::space;
use super::super::scan::Place;
use super::super::tree::Tree;
use super::Next;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::{PagingMode, Tracking};
use crate::hw::memory::TableMemory;
use crate::prop::{PageProperty, UsedBits};
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// A page that is mapped can be asked for.
pub(in super::super) proof fn lemma_check<A: PagingMode>(va: VirtAddr<A>, size: PageSize)
    requires
        request::has_size::<A>(size),
        va@ % size.bytes() as int == 0,
    ensures
        request::check(va, size) is None,
{
    let l = choose|l: nat| 1 <= l <= A::geo().levels && #[trigger] A::page_size(l) == Some(size);
    A::lemma_page_size(l);
    A::geo().lemma_hardware_index(va.raw() as int, l);
}

impl AddressSpace {
    /// What is unused now was unused before hardware set more bits.
    proof fn lemma_unused_before(self, now: Self, lo: int, hi: int, bits: UsedBits)
        requires
            self.may_become(now),
            now.is_unused(lo, hi, bits),
        ensures
            self.is_unused(lo, hi, bits),
    {
        assert forall|base: int|
            lo <= base < hi && #[trigger] self.pages.contains_key(
                base,
            ) implies !self.pages[base].prop.has_any(bits) by {
            assert(now.pages.contains_key(base));
        }
    }

    /// Bits are set for good.
    proof fn lemma_became_more(self, mid: Self, now: Self)
        requires
            self.may_become(mid),
            mid.may_become(now),
        ensures
            self.may_become(now),
    {
        assert forall|base: int| #[trigger]
            self.pages.contains_key(base) implies self.pages[base].may_become(now.pages[base]) by {
            assert(mid.pages.contains_key(base));
        }
    }

    /// Behind a page of bytes that cut none there are bytes that cut none.
    proof fn lemma_rest_whole(self, at: int, hi: int, va: int, size: PageSize)
        requires
            self.is_disjoint(),
            !self.is_cut(at, hi),
            self.has(va, size),
            at <= va,
            va + size.bytes() <= hi,
        ensures
            !self.is_cut(va + size.bytes(), hi),
    {
        let end = va + size.bytes();
        assert forall|base: int| #[trigger]
            self.pages.contains_key(base) && base < hi && end < base
                + self.pages[base].size.bytes() implies end <= base && base
            + self.pages[base].size.bytes() <= hi by {
            if base < end {
                assert(self.covers(base, end - 1) && self.covers(va, end - 1));
            }
        }
    }

    /// Which pages there are, and how large, is not what hardware changes.
    proof fn lemma_same_cut(self, now: Self, lo: int, hi: int)
        requires
            now.pages.dom() == self.pages.dom(),
            forall|base: int| #[trigger]
                self.pages.contains_key(base) ==> now.pages[base].size == self.pages[base].size,
        ensures
            self.is_cut(lo, hi) == now.is_cut(lo, hi),
    {
        assert forall|base: int|
            self.pages.contains_key(base) == #[trigger] now.pages.contains_key(base) by {}
    }
}

impl<M: TableMemory, A: PagingMode> PageTable<M, A, Tracking> {
    /// What a search has come to, as a user is told.
    pub(super) proof fn lemma_cleared(
        self,
        old: Self,
        lo: int,
        at: int,
        hi: int,
        bits: UsedBits,
        r: (Place, Next),
        va: VirtAddr<A>,
    )
        requires
            lo <= at <= hi,
            self.owned.tree.is_next_from(old.owned.tree, lo, at, hi, bits, r),
            va@ == r.0.va - r.0.va as int % A::geo().span(r.0.stop.level as nat),
            A::canonical(va.raw()),
        ensures
            self@.is_cut(at, hi) == old@.is_cut(at, hi),
            self@.is_unused(lo, at, bits),
            match r.1 {
                Next::None => self.is_seen_from(old) && old@.is_unused(lo, hi, bits),
                Next::Cut => {
                    &&& self.is_seen_from(old)
                    &&& request::names_cut::<A>(
                        old@,
                        at,
                        hi,
                        va.raw(),
                        A::geo().span(r.0.stop.level as nat) as u64,
                    )
                },
                Next::Page(..) => {
                    &&& self.steps_from(old)
                    &&& !old@.is_cut(at, hi) ==> !self@.is_cut(
                        va@ + A::geo().span(r.0.stop.level as nat),
                        hi,
                    )
                },
            },
    {
        let (was, now) = (old@, self@);
        if let Next::Page(_, prop) = r.1 {
            let seen = choose|seen: AddressSpace| #[trigger]
                was.may_become(seen) && now == seen.protect(va@, prop.without(bits));
            assert(seen.pages.contains_key(va@) == was.pages.contains_key(va@));
            assert(now.pages.dom() =~= was.pages.dom());
            was.lemma_same_cut(now, at, hi);
            self.owned.tree.lemma_disjoint();
            let size = A::page_size(r.0.stop.level as nat)->0;
            if !was.is_cut(at, hi) {
                now.lemma_rest_whole(at, hi, va@, size);
            }
        } else {
            was.lemma_same_cut(now, at, hi);
        }
        if r.1 is None {
            was.lemma_unused_before(now, lo, hi, bits);
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// At first nothing has been seen.
    pub(super) proof fn lemma_saw_nothing(self)
        ensures
            self.saw_from(self),
    {
    }

    /// What holds between operations.
    pub(super) proof fn lemma_sound(self)
        requires
            self.inv(),
        ensures
            self.sound(),
    {
    }

    /// There is no page any more.
    pub(super) proof fn lemma_none_used(
        self,
        old: Self,
        lo: int,
        at: int,
        next: int,
        hi: int,
        bits: UsedBits,
        place: Place,
    )
        requires
            self.inv(),
            self.is_place(place),
            self.saw_from(old),
            self.space().is_unused(lo, next, bits),
            next < hi ==> self.space().is_free(next, hi),
        ensures
            self.is_next_from(old, lo, at, hi, bits, (place, Next::None)),
    {
        let s = self.space();
        assert forall|base: int|
            lo <= base < hi && #[trigger] s.pages.contains_key(
                base,
            ) implies !s.pages[base].prop.has_any(bits) by {
            if next <= base {
                s.lemma_free(next, hi, base);
            }
        }
    }

    /// The next page, and what is known if none of its bits is set.
    pub(super) proof fn lemma_next_used(
        self,
        lo: int,
        next: int,
        hi: int,
        bits: UsedBits,
        place: Place,
        entry: Entry,
    )
        requires
            self.inv(),
            self.space().is_unused(lo, next, bits),
            self.is_decided(place, entry),
            entry is Page,
            place.va < hi,
            self.space().is_next(next, place.va as int),
        ensures
            self.is_found(lo, next, bits, place),
            self.is_place(place),
            !entry->Page_prop.has_any(bits) ==> self.space().is_unused(
                lo,
                place.va - place.va as int % A::geo().span(place.stop.level as nat) + A::geo().span(
                    place.stop.level as nat,
                ),
                bits,
            ),
            next < place.va - place.va as int % A::geo().span(place.stop.level as nat)
                + A::geo().span(place.stop.level as nat),
            self.entry_at(place.va as int, place.stop.level as nat) is Page,
    {
        let s = self.space();
        let span = A::geo().span(place.stop.level as nat);
        let start = place.va - place.va as int % span;
        self.lemma_next_page(next, hi, place, entry);
        self.lemma_disjoint();
        assert forall|base: int|
            next <= base < start + span && #[trigger] s.pages.contains_key(base) implies base
            == start by {
            assert(s.covers(base, base));
            if base < place.va {
                s.lemma_free(next, place.va as int, base);
            } else {
                assert(s.covers(start, base));
            }
        }
    }

    /// At `place` is a page, and the pages from `lo` to where it starts are unused.
    pub(super) open spec fn is_found(
        self,
        lo: int,
        next: int,
        bits: UsedBits,
        place: Place,
    ) -> bool {
        let l = place.stop.level as nat;
        let span = A::geo().span(l);
        let start = place.va - place.va as int % span;
        &&& self.is_place(place)
        &&& self.entry_at(place.va as int, l) is Page
        &&& A::page_size(l) matches Some(size) && size.bytes() == span && request::has_size::<A>(
            size,
        ) && self.space().has(start, size)
        &&& self.space().pages[start] == Model::mapping::<A>(self.entry_at(place.va as int, l), l)
        &&& start % span == 0
        &&& start <= place.va < start + span
        &&& next < start + span
        &&& self.space().is_unused(lo, start, bits)
        &&& self.space().is_unused(lo, next, bits)
        &&& forall|base: int|
            next <= base < start + span && #[trigger] self.space().pages.contains_key(base) ==> base
                == start
    }

    /// The next page reaches out of the range.
    pub(super) proof fn lemma_next_cut(
        self,
        old: Self,
        lo: int,
        at: int,
        next: int,
        hi: int,
        bits: UsedBits,
        place: Place,
    )
        requires
            self.inv(),
            lo <= at <= next < hi,
            self.saw_from(old),
            self.is_found(lo, next, bits, place),
            place.va < hi,
            ({
                let span = A::geo().span(place.stop.level as nat);
                let start = place.va - place.va as int % span;
                start < at || span > hi - start
            }),
        ensures
            self.is_next_from(old, lo, at, hi, bits, (place, Next::Cut)),
    {
        let span = A::geo().span(place.stop.level as nat);
        let start = place.va - place.va as int % span;
        assert(old.space().pages.contains_key(start));
        assert(old.space().pages[start].may_become(self.space().pages[start]));
    }

    /// The next page's bits are cleared; or it had none any more.
    pub(super) proof fn lemma_next_cleared(
        self,
        old: Self,
        before: Self,
        lo: int,
        at: int,
        next: int,
        hi: int,
        bits: UsedBits,
        place: Place,
        was: (PhysAddr, PageProperty),
    )
        requires
            before.inv(),
            self.inv(),
            self.is_place(place),
            lo <= at <= next < hi,
            before.saw_from(old),
            before.is_found(lo, next, bits, place),
            self.is_protected_from(
                before,
                place.va as int,
                place.stop.level as nat,
                Change::Unmark(bits),
                was,
            ),
            ({
                let span = A::geo().span(place.stop.level as nat);
                let start = place.va - place.va as int % span;
                at <= start && start + span <= hi
            }),
        ensures
            if was.1.has_any(bits) {
                self.is_next_from(old, lo, at, hi, bits, (place, Next::Page(was.0, was.1)))
            } else {
                let span = A::geo().span(place.stop.level as nat);
                let start = place.va - place.va as int % span;
                &&& self.saw_from(old)
                &&& self.space().is_unused(lo, start + span, bits)
            },
    {
        let l = place.stop.level as nat;
        let span = A::geo().span(l);
        let start = place.va - place.va as int % span;
        let (s, mid, now) = (old.space(), before.space(), self.space());
        let prop = was.1.without(bits);
        self.lemma_changed_page(before, place, was, Change::Unmark(bits));
        assert(now == mid.protect(start, prop));
        assert(s.pages.contains_key(start));
        assert(s.pages[start].may_become(mid.pages[start]));
        assert(now.is_unused(lo, start + span, bits)) by {
            assert forall|base: int|
                lo <= base < start + span && #[trigger] now.pages.contains_key(
                    base,
                ) implies !now.pages[base].prop.has_any(bits) by {
                assert(mid.pages.contains_key(base));
            }
        }
        if was.1.has_any(bits) {
            s.lemma_unused_before(mid, lo, start, bits);
            self.lemma_steps_on(old, before);
        } else {
            assert(prop == was.1);
            assert(now.pages.dom() =~= mid.pages.dom());
            assert(mid.may_become(now));
            s.lemma_became_more(mid, now);
            self.lemma_saw_on(old, before);
        }
    }

    /// What one more store makes of the trace.
    proof fn lemma_steps_on(self, old: Self, before: Self)
        requires
            before.saw_from(old),
            self.steps_from(before),
        ensures
            self.steps_from(old),
    {
        assert forall|k: int|
            old.trace@.len() <= k < self.trace@.len() implies old.space().may_become(
            space::<A>(#[trigger] self.trace@[k]),
        ) || space::<A>(self.trace@[k]) == self.space() by {
            if k < before.trace@.len() {
                assert(self.trace@[k] == before.trace@[k]);
            } else if before.space().may_become(space::<A>(self.trace@[k])) {
                old.space().lemma_became_more(before.space(), space::<A>(self.trace@[k]));
            }
        }
    }

    /// What was seen besides.
    proof fn lemma_saw_on(self, old: Self, before: Self)
        requires
            before.saw_from(old),
            self.steps_from(before),
            self.frames.held() == before.frames.held(),
            old.space().may_become(self.space()),
        ensures
            self.saw_from(old),
    {
        self.lemma_steps_on(old, before);
    }
}

} // verus!
