//! The pages that a scan finds are all there are.

use super::super::scan::Place;
use super::super::tree::Tree;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::spec::request;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl AddressSpace {
    /// Where nothing is mapped, no page starts.
    pub(in super::super) proof fn lemma_free(self, from: int, to: int, base: int)
        requires
            self.is_free(from, to),
            from <= base < to,
        ensures
            !self.pages.contains_key(base),
    {
        if self.pages.contains_key(base) {
            assert(self.covers(base, base));
            assert(self.translate(base) is Some);
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// There is no page any more.
    pub(super) proof fn lemma_none_breaks(self, lo: int, at: int, hi: int, prop: PageProperty)
        requires
            request::needs_no_break::<A>(self.space(), lo, at, prop),
            self.space().is_free(at, hi),
        ensures
            request::needs_no_break::<A>(self.space(), lo, hi, prop),
    {
        let s = self.space();
        assert forall|base: int|
            lo <= base < hi && #[trigger] s.pages.contains_key(
                base,
            ) implies !request::needs_break::<A>(s.pages[base].prop, prop) by {
            if at <= base {
                s.lemma_free(at, hi, base);
            }
        }
    }

    /// The next page, and what is known if it is the first that needs a break, or if it needs none.
    pub(super) proof fn lemma_next_breaks(
        self,
        lo: int,
        at: int,
        hi: int,
        prop: PageProperty,
        place: Place,
        entry: Entry,
    )
        requires
            self.inv(),
            lo <= at,
            !self.space().is_cut(lo, hi),
            request::needs_no_break::<A>(self.space(), lo, at, prop),
            self.is_decided(place, entry),
            entry is Page,
            place.va < hi,
            self.space().is_next(at, place.va as int),
        ensures
            ({
                let span = A::geo().span(place.stop.level as nat);
                let start = place.va - place.va as int % span;
                let needs = request::needs_break::<A>(entry->Page_prop, prop);
                &&& needs ==> request::is_first_break::<A>(self.space(), lo, hi, prop, start, span)
                &&& !needs ==> request::needs_no_break::<A>(self.space(), lo, start + span, prop)
            }),
    {
        let s = self.space();
        let span = A::geo().span(place.stop.level as nat);
        let start = place.va - place.va as int % span;
        self.lemma_decided(place, entry);
        self.lemma_disjoint();
        assert(s.pages.contains_key(start) && s.lookup(place.va as int) == Some(s.pages[start]));
        assert forall|base: int|
            at <= base < start + span && #[trigger] s.pages.contains_key(base) implies base
            == start by {
            assert(s.covers(base, base));
            if base < place.va {
                s.lemma_free(at, place.va as int, base);
            } else {
                assert(s.covers(start, base));
            }
        }
    }
}

} // verus!
