//! Frames that follow each other.

use super::Frame;
use super::alloc::FrameAllocator;
use super::borrowed::FrameRef;
use super::error::FrameError;
use super::handle::{Debt, Handle};
use super::kind::{Dyn, FrameKind, Untyped};
use super::table::{FRAME_SIZE, FrameTable};
use super::token::FrameToken;
use crate::addr::PhysAddr;
#[cfg(verus_only)]
use crate::hw::frame::lemma_plain;
use crate::hw::frame::settle_in_drop;
use core::marker::PhantomData;
use core::ops::Range;
use vstd::prelude::*;

mod clone;
mod make;
mod parts;

pub use make::MetaSource;

verus! {

/// References to physical frames of 4 KiB that follow each other, one to each.
///
/// `M` is what is known of all of them, as for a [`Frame`]. A segment that was [taken apart](Segment::next_frame) to the
/// end is empty.
pub struct Segment<'a, F: FrameAllocator, M: FrameKind = Dyn> {
    table: &'a FrameTable<'a, F>,
    /// The slots of the frames: the first, and the one after the last.
    first: usize,
    end: usize,
    tokens: Tracked<Map<int, FrameToken>>,
    kind: PhantomData<M>,
}

/// Frames of plain bytes that follow each other, which user space may have mapped.
pub type USegment<'a, F> = Segment<'a, F, Untyped>;

