//! A segment taken apart into its references, and made of some.

use super::super::Frame;
use super::super::alloc::FrameAllocator;
use super::super::kind::FrameKind;
use super::super::table::FrameTable;
use super::super::token::FrameToken;
use super::Segment;
use vstd::prelude::*;

verus! {

impl<'a, F: FrameAllocator, M: FrameKind> Segment<'a, F, M> {
    /// Whether `tokens` are references to the frames of the slots from `first` to `end`, all of which are what `M` says.
    pub(crate) open spec fn are_kind(
        table: FrameTable<'a, F>,
        tokens: Map<int, FrameToken>,
        first: int,
        end: int,
    ) -> bool {
        &&& table.are_tokens(tokens, first, end)
        &&& forall|i: int| first <= i < end ==> M::admits((#[trigger] tokens[i]).kind())
    }

    /// The segment of the slots from `first` to `end`, by references to their frames.
    pub(crate) fn from_parts(
        table: &'a FrameTable<'a, F>,
        first: usize,
        end: usize,
        tokens: Tracked<Map<int, FrameToken>>,
    ) -> (r: Self)
        requires
            first <= end <= table.len(),
            Self::are_kind(*table, tokens@, first as int, end as int),
        ensures
            r.table() == *table,
            r.start() == table.first() + first * 0x1000,
            r.end() == table.first() + end * 0x1000,
    {
        Self::from_tokens(table, first, end, tokens)
    }

    /// The slots, the first and the one after the last, and the references.
    pub(crate) fn into_parts(self) -> (r: (
        &'a FrameTable<'a, F>,
        usize,
        usize,
        Tracked<Map<int, FrameToken>>,
    ))
        ensures
            *r.0 == self.table(),
            self.start() == r.0.first() + r.1 * 0x1000,
            self.end() == r.0.first() + r.2 * 0x1000,
            r.1 <= r.2 <= r.0.len(),
            Self::are_kind(*r.0, r.3@, r.1 as int, r.2 as int),
    {
        let mut segment = self;
        let (first, end, tokens) = segment.disarm();
        (segment.table, first, end, tokens)
    }

    /// The table of the frames.
    #[inline]
    pub(crate) fn frame_table(&self) -> (r: &'a FrameTable<'a, F>)
        ensures
            *r == self.table(),
    {
        self.table
    }

    /// One frame as a segment.
    pub(crate) fn from_frame(frame: Frame<'a, F, M>) -> (r: Self)
        ensures
            r.table() == frame.table(),
            r.start() == frame.at().0,
            r.end() == frame.at().0 + 0x1000,
    {
        let (table, addr, Tracked(token)) = frame.into_handle().into_parts();
        let index = table.locate(addr);
        proof {
            table.lemma_layout();
        }
        let tracked mut tokens = Map::tracked_empty();
        proof {
            tokens.tracked_insert(index as int, token);
        }
        Self::from_tokens(table, index, index + 1, Tracked(tokens))
    }
}

} // verus!
