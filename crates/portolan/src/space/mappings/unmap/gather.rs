//! What one step of unmapping takes off: scanned page by page, run by run.

use super::Run;
use crate::addr::VirtAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::frame::{FrameAllocator, FrameTable};
use crate::hw::TableMemory;
use crate::prop::Mapping;
use crate::space::kept::Kept;
#[cfg(verus_only)]
use crate::space::kept::RUNS;
use crate::space::mappings::Mappings;
#[cfg(verus_only)]
use crate::space::mappings::spec::is_sorted;
use crate::space::slots::MOST_BYTES;
use crate::table::iter::Mappings as Pages;
#[cfg(verus_only)]
use crate::table::shape::is_page_of;
use vstd::prelude::*;

verus! {

/// A page, and where it starts.
type Page<A> = (VirtAddr<A>, Mapping);

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// Takes out the references to the first pages of what is mapped from `lo` to below `hi`, until `kept` has no room for one
    /// more run: where the first page starts, where the last one ends, and how many they are.
    pub(super) fn gather(&mut self, lo: u64, hi: u64, kept: &mut Kept<'f, A, F>) -> (r: Option<
        (u64, u64, u64),
    >)
        requires
            old(self).inv(),
            old(kept).inv(),
            old(kept)@.len() == 0,
            hi <= A::geo().limit(),
            lo < hi ==> !old(self).space().is_cut(lo as int, hi as int),
        ensures
            final(kept).inv(),
            match r {
                Some((start, end, pages)) => {
                    &&& final(self).is_gathered(
                        *old(self),
                        (start as int, end as int),
                        final(kept)@,
                    )
                    &&& old(self).space().is_next_page(lo as int, start as int)
                    &&& lo <= start < end <= hi
                    &&& pages == old(self).space().count_pages(start as int, end as int)
                },
                None => {
                    &&& old(self).space().is_free(lo as int, hi as int)
                    &&& *final(self) == *old(self)
                    &&& final(kept)@.len() == 0
                },
            },
    {
        if lo >= hi {
            return None;
        }
        let mut pages = self.table.pages_between(lo, hi);
        let mut next = pages.next_page()?;
        let start = next.0.offset();
        let mut n = 0;
        let ghost mut end = start as int;
        proof {
            self.table.lemma_shaped();
            self.frames.lemma_layout();
            A::geo().lemma_limit();
            self.lemma_nothing_gathered(start as int, kept@);
        }
        loop
            invariant
                A::geo().wf(),
                A::geo().limit() <= 0x200_0000_0000_0000,
                hi <= A::geo().limit(),
                self.table@.is_shaped::<A>(),
                self.frames.first() % 0x1000 == 0,
                self.frames.first() >= 0,
                !self.table@.is_cut(lo as int, hi as int),
                self.is_gathered(*old(self), (start as int, end), kept@),
                kept.inv(),
                kept@.len() < RUNS,
                kept@.len() > 0 ==> kept.table() == *self.frames,
                self.table@.is_next_page(lo as int, start as int),
                lo <= start <= end,
                n == self.table@.count_pages(start as int, end),
                n <= end - start,
                pages.space() == self.table@,
                pages.end_at() == hi,
                pages.next_at() == next.0@ + next.1.size.bytes(),
                self.table@.is_next_page(end, next.0@),
                end <= next.0@,
                self.table@.pages[next.0@].may_become(next.1),
                next.0@ < hi,
            decreases hi - end,
        {
            let (run, after) = Self::grow(self.frames, &mut pages, next, Ghost(lo as int));
            let ghost (before, had, ends) = (*self, kept@, (start as int, end));
            proof {
                if self.frames.has_all(run.frame.0 as int, run.bytes()) {
                    run.lemma_referenced::<A, F>(
                        *self.frames,
                        self.table@,
                        self.tokens@,
                        ends.0,
                        ends.1,
                    );
                }
            }
            let taken = Self::take(self.frames, Tracked(self.tokens.borrow_mut()), &run);
            if let Some(references) = taken {
                kept.keep(self.frames, references, Ghost(run.start as int));
            }
            proof {
                self.lemma_gathered(*old(self), before, ends, run, (had, kept@));
                self.table@.lemma_count_bound(start as int, run.end as int);
                end = run.end as int;
            }
            n += run.pages;
            let Some(page) = after else {
                return Some((start, run.end, n));
            };
            if kept.is_full() {
                return Some((start, run.end, n));
            }
            next = page;
        }
    }

    /// The run that starts with a page, of those that come next: neighbours whose frames follow each other, all of them
    /// ordinary memory or none, up to what a word can hold. With it comes the page after it.
    fn grow(
        frames: &FrameTable<'f, F>,
        pages: &mut Pages<'_, M, A, B>,
        first: Page<A>,
        Ghost(lo): Ghost<int>,
    ) -> (r: (Run, Option<Page<A>>))
        requires
            A::geo().wf(),
            A::geo().limit() <= 0x200_0000_0000_0000,
            old(pages).space().is_shaped::<A>(),
            is_sorted(*frames, old(pages).space()),
            old(pages).end_at() <= A::geo().limit(),
            old(pages).space().pages.contains_key(first.0@),
            old(pages).space().pages[first.0@].may_become(first.1),
            lo <= first.0@ < old(pages).end_at(),
            !old(pages).space().is_cut(lo, old(pages).end_at() as int),
            old(pages).next_at() == first.0@ + first.1.size.bytes(),
        ensures
            final(pages).space() == old(pages).space(),
            final(pages).end_at() == old(pages).end_at(),
            r.0.is_in::<A, F>(*frames, old(pages).space()),
            r.0.start == first.0@,
            r.0.end <= old(pages).end_at(),
            r.0.bytes() <= MOST_BYTES,
            match r.1 {
                Some((va, page)) => {
                    &&& old(pages).space().is_next_page(r.0.end as int, va@)
                    &&& r.0.end <= va@
                    &&& old(pages).space().pages[va@].may_become(page)
                    &&& va@ < old(pages).end_at()
                    &&& final(pages).next_at() == va@ + page.size.bytes()
                },
                None => true,
            },
    {
        let (va, page) = first;
        let known = frames.contains(page.frame, page.size.bytes());
        let start = va.offset();
        proof {
            assert(is_page_of::<A>(va@, pages.space().pages[va@]));
        }
        let mut run = Run { start, end: start + page.size.bytes(), frame: page.frame, pages: 1 };
        proof {
            run.lemma_first_page::<A, F>(*frames, pages.space());
        }
        loop
            invariant
                A::geo().wf(),
                A::geo().limit() <= 0x200_0000_0000_0000,
                pages.space() == old(pages).space(),
                pages.end_at() == old(pages).end_at(),
                old(pages).end_at() <= A::geo().limit(),
                pages.space().is_shaped::<A>(),
                is_sorted(*frames, pages.space()),
                run.is_in::<A, F>(*frames, pages.space()),
                run.start == first.0@,
                lo <= run.start,
                run.end <= pages.end_at(),
                !pages.space().is_cut(lo, pages.end_at() as int),
                run.bytes() <= MOST_BYTES,
                known == frames.has_all(run.frame.0 as int, run.bytes()),
                pages.next_at() == run.end,
            decreases pages.end_at() - run.end,
        {
            let Some((va, page)) = pages.next_page() else {
                return (run, None);
            };
            let at = va.offset();
            let (bytes, more) = (run.end - run.start, page.size.bytes());
            let follows = at == run.end && page.frame.0 == run.frame.0 + bytes;
            if !follows || bytes + more > MOST_BYTES || frames.contains(page.frame, more) != known {
                return (run, Some((va, page)));
            }
            proof {
                assert(is_page_of::<A>(va@, pages.space().pages[va@]));
            }
            let ghost was = run;
            run = Run { end: at + more, pages: run.pages + 1, ..run };
            proof {
                was.lemma_next_page::<A, F>(*frames, pages.space(), run);
            }
        }
    }
}

} // verus!
