//! A copy of what is mapped, that shares the frames until one of the two is written to.

use super::Mappings;
#[cfg(verus_only)]
use super::proof::pieces::put_run;
#[cfg(verus_only)]
use super::spec::are_held_between;
use super::unmap::Run;
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::VirtRange;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::flush::Flush;
use crate::frame::token::FrameToken;
use crate::frame::{FrameAllocator, FrameError};
use crate::hw::TableMemory;
use crate::space::VmError;
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::table::shape::is_page_of;
use vstd::prelude::*;

verus! {

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// Maps in `child` all that is mapped here in `range`, with one more reference to each frame, and takes the right to write
    /// from all of these pages, here and there. Answers with how many bytes they are; the flush is for this address space.
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`](crate::Error::NotAligned), [`Error::PastEnd`](crate::Error::PastEnd) and
    /// [`Error::CoveredByHugePage`](crate::Error::CoveredByHugePage) as for
    /// [`PageTable::copy_range`](crate::PageTable::copy_range); [`FrameError::Saturated`] or [`FrameError::Busy`] if a frame
    /// can't have one more reference; the other errors of `PageTable::copy_range`. No frame has one more reference then.
    pub(crate) fn fork(&mut self, range: VirtRange<A>, child: &mut Self) -> (r: Result<
        (u64, Flush<M, A>),
        VmError,
    >)
        requires
            old(self).inv(),
            old(child).inv(),
            old(child).frame_table() == old(self).frame_table(),
        ensures
            final(self).inv(),
            final(child).inv(),
            final(self).frame_table() == old(self).frame_table(),
            final(child).frame_table() == old(self).frame_table(),
            match r {
                Ok((bytes, flush)) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    let (was, into) = (old(self).space(), old(child).space());
                    &&& request::check_range(range) is None
                    &&& range.bytes() > 0 ==> !was.is_cut(lo, hi)
                    &&& into.is_free(lo, hi)
                    &&& was.is_within(lo, hi, old(child).table().phys_bits())
                    &&& was.may_copy_range::<B>(lo, hi, true, into, final(child).space())
                    &&& was.may_write_protect_range(lo, hi, final(self).space())
                    &&& bytes == was.mapped_bytes(lo, hi)
                    &&& final(child).table().steps_through(old(child).table())
                    &&& final(self).table().steps_through(old(self).table())
                    &&& flush.due().reaches(was, lo, hi)
                    &&& final(self).table().frames() == old(self).table().frames()
                    &&& flush.frames() == Set::<PhysAddr>::empty()
                },
                Err(e) => {
                    &&& final(self).table().same_as(old(self).table())
                    &&& final(child).table().same_as(old(child).table())
                    &&& match e {
                        VmError::Paging(e) => request::is_copy_range_error(
                            old(self).space(),
                            old(child).space(),
                            old(child).table().phys_bits(),
                            range,
                            e,
                        ),
                        VmError::Frame(e) => e is Saturated || e is Busy,
                        _ => false,
                    }
                },
            },
    {
        let (lo, hi) = match self.table.check_range(&range) {
            Ok(ends) => ends,
            Err(e) => return Err(VmError::Paging(e)),
        };
        let more = match self.references_between(lo, hi) {
            Ok(more) => more,
            Err(e) => return Err(VmError::Frame(e)),
        };
        proof {
            self.table.lemma_shaped();
            child.table.lemma_shaped();
        }
        match self.table.copy_range_write_protected(range, &mut child.table) {
            Ok(done) => {
                proof {
                    let tracked Tracked(more) = more;
                    let ghost all = more;
                    child.tokens.borrow_mut().tracked_union_prefer_right(more);
                    self.table.lemma_shaped();
                    child.table.lemma_shaped();
                    self.lemma_write_protected(*old(self), lo as int, hi as int);
                    child.lemma_copied(*old(child), *old(self), all, lo as int, hi as int);
                }
                Ok(done)
            },
            Err(e) => {
                let _ = self.give_back(lo, hi, more);
                Err(VmError::Paging(e))
            },
        }
    }

    /// One more reference to each frame of ordinary memory that is mapped from `lo` to below `hi`; if one can't be had, none.
    #[cfg_attr(not(verus_only), expect(unused_variables, reason = "the references are the prover's"))]
    fn references_between(&self, lo: u64, hi: u64) -> (r: Result<
        Tracked<Map<int, FrameToken>>,
        FrameError,
    >)
        requires
            self.inv(),
            hi <= A::geo().limit(),
            lo <= hi,
            lo < hi ==> !self.space().is_cut(lo as int, hi as int),
        ensures
            match r {
                Ok(more) => are_held_between(
                    *self.frames,
                    self.table@,
                    more@,
                    lo as int,
                    hi as int,
                ),
                Err(e) => e is Saturated || e is Busy,
            },
    {
        let tracked mut more = Map::tracked_empty();
        if lo == hi {
            return Ok(Tracked(more));
        }
        proof {
            self.table.lemma_shaped();
            self.frames.lemma_layout();
        }
        let mut pages = self.table.pages_between(lo, hi);
        let mut at = lo;
        loop
            invariant
                self.inv(),
                self.table@.is_shaped::<A>(),
                self.frames.first() % 0x1000 == 0,
                self.frames.first() >= 0,
                hi <= A::geo().limit(),
                lo <= at <= hi,
                lo < hi,
                !self.table@.is_cut(lo as int, hi as int),
                lo < at ==> !self.table@.is_cut(lo as int, at as int),
                pages.space() == self.table@,
                pages.next_at() == at,
                pages.end_at() == hi,
                are_held_between(*self.frames, self.table@, more, lo as int, at as int),
            decreases hi - at,
        {
            let Some((va, page)) = pages.next_page() else {
                proof {
                    self.lemma_held_over_hole(more, lo as int, at as int, hi as int);
                }
                return Ok(Tracked(more));
            };
            proof {
                self.table@.lemma_whole_over_hole(lo as int, at as int, va@, hi as int);
                self.lemma_held_over_hole(more, lo as int, at as int, va@);
            }
            let references = match self.references(Ghost(va@), page) {
                Ok(references) => references,
                Err(e) => {
                    let _ = self.give_back(lo, at, Tracked(more));
                    return Err(e);
                },
            };
            let ghost before = more;
            proof {
                self.lemma_page_tokens(va@);
            }
            if let Some(segment) = references {
                let (_, first, end, Tracked(tokens)) = segment.into_parts();
                proof {
                    self.frames.lemma_layout();
                    put_run(&mut more, tokens, va@, first as int, (end - first) as nat);
                    self.lemma_held_page(before, tokens, more, (lo as int, va@), first as int);
                }
            } else {
                proof {
                    self.lemma_held_io(more, lo as int, va@);
                }
            }
            at = va.offset() + page.size.bytes();
        }
    }

    /// Gives back references to what is mapped from `lo` to below `hi`; none is left.
    fn give_back(&self, lo: u64, hi: u64, Tracked(tokens): Tracked<Map<int, FrameToken>>) -> (r:
        Tracked<Map<int, FrameToken>>)
        requires
            self.inv(),
            hi <= A::geo().limit(),
            lo <= hi,
            lo < hi ==> !self.space().is_cut(lo as int, hi as int),
            are_held_between(*self.frames, self.table@, tokens, lo as int, hi as int),
        ensures
            r@ == Map::<int, FrameToken>::empty(),
    {
        let tracked mut tokens = tokens;
        if lo == hi {
            proof {
                self.lemma_held_nothing(tokens, lo as int);
            }
            return Tracked(tokens);
        }
        proof {
            self.table.lemma_shaped();
            self.frames.lemma_layout();
        }
        let mut pages = self.table.pages_between(lo, hi);
        let ghost mut at = lo as int;
        loop
            invariant
                self.inv(),
                self.table@.is_shaped::<A>(),
                self.frames.first() % 0x1000 == 0,
                hi <= A::geo().limit(),
                lo <= at <= hi,
                lo < hi,
                !self.table@.is_cut(lo as int, hi as int),
                lo < at ==> !self.table@.is_cut(lo as int, at),
                pages.space() == self.table@,
                pages.next_at() == at,
                pages.end_at() == hi,
                are_held_between(*self.frames, self.table@, tokens, at, hi as int),
            decreases hi - at,
        {
            let Some((va, page)) = pages.next_page() else {
                proof {
                    self.lemma_held_from_hole(tokens, at, hi as int, hi as int);
                    self.lemma_held_nothing(tokens, hi as int);
                }
                return Tracked(tokens);
            };
            proof {
                self.table@.lemma_whole_over_hole(lo as int, at, va@, hi as int);
                self.lemma_held_from_hole(tokens, at, va@, hi as int);
                self.lemma_page_tokens(va@);
            }
            let start = va.offset();
            let run = Run { start, end: start + page.size.bytes(), frame: page.frame, pages: 1 };
            let ghost before = tokens;
            proof {
                self.lemma_held_run(tokens, hi as int, run);
            }
            let taken = Self::take(self.frames, Tracked(&mut tokens), &run);
            if let Some((first, end, references)) = taken {
                self.frames.release_run(first, end, references);
            }
            proof {
                self.lemma_held_after(before, tokens, hi as int, run);
                at = run.end as int;
            }
        }
    }
}

} // verus!
