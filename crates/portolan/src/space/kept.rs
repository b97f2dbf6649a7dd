//! References to frames that processors may still reach.

use super::batch::Batch;
#[cfg(verus_only)]
use super::slots::MOST;
use super::slots::Slots;
use crate::arch::PagingMode;
use crate::flush::FlushRange;
use crate::frame::token::FrameToken;
use crate::frame::{FrameAllocator, FrameTable};
use crate::hw::frame::same_table;
use crate::hw::memory::Flushed;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// How many runs of frames wait at a time.
pub(crate) const RUNS: usize = 32;

/// References to frames that were mapped in a range, up to [`RUNS`] runs of them. They are given back with evidence that
/// processors have been told of the range; those of one that is dropped are kept for ever.
pub(crate) struct Kept<'f, A: PagingMode, F: FrameAllocator> {
    /// The table of the frames, if there are any.
    frames: Option<&'f FrameTable<'f, F>>,
    runs: Batch<KeptRun, RUNS>,
    range: Ghost<FlushRange<A>>,
    since: Ghost<int>,
}

/// References to frames that follow each other.
struct KeptRun {
    slots: Slots,
    tokens: Tracked<Map<int, FrameToken>>,
    /// Where they were mapped.
    at: Ghost<int>,
}

/// References to frames that follow each other, with the frames' slots: the first, and the one after the last.
pub(crate) type References = (usize, usize, Tracked<Map<int, FrameToken>>);

/// Which references are kept: those to the frames of so many bytes that were mapped from `at` on.
pub(crate) ghost struct WasMapped {
    /// Where the frames were mapped.
    pub at: int,
    /// Where the first one starts.
    pub frame: int,
    /// How many bytes the frames have.
    pub bytes: int,
}

impl WasMapped {
    /// One of them is the reference to what `space` maps `va` to.
    pub(crate) open spec fn is_for(self, space: AddressSpace, va: int) -> bool {
        &&& self.at <= va < self.at + self.bytes
        &&& space.place(va) == Some(self.frame + (va - self.at))
    }
}

impl KeptRun {
    /// The frames are ones of this table.
    spec fn is_of<F>(self, frames: FrameTable<'_, F>) -> bool {
        &&& 0 <= self.slots.first() < self.slots.end() <= frames.len()
        &&& frames.are_tokens(self.tokens@, self.slots.first(), self.slots.end())
    }

    /// Which references they are.
    spec fn was_mapped<F>(self, frames: FrameTable<'_, F>) -> WasMapped {
        WasMapped {
            at: self.at@,
            frame: frames.first() + self.slots.first() * 0x1000,
            bytes: (self.slots.end() - self.slots.first()) * 0x1000,
        }
    }
}

impl<'f, A: PagingMode, F: FrameAllocator> Kept<'f, A, F> {
    /// The invariant: the references are to frames of the table.
    pub(crate) closed spec fn inv(self) -> bool {
        &&& self.runs.inv()
        &&& self.runs@.len() > 0 ==> self.frames is Some
        &&& forall|i: int|
            0 <= i < self.runs@.len() ==> (#[trigger] self.runs@[i]).is_of(*self.frames->0)
    }

    /// Which references are kept.
    pub(crate) closed spec fn view(self) -> Seq<WasMapped> {
        Seq::new(self.runs@.len(), |i: int| self.runs@[i].was_mapped(*self.frames->0))
    }

    /// The table of the frames.
    pub(crate) closed spec fn table(self) -> FrameTable<'f, F> {
        *self.frames->0
    }

    /// What processors have to be told of before, if there are any references.
    pub(crate) closed spec fn due(self) -> FlushRange<A> {
        self.range@
    }

    /// After which moment: before it the frames were unmapped.
    pub(crate) closed spec fn since(self) -> int {
        self.since@
    }

    /// None.
    #[inline]
    pub(crate) fn new() -> (r: Self)
        ensures
            r.inv(),
            r@.len() == 0,
    {
        Kept {
            frames: None,
            runs: Batch::<_, RUNS>::new(),
            range: Ghost(arbitrary()),
            since: Ghost(arbitrary()),
        }
    }

    /// Whether there is no room for one more run.
    #[inline]
    pub(crate) fn is_full(&self) -> (r: bool)
        ensures
            r == (self@.len() >= RUNS),
        no_unwind
    {
        self.runs.is_full()
    }

    /// Keeps references to frames that were mapped at `at`.
    #[inline]
    pub(crate) fn keep(
        &mut self,
        frames: &'f FrameTable<'f, F>,
        references: References,
        at: Ghost<int>,
    )
        requires
            old(self).inv(),
            old(self)@.len() < RUNS,
            old(self)@.len() > 0 ==> old(self).table() == *frames,
            references.0 < references.1 <= frames.len(),
            references.1 <= references.0 + MOST,
            references.1 <= 0x1000_0000_0000,
            frames.are_tokens(references.2@, references.0 as int, references.1 as int),
        ensures
            final(self).inv(),
            final(self).table() == *frames,
            final(self)@ == old(self)@.push(
                WasMapped {
                    at: at@,
                    frame: frames.first() + references.0 * 0x1000,
                    bytes: (references.1 - references.0) * 0x1000,
                },
            ),
        no_unwind
    {
        let (first, end, tokens) = references;
        let run = KeptRun { slots: Slots::new(first, end), tokens, at };
        self.frames = Some(frames);
        let _ = self.runs.push(run);
        assert(self@ =~= old(self)@.push(run.was_mapped(*frames)));
    }

