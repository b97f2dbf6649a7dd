//! What requests to a table are refused.

use super::super::error::FrameError;
use super::super::token::SlotId;
use super::FrameTable;
use crate::addr::PhysAddr;
use vstd::prelude::*;

verus! {

impl<'a, F> FrameTable<'a, F> {
    /// Whether `addr` is one of the frames.
    pub open spec fn covers(self, addr: PhysAddr) -> bool {
        addr.0 as int % 0x1000 == 0 && self.first() <= addr.0 < self.end()
    }

    /// Whether all of the `bytes` from `addr` on are in frames of the table.
    pub open spec fn has_all(self, addr: int, bytes: int) -> bool {
        self.first() <= addr && addr + bytes <= self.end()
    }

    /// Whether none of them is.
    pub open spec fn has_none(self, addr: int, bytes: int) -> bool {
        addr + bytes <= self.first() || self.end() <= addr || self.end() <= self.first()
    }

    /// What is wrong with `addr`.
    pub open spec fn check(self, addr: PhysAddr) -> Option<FrameError> {
        if addr.0 as int % 0x1000 != 0 {
            Some(FrameError::NotAligned { addr: addr.0 })
        } else if addr.0 < self.first() || addr.0 >= self.end() {
            Some(FrameError::OutOfRange { addr: addr.0 })
        } else {
            None
        }
    }

    /// Whether `e` is a reason not to take the frame at `addr` as one that nobody uses: something is wrong with the address, or
    /// the frame is in another state.
    pub open spec fn refuses_claim(self, addr: PhysAddr, e: FrameError) -> bool {
        match self.check(addr) {
            Some(wrong) => e == wrong,
            None => e.is_refused_claim(addr),
        }
    }

    /// Whether `e` is a reason not to have one more reference to the frame at `addr`: something is wrong with the address, or
    /// the frame is not in use, or by too many.
    pub open spec fn refuses_reference(self, addr: PhysAddr, e: FrameError) -> bool {
        match self.check(addr) {
            Some(wrong) => e == wrong,
            None => e.is_refused_reference(addr),
        }
    }

    /// What is wrong with a range.
    pub open spec fn check_range(self, start: PhysAddr, end: PhysAddr) -> Option<FrameError> {
        if start.0 as int % 0x1000 != 0 {
            Some(FrameError::NotAligned { addr: start.0 })
        } else if end.0 as int % 0x1000 != 0 {
            Some(FrameError::NotAligned { addr: end.0 })
        } else if start.0 == end.0 {
            Some(FrameError::Empty { addr: start.0 })
        } else if start.0 > end.0 {
            Some(FrameError::Wrapping { addr: start.0 })
        } else if start.0 < self.first() || end.0 > self.end() {
            Some(FrameError::OutOfRange { addr: start.0 })
        } else {
            None
        }
    }

    /// Which slot is that of the frame `addr`.
    pub(crate) open spec fn index_of(self, addr: PhysAddr) -> int {
        (addr.0 - self.first()) / 0x1000
    }

    /// Which slot is that of the frame `addr`.
    pub(crate) open spec fn id_of(self, addr: PhysAddr) -> SlotId {
        self.id(self.index_of(addr))
    }
}

} // verus!
