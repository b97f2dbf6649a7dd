//! Segments of frames that were nobody's or the allocator's, or that were let go of.

use super::super::alloc::FrameAllocator;
use super::super::error::FrameError;
use super::super::kind::FrameKind;
use super::super::slot::UNUSED;
use super::super::table::FrameTable;
use super::super::token::Claim;
use super::Segment;
use crate::addr::PhysAddr;
use crate::hw::frame::FrameMeta;
#[cfg(verus_only)]
use crate::hw::frame::trust_raw;
use core::ops::Range;
use vstd::prelude::*;

verus! {

/// Where the metadata of a segment's frames comes from, such as a closure. If it unwinds, the frames of the segment are
/// never given back.
pub trait MetaSource<M> {
    /// What to note of the frame at `addr`.
    fn meta_of(&mut self, addr: PhysAddr) -> M;
}

impl<'a, F: FrameAllocator, M: FrameKind> Segment<'a, F, M> {
    /// Takes back frames that were let go of.
    ///
    /// # Errors
    /// [`FrameError::NotAligned`], [`FrameError::Empty`], [`FrameError::Wrapping`], [`FrameError::OutOfRange`] if `range` is
    /// not one of frames of the table.
    ///
    /// # Safety
    /// [`into_raw`](Segment::into_raw) gave these frames, of segments of this table that are what `M` says, and they were not
    /// taken back since.
    pub unsafe fn from_raw(table: &'a FrameTable<'a, F>, range: Range<PhysAddr>) -> (r: Result<
        Self,
        FrameError,
    >)
        ensures
            match r {
                Ok(segment) => {
                    &&& segment.table() == *table
                    &&& segment.start() == range.start.0
                    &&& segment.end() == range.end.0
                },
                Err(e) => table.check_range(range.start, range.end) == Some(e),
            },
    {
        let (first, end) = table.find_range(&range)?;
        proof {
            table.lemma_layout();
        }
        let tracked mut tokens = Map::tracked_empty();
        let mut i = first;
        while i < end
            invariant
                first <= i <= end <= table.len(),
                Self::are_kind(*table, tokens, first as int, i as int),
            decreases end - i,
        {
            let tracked token = trust_raw::<M>(table.id(i as int));
            proof {
                tokens.tracked_insert(i as int, token);
            }
            i += 1;
        }
        Ok(Segment::from_tokens(table, first, end, Tracked(tokens)))
    }
}

impl<'a, F: FrameAllocator, M: FrameMeta> Segment<'a, F, M> {
    /// References to the frames of `range`, which were nobody's, with what `metas` says noted of each.
    ///
    /// # Errors
    /// - [`FrameError::NotAligned`], [`FrameError::Empty`], [`FrameError::Wrapping`], [`FrameError::OutOfRange`] if `range`
    ///   is not one of frames of the table;
    /// - [`FrameError::Reserved`], [`FrameError::Free`], [`FrameError::InUse`], [`FrameError::Unique`],
    ///   [`FrameError::Busy`] if one of them is somebody's.
    pub fn from_unused<S: MetaSource<M>>(
        table: &'a FrameTable<'a, F>,
        range: Range<PhysAddr>,
        metas: S,
    ) -> (r: Result<Self, FrameError>)
        ensures
            match r {
                Ok(segment) => {
                    &&& segment.table() == *table
                    &&& segment.start() == range.start.0
                    &&& segment.end() == range.end.0
                },
                Err(e) => table.refuses_range(range, e),
            },
    {
        let (first, end, claims) = table.claim_range(&range, UNUSED)?;
        proof {
            table.lemma_layout();
        }
        Ok(Segment::from_claims(table, first, end, claims, metas))
    }

    /// References to `frames` frames that follow each other, from the allocator, the first aligned to `align` bytes, with
    /// what `metas` says noted of each. Their memory is as the last user left it.
    ///
    /// # Errors
    /// [`FrameError::NoMemory`] if the allocator has none; [`FrameError::Empty`] for no frames; any other error if what it
    /// hands out are not frames that it was given.
    pub fn alloc<S: MetaSource<M>>(
        table: &'a FrameTable<'a, F>,
        frames: usize,
        align: u64,
        metas: S,
    ) -> (r: Result<Self, FrameError>)
        ensures
            r matches Ok(segment) ==> {
                &&& segment.table() == *table
                &&& segment.end() - segment.start() == frames * 0x1000
                &&& frames > 0
            },
    {
        if frames == 0 {
            return Err(FrameError::Empty { addr: 0 });
        }
        let (first, end, claims) = table.alloc_run(frames, align)?;
        Ok(Segment::from_claims(table, first, end, claims, metas))
    }

    /// The frames of the slots from `first` to `end`, by the rights to them.
    fn from_claims<S: MetaSource<M>>(
        table: &'a FrameTable<'a, F>,
        first: usize,
        end: usize,
        Tracked(claims): Tracked<Map<int, Claim>>,
        metas: S,
    ) -> (r: Self)
        requires
            first <= end <= table.len(),
            table.are_claims(claims, first as int, end as int, true),
        ensures
            r.table == table,
            r.first == first,
            r.end == end,
    {
        let mut metas = metas;
        let tracked mut claims = claims;
        let tracked mut tokens = Map::tracked_empty();
        let mut i = first;
        while i < end
            invariant
                first <= i <= end <= table.len(),
                table.are_claims(claims, i as int, end as int, true),
                Self::are_kind(*table, tokens, first as int, i as int),
            decreases end - i,
        {
            let meta = metas.meta_of(table.address(i));
            let tracked mut claim = table.take_claim(&mut claims, i as int, end as int, true);
            table.put_meta(i, Tracked(&mut claim), meta);
            let Tracked(token) = table.share(i, Tracked(claim));
            proof {
                tokens.tracked_insert(i as int, token);
            }
            i += 1;
        }
        Segment::from_tokens(table, first, end, Tracked(tokens))
    }
}

} // verus!
impl<M, T: FnMut(PhysAddr) -> M> MetaSource<M> for T {
    fn meta_of(&mut self, addr: PhysAddr) -> M {
        self(addr)
    }
}