    /// They wait until processors have been told of `range`, after a moment.
    #[inline]
    pub(crate) fn wait_for(&mut self, range: Ghost<FlushRange<A>>, since: Ghost<int>)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
            final(self)@ == old(self)@,
            final(self).due() == range@,
            final(self).since() == since@,
        no_unwind
    {
        self.range = range;
        self.since = since;
        assert(self@ =~= old(self)@);
    }

    /// Whether those that `other` keeps have room here.
    #[inline]
    pub(crate) fn has_room_for(&self, other: &Self) -> (r: bool)
        requires
            self.inv(),
            other.inv(),
        ensures
            self@.len() <= RUNS,
            r ==> self@.len() + other@.len() <= RUNS,
            r && self@.len() > 0 && other@.len() > 0 ==> self.table() == other.table(),
        no_unwind
    {
        let (n, more) = (self.runs.len(), other.runs.len());
        if n == 0 || more == 0 {
            return true;
        }
        match (self.frames, other.frames) {
            (Some(frames), Some(others)) if same_table(frames, others) => more <= RUNS - n,
            _ => false,
        }
    }

    /// Keeps those that `other` keeps, too, until processors have been told of `range`, after a moment. If there is no room
    /// for them, nobody gives them back.
    #[inline]
    pub(crate) fn append(
        &mut self,
        other: &mut Self,
        range: Ghost<FlushRange<A>>,
        since: Ghost<int>,
    )
        requires
            old(self).inv(),
            old(other).inv(),
            old(self)@.len() > 0 ==> range@.covers(old(self).due()) && since@ >= old(self).since(),
            old(other)@.len() > 0 ==> range@.covers(old(other).due()) && since@ >= old(
                other,
            ).since(),
        ensures
            final(self).inv(),
            final(self).due() == range@,
            final(self).since() == since@,
            final(other).inv(),
            final(other)@.len() == 0,
        no_unwind
    {
        self.range = range;
        self.since = since;
        if !self.has_room_for(other) {
            other.runs.forget();
            return;
        }
        if self.runs.len() == 0 {
            self.frames = other.frames;
        }
        while let Some(run) = other.runs.pop()
            invariant
                self.inv(),
                other.inv(),
                self.range == range,
                self.since == since,
                self.runs@.len() + other.runs@.len() <= RUNS,
                other.runs@.len() > 0 ==> self.frames is Some && self.table() == other.table(),
            ensures
                other.runs@.len() == 0,
            decreases other.runs@.len(),
        {
            let _ = self.runs.push(run);
        }
    }

    /// Forgets them: nobody gives them back.
    #[inline]
    pub(crate) fn forget(&mut self)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
            final(self)@.len() == 0,
        no_unwind
    {
        self.runs.forget();
    }

    /// Gives the references back: processors have been told.
    pub(crate) fn release(&mut self, Tracked(flushed): Tracked<&Flushed<A>>)
        requires
            old(self).inv(),
            old(self)@.len() > 0 ==> flushed.range().covers(old(self).due()) && flushed.since()
                >= old(self).since(),
        ensures
            final(self).inv(),
            final(self)@.len() == 0,
        no_unwind
    {
        let Some(frames) = self.frames else {
            return;
        };
        proof {
            frames.lemma_layout();
        }
        self.touch(frames);
        while let Some(run) = self.runs.pop()
            invariant
                self.inv(),
                self.frames == Some(frames),
                frames.len() <= usize::MAX,
            ensures
                self.inv(),
                self.runs@.len() == 0,
            decreases self.runs@.len(),
        {
            let (first, end) = run.slots.ends();
            frames.release_run(first, end, run.tokens);
        }
    }

    /// Reads the state of each run's first frame, so that it is at hand soon: the processor then waits for memory once, not
    /// for each.
    fn touch(&self, frames: &FrameTable<'f, F>)
        requires
            self.inv(),
            self.frames == Some(frames),
        no_unwind
    {
        proof {
            frames.lemma_layout();
        }
        let mut i = 0;
        while i < self.runs.len()
            invariant
                self.inv(),
                self.frames == Some(frames),
                frames.len() <= usize::MAX,
            decreases self.runs@.len() - i,
        {
            let run = self.runs.get(i);
            let (first, _) = run.slots.ends();
            assert(run.tokens@.contains_key(first as int));
            let tracked token = run.tokens.borrow().tracked_borrow(first as int);
            let _ = frames.count(first, Tracked(token));
            i += 1;
        }
    }
}

} // verus!
