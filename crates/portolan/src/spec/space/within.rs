//! What an address space says of a range that no page lies partly in.
use super::AddressSpace;
use vstd::prelude::*;

mod cut;
mod proof;

verus! {

impl AddressSpace {
    /// The pages that start from `lo` to below `hi`, and no others.
    pub open spec fn within(self, lo: int, hi: int) -> Self {
        AddressSpace {
            pages: IMap::new(
                |va: int| self.pages.contains_key(va) && lo <= va < hi,
                |va: int| self.pages[va],
            ),
        }
    }

    /// The pages of `now` that don't start from `lo` to below `hi` are those of this.
    pub open spec fn is_kept_outside(self, now: Self, lo: int, hi: int) -> bool {
        forall|base: int|
            !(lo <= base < hi) ==> #[trigger] now.pages.contains_key(base)
                == self.pages.contains_key(base) && (now.pages.contains_key(base)
                ==> now.pages[base] == self.pages[base])
    }
}

} // verus!
