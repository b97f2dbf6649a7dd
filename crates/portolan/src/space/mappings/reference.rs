//! More references to what is mapped.

use super::Mappings;
#[cfg(verus_only)]
use super::spec::{has_pieces, is_piece};
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::frame::{FRAME_SIZE, FrameAllocator, FrameError, UFrame, USegment};
use crate::hw::TableMemory;
use crate::prop::Mapping;
use vstd::prelude::*;

verus! {

/// What is mapped by a page.
pub enum MappedItem<'f, F: FrameAllocator> {
    /// One frame of 4 KiB.
    Frame(UFrame<'f, F>),
    /// The frames of a larger page.
    Segment(USegment<'f, F>),
    /// A device's memory or registers, of which nobody has references.
    Io(PhysAddr),
}

impl<F: FrameAllocator> MappedItem<'_, F> {
    /// Whether it is what `page` is mapped to.
    pub open spec fn is_at(self, page: Mapping) -> bool {
        let (addr, bytes) = (page.frame.0 as int, page.size.bytes() as int);
        match self {
            MappedItem::Frame(frame) => frame.at() == page.frame && bytes == 0x1000,
            MappedItem::Segment(segment) => segment.start() == addr && segment.end() == addr
                + bytes,
            MappedItem::Io(at) => at == page.frame,
        }
    }
}

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// Whether `item` is what `page` is mapped to.
    pub(crate) open spec fn is_item(self, page: Mapping, item: MappedItem<'f, F>) -> bool {
        let (addr, bytes) = (page.frame.0 as int, page.size.bytes() as int);
        match item {
            MappedItem::Frame(frame) => {
                &&& frame.table() == self.frame_table()
                &&& frame.at() == page.frame
                &&& bytes == 0x1000
            },
            MappedItem::Segment(segment) => {
                &&& segment.table() == self.frame_table()
                &&& segment.start() == addr
                &&& segment.end() == addr + bytes
                &&& bytes > 0x1000
            },
            MappedItem::Io(at) => at == page.frame && self.frame_table().has_none(addr, bytes),
        }
    }

    /// One more reference to what `page` is mapped to, which starts at `start`.
    ///
    /// # Errors
    /// [`FrameError::Saturated`] and [`FrameError::Busy`] as for [`FrameRef::try_clone`](crate::frame::FrameRef::try_clone):
    /// then no frame has one more.
    pub(crate) fn item(&self, Ghost(start): Ghost<int>, page: Mapping) -> (r: Result<
        MappedItem<'f, F>,
        FrameError,
    >)
        requires
            self.inv(),
            self.space().pages.contains_key(start),
            self.space().pages[start].may_become(page),
        ensures
            match r {
                Ok(item) => self.is_item(page, item),
                Err(e) => e is Saturated || e is Busy,
            },
    {
        let Some(mut segment) = self.references(Ghost(start), page)? else {
            return Ok(MappedItem::Io(page.frame));
        };
        if page.size.bytes() == FRAME_SIZE {
            if let Some(frame) = segment.next_frame() {
                return Ok(MappedItem::Frame(frame));
            }
        }
        Ok(MappedItem::Segment(segment))
    }

    /// One more reference to each frame of a page, if they are the table's.
    pub(super) fn references(&self, Ghost(start): Ghost<int>, page: Mapping) -> (r: Result<
        Option<USegment<'f, F>>,
        FrameError,
    >)
        requires
            self.inv(),
            self.space().pages.contains_key(start),
            self.space().pages[start].may_become(page),
        ensures
            ({
                let (addr, bytes) = (page.frame.0 as int, page.size.bytes() as int);
                match r {
                    Ok(Some(segment)) => {
                        &&& segment.table() == self.frame_table()
                        &&& segment.start() == addr
                        &&& segment.end() == addr + bytes
                    },
                    Ok(None) => self.frame_table().has_none(addr, bytes),
                    Err(e) => e is Saturated || e is Busy,
                }
            }),
    {
        let (frames, bytes) = (self.frames, page.size.bytes());
        proof {
            self.lemma_page_tokens(start);
            frames.lemma_layout();
        }
        if !frames.contains(page.frame, bytes) {
            return Ok(None);
        }
        let first = frames.locate(page.frame);
        let end = first + (bytes / FRAME_SIZE) as usize;
        let tracked mut tokens = Map::tracked_empty();
        let mut i = first;
        while i < end
            invariant
                frames == self.frames,
                first <= i <= end <= frames.len(),
                has_pieces(*frames, self.tokens@, start, first as int, (end - first) as int),
                USegment::<'f, F>::are_kind(*frames, tokens, first as int, i as int),
            decreases end - i,
        {
            let ghost at = start + (i - first) * 0x1000;
            proof {
                assert(is_piece(start, (end - first) as int, at));
            }
            let tracked held = self.tokens.borrow().tracked_borrow(at);
            let Tracked(token) = match frames.acquire(i, Tracked(Some(held))) {
                Ok(token) => token,
                Err(e) => {
                    frames.release_run(first, i, Tracked(tokens));
                    return Err(e);
                },
            };
            proof {
                token.lemma_agree(held);
                tokens.tracked_insert(i as int, token);
            }
            i += 1;
        }
        Ok(Some(USegment::from_parts(frames, first, end, Tracked(tokens))))
    }
}

} // verus!
