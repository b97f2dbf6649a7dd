//! What a cursor answers.

use super::{Cursor, Slot};
use crate::addr::VirtRange;
use crate::error::Error;
use crate::frame::FrameError;
use crate::hw::mmu::Mmu;
use crate::prop::Mapping;
use crate::space::{Kernel, VmError};
use vstd::prelude::*;

verus! {

impl<'a, 'k, K: Kernel> Cursor<'a, 'k, K> {
    /// It is at the start of `range`.
    pub open spec fn is_new(self, range: VirtRange<K::Mode>) -> bool {
        &&& self.is_live()
        &&& self.first() == range.first()@
        &&& self.end() == range.first()@ + range.bytes()
        &&& self.at() == self.first()
    }

    /// Nothing has changed since `old`, but where the cursor is.
    pub open spec fn is_as(self, old: Self) -> bool {
        &&& self.is_live() == old.is_live()
        &&& self.space() == old.space()
        &&& self.first() == old.first()
        &&& self.end() == old.end()
    }

    /// Whether `slot` is what is where the cursor is: the page that covers the address, or all of the hole up to the next page
    /// or the end of the range.
    pub open spec fn is_slot(self, slot: Slot<'k, K>) -> bool {
        let (lo, hi) = (slot.range.first()@, slot.range.first()@ + slot.range.bytes());
        &&& lo <= self.at() < hi
        &&& match slot.item {
            Some((item, prop)) => {
                &&& self.space().pages.contains_key(lo)
                &&& hi - lo == self.space().pages[lo].size.bytes()
                &&& self.space().pages[lo].may_become(Mapping { prop, ..self.space().pages[lo] })
                &&& item.is_at(self.space().pages[lo])
            },
            None => {
                &&& lo == self.at()
                &&& hi <= self.end()
                &&& self.space().is_free(lo, hi)
                &&& hi < self.end() ==> self.space().pages.contains_key(hi)
            },
        }
    }

    /// `e` is why there is no answer.
    pub open spec fn is_query_error(self, e: VmError) -> bool {
        match e {
            VmError::OutOfRange { addr } => addr == self.at() && self.at() == self.end(),
            VmError::Frame(e) => e is Saturated || e is Busy,
            VmError::Poisoned => !self.is_live(),
            _ => false,
        }
    }

    /// `e` is why the cursor can't work on the next `len` bytes.
    pub open spec fn is_ahead_error(self, len: u64, e: VmError) -> bool {
        let size = K::Mode::geo().span(1);
        match e {
            VmError::Paging(Error::NotAligned { addr, size: s }) => {
                addr == len && s == size && len as int % size != 0
            },
            VmError::OutOfRange { addr } => self.at() + len > self.end(),
            VmError::Poisoned => !self.is_live(),
            _ => false,
        }
    }
}

} // verus!
