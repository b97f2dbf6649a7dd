//! Copying a range: the pages of one page table in another, which then share their frames.

use super::PageTable;
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::VirtRange;
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

mod check;
mod lack;
pub(crate) mod leaf;
mod pages;
#[cfg(verus_only)]
mod proof;
mod run;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Maps in `into` all pages that are mapped here in `range`, at the same addresses, to the same frames, with the same
    /// sizes and properties, all of them or none; there may be holes. Answers with how many bytes they are.
    ///
    /// Accessed and dirty bits are copied as they are when a page is read. All tables that `into` lacks are taken before the
    /// first page is mapped. The pages of a table cost one load and one store each.
    ///
    /// ```
    /// # use portolan::{Error, Invalidate, PageTable, TableMemory, VirtAddr, VirtRange, X86_64};
    /// /// A new address space that shares the user's memory until one of the two writes to it.
    /// fn fork<M: TableMemory>(
    ///     parent: &mut PageTable<M>,
    ///     memory: M,
    ///     processors: &impl Invalidate<X86_64>,
    /// ) -> Result<PageTable<M>, Error> {
    ///     let user = VirtRange::new(VirtAddr::new(0)?, 1 << 47)?;
    ///     let mut child = PageTable::new(memory)?;
    ///     let (_, flush) = parent.copy_range_write_protected(user, &mut child)?;
    ///     flush.pay(processors);
    ///     Ok(child)
    /// }
    /// ```
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] if the range's start, or its end, is not a multiple of the smallest page;
    /// [`Error::PastEnd`]; [`Error::CoveredByHugePage`] if a page here lies partly in the range and partly outside;
    /// [`Error::AlreadyMapped`] with the first page that `into` has in the range, or partly in it; [`Error::PhysTooWide`]
    /// with the first page's frame that `into`'s memory doesn't reach; [`Error::NoMemory`].
    pub fn copy_range(&self, range: VirtRange<A>, into: &mut Self) -> (r: Result<u64, Error>)
        ensures
            match r {
                Ok(bytes) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    &&& request::check_range(range) is None
                    &&& range.bytes() > 0 ==> !self@.is_cut(lo, hi)
                    &&& old(into)@.is_free(lo, hi)
                    &&& self@.is_within(lo, hi, old(into).phys_bits())
                    &&& self@.may_copy_range::<B>(lo, hi, false, old(into)@, final(into)@)
                    &&& bytes == self@.mapped_bytes(lo, hi)
                    &&& final(into).steps_through(*old(into))
                },
                Err(e) => {
                    &&& request::is_copy_range_error(
                        self@,
                        old(into)@,
                        old(into).phys_bits(),
                        range,
                        e,
                    )
                    &&& final(into).same_as(*old(into))
                },
            },
    {
        let (lo, hi) = self.check_copy(&range, &*into)?;
        proof {
            use_type_invariant(self);
            use_type_invariant(&*into);
        }
        if lo == hi {
            return Ok(0);
        }
        match into.owned.tree.copy_range(&self.owned.tree, lo, hi, false) {
            Some(bytes) => {
                proof {
                    into.owned.tree.lemma_range_mapped(old(into).owned.tree);
                }
                Ok(bytes)
            },
            None => Err(Error::NoMemory { addr: range.start().as_u64(), size: range.size() }),
        }
    }

    /// As [`copy_range`](PageTable::copy_range), and takes the right to write from all of these pages, here and in `into`:
    /// both can then share the frames until one of them writes (copy-on-write).
    ///
    /// No access meets a hole in between. Accessed and dirty bits stay, and the copy has those that were set when the page
    /// was read. The flush is for this table's pages: until it is paid, processors may still write to them.
    ///
    /// Not for processors with shadow stacks enabled, to which a read-only page that is dirty is one (Intel SDM vol. 3,
    /// 5.6).
    ///
    /// # Errors
    /// Those of [`copy_range`](PageTable::copy_range); neither table is changed.
    pub fn copy_range_write_protected(&mut self, range: VirtRange<A>, into: &mut Self) -> (r:
        Result<(u64, Flush<M, A>), Error>)
        ensures
            match r {
                Ok((bytes, flush)) => {
                    let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                    &&& request::check_range(range) is None
                    &&& range.bytes() > 0 ==> !old(self)@.is_cut(lo, hi)
                    &&& old(into)@.is_free(lo, hi)
                    &&& old(self)@.is_within(lo, hi, old(into).phys_bits())
                    &&& old(self)@.may_copy_range::<B>(lo, hi, true, old(into)@, final(into)@)
                    &&& old(self)@.may_write_protect_range(lo, hi, final(self)@)
                    &&& bytes == old(self)@.mapped_bytes(lo, hi)
                    &&& final(into).steps_through(*old(into))
                    &&& final(self).steps_through(*old(self))
                    &&& flush.due().reaches(old(self)@, lo, hi)
                    &&& old(self).frames() == final(self).frames()
                    &&& flush.frames() == Set::<PhysAddr>::empty()
                },
                Err(e) => {
                    &&& request::is_copy_range_error(
                        old(self)@,
                        old(into)@,
                        old(into).phys_bits(),
                        range,
                        e,
                    )
                    &&& final(self).same_as(*old(self))
                    &&& final(into).same_as(*old(into))
                },
            },
    {
        let (lo, hi) = self.check_copy(&range, &*into)?;
        proof {
            use_type_invariant(&*self);
            use_type_invariant(&*into);
        }
        if lo == hi {
            return Ok((0, Self::flush_for(&range, None, None, self.owned.tree.moment())));
        }
        match into.owned.tree.copy_range(&self.owned.tree, lo, hi, true) {
            Some(bytes) => {
                let (least, _) = self.owned.tree.write_protect_range(lo, hi);
                proof {
                    into.owned.tree.lemma_range_mapped(old(into).owned.tree);
                    self.lemma_write_protected(*old(self), lo as int, hi as int);
                }
                Ok((bytes, Self::flush_for(&range, least, None, self.owned.tree.moment())))
            },
            None => Err(Error::NoMemory { addr: range.start().as_u64(), size: range.size() }),
        }
    }
}

} // verus!
