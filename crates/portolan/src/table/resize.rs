//! Changing the size of pages in place.

use super::PageTable;
use crate::addr::{PageSize, VirtAddr};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::Mapping;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;

verus! {

/// # Pages of other sizes
/// The size of a page changes by one store, while the page is in use: no access meets a hole. Until the flush is paid,
/// processors may use either size, and both translate alike. On x86_64 the TLB may hold a translation for each size, and
/// a reference may use any of them (Intel SDM vol. 3, 5.10.2.3); on RISC-V it is unpredictable whether the old or the new
/// entry is used, "but the behavior is otherwise well defined" (Privileged Architecture, SFENCE.VMA). AArch64 demands an
/// invalid entry in between (Arm Architecture Reference Manual, D8, break-before-make): there, the answer is
/// [`Error::BreakBeforeMake`].
///
/// Some Intel processors stop with a machine check if the size of a page of code changes while the code runs: those
/// without `IF_PSCHANGE_MC_NO`, bit 6 of `IA32_ARCH_CAPABILITIES` (SDM vol. 4, table 2-2). On these, unmap executable
/// pages, pay the flush, and map them anew.
impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Divides the page of `size` at `va` into pages of the mode's next smaller size, with the same properties.
    ///
    /// The mapping returned is the page as it was at that moment; its accessed and dirty bits are those of all parts.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`]; [`Error::CoveredByHugePage`] or
    /// [`Error::NotMapped`]; [`Error::UnsupportedSize`] if there is no smaller size; [`Error::BreakBeforeMake`];
    /// [`Error::NoMemory`].
    pub fn split(&mut self, va: VirtAddr<A>, size: PageSize) -> (r: Result<
        (Mapping, Flush<M, A>),
        Error,
    >)
        ensures
            match r {
                Ok((was, flush)) => {
                    &&& request::is_found(old(self)@, va, size, was)
                    &&& request::part_size::<A>(size) matches Some(part) && final(self)@ == old(
                        self,
                    )@.protect(va@, was.prop).split(va@, part)
                    &&& forall|at: int| #[trigger] old(self)@.agrees(final(self)@, at)
                    &&& final(self).steps_from(*old(self))
                    &&& flush.page() == (va, size)
                    &&& flush.frames() == Set::<crate::PhysAddr>::empty()
                },
                Err(e) => request::is_split_error(old(self)@, va, size, e) && final(self).same_as(
                    *old(self),
                ),
            },
    {
        let d = self.find(va, size)?;
        let (addr, bytes, level) = (va.as_u64(), size.bytes(), d.stop.level);
        proof {
            proof::lemma_part_size(va, level as nat, size);
            use_type_invariant(&*self);
        }
        if level == 1 || A::size_at(level - 1).is_none() {
            return Err(Error::UnsupportedSize { addr, size: bytes });
        }
        if !A::resizing() {
            return Err(Error::BreakBeforeMake { addr, size: bytes });
        }
        match self.owned.tree.split(Ghost(va@), d) {
            Some((frame, prop)) => {
                proof {
                    self.owned.tree.lemma_split_page(
                        old(self).owned.tree,
                        va,
                        level as nat,
                        size,
                        (frame, prop),
                    );
                }
                Ok((Mapping { frame, size, prop }, Flush::new(va, size, None)))
            },
            None => Err(Error::NoMemory { addr, size: bytes }),
        }
    }
}

} // verus!
