//! What a cursor does.

use super::CursorMut;
use crate::addr::{PageSize, PhysAddr};
use crate::arch::entry::stored;
use crate::hw::AtomicMode;
use crate::prop::PageProperty;
use crate::space::Kernel;
use vstd::prelude::*;

verus! {

impl<'a, 'k, K: Kernel, G: AtomicMode> CursorMut<'a, 'k, K, G> {
    /// Nothing has changed since `old`, but where the cursor is.
    pub open spec fn is_as(self, old: Self) -> bool {
        &&& self.is_live() == old.is_live()
        &&& self.space() == old.space()
        &&& self.is_over(old)
    }

    /// It is over the same range of the same address space as `old`.
    pub open spec fn is_over(self, old: Self) -> bool {
        &&& self.first() == old.first()
        &&& self.end() == old.end()
        &&& self.root() == old.root()
    }

    /// It has mapped a page where `old` was, in the place of one of the same size if there was one, and gone on past it.
    pub open spec fn is_mapped_from(
        self,
        old: Self,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> bool {
        let vacated = old.space().unmap_range(old.at(), old.at() + size.bytes());
        &&& self.is_over(old)
        &&& self.is_live() == old.is_live()
        &&& self.at() == old.at() + size.bytes()
        &&& self.at() <= self.end()
        &&& self.space() == vacated.map(old.at(), frame, size, stored::<K::Bits>(prop))
        &&& old.space().overlaps(old.at(), size.bytes() as int) ==> old.space().has(old.at(), size)
    }
}

} // verus!
