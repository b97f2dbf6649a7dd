//! Changes to pages that leave mapped what was mapped.

use super::Mappings;
use crate::addr::{PageSize, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::flush::Flush;
use crate::frame::FrameAllocator;
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty};
use crate::space::VmError;
#[cfg(verus_only)]
use crate::spec::request;
use crate::table::PageTable;
use vstd::prelude::*;

verus! {

impl<'f, M: TableMemory, A: PagingMode, B: AccessBits, F: FrameAllocator> Mappings<'f, M, A, B, F> {
    /// Divides the pages that the range starts or ends inside of, into the largest that it doesn't, all or none.
    ///
    /// # Errors
    /// Those of [`PageTable::unmap_range`](crate::PageTable::unmap_range).
    pub(crate) fn cut(&mut self, range: VirtRange<A>) -> (r: Result<(), VmError>)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
            final(self).frame_table() == old(self).frame_table(),
            ({
                let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                match r {
                    Ok(()) => {
                        &&& request::check_range(range) is None
                        &&& lo == hi ==> final(self).table() == old(self).table()
                        &&& lo < hi ==> final(self).table().is_cut_from(old(self).table(), lo, hi)
                    },
                    Err(e) => {
                        &&& e matches VmError::Paging(e) && request::is_cut_error(
                            old(self).space(),
                            range,
                            e,
                        )
                        &&& final(self).table().same_as(old(self).table())
                    },
                }
            }),
    {
        let (lo, hi) = match PageTable::<M, A, B>::bounds(&range) {
            Ok(ends) => ends,
            Err(e) => return Err(VmError::Paging(e)),
        };
        if lo == hi {
            return Ok(());
        }
        proof {
            self.table.lemma_shaped();
        }
        if let Err(e) = self.table.cut(&range, lo, hi) {
            return Err(VmError::Paging(e));
        }
        proof {
            self.table.lemma_shaped();
            self.lemma_cut(*old(self), lo as int, hi as int);
        }
        Ok(())
    }

    /// Gives the page of `size` at `va` other properties, as [`PageTable::protect`](crate::PageTable::protect) does.
    ///
    /// # Errors
    /// Those of [`PageTable::protect`](crate::PageTable::protect).
    pub(crate) fn protect(&mut self, va: VirtAddr<A>, size: PageSize, prop: PageProperty) -> (r:
        Result<(Mapping, Flush<M, A>), VmError>)
        requires
            old(self).inv(),
        ensures
            final(self).inv(),
            final(self).frame_table() == old(self).frame_table(),
            match r {
                Ok((was, flush)) => {
                    &&& A::supports(prop)
                    &&& request::is_found(old(self).space(), va, size, was)
                    &&& !request::needs_break::<A>(old(self).space().pages[va@].prop, prop)
                    &&& final(self).space() == old(self).space().protect(
                        va@,
                        prop.keeping(was.prop),
                    )
                    &&& final(self).table().is_changed_from(old(self).table(), va, size, flush)
                },
                Err(e) => {
                    &&& e matches VmError::Paging(e) && request::is_protect_error(
                        old(self).space(),
                        va,
                        size,
                        prop,
                        e,
                    )
                    &&& final(self).table().same_as(old(self).table())
                },
            },
    {
        proof {
            self.table.lemma_shaped();
        }
        match self.table.protect(va, size, prop) {
            Ok(done) => {
                proof {
                    self.table.lemma_shaped();
                    assert(self.table@.pages.dom() =~= old(self).table@.pages.dom());
                    self.lemma_like(*old(self));
                }
                Ok(done)
            },
            Err(e) => Err(VmError::Paging(e)),
        }
    }
}

} // verus!
