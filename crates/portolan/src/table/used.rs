//! Whether pages were used: taking note of their accessed and dirty bits.

use super::PageTable;
use super::change::Change;
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::{PageSize, VirtAddr};
use crate::arch::entry::Entry;
use crate::arch::{PagingMode, Tracking};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, UsedBits};
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

verus! {

/// # Which pages were used
/// Hardware sets a page's accessed bit when the page is used, and its dirty bit when it is stored to. Whoever wants to
/// know whether that happens *again* clears them, and pays the flush: a processor that still has the translation need
/// not set them a second time, and stores through it leave no mark (Intel SDM vol. 3, 5.8; RISC-V Privileged
/// Architecture, 12.3.1). A kernel that only guesses which pages are idle may leave the flush of accessed bits unpaid;
/// one that writes dirty pages back must not.
///
/// On RISC-V without Svadu, and on AArch64 without `FEAT_HAFDBS`, the next use of a page without these bits is a page
/// fault, and whoever handles it sets them by [`protect`](PageTable::protect).
impl<M: TableMemory, A: PagingMode> PageTable<M, A, Tracking> {
    /// Clears the accessed bit, the dirty bit or both of the page of `size` at `va`.
    ///
    /// The mapping returned is the one before. It is exchanged by one store: a bit that hardware sets at the same moment is
    /// either in the answer, or is set afterwards. If none of the bits was set, nothing is stored, and the flush is for no
    /// address.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`]; then [`Error::CoveredByHugePage`] or
    /// [`Error::NotMapped`].
    pub fn test_and_clear(&mut self, va: VirtAddr<A>, size: PageSize, bits: UsedBits) -> (r: Result<
        (Mapping, Flush<M, A>),
        Error,
    >)
        ensures
            match r {
                Ok((was, flush)) => {
                    let cleared = old(self)@.protect(va@, was.prop.without(bits));
                    &&& request::is_found(old(self)@, va, size, was)
                    &&& final(self)@ == cleared || final(self)@ == old(self)@ && !was.prop.has_any(
                        bits,
                    )
                    &&& final(self).steps_from(*old(self))
                    &&& was.prop.has_any(bits) ==> flush.due().is_page(va, size)
                    &&& !was.prop.has_any(bits) ==> flush.due().len() == 0
                    &&& old(self).frames() == final(self).frames()
                    &&& flush.frames() == Set::<PhysAddr>::empty()
                },
                Err(e) => request::is_find_error(old(self)@, va, size, e) && final(self).same_as(
                    *old(self),
                ),
            },
    {
        let d = self.find(va, size)?;
        if let Entry::Page { frame, prop } = d.entry {
            if !prop.has_any(bits) {
                return Ok((Mapping { frame, size, prop }, Flush::new(va, 0, size, None)));
            }
        }
        proof {
            use_type_invariant(&*self);
        }
        let (frame, prop) = self.owned.tree.protect(Ghost(va@), d, Change::Unmark(bits));
        proof {
            self.owned.tree.lemma_protected_page(
                old(self).owned.tree,
                va,
                d.stop.level as nat,
                size,
                frame,
                prop.without(bits),
            );
        }
        let bytes = if prop.has_any(bits) {
            size.bytes()
        } else {
            0
        };
        Ok((Mapping { frame, size, prop }, Flush::new(va, bytes, size, None)))
    }
}

} // verus!
