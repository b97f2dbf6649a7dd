//! That the references stay those to what is mapped.

use super::Mappings;
use super::spec::{has_pieces, is_held, is_one_kind, is_piece, is_sorted, is_with};
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, EntryFormat, stored};
use crate::frame::FrameAllocator;
use crate::frame::token::FrameToken;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::spec::space::AddressSpace;
use crate::table::shape::is_page_of;
use vstd::prelude::*;

mod between;
mod copy;
pub(super) mod gather;
pub(super) mod pieces;
mod runs;
mod within;

use pieces::{lemma_put_at, lemma_run_pieces};

verus! {

/// An address that is a multiple of a page's size is one of 4 KiB.
pub(super) proof fn lemma_aligned(x: int, size: PageSize)
    requires
        x % size.bytes() as int == 0,
    ensures
        x % 0x1000 == 0,
        size.bytes() as int % 0x1000 == 0,
        size.bytes() >= 0x1000,
{
    match size {
        PageSize::Size4K => {},
        PageSize::Size16K => {},
        PageSize::Size64K => {},
        PageSize::Size2M => {},
        PageSize::Size32M => {},
        PageSize::Size512M => {},
        PageSize::Size1G => {},
    }
}

impl AddressSpace {
    /// A page is a run.
    pub(super) proof fn lemma_page_run(self, base: int)
        requires
            self.is_apart(),
            self.pages.contains_key(base),
        ensures
            self.is_run(
                base,
                base + self.pages[base].size.bytes(),
                self.pages[base].frame.0 as int,
            ),
    {
        assert forall|at: int|
            base <= at < base + self.pages[base].size.bytes() implies #[trigger] self.place(at)
            == Some(self.pages[base].frame.0 + (at - base)) by {
            assert(self.covers(base, at));
            self.lemma_covered(base, at);
        }
    }

    /// With the same pages of the same frames, each address lies where it did.
    pub(super) proof fn lemma_placed(self, now: Self)
        requires
            self.is_apart(),
            now.is_apart(),
            now.pages.dom() == self.pages.dom(),
            forall|base: int| #[trigger]
                self.pages.contains_key(base) ==> now.pages[base].frame == self.pages[base].frame
                    && now.pages[base].size == self.pages[base].size,
        ensures
            self.is_placed_as(now),
    {
        assert forall|base: int|
            self.pages.contains_key(base) == #[trigger] now.pages.contains_key(base) by {
            assert(self.pages.dom().contains(base) == now.pages.dom().contains(base));
        }
        assert forall|va: int| #[trigger] now.place(va) == self.place(va) by {
            if exists|base: int| self.covers(base, va) {
                let base = self.base(va);
                assert(now.covers(base, va));
                self.lemma_covered(base, va);
                now.lemma_covered(base, va);
            } else if exists|base: int| now.covers(base, va) {
                assert(self.covers(now.base(va), va));
            }
        }
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// Nothing is mapped, and there are no references.
    pub(super) proof fn lemma_empty(self)
        requires
            self.table@ == AddressSpace::empty(),
            self.tokens@ == Map::<int, FrameToken>::empty(),
        ensures
            self.inv(),
    {
        assert forall|at: int| #[trigger] is_held(*self.frames, self.table@, self.tokens@, at) by {}
    }

    /// If each address lies where it did, and pages within what were pages, the references are the right ones still.
    pub(super) proof fn lemma_placed(self, old: Self)
        requires
            old.inv(),
            self.frames == old.frames,
            self.tokens == old.tokens,
            old.table@.is_placed_as(self.table@),
            is_sorted(*self.frames, self.table@),
        ensures
            self.inv(),
    {
        assert forall|at: int| #[trigger] is_held(*self.frames, self.table@, self.tokens@, at) by {
            assert(is_held(*old.frames, old.table@, old.tokens@, at));
            assert(self.table@.place(at) == old.table@.place(at));
        }
    }

    /// So it is with the same pages of the same frames.
    pub(super) proof fn lemma_like(self, old: Self)
        requires
            old.inv(),
            self.frames == old.frames,
            self.tokens == old.tokens,
            old.table@.is_apart(),
            self.table@.is_apart(),
            self.table@.pages.dom() == old.table@.pages.dom(),
            forall|base: int| #[trigger]
                old.table@.pages.contains_key(base) ==> self.table@.pages[base].frame
                    == old.table@.pages[base].frame && self.table@.pages[base].size
                    == old.table@.pages[base].size,
        ensures
            self.inv(),
    {
        old.table@.lemma_placed(self.table@);
        assert forall|base: int| #[trigger]
            self.table@.pages.contains_key(base) implies is_one_kind(
            *self.frames,
            self.table@.pages[base].frame.0 as int,
            self.table@.pages[base].size.bytes() as int,
        ) by {
            assert(old.table@.pages.dom().contains(base));
            assert(old.table@.pages.contains_key(base));
        }
        self.lemma_placed(old);
    }

    /// One more page of ordinary memory, with its references.
    pub(super) proof fn lemma_mapped(
        self,
        old: Self,
        va: VirtAddr<A>,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
        first: int,
        more: Map<int, FrameToken>,
    )
        requires
            old.inv(),
            old.table@.is_shaped::<A>(),
            self.table@.is_shaped::<A>(),
            self.frames == old.frames,
            self.frames.first() % 0x1000 == 0,
            self.table.is_mapped_from(old.table, va, frame, size, prop),
            frame.0 == self.frames.first() + first * 0x1000,
            self.frames.has_all(frame.0 as int, size.bytes() as int),
            self.frames.are_tokens(more, first, first + size.bytes() as int / 0x1000),
            forall|i: int|
                first <= i < first + size.bytes() as int / 0x1000 ==> (
                #[trigger] more[i]).kind().untyped,
            is_with(old.tokens@, more, self.tokens@, va@, first, size.bytes() as int / 0x1000),
        ensures
            self.inv(),
    {
        let (space, n) = (old.table@, size.bytes() as int / 0x1000);
        self.lemma_one_more(old, va, frame, size, prop);
        lemma_aligned(0, size);
        assert forall|at: int| #[trigger] is_held(*self.frames, self.table@, self.tokens@, at) by {
            assert(is_held(*old.frames, space, old.tokens@, at));
            assert(self.tokens@.contains_key(at) == (old.tokens@.contains_key(at) || is_piece(
                va@,
                n,
                at,
            )));
            self.lemma_place_more(old, va, frame, size, prop, at);
            if is_piece(va@, n, at) {
                let i = first + (at - va@) / 0x1000;
                assert(more.contains_key(i));
                assert((frame.0 + (at - va@) - self.frames.first()) / 0x1000 == i);
            }
        }
    }

    /// One more page that is no ordinary memory.
    pub(super) proof fn lemma_mapped_iomem(
        self,
        old: Self,
        va: VirtAddr<A>,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    )
        requires
            old.inv(),
            old.table@.is_shaped::<A>(),
            self.table@.is_shaped::<A>(),
            self.frames == old.frames,
            self.tokens == old.tokens,
            self.table.is_mapped_from(old.table, va, frame, size, prop),
            self.frames.has_none(frame.0 as int, size.bytes() as int),
        ensures
            self.inv(),
    {
        self.lemma_one_more(old, va, frame, size, prop);
        assert forall|at: int| #[trigger] is_held(*self.frames, self.table@, self.tokens@, at) by {
            assert(is_held(*old.frames, old.table@, old.tokens@, at));
            self.lemma_place_more(old, va, frame, size, prop, at);
        }
    }

    /// Where the addresses lie with one more page.
    proof fn lemma_place_more(
        self,
        old: Self,
        va: VirtAddr<A>,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
        at: int,
    )
        requires
            old.table@.is_apart(),
            self.table@.is_apart(),
            self.table.is_mapped_from(old.table, va, frame, size, prop),
        ensures
            self.table@.place(at) == if va@ <= at < va@ + size.bytes() {
                Some(frame.0 + (at - va@))
            } else {
                old.table@.place(at)
            },
            va@ <= at < va@ + size.bytes() ==> old.table@.place(at) is None,
    {
        let space = old.table@;
        if space.pages.contains_key(va@) {
            assert(space.covers(va@, va@));
            assert(space.lookup(va@) is Some);
        }
        if va@ <= at < va@ + size.bytes() {
            assert(space.lookup(at) is None);
        }
        space.lemma_map_at(va@, frame, size, stored::<B>(prop), at);
    }

    /// The other pages are as they were.
    proof fn lemma_one_more(
        self,
        old: Self,
        va: VirtAddr<A>,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    )
        requires
            old.inv(),
            self.frames == old.frames,
            self.table.is_mapped_from(old.table, va, frame, size, prop),
            is_one_kind(*self.frames, frame.0 as int, size.bytes() as int),
        ensures
            is_sorted(*self.frames, self.table@),
    {
    }

    /// A page of ordinary memory has its references.
    pub(super) proof fn lemma_page_tokens(tracked &self, base: int)
        requires
            self.inv(),
            self.table@.pages.contains_key(base),
        ensures
            ({
                let page = self.table@.pages[base];
                let (frame, bytes) = (page.frame.0 as int, page.size.bytes() as int);
                &&& is_one_kind(*self.frames, frame, bytes)
                &&& frame % 0x1000 == 0
                &&& bytes % 0x1000 == 0
                &&& bytes >= 0x1000
                &&& self.frames.has_all(frame, bytes) ==> {
                    &&& self.frames.covers(page.frame)
                    &&& has_pieces(
                        *self.frames,
                        self.tokens@,
                        base,
                        (frame - self.frames.first()) / 0x1000,
                        bytes / 0x1000,
                    )
                }
            }),
    {
        let page = self.table@.pages[base];
        self.table.lemma_shaped();
        self.frames.lemma_layout();
        assert(is_page_of::<A>(base, page));
        lemma_aligned(page.frame.0 as int, page.size);
        self.table@.lemma_page_run(base);
        if self.frames.has_all(page.frame.0 as int, page.size.bytes() as int) {
            let end = base + page.size.bytes();
            assert forall|at: int| base <= at < end implies #[trigger] is_held(
                *self.frames,
                self.table@,
                self.tokens@,
                at,
            ) by {}
            lemma_run_pieces(
                *self.frames,
                self.table@,
                self.tokens@,
                (base, end),
                page.frame.0 as int,
            );
        }
    }

    /// Pages that were divided are in what they were parts of.
    pub(super) proof fn lemma_cut(self, old: Self, lo: int, hi: int)
        requires
            old.inv(),
            old.table@.is_shaped::<A>(),
            self.table@.is_shaped::<A>(),
            self.frames == old.frames,
            self.tokens == old.tokens,
            self.table.is_cut_from(old.table, lo, hi),
        ensures
            self.inv(),
    {
        let (was, now) = (old.table@, self.table@);
        was.lemma_cut_within::<A>(now, lo, hi);
        assert forall|va: int| #[trigger] now.place(va) == was.place(va) by {
            assert(was.agrees(now, va));
        }
        assert forall|base: int| #[trigger] now.pages.contains_key(base) implies is_one_kind(
            *self.frames,
            now.pages[base].frame.0 as int,
            now.pages[base].size.bytes() as int,
        ) by {
            let over = choose|over: int| #[trigger]
                was.pages.contains_key(over) && over <= base && base + now.pages[base].size.bytes()
                    <= over + was.pages[over].size.bytes();
            was.lemma_page_run(over);
            now.lemma_page_run(base);
            assert(now.place(base) == was.place(base));
        }
        self.lemma_placed(old);
    }
}

} // verus!