impl<'a, F: FrameAllocator, M: FrameKind> Segment<'a, F, M> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.first <= self.end <= self.table.len()
        &&& Self::are_kind(*self.table, self.tokens@, self.first as int, self.end as int)
    }

    /// The table of the frames.
    pub closed spec fn table(self) -> FrameTable<'a, F> {
        *self.table
    }

    /// Where the first frame starts.
    pub closed spec fn start(self) -> int {
        self.table.first() + self.first * 0x1000
    }

    /// Where the last frame ends.
    pub closed spec fn end(self) -> int {
        self.table.first() + self.end * 0x1000
    }

    /// The segment of the slots from `first` to `end`.
    fn from_tokens(
        table: &'a FrameTable<'a, F>,
        first: usize,
        end: usize,
        Tracked(tokens): Tracked<Map<int, FrameToken>>,
    ) -> (r: Self)
        requires
            first <= end <= table.len(),
            Self::are_kind(*table, tokens, first as int, end as int),
        ensures
            r.table() == *table,
            r.first == first,
            r.end == end,
            r.tokens@ == tokens,
    {
        Segment { table, first, end, tokens: Tracked(tokens), kind: PhantomData }
    }

    /// What it held: the slots and the references. It is empty from then on.
    fn disarm(&mut self) -> (r: (usize, usize, Tracked<Map<int, FrameToken>>))
        ensures
            final(self).table == old(self).table,
            final(self).first == final(self).end,
            final(self).end == old(self).end,
            r.0 == old(self).first,
            r.1 == old(self).end,
            r.2@ == old(self).tokens@,
            r.0 <= r.1 <= old(self).table.len(),
            Self::are_kind(*old(self).table, r.2@, r.0 as int, r.1 as int),
        opens_invariants none
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
        }
        let (first, end) = (self.first, self.end);
        self.first = end;
        let tracked mut tokens = Map::tracked_empty();
        proof {
            vstd::modes::tracked_swap(self.tokens.borrow_mut(), &mut tokens);
        }
        (first, end, Tracked(tokens))
    }

    /// The table of the frames.
    #[inline]
    pub(crate) fn frames(&self) -> (r: &'a FrameTable<'a, F>)
        ensures
            *r == self.table(),
        no_unwind
    {
        self.table
    }

    /// Where the first frame starts.
    #[inline]
    #[must_use]
    pub fn paddr(&self) -> (r: PhysAddr)
        ensures
            r.0 == self.start(),
    {
        proof {
            use_type_invariant(self);
        }
        self.table.address(self.first)
    }

    /// How many bytes the frames have.
    #[inline]
    #[must_use]
    pub fn size(&self) -> (r: u64)
        ensures
            r == self.end() - self.start(),
    {
        proof {
            use_type_invariant(self);
            self.table.lemma_layout();
        }
        (self.end - self.first) as u64 * FRAME_SIZE
    }

    /// The frame at `offset` bytes from the start, without one more reference.
    ///
    /// # Errors
    /// [`FrameError::NotAligned`] if `offset` is not a multiple of 4 KiB; [`FrameError::OutOfRange`] if the segment ends there
    /// or before.
    pub fn frame_at(&self, offset: u64) -> (r: Result<FrameRef<'_, 'a, F, M>, FrameError>)
        ensures
            match r {
                Ok(frame) => {
                    &&& frame.table() == self.table()
                    &&& frame.at().0 == self.start() + offset
                },
                Err(FrameError::NotAligned { addr }) => addr == offset && offset as int % 0x1000
                    != 0,
                Err(e) => e == (FrameError::OutOfRange { addr: offset }) && offset >= self.end()
                    - self.start(),
            },
    {
        if offset % FRAME_SIZE != 0 {
            return Err(FrameError::NotAligned { addr: offset });
        }
        if offset >= self.size() {
            return Err(FrameError::OutOfRange { addr: offset });
        }
        proof {
            use_type_invariant(self);
            self.table.lemma_layout();
        }
        let index = self.first + (offset / FRAME_SIZE) as usize;
        proof {
            assert(self.tokens@.contains_key(index as int));
        }
        let tracked token = self.tokens.borrow().tracked_borrow(index as int);
        Ok(FrameRef::new(self.table, self.table.address(index), Tracked(token)))
    }

    /// Takes the first frame off.
    pub fn next_frame(&mut self) -> (r: Option<Frame<'a, F, M>>)
        ensures
            final(self).table() == old(self).table(),
            final(self).end() == old(self).end(),
            match r {
                Some(frame) => {
                    &&& frame.table() == old(self).table()
                    &&& frame.at().0 == old(self).start()
                    &&& final(self).start() == old(self).start() + 0x1000
                },
                None => old(self).start() == old(self).end() && final(self).start() == old(
                    self,
                ).start(),
            },
    {
        let (first, end, Tracked(mut tokens)) = self.disarm();
        let table = self.table;
        if first == end {
            return None;
        }
        proof {
            table.lemma_layout();
        }
        let tracked token = table.take_token(&mut tokens, first as int, end as int);
        *self = Segment::from_tokens(table, first + 1, end, Tracked(tokens));
        Some(Frame::from_handle(Handle::new(table, table.address(first), Tracked(token))))
    }

    /// The frames before `offset` bytes from the start, and those from there on.
    ///
    /// # Errors
    /// With the segment, unchanged: [`FrameError::NotAligned`] if `offset` is not a multiple of 4 KiB;
    /// [`FrameError::Empty`] if it is 0; [`FrameError::OutOfRange`] if the segment ends there or before.
    pub fn split(self, offset: u64) -> (r: Result<(Self, Self), (Self, FrameError)>)
        ensures
            match r {
                Ok((low, high)) => {
                    &&& low.table() == self.table() && high.table() == self.table()
                    &&& low.start() == self.start() && low.end() == self.start() + offset
                    &&& high.start() == self.start() + offset && high.end() == self.end()
                    &&& 0 < offset < self.end() - self.start()
                },
                Err((same, e)) => {
                    &&& same == self
                    &&& e == FrameError::NotAligned { addr: offset } && offset as int % 0x1000 != 0
                        || e == FrameError::Empty { addr: 0 } && offset == 0 || e
                        == FrameError::OutOfRange { addr: offset } && offset >= self.end()
                        - self.start()
                },
            },
    {
        if offset % FRAME_SIZE != 0 {
            return Err((self, FrameError::NotAligned { addr: offset }));
        }
        if offset == 0 {
            return Err((self, FrameError::Empty { addr: 0 }));
        }
        if offset >= self.size() {
            return Err((self, FrameError::OutOfRange { addr: offset }));
        }
        let mut low = self;
        let (first, end, Tracked(mut tokens)) = low.disarm();
        let table = low.table;
        proof {
            table.lemma_layout();
        }
        let middle = first + (offset / FRAME_SIZE) as usize;
        let tracked upper = table.split_tokens(
            &mut tokens,
            first as int,
            middle as int,
            end as int,
        );
        low = Segment::from_tokens(table, first, middle, Tracked(tokens));
        Ok((low, Segment::from_tokens(table, middle, end, Tracked(upper))))
    }

    /// The same frames as ones of another kind, if all of them are of that kind.
    ///
    /// # Errors
    /// The segment, unchanged, if one isn't.
    pub fn downcast<N: FrameKind>(self) -> (r: Result<Segment<'a, F, N>, Self>)
        ensures
            match r {
                Ok(segment) => {
                    &&& segment.table() == self.table()
                    &&& segment.start() == self.start()
                    &&& segment.end() == self.end()
                },
                Err(same) => same == self,
            },
    {
        proof {
            use_type_invariant(&self);
        }
        let mut i = self.first;
        while i < self.end
            invariant
                self.inv(),
                self.first <= i <= self.end,
                Segment::<'a, F, N>::are_kind(
                    *self.table,
                    self.tokens@,
                    self.first as int,
                    i as int,
                ),
            decreases self.end - i,
        {
            proof {
                assert(self.tokens@.contains_key(i as int));
            }
            let tracked token = self.tokens.borrow().tracked_borrow(i as int);
            if !N::check(self.table.meta(i), Tracked(token.borrow_meta())) {
                return Err(self);
            }
            i += 1;
        }
        let mut segment = self;
        let (first, end, tokens) = segment.disarm();
        Ok(Segment::from_tokens(segment.table, first, end, tokens))
    }

    /// Lets go of the frames, and keeps the references: whoever has the addresses can take them back with
    /// [`from_raw`](Segment::from_raw).
    #[must_use]
    pub fn into_raw(self) -> (r: Range<PhysAddr>)
        ensures
            r.start.0 == self.start(),
            r.end.0 == self.end(),
    {
        let mut segment = self;
        let (first, end, _) = segment.disarm();
        segment.table.address(first)..segment.table.address(end)
    }
}

impl<'a, F: FrameAllocator> Segment<'a, F, ()> {
    /// The same frames as ones of plain bytes, which they are.
    #[must_use]
    pub fn into_untyped(self) -> (r: USegment<'a, F>)
        ensures
            r.table() == self.table(),
            r.start() == self.start(),
            r.end() == self.end(),
    {
        let mut segment = self;
        let (first, end, tokens) = segment.disarm();
        proof {
            lemma_plain();
        }
        Segment::from_tokens(segment.table, first, end, tokens)
    }
}

impl<F: FrameAllocator, M: FrameKind> Drop for Segment<'_, F, M> {
    /// Gives the references back.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        let (first, end, tokens) = self.disarm();
        settle_in_drop(Debt::References { table: self.table, first, end, tokens });
    }
}

} // verus!
impl<'a, F: FrameAllocator, M: FrameKind> Iterator for Segment<'a, F, M> {
    type Item = Frame<'a, F, M>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_frame()
    }
}
