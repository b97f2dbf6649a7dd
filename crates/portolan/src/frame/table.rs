//! All frames of a machine, each with its slot.

use super::error::FrameError;
use super::slot::{MAX_COUNT, MetaSlot};
#[cfg(verus_only)]
use super::token::SlotId;
use crate::addr::PhysAddr;
use vstd::prelude::*;

mod rights;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// How long a frame is, in bytes.
pub const FRAME_SIZE: u64 = 0x1000;

/// The frames of a machine: what is known of each, and the allocator that they go back to.
///
/// A kernel has one, in a static. Handles refer to it.
pub struct FrameTable<'a, F> {
    pub(super) base: u64,
    slots: &'a [MetaSlot],
    /// How many slots: what is known of it holds without calls that might unwind.
    pub(super) count: usize,
    limit: u64,
    allocator: F,
}

impl<'a, F> FrameTable<'a, F> {
    #[verifier::type_invariant]
    pub(crate) closed spec fn inv(self) -> bool {
        &&& self.base as int % 0x1000 == 0
        &&& self.count == self.slots@.len()
        &&& self.base + self.slots@.len() * 0x1000 <= u64::MAX
        &&& 1 <= self.limit <= MAX_COUNT
        &&& forall|i: int|
            0 <= i < self.slots@.len() ==> {
                &&& (#[trigger] self.slots@[i]).inv()
                &&& self.slots@[i].id().addr.0 == self.base + i * 0x1000
            }
    }

    /// The first frame's address.
    pub closed spec fn first(self) -> int {
        self.base as int
    }

    /// Where the last frame ends.
    pub closed spec fn end(self) -> int {
        self.base + self.slots@.len() * 0x1000
    }

    /// Which slot is at `index`.
    pub(crate) closed spec fn id(self, index: int) -> SlotId {
        self.slots@[index].id()
    }

    /// How many frames there are.
    pub(crate) closed spec fn len(self) -> nat {
        self.slots@.len()
    }

    /// A table of the frames from `base` on, one for each of `slots`. No frame is in use, nor can be before it is
    /// [added](FrameTable::add).
    ///
    /// # Errors
    /// [`FrameError::NotAligned`] if `base` is not a multiple of 4 KiB; [`FrameError::Wrapping`] if the last frame would end
    /// after the last address.
    pub fn new(base: PhysAddr, slots: &'a mut [MetaSlot], allocator: F) -> (r: Result<
        Self,
        FrameError,
    >)
        ensures
            match r {
                Ok(table) => {
                    &&& table.first() == base.0
                    &&& table.end() == base.0 + old(slots)@.len() * 0x1000
                },
                Err(FrameError::NotAligned { addr }) => addr == base.0 && base.0 as int % 0x1000
                    != 0,
                Err(e) => {
                    &&& e == FrameError::Wrapping { addr: base.0 }
                    &&& base.0 + old(slots)@.len() * 0x1000 > u64::MAX
                },
            },
    {
        let count = slots.len();
        if base.0 % FRAME_SIZE != 0 {
            return Err(FrameError::NotAligned { addr: base.0 });
        }
        if count as u64 > (u64::MAX - base.0) / FRAME_SIZE {
            return Err(FrameError::Wrapping { addr: base.0 });
        }
        let mut i = 0;
        while i < count
            invariant
                slots@.len() == count,
                i <= count,
                base.0 + count * 0x1000 <= u64::MAX,
                forall|j: int|
                    0 <= j < i ==> {
                        &&& (#[trigger] slots@[j]).inv()
                        &&& slots@[j].id().addr.0 == base.0 + j * 0x1000
                    },
            decreases count - i,
        {
            slots[i] = MetaSlot::at(Ghost(PhysAddr((base.0 + i * 0x1000) as u64)));
            i += 1;
        }
        Ok(FrameTable { base: base.0, slots, count, limit: MAX_COUNT, allocator })
    }

    /// The same table, with at most `limit` references to each frame: one at least, and at most 2^63 - 1, which is the
    /// limit without.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> (r: Self)
        ensures
            r.first() == self.first(),
            r.end() == self.end(),
    {
        proof {
            use_type_invariant(&self);
        }
        let limit = if limit == 0 {
            1
        } else if limit > MAX_COUNT {
            MAX_COUNT
        } else {
            limit
        };
        FrameTable {
            base: self.base,
            slots: self.slots,
            count: self.count,
            limit,
            allocator: self.allocator,
        }
    }

    /// The allocator that frames go back to.
    #[inline]
    #[must_use]
    pub fn allocator(&self) -> &F
        no_unwind
    {
        &self.allocator
    }

    /// The slot of the frame `addr`.
    pub(crate) fn find(&self, addr: PhysAddr) -> (r: Result<usize, FrameError>)
        ensures
            match r {
                Ok(index) => {
                    &&& self.covers(addr)
                    &&& index == self.index_of(addr)
                    &&& index < self.len()
                    &&& self.check(addr) is None
                    &&& self.id(index as int).addr == addr
                },
                Err(e) => self.check(addr) == Some(e),
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        if addr.0 % FRAME_SIZE != 0 {
            return Err(FrameError::NotAligned { addr: addr.0 });
        }
        if addr.0 < self.base || (addr.0 - self.base) / FRAME_SIZE >= self.count as u64 {
            return Err(FrameError::OutOfRange { addr: addr.0 });
        }
        Ok(((addr.0 - self.base) / FRAME_SIZE) as usize)
    }

    /// Whether all of the `bytes` from `addr` on are in frames of the table.
    pub(crate) fn contains(&self, addr: PhysAddr, bytes: u64) -> (r: bool)
        ensures
            r == self.has_all(addr.0 as int, bytes as int),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let end = self.base + self.count as u64 * FRAME_SIZE;
        addr.0 >= self.base && addr.0 <= end && bytes <= end - addr.0
    }

    /// Whether any of them is.
    pub(crate) fn overlaps(&self, addr: PhysAddr, bytes: u64) -> (r: bool)
        ensures
            r != self.has_none(addr.0 as int, bytes as int),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let end = self.base + self.count as u64 * FRAME_SIZE;
        self.base < end && addr.0 < end && (addr.0 > self.base || bytes > self.base - addr.0)
    }

    /// Where the frames and their slots are.
    pub(crate) proof fn lemma_layout(tracked &self)
        ensures
            self.first() >= 0,
            self.first() % 0x1000 == 0,
            self.end() == self.first() + self.len() * 0x1000,
            self.end() <= u64::MAX,
            self.len() <= usize::MAX,
            forall|i: int|
                0 <= i < self.len() ==> (#[trigger] self.id(i)).addr.0 == self.first() + i * 0x1000,
    {
        use_type_invariant(self);
    }

    /// The slot of a frame of the table.
    #[inline]
    pub(crate) fn locate(&self, addr: PhysAddr) -> (r: usize)
        requires
            self.covers(addr),
        ensures
            r == self.index_of(addr),
            r < self.len(),
            self.id(r as int).addr == addr,
        opens_invariants none
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        ((addr.0 - self.base) / FRAME_SIZE) as usize
    }

    /// Where the frame of slot `index` starts, or where the last one ends.
    #[inline]
    pub(crate) fn address(&self, index: usize) -> (r: PhysAddr)
        requires
            index <= self.len(),
        ensures
            r.0 == self.first() + index * 0x1000,
            index < self.len() ==> r == self.id(index as int).addr,
            index < self.len() ==> self.covers(r) && self.index_of(r) == index,
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        PhysAddr(self.base + index as u64 * FRAME_SIZE)
    }
}

} // verus!
