//! Looking at what is mapped, page by page.

use super::error::VmError;
use super::kernel::Kernel;
use super::mappings::MappedItem;
use super::part::Part;
use crate::addr::{VirtAddr, VirtRange};
use crate::arch::entry::Encoding;
use crate::error::Error;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
#[cfg(verus_only)]
use vstd::math::min;
use vstd::prelude::*;

#[cfg(verus_only)]
mod spec;

verus! {

/// What is at a cursor: a page, or a hole up to the next page or the end of the cursor's range.
#[verifier::reject_recursive_types(K)]
pub struct Slot<'k, K: Kernel> {
    /// The addresses of the page or the hole. A page may start before the cursor's range, and end after it.
    pub range: VirtRange<K::Mode>,
    /// What is mapped there, with a reference that is counted, and its properties.
    pub item: Option<(MappedItem<'k, K::Frames>, PageProperty)>,
}

/// A cursor over a range of an address space, to look at what is mapped.
///
/// It has its range to itself until it is dropped, with the pages that lie partly in it: what is mapped there stays as it is.
#[verifier::reject_recursive_types(K)]
pub struct Cursor<'a, 'k, K: Kernel> {
    pub(super) part: Part<'a, 'k, K>,
}

impl<'a, 'k, K: Kernel> Cursor<'a, 'k, K> {
    /// Whether no operation has unwound.
    pub open(super) spec fn is_live(self) -> bool {
        self.part.is_live()
    }

    /// What is mapped, of the pages that lie in the range, or partly.
    pub open(super) spec fn space(self) -> AddressSpace {
        self.part.space()
    }

    /// The first address of the range, counted as those of [`AddressSpace`] are.
    pub open(super) spec fn first(self) -> int {
        self.part.first()
    }

    /// Where the range ends.
    pub open(super) spec fn end(self) -> int {
        self.part.end()
    }

    /// Where the cursor is.
    pub open(super) spec fn at(self) -> int {
        self.part.at()
    }

    /// A cursor over a part.
    pub(crate) fn new(part: Part<'a, 'k, K>) -> (r: Self)
        ensures
            r.is_live() == part.is_live(),
            r.space() == part.space(),
            r.first() == part.first(),
            r.end() == part.end(),
            r.at() == part.at(),
    {
        Cursor { part }
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
        no_unwind
    {
        self.part.span().virt_addr()
    }

    /// What is where the cursor is. A page's frames get one more reference each.
    ///
    /// # Errors
    /// [`VmError::OutOfRange`] at the end of the range; [`VmError::Frame`] if a frame can't have one more reference.
    pub fn query(&self) -> (r: Result<Slot<'k, K>, VmError>)
        ensures
            match r {
                Ok(slot) => self.is_slot(slot),
                Err(e) => self.is_query_error(e),
            },
    {
        let (at, end) = self.part.span().rest();
        if at >= end {
            return Err(VmError::OutOfRange { addr: at });
        }
        if !self.part.is_usable() {
            return Err(VmError::Poisoned);
        }
        proof {
            self.part.lemma_reach();
            self.part.lemma_shaped();
        }
        match self.part.query(at, end) {
            Ok(Some((start, page, item))) => {
                let first = start.offset();
                match item {
                    Some(item) => Ok(
                        Slot {
                            range: VirtRange::from_offsets(first, first + page.size.bytes()),
                            item: Some((item, page.prop)),
                        },
                    ),
                    None => Ok(Slot { range: VirtRange::from_offsets(at, first), item: None }),
                }
            },
            Ok(None) => Ok(Slot { range: VirtRange::from_offsets(at, end), item: None }),
            Err(e) => Err(VmError::Frame(e)),
        }
    }

    /// Goes to the first address of the next `len` bytes that is mapped, and answers with it; if there is none, goes over
    /// them.
    ///
    /// # Errors
    /// [`VmError::Paging`] with [`Error::NotAligned`] if `len` is not a multiple of the smallest page;
    /// [`VmError::OutOfRange`] if the range ends before.
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
                    &&& old(self).is_ahead_error(len, e)
                    &&& final(self).at() == old(self).at()
                },
            },
    {
        let (at, to) = self.ahead(len)?;
        if at == to {
            return Ok(None);
        }
        if !self.part.is_usable() {
            return Err(VmError::Poisoned);
        }
        proof {
            self.part.lemma_reach();
        }
        match self.part.find(at, to) {
            Some((start, _)) => {
                let first = start.offset();
                let there = if first > at {
                    first
                } else {
                    at
                };
                proof {
                    assert(self.space().covers(start@, there as int));
                }
                self.part.go(there);
                Ok(Some(VirtAddr::from_offset(there)))
            },
            None => {
                self.part.go(to);
                Ok(None)
            },
        }
    }

    /// Goes to `va`, which may be the end of the range, if that is an address.
    ///
    /// # Errors
    /// [`VmError::Paging`] with [`Error::NotAligned`] if `va` is not a multiple of the smallest page;
    /// [`VmError::OutOfRange`] if it is not in the range.
    pub fn jump(&mut self, va: VirtAddr<K::Mode>) -> (r: Result<(), VmError>)
        ensures
            final(self).is_as(*old(self)),
            match r {
                Ok(()) => {
                    &&& old(self).first() <= va@ <= old(self).end()
                    &&& final(self).at() == va@
                },
                Err(e) => {
                    &&& final(self).at() == old(self).at()
                    &&& e == VmError::OutOfRange { addr: va.raw() } && !(old(self).first() <= va@
                        <= old(self).end()) || e == VmError::Paging(
                        Error::NotAligned { addr: va.raw(), size: K::Mode::geo().span(1) as u64 },
                    ) && va@ % K::Mode::geo().span(1) != 0
                },
            },
    {
        let (at, size) = (va.offset(), K::Mode::geometry().entry_span(1));
        if at % size != 0 {
            return Err(VmError::Paging(Error::NotAligned { addr: va.as_u64(), size }));
        }
        let (_, end) = self.part.span().rest();
        if at < self.part.span().start() || at > end {
            return Err(VmError::OutOfRange { addr: va.as_u64() });
        }
        self.part.go(at);
        Ok(())
    }

    /// What is where the cursor is, which goes on past it; `None` at the end of the range.
    ///
    /// # Errors
    /// Those of [`query`](Cursor::query), but for the end of the range.
    pub fn next_slot(&mut self) -> (r: Result<Option<Slot<'k, K>>, VmError>)
        ensures
            final(self).is_as(*old(self)),
            match r {
                Ok(Some(slot)) => {
                    &&& old(self).is_slot(slot)
                    &&& final(self).at() == min(
                        slot.range.first()@ + slot.range.bytes(),
                        old(self).end(),
                    )
                },
                Ok(None) => old(self).at() == old(self).end(),
                Err(e) => old(self).is_query_error(e) && final(self).at() == old(self).at(),
            },
    {
        let (at, end) = self.part.span().rest();
        if at >= end {
            return Ok(None);
        }
        let slot = self.query()?;
        let (first, size) = (slot.range.start().offset(), slot.range.size());
        let next = if size < end - first {
            first + size
        } else {
            end
        };
        self.part.go(next);
        Ok(Some(slot))
    }

    /// The next `len` bytes: from where to where.
    pub(super) fn ahead(&self, len: u64) -> (r: Result<(u64, u64), VmError>)
        ensures
            match r {
                Ok((at, to)) => {
                    &&& at == self.at()
                    &&& to == at + len
                    &&& len as int % K::Mode::geo().span(1) == 0
                    &&& self.first() <= at <= to <= self.end() <= K::Mode::geo().limit()
                },
                Err(e) => self.is_ahead_error(len, e),
            },
    {
        let (at, end) = self.part.span().rest();
        let size = K::Mode::geometry().entry_span(1);
        if len % size != 0 {
            return Err(VmError::Paging(Error::NotAligned { addr: len, size }));
        }
        if len > end - at {
            return Err(VmError::OutOfRange { addr: at.wrapping_add(len) });
        }
        proof {
            self.part.lemma_reach();
        }
        Ok((at, at + len))
    }
}

} // verus!
impl<'k, K: Kernel> Iterator for Cursor<'_, 'k, K> {
    type Item = Result<Slot<'k, K>, VmError>;

    /// What is where the cursor is, which goes on past it. After an error it stays there.
    fn next(&mut self) -> Option<Self::Item> {
        self.next_slot().transpose()
    }
}
