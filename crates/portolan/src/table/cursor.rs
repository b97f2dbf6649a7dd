//! A cursor: reading an address space page by page.

use super::PageTable;
use super::scan::Place;
use crate::addr::{VirtAddr, VirtRange};
use crate::arch::entry::{AccessBits, Entry};
use crate::arch::x86_64::X86_64;
use crate::arch::{PagingMode, Preset};
use crate::error::Error;
use crate::hw::TableMemory;
use crate::prop::Mapping;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// A position in a range of addresses of a page table, to read what is mapped there.
///
/// It starts at the range's first address. It keeps the table in which it stands, so that going on to a neighbouring
/// page reads one word, and a search one word for each entry that it passes; only in another table it goes down from
/// the root again. It borrows the page table: nothing can change while it is read, but for the accessed and dirty bits
/// that hardware sets.
///
/// ```
/// use portolan::{PageProperty, PageSize, PageTable, PhysAddr, TableMemory, VirtAddr, VirtRange};
///
/// fn count<M: TableMemory>(table: &PageTable<M>) -> Result<u64, portolan::Error> {
///     let user = VirtRange::new(VirtAddr::new(0)?, 1 << 47)?;
///     let mut cursor = table.cursor(user)?;
///     let mut bytes = 0;
///     while cursor.find_next(u64::MAX).is_some() {
///         bytes += cursor.query().map_or(0, |page| page.size.bytes());
///         cursor.move_forward();
///     }
///     Ok(bytes)
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
/// # let heap = Heap(RefCell::new(Vec::new()));
/// # let mut table = PageTable::<&Heap>::new(&heap)?;
/// table.map(VirtAddr::new(0x5000)?, PhysAddr::new(0x1000), PageSize::Size4K, PageProperty::USER_RW)?;
/// table.map(VirtAddr::new(0x40_0000)?, PhysAddr::new(0), PageSize::Size2M, PageProperty::USER_RX)?;
/// assert_eq!(count(&table)?, 0x20_1000);
/// # Ok::<(), portolan::Error>(())
/// ```
#[verifier::reject_recursive_types(M)]
pub struct Cursor<'a, M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    pub(crate) table: &'a PageTable<M, A, B>,
    /// The range's first address, its end and the position, counted from the start of what the table covers.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) at: u64,
    /// The last table for the position, or for one before if the position is the end.
    pub(crate) near: Place,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// A cursor over `range`, at its first address.
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] if the range's start, or its end, is not a multiple of the smallest page;
    /// [`Error::PastEnd`].
    pub fn cursor(&self, range: VirtRange<A>) -> (r: Result<Cursor<'_, M, A, B>, Error>)
        ensures
            match r {
                Ok(cursor) => {
                    &&& cursor.space() == self@
                    &&& cursor.start_at() == cursor.position() == range.first()@
                    &&& cursor.end_at() == range.first()@ + range.bytes()
                    &&& request::check_range(range) is None
                },
                Err(e) => request::check_range(range) == Some(e),
            },
    {
        let (start, end) = Self::bounds(&range)?;
        proof {
            use_type_invariant(self);
        }
        let tree = &self.owned.tree;
        let (near, _) = tree.seek(tree.top(start), start);
        Ok(Cursor { table: self, start, end, at: start, near })
    }
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Cursor<'a, M, A, B> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        let tree = self.table.owned.tree;
        &&& self.start <= self.at <= self.end <= A::geo().limit()
        &&& tree.is_place(self.near)
        &&& self.at < self.end ==> self.near.va == self.at && tree.is_last(self.near)
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
            use_type_invariant(self.table);
        }
        if self.at == self.end {
            return None;
        }
        let (place, entry) = self.table.owned.tree.seek(self.near, self.at);
        proof {
            self.table.owned.tree.lemma_decided(place, entry);
        }
        match (entry, A::size_at(place.stop.level)) {
            (Entry::Page { frame, prop }, Some(size)) => Some(Mapping { frame, size, prop }),
            _ => None,
        }
    }

    /// The addresses around the position for which [`query`](Cursor::query) has the same answer, as the first one and a
    /// number of bytes: all of the page, or of what an entry covers in which nothing is. They may reach out of the
    /// range. `None` at its end.
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
            use_type_invariant(self.table);
        }
        if self.at == self.end {
            return None;
        }
        proof {
            self.table.owned.tree.lemma_place(self.near);
        }
        let (start, size) = self.table.owned.tree.extent(&self.near);
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
            use_type_invariant(self.table);
        }
        let left = self.end - self.at;
        let end = if len < left {
            self.at + len
        } else {
            self.end
        };
        let (near, page) = self.table.owned.tree.scan(self.near, self.at, end);
        match page {
            Some(_) => {
                self.set(near.va, near);
                Some(VirtAddr::from_offset(near.va))
            },
            None => {
                self.go(end, near);
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
        if at < self.start || at >= self.end {
            return Err(Error::OutOfRange { addr: va.as_u64(), size: 0 });
        }
        self.go(at, self.near);
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
            use_type_invariant(self.table);
        }
        if self.at == self.end {
            return;
        }
        proof {
            self.table.owned.tree.lemma_place(self.near);
        }
        let (start, size) = self.table.owned.tree.extent(&self.near);
        let next = if size < self.end - start {
            start + size
        } else {
            self.end
        };
        proof {
            assert(self.space().is_extent(self.at as int, start as int, size as int));
        }
        self.go(next, self.near);
    }

    /// Goes to `at`, from a table that is known.
    #[inline]
    fn go(&mut self, at: u64, near: Place)
        requires
            old(self).start_at() <= at <= old(self).end_at(),
            old(self).knows(near),
        ensures
            final(self).moved_from(*old(self), at as int),
    {
        proof {
            use_type_invariant(&*self);
            use_type_invariant(self.table);
        }
        if at < self.end {
            let (near, _) = self.table.owned.tree.seek(near, at);
            self.set(at, near);
        } else {
            self.set(at, near);
        }
    }

    /// At `at`, with a table that is known.
    #[inline]
    fn set(&mut self, at: u64, near: Place)
        requires
            old(self).start_at() <= at <= old(self).end_at(),
            old(self).knows(near),
            at < old(self).end_at() ==> old(self).is_at(at, near),
        ensures
            final(self).moved_from(*old(self), at as int),
    {
        proof {
            use_type_invariant(&*self);
        }
        *self = Cursor { table: self.table, start: self.start, end: self.end, at, near };
    }
}

} // verus!
