//! Looking at what is mapped, page by page.

use super::error::VmError;
use super::kernel::Kernel;
use super::lease::Lease;
use super::mappings::MappedItem;
use super::pages::{Pages, Whole};
use super::span::Span;
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
/// It has the address space to itself until it is dropped.
#[verifier::reject_recursive_types(K)]
pub struct Cursor<'a, 'k, K: Kernel> {
    pub(super) span: Span<K::Mode>,
    pub(super) lease: Lease<'a, Pages<'k, K>, Whole<'k, K>>,
}

impl<'a, 'k, K: Kernel> Cursor<'a, 'k, K> {
    /// Whether no operation has unwound.
    pub open(super) spec fn is_live(self) -> bool {
        self.lease@ is Some
    }

    /// What is mapped.
    pub open(super) spec fn space(self) -> AddressSpace {
        self.lease@->0.space()
    }

    /// The first address of the range, counted as those of [`AddressSpace`] are.
    pub open(super) spec fn first(self) -> int {
        self.span.first()
    }

    /// Where the range ends.
    pub open(super) spec fn end(self) -> int {
        self.span.end()
    }

    /// Where the cursor is.
    pub open(super) spec fn at(self) -> int {
        self.span.at()
    }

    /// A cursor at the start of `span`.
    pub(crate) fn new(lease: Lease<'a, Pages<'k, K>, Whole<'k, K>>, span: Span<K::Mode>) -> (r:
        Self)
        ensures
            r.is_live() == lease@ is Some,
            r.first() == span.first(),
            r.end() == span.end(),
            r.at() == span.at(),
    {
        Cursor { span, lease }
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
        self.span.virt_addr()
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
        let (at, end) = self.span.rest();
        if at >= end {
            return Err(VmError::OutOfRange { addr: at });
        }
        let Some(pages) = self.lease.get() else {
            return Err(VmError::Poisoned);
        };
        match pages.find(at, end) {
            Some((start, page)) => {
                let first = start.offset();
                if first > at {
                    return Ok(Slot { range: VirtRange::from_offsets(at, first), item: None });
                }
                proof {
                    pages.lemma_shaped();
                }
                match pages.item(Ghost(start@), page) {
                    Ok(item) => Ok(
                        Slot {
                            range: VirtRange::from_offsets(first, first + page.size.bytes()),
                            item: Some((item, page.prop)),
                        },
                    ),
                    Err(e) => Err(VmError::Frame(e)),
                }
            },
            None => Ok(Slot { range: VirtRange::from_offsets(at, end), item: None }),
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
        let Some(pages) = self.lease.get() else {
            return Err(VmError::Poisoned);
        };
        match pages.find(at, to) {
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
                self.span.go(there);
                Ok(Some(VirtAddr::from_offset(there)))
            },
            None => {
                self.span.go(to);
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
        let (_, end) = self.span.rest();
        if at < self.span.start() || at > end {
            return Err(VmError::OutOfRange { addr: va.as_u64() });
        }
        self.span.go(at);
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
        let (at, end) = self.span.rest();
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
        self.span.go(next);
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
        let (at, end) = self.span.rest();
        let size = K::Mode::geometry().entry_span(1);
        if len % size != 0 {
            return Err(VmError::Paging(Error::NotAligned { addr: len, size }));
        }
        if len > end - at {
            return Err(VmError::OutOfRange { addr: at.wrapping_add(len) });
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
