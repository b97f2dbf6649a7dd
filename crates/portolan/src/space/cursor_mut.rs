//! Changing what is mapped, page by page.

use super::cursor::{Cursor, Slot};
use super::error::VmError;
use super::flusher::{Flusher, TlbFlusher};
use super::kernel::Kernel;
use super::part::Part;
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::VirtAddr;
#[cfg(verus_only)]
use crate::flush::FlushRange;
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

mod map;
#[cfg(verus_only)]
mod proof;
mod protect;
#[cfg(verus_only)]
mod spec;
pub(super) mod unmap;

verus! {

/// A cursor over a range of an address space, to change what is mapped.
///
/// It has its range to itself until it is dropped, with the pages that lie partly in it. What its operations take away is owed to
/// the processors that use the address space: its [`flusher`](CursorMut::flusher) tells them, at the latest when the cursor is dropped.
#[verifier::reject_recursive_types(K)]
#[verifier::reject_recursive_types(G)]
pub struct CursorMut<'a, 'k, K: Kernel, G: AtomicMode> {
    // first, so that it is dropped first: processors are told before others may have the address space
    flusher: Flusher<'a, 'k, K, G>,
    cursor: Cursor<'a, 'k, K>,
}

impl<'a, 'k, K: Kernel, G: AtomicMode> CursorMut<'a, 'k, K, G> {
    /// Whether no operation has unwound.
    pub closed spec fn is_live(self) -> bool {
        self.cursor.is_live()
    }

    /// What is mapped, of the pages that lie in the range, or partly.
    pub closed spec fn space(self) -> AddressSpace {
        self.cursor.space()
    }

    /// The first address of the range, counted as those of [`AddressSpace`] are.
    pub closed spec fn first(self) -> int {
        self.cursor.first()
    }

    /// Where the range ends.
    pub closed spec fn end(self) -> int {
        self.cursor.end()
    }

    /// Where the cursor is.
    pub closed spec fn at(self) -> int {
        self.cursor.at()
    }

    /// The root of the table.
    pub closed spec fn root(self) -> PhysAddr {
        self.flusher.root()
    }

    /// What processors have not been asked for yet.
    pub closed spec fn issued(self) -> Option<FlushRange<K::Mode>> {
        self.flusher.issued()
    }

    /// Whether processors have been told all that they were to be told.
    pub closed spec fn owes_nothing(self) -> bool {
        self.flusher.owes_nothing()
    }

    /// All that processors were to be told.
    pub closed spec fn noted(self) -> Seq<FlushRange<K::Mode>> {
        self.flusher.noted()
    }

    /// A cursor over a part.
    pub(crate) fn new(part: Part<'a, 'k, K>, flusher: Flusher<'a, 'k, K, G>) -> (r: Self)
        ensures
            r.is_live() == part.is_live(),
            r.first() == part.first(),
            r.end() == part.end(),
            r.at() == part.at(),
            r.root() == flusher.root(),
    {
        CursorMut { flusher, cursor: Cursor::new(part) }
    }

    /// The cursor, to look at what is mapped.
    #[inline]
    #[must_use]
    pub fn as_cursor(&self) -> (r: &Cursor<'a, 'k, K>)
        ensures
            r.is_live() == self.is_live(),
            r.space() == self.space(),
            r.first() == self.first(),
            r.end() == self.end(),
            r.at() == self.at(),
    {
        &self.cursor
    }

    /// What is owed to processors.
    #[inline]
    pub fn flusher(&mut self) -> (r: TlbFlusher<'_, 'a, 'k, K, G>)
        ensures
            final(self).as_spec() == old(self).as_spec(),
    {
        TlbFlusher::to(&mut self.flusher)
    }

    /// The address where the cursor is; `None` at the end of the range.
    #[inline]
    #[must_use]
    pub fn virt_addr(&self) -> (r: Option<VirtAddr<K::Mode>>)
        ensures
            match r {
                Some(va) => va@ == self.at() && self.at() < self.end(),
                None => self.at() == self.end(),
            },
    {
        self.cursor.virt_addr()
    }

    /// As [`Cursor::query`].
    ///
    /// # Errors
    /// Those of [`Cursor::query`].
    #[inline]
    pub fn query(&self) -> (r: Result<Slot<'k, K>, VmError>)
        ensures
            match r {
                Ok(slot) => self.as_spec().is_slot(slot),
                Err(e) => self.as_spec().is_query_error(e),
            },
    {
        self.cursor.query()
    }

    /// As [`Cursor::find_next`].
    ///
    /// # Errors
    /// Those of [`Cursor::find_next`].
    #[inline]
    pub fn find_next(&mut self, len: u64) -> (r: Result<Option<VirtAddr<K::Mode>>, VmError>)
        ensures
            final(self).is_as(*old(self)),
            match r {
                Ok(Some(va)) => {
                    &&& old(self).space().is_next(old(self).at(), va@)
                    &&& va@ < old(self).at() + len
                    &&& final(self).at() == va@
                },
                Ok(None) => {
                    &&& old(self).space().is_free(old(self).at(), old(self).at() + len)
                    &&& final(self).at() == old(self).at() + len
                },
                Err(e) => {
                    &&& old(self).as_spec().is_ahead_error(len, e)
                    &&& final(self).at() == old(self).at()
                },
            },
    {
        self.cursor.find_next(len)
    }

    /// As [`Cursor::jump`].
    ///
    /// # Errors
    /// Those of [`Cursor::jump`].
    #[inline]
    pub fn jump(&mut self, va: VirtAddr<K::Mode>) -> (r: Result<(), VmError>)
        ensures
            final(self).is_as(*old(self)),
            match r {
                Ok(()) => old(self).first() <= va@ <= old(self).end() && final(self).at() == va@,
                Err(_) => final(self).at() == old(self).at(),
            },
    {
        self.cursor.jump(va)
    }

    /// The page table.
    pub(crate) closed spec fn part(self) -> Part<'a, 'k, K> {
        self.cursor.part
    }

    /// The cursor, for contracts.
    pub closed spec fn as_spec(self) -> Cursor<'a, 'k, K> {
        self.cursor
    }
}

} // verus!
