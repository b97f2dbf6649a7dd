//! Why the first page of a range is refused.

use super::super::super::PageTable;
use crate::addr::{PageSize, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::error::Error;
use crate::hw::memory::TableMemory;
use crate::prop::PageProperty;
use crate::spec::request;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// What is answered if the first page can't be given these properties.
    pub(super) proof fn lemma_next_error(
        self,
        from: int,
        end: int,
        prop: PageProperty,
        va: VirtAddr<A>,
        size: PageSize,
        seen: PageProperty,
    )
        requires
            self@.has(va@, size),
            self@.is_next_page(from, va@),
            va@ < end,
            from <= va@ ==> self@.is_next(from, va@),
            A::canonical(va.raw()),
            request::check(va, size) is None,
            self@.pages[va@].prop.may_become(seen),
        ensures
            ({
                let (addr, bytes) = (va.raw(), size.bytes());
                if va@ < from || bytes > end - va@ {
                    self.is_next_error(
                        from,
                        end,
                        prop,
                        Error::CoveredByHugePage { addr, size: bytes },
                    )
                } else {
                    &&& !A::supports(prop) ==> self.is_next_error(
                        from,
                        end,
                        prop,
                        Error::UnsupportedProperty { addr, size: bytes },
                    )
                    &&& A::supports(prop) && request::needs_break::<A>(seen, prop)
                        ==> self.is_next_error(
                        from,
                        end,
                        prop,
                        Error::BreakBeforeMake { addr, size: bytes },
                    )
                    &&& !request::needs_break::<A>(seen, prop) ==> !request::needs_break::<A>(
                        self@.pages[va@].prop,
                        prop,
                    )
                }
            }),
    {
    }
}

} // verus!
