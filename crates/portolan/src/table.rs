//! The page table.

pub(crate) mod chain;
pub(crate) mod descend;
mod map;
pub(crate) mod model;
#[cfg(verus_only)]
pub(crate) mod perms;
mod protect;
mod release;
pub(crate) mod tree;
pub(crate) mod unmap;

use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::entry::{AccessBits, Entry, EntryFormat};
use crate::arch::x86_64::X86_64;
use crate::arch::{PagingMode, Preset};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty};
use map::Obstacle;
use tree::Tree;
use vstd::prelude::*;

verus! {

/// A page table: the tables of one address space, for paging mode `A`, in frames that `M` gives.
///
/// `B` says who looks after accessed and dirty bits: with [`Preset`], the default, all pages have them set from the
/// start and hardware never writes to a table; with [`Tracking`](crate::Tracking) hardware sets them as pages are used.
#[verifier::reject_recursive_types(M)]
pub struct PageTable<M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    tree: Tree<M, A, B>,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// A page table in which nothing is mapped.
    ///
    /// # Errors
    /// [`Error::NoMemory`] if there is no frame for the root.
    pub fn new(memory: M) -> Result<Self, Error> {
        match Tree::new(memory) {
            Some(tree) => Ok(PageTable { tree }),
            None => Err(Error::NoMemory { addr: 0, size: A::geometry().table_bytes() as u64 }),
        }
    }

    /// The root table's physical address: what the processor's root register takes (on x86_64, bits 51:12 of `CR3`).
    #[inline]
    #[must_use]
    pub fn root(&self) -> PhysAddr {
        self.tree.root
    }

    /// Maps the page of `size` at `va` to `frame`.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`] for `va` or `frame`,
    /// [`Error::UnsupportedProperty`], [`Error::PhysTooWide`], [`Error::AlreadyMapped`] if anything is mapped in the
    /// page's range, [`Error::NoMemory`].
    pub fn map(&mut self, va: VirtAddr<A>, frame: PhysAddr, size: PageSize, prop: PageProperty) -> Result<(), Error> {
        let level = self.check(va, size)?;
        let bytes = size.bytes();
        if !frame.is_aligned(size) {
            return Err(Error::NotAligned { addr: frame.0, size: bytes });
        }
        if !A::can_express(prop) {
            return Err(Error::UnsupportedProperty { addr: va.as_u64(), size: bytes });
        }
        if !self.tree.has_frame(frame, bytes) {
            return Err(Error::PhysTooWide { addr: frame.0, size: bytes });
        }
        match self.tree.map(va.offset(), level, frame, prop) {
            Ok(()) => Ok(()),
            Err(Obstacle::NoMemory) => Err(Error::NoMemory { addr: va.as_u64(), size: bytes }),
            Err(Obstacle::Mapped { level }) => {
                let span = A::geometry().entry_span(level);
                Err(Error::AlreadyMapped { addr: va.as_u64() & !(span - 1), size: span })
            },
        }
    }

    /// Unmaps the page of `size` at `va`.
    ///
    /// The flush keeps alive the tables that became empty. The mapping is as it was at that moment, with the accessed
    /// and dirty bits that hardware had set.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`], [`Error::CoveredByHugePage`],
    /// [`Error::NotMapped`].
    pub fn unmap(&mut self, va: VirtAddr<A>, size: PageSize) -> Result<(Mapping, Flush<M, A>), Error> {
        let d = self.find(va, size)?;
        let (frame, prop, owed) = self.tree.unmap(va.offset(), d);
        Ok((Mapping { frame, size, prop }, Flush::new(va, size, owed)))
    }

    /// Gives the page of `size` at `va` other properties, by one store: no access meets a hole in between.
    ///
    /// Accessed and dirty bits that are set stay set. The mapping returned is the one before.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`], [`Error::UnsupportedProperty`],
    /// [`Error::CoveredByHugePage`], [`Error::NotMapped`].
    pub fn protect(&mut self, va: VirtAddr<A>, size: PageSize, prop: PageProperty) -> Result<(Mapping, Flush<M, A>), Error> {
        self.check(va, size)?;
        if !A::can_express(prop) {
            return Err(Error::UnsupportedProperty { addr: va.as_u64(), size: size.bytes() });
        }
        let d = self.find(va, size)?;
        let (frame, was) = self.tree.protect(va.offset(), d, prop);
        Ok((Mapping { frame, size, prop: was }, Flush::new(va, size, None)))
    }

    /// The mapping that covers `va`.
    ///
    /// # Errors
    /// [`Error::NotMapped`].
    pub fn query(&self, va: VirtAddr<A>) -> Result<Mapping, Error> {
        let d = self.tree.descend(va.offset(), 1);
        match (d.entry, A::size_at(d.stop.level)) {
            (Entry::Page { frame, prop }, Some(size)) => Ok(Mapping { frame, size, prop }),
            _ => Err(Error::NotMapped { addr: va.as_u64(), size: A::geometry().entry_span(1) }),
        }
    }

    /// The level of pages of `size`, if `va` is aligned to it.
    #[inline(always)]
    fn check(&self, va: VirtAddr<A>, size: PageSize) -> Result<u8, Error> {
        match A::level_of(size) {
            None => Err(Error::UnsupportedSize { addr: va.as_u64(), size: size.bytes() }),
            Some(level) => if va.is_aligned(size) {
                Ok(level)
            } else {
                Err(Error::NotAligned { addr: va.as_u64(), size: size.bytes() })
            },
        }
    }

    /// The page of `size` at `va`.
    #[inline(always)]
    fn find(&self, va: VirtAddr<A>, size: PageSize) -> Result<descend::Descent, Error> {
        let level = self.check(va, size)?;
        let d = self.tree.descend(va.offset(), level);
        match d.entry {
            Entry::Page { .. } => if d.stop.level == level {
                Ok(d)
            } else {
                let span = A::geometry().entry_span(d.stop.level);
                Err(Error::CoveredByHugePage { addr: va.as_u64() & !(span - 1), size: span })
            },
            _ => Err(Error::NotMapped { addr: va.as_u64(), size: size.bytes() }),
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Drop for PageTable<M, A, B> {
    /// Gives all tables back. The frames that were mapped are the caller's.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        self.tree.release();
    }
}

} // verus!
