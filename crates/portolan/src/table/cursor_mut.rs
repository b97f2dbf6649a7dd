//! A cursor that changes: mapping, unmapping and protecting from where it stands.

use super::PageTable;
use super::scan::Place;
use crate::addr::{VirtAddr, VirtRange};
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::arch::x86_64::X86_64;
use crate::arch::{PagingMode, Preset};
use crate::error::Error;
use crate::hw::TableMemory;
use crate::prop::Mapping;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

mod change;
mod near;
#[cfg(verus_only)]
pub(crate) mod spec;
mod used;

pub use change::ChangedPage;

verus! {

/// A position in a range of addresses of a page table, to read what is mapped there and to change it.
///
/// It starts at the range's first address, and changes nothing outside of the range. Mapping, unmapping and protecting move
/// it past what they did; [`jump`](CursorMut::jump), [`find_next`](CursorMut::find_next) and
/// [`move_forward`](CursorMut::move_forward) move it as they move a [`Cursor`](crate::Cursor).
///
/// It keeps the table in which it stands: mapping, protecting or reading a page there takes no way down from the root.
///
/// ```
/// use portolan::{Error, Invalidate, PageProperty, PageSize, PageTable, PhysAddr, TableMemory, VirtAddr, VirtRange, X86_64};
///
/// /// Takes away the right to store from all pages of a range; each keeps its others.
/// fn freeze<M: TableMemory>(
///     table: &mut PageTable<M>,
///     range: VirtRange<X86_64>,
///     tlb: &impl Invalidate<X86_64>,
/// ) -> Result<(), Error> {
///     let mut cursor = table.cursor_mut(range)?;
///     while cursor.find_next(u64::MAX).is_some() {
///         let now = cursor.query().map_or(PageProperty::USER_RO, |page| page.prop);
///         if let Some((_, _, flush)) = cursor.protect_next(u64::MAX, PageProperty { write: false, ..now })? {
///             flush.pay(tlb);
///         }
///     }
///     Ok(())
/// }
/// # use std::{cell::RefCell, vec::Vec};
/// # struct Heap(RefCell<Vec<[u64; 512]>>);
/// # // SAFETY: tables are distinct elements, named by distinct multiples of 4096
/// # unsafe impl TableMemory for &Heap {
/// #     fn alloc_zeroed(&self, _: usize) -> Option<PhysAddr> {
/// #         self.0.borrow_mut().push([0; 512]);
/// #         Some(PhysAddr::new(self.0.borrow().len() as u64 * 4096))
/// #     }
/// #     unsafe fn free(&self, _: PhysAddr, _: usize) {}
/// #     unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
/// #         self.0.borrow()[table.as_u64() as usize / 4096 - 1][index]
/// #     }
/// #     unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
/// #         self.0.borrow_mut()[table.as_u64() as usize / 4096 - 1][index] = word;
/// #     }
/// #     unsafe fn compare_exchange(&self, _: PhysAddr, _: usize, now: u64, _: u64) -> Result<u64, u64> {
/// #         Err(now)
/// #     }
/// #     fn phys_bits(&self) -> u8 {
/// #         48
/// #     }
/// # }
/// # use portolan::FlushRange;
/// # struct NoTlb;
/// # // SAFETY: no processor uses the table
/// # unsafe impl Invalidate<X86_64> for NoTlb {
/// #     fn invalidate(&self, _: FlushRange<X86_64>) {}
/// # }
/// # let heap = Heap(RefCell::new(Vec::new()));
/// # let mut table = PageTable::<&Heap>::new(&heap)?;
/// # let tlb = NoTlb;
/// let user = VirtRange::new(VirtAddr::new(0x40_0000)?, 0x20_0000)?;
/// let mut cursor = table.cursor_mut(user)?;
/// cursor.map(PhysAddr::new(0x1000), PageSize::Size4K, PageProperty::USER_RX)?;
/// cursor.map_range(0x3000, PhysAddr::new(0x8000), PageSize::Size2M, PageProperty::USER_RW)?;
/// freeze(&mut table, user, &tlb)?;
/// let last = table.query(VirtAddr::new(0x40_3000)?)?;
/// assert_eq!((last.frame, last.prop.write), (PhysAddr::new(0xa000), false));
/// # Ok::<(), portolan::Error>(())
/// ```
#[verifier::reject_recursive_types(M)]
pub struct CursorMut<'a, M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    pub(crate) table: &'a mut PageTable<M, A, B>,
    /// The range's first address.
    pub(crate) first: VirtAddr<A>,
    /// The range's end and the position, counted from the start of what the table covers.
    pub(crate) end: u64,
    pub(crate) at: u64,
    /// A table that is known, the one in which the cursor stands if it can be.
    pub(crate) near: Option<Place>,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// A cursor over `range`, at its first address, that can change what is mapped there.
    ///
    /// # Errors
    /// As for [`cursor`](PageTable::cursor).
    pub fn cursor_mut(&mut self, range: VirtRange<A>) -> (r: Result<CursorMut<'_, M, A, B>, Error>)
        ensures
            match r {
                Ok(cursor) => {
                    &&& cursor.table() == *old(self)
                    &&& cursor.final_table() == *final(self)
                    &&& cursor.start_at() == cursor.position() == range.first()@
                    &&& cursor.end_at() == range.first()@ + range.bytes()
                    &&& request::check_range(range) is None
                },
                Err(e) => request::check_range(range) == Some(e) && *final(self) == *old(self),
            },
    {
        let (at, end) = Self::bounds(&range)?;
        Ok(CursorMut { table: self, first: range.start(), end, at, near: None })
    }
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> CursorMut<'a, M, A, B> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.first@ <= self.at <= self.end <= A::geo().limit()
        &&& self.near matches Some(near) ==> self.table.owned.tree.is_place(near)
    }

    /// Where the cursor is; `None` at the end of its range, which need not be an address.
    #[must_use]
    pub fn virt_addr(&self) -> (r: Option<VirtAddr<A>>)
        ensures
            match r {
                Some(va) => va@ == self.position() < self.end_at(),
                None => self.position() == self.end_at(),
            },
    {
        proof {
            use_type_invariant(self);
        }
        if self.at < self.end {
            Some(VirtAddr::from_offset(self.at))
        } else {
            None
        }
    }

    /// The mapping that covers the position; `None` if nothing is mapped there, or at the end of the range.
    #[must_use]
    pub fn query(&self) -> (r: Option<Mapping>)
        ensures
            match r {
                Some(now) => {
                    &&& self.position() < self.end_at()
                    &&& self.space().lookup(self.position()) is Some
                    &&& self.space().lookup(self.position())->0.may_become(now)
                },
                None => self.position() < self.end_at() ==> self.space().lookup(
                    self.position(),
                ) is None,
            },
    {
        proof {
            use_type_invariant(self);
            use_type_invariant(&*self.table);
        }
        if self.at == self.end {
            return None;
        }
        let (place, entry) = self.table.owned.tree.seek(self.known(), self.at);
        proof {
            self.table.owned.tree.lemma_decided(place, entry);
        }
        match (entry, A::size_at(place.stop.level)) {
            (Entry::Page { frame, prop }, Some(size)) => Some(Mapping { frame, size, prop }),
            _ => None,
        }
    }

    /// The addresses around the position for which [`query`](CursorMut::query) has the same answer, as the first one and
    /// a number of bytes: all of the page, or of what an entry covers in which nothing is. They may reach out of the range.
    /// `None` at its end.
    #[must_use]
    pub fn extent(&self) -> (r: Option<(VirtAddr<A>, u64)>)
        ensures
            match r {
                Some((va, size)) => {
                    &&& self.position() < self.end_at()
                    &&& self.space().is_extent(self.position(), va@, size as int)
                },
                None => self.position() == self.end_at(),
            },
    {
        proof {
            use_type_invariant(self);
            use_type_invariant(&*self.table);
        }
        if self.at == self.end {
            return None;
        }
        let tree = &self.table.owned.tree;
        let (place, _) = tree.seek(self.known(), self.at);
        proof {
            tree.lemma_place(place);
        }
        let (start, size) = tree.extent(&place);
        Some((VirtAddr::from_offset(start), size))
    }

    /// Moves to the first address that is mapped, from the position on within `len` bytes, and says which it is.
    ///
    /// If there is none, the cursor is at the end of these bytes, or of its range if that comes first.
    pub fn find_next(&mut self, len: u64) -> (r: Option<VirtAddr<A>>)
        ensures
            ({
                let from = old(self).position();
                let end = old(self).after(len as int);
                match r {
                    Some(va) => {
                        &&& va@ < end
                        &&& old(self).space().is_next(from, va@)
                        &&& final(self).moved_from(*old(self), va@)
                    },
                    None => {
                        &&& old(self).space().is_free(from, end)
                        &&& final(self).moved_from(*old(self), end)
                    },
                }
            }),
    {
        proof {
            use_type_invariant(&*self);
            use_type_invariant(&*self.table);
        }
        let end = self.ahead(len);
        let (near, page) = self.table.owned.tree.scan(self.known(), self.at, end);
        self.near = Some(near);
        match page {
            Some(_) => {
                self.at = near.va;
                Some(VirtAddr::from_offset(near.va))
            },
            None => {
                self.at = end;
                None
            },
        }
    }

    /// Moves to `va`, an address of the range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if it is none; the cursor stays where it is.
    pub fn jump(&mut self, va: VirtAddr<A>) -> (r: Result<(), Error>)
        ensures
            match r {
                Ok(()) => {
                    &&& old(self).start_at() <= va@ < old(self).end_at()
                    &&& final(self).moved_from(*old(self), va@)
                },
                Err(e) => {
                    &&& !(old(self).start_at() <= va@ < old(self).end_at())
                    &&& e == (Error::OutOfRange { addr: va.raw(), size: 0 })
                    &&& final(self).moved_from(*old(self), old(self).position())
                },
            },
    {
        proof {
            use_type_invariant(&*self);
        }
        let at = va.offset();
        if at < self.first.offset() || at >= self.end {
            return Err(Error::OutOfRange { addr: va.as_u64(), size: 0 });
        }
        self.at = at;
        self.settle();
        Ok(())
    }

    /// Moves past the page at the position, or past what is covered by the entry in which nothing is; but not out of
    /// the range. At its end, stays there.
    pub fn move_forward(&mut self)
        ensures
            old(self).position() == old(self).end_at() ==> final(self).moved_from(
                *old(self),
                old(self).end_at(),
            ),
            old(self).position() < old(self).end_at() ==> exists|base: int, size: int| #[trigger]
                old(self).space().is_extent(old(self).position(), base, size)
                    && final(self).moved_from(*old(self), old(self).within(base + size)),
    {
        proof {
            use_type_invariant(&*self);
            use_type_invariant(&*self.table);
        }
        let Some((start, size)) = self.extent() else {
            return;
        };
        let ghost (base, bytes) = (start@, size as int);
        let start = start.offset();
        proof {
            assert(self.space().is_extent(self.at as int, base, bytes));
        }
        self.at = if size < self.end - start {
            start + size
        } else {
            self.end
        };
        self.settle();
    }

    /// Keeps the table in which the cursor stands.
    #[inline]
    fn settle(&mut self)
        ensures
            final(self).moved_from(*old(self), old(self).position()),
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
            use_type_invariant(&*self.table);
        }
        if self.at < self.end {
            let (near, _) = self.table.owned.tree.seek(self.known(), self.at);
            self.near = Some(near);
        }
    }

    /// A table to start from.
    #[inline(always)]
    fn known(&self) -> (r: Place)
        ensures
            self.knows(r),
        no_unwind
    {
        proof {
            use_type_invariant(self);
            use_type_invariant(&*self.table);
            A::lemma_geometry();
            A::geo().lemma_span(A::geo().levels as nat);
        }
        match self.near {
            Some(near) => near,
            None => self.table.owned.tree.top(self.first.offset()),
        }
    }

    /// `len` bytes further on, or the end of the range.
    #[inline(always)]
    fn ahead(&self, len: u64) -> (r: u64)
        ensures
            r == self.after(len as int),
            self.position() <= r <= self.end_at() <= A::geo().limit(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        if len < self.end - self.at {
            self.at + len
        } else {
            self.end
        }
    }

    /// The position as a number: at the end, what would be the next address.
    #[inline]
    fn raw(&self) -> (r: u64)
        ensures
            r == self.raw_position(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        self.first.as_u64().wrapping_add(self.at - self.first.offset())
    }
}

} // verus!
