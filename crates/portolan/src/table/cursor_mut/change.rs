//! What a cursor changes where it stands.

use super::CursorMut;
use crate::addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::{EntryFormat, stored};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty};
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

verus! {

/// A page that was changed: where it is, what it was, and the flush for it.
pub type ChangedPage<M, A> = (VirtAddr<A>, Mapping, Flush<M, A>);

/// # Changing what is mapped
/// After an error nothing has changed, and the cursor stays where it is.
impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> CursorMut<'a, M, A, B> {
    /// Maps the page of `size` at the position to `frame`, and moves past it.
    ///
    /// In the table in which the cursor stands that takes one store, and one for the count of pages in the table.
    ///
    /// # Errors
    /// [`Error::PastEnd`] if the page passes the end of the range; then as for [`map`](crate::PageTable::map).
    pub fn map(&mut self, frame: PhysAddr, size: PageSize, prop: PageProperty) -> (r: Result<
        (),
        Error,
    >)
        ensures
            final(self).is_of(*old(self)),
            match r {
                Ok(()) => {
                    let at = old(self).position();
                    &&& at + size.bytes() <= old(self).end_at()
                    &&& old(self).may_map(frame, size, prop)
                    &&& !old(self).space().overlaps(at, size.bytes() as int)
                    &&& final(self).space() == old(self).space().map(
                        at,
                        frame,
                        size,
                        stored::<B>(prop),
                    )
                    &&& final(self).table().steps_from(old(self).table())
                    &&& final(self).position() == at + size.bytes()
                },
                Err(e) => {
                    &&& old(self).is_map_error(frame, size, prop, e)
                    &&& final(self).stays(*old(self))
                },
            },
    {
        proof {
            use_type_invariant(&*self);
        }
        let bytes = size.bytes();
        if bytes > self.end - self.at {
            return Err(Error::PastEnd { addr: self.raw(), size: bytes });
        }
        let va = VirtAddr::from_offset(self.at);
        assert(self.is_here(va));
        let near = self.known();
        self.near = None;
        let near = self.table.map_from(near, va, frame, size, prop)?;
        self.near = Some(near);
        self.at += bytes;
        Ok(())
    }

    /// Maps the next `len` bytes to the frames from `frame` on, all of them or nothing, by the largest pages that the
    /// alignment of both allows, none larger than `largest`; and moves past them.
    ///
    /// # Errors
    /// [`Error::PastEnd`] if they pass the end of the range; then as for [`map_range`](crate::PageTable::map_range).
    pub fn map_range(
        &mut self,
        len: u64,
        frame: PhysAddr,
        largest: PageSize,
        prop: PageProperty,
    ) -> (r: Result<(), Error>)
        ensures
            final(self).is_of(*old(self)),
            match r {
                Ok(()) => {
                    let (lo, hi) = (old(self).position(), old(self).position() + len);
                    &&& hi <= old(self).end_at()
                    &&& old(self).may_map_range(len, frame, largest, prop)
                    &&& old(self).space().is_free(lo, hi)
                    &&& final(self).space() == old(self).space().map_range::<A>(
                        lo,
                        hi,
                        frame.0 as int,
                        largest,
                        stored::<B>(prop),
                    )
                    &&& final(self).table().steps_through(old(self).table())
                    &&& final(self).position() == hi
                },
                Err(e) => {
                    &&& old(self).is_map_range_error(len, frame, largest, prop, e)
                    &&& final(self).stays(*old(self))
                },
            },
    {
        proof {
            use_type_invariant(&*self);
        }
        if len > self.end - self.at {
            return Err(Error::PastEnd { addr: self.raw(), size: len });
        }
        if self.at == self.end {
            return Ok(());
        }
        let range = VirtRange::from_offsets(self.at, self.at + len);
        assert(self.is_next_range(range, len as int));
        self.near = None;
        self.table.map_range(range, frame, largest, prop)?;
        self.at += len;
        self.settle();
        Ok(())
    }

    /// Unmaps all pages in the next `len` bytes, or up to the end of the range if that comes first, and moves past them.
    /// There may be holes. Answers with how many bytes were mapped there.
    ///
    /// A page that lies partly in these bytes is divided first. The flush is for all of them, and for no address if nothing
    /// was mapped there. It keeps alive the tables that became empty.
    ///
    /// # Errors
    /// As for [`unmap_range`](crate::PageTable::unmap_range).
    pub fn unmap(&mut self, len: u64) -> (r: Result<(u64, Flush<M, A>), Error>)
        ensures
            final(self).is_of(*old(self)),
            match r {
                Ok((bytes, flush)) => {
                    let (lo, hi) = (old(self).position(), old(self).after(len as int));
                    &&& final(self).table().is_unmapped_from(
                        old(self).table(),
                        lo,
                        hi,
                        bytes,
                        flush,
                    )
                    &&& final(self).position() == hi
                },
                Err(e) => {
                    &&& old(self).is_unmap_error(len, e)
                    &&& final(self).stays(*old(self))
                },
            },
    {
        proof {
            use_type_invariant(&*self);
        }
        let hi = self.ahead(len);
        if self.at == self.end {
            proof {
                use_type_invariant(&*self.table);
                self.table.lemma_nothing_to_do(self.at as int);
            }
            return Ok(
                (
                    0,
                    Flush::new(
                        self.first,
                        0,
                        PageSize::Size4K,
                        None,
                        self.table.owned.tree.moment(),
                    ),
                ),
            );
        }
        let range = VirtRange::from_offsets(self.at, hi);
        assert(self.is_next_range(range, hi - self.at));
        self.near = None;
        let r = self.table.unmap_range(range)?;
        self.at = hi;
        self.settle();
        Ok(r)
    }

    /// Gives the first page from the position on within `len` bytes other properties, by one store, and moves past it;
    /// answers with where it is and what it was. `None` if nothing is mapped in these bytes: then the cursor is at their
    /// end, or at that of its range if that comes first.
    ///
    /// Accessed and dirty bits that are set stay set. What the page has now, [`query`](CursorMut::query) says after
    /// [`find_next`](CursorMut::find_next).
    ///
    /// # Errors
    /// In this order: [`Error::CoveredByHugePage`] if the page lies partly outside of these bytes;
    /// [`Error::UnsupportedProperty`]; [`Error::BreakBeforeMake`] on AArch64 if the page's cache policy would change, or it
    /// would become global.
    pub fn protect_next(&mut self, len: u64, prop: PageProperty) -> (r: Result<
        Option<ChangedPage<M, A>>,
        Error,
    >)
        ensures
            final(self).is_of(*old(self)),
            ({
                let (from, end) = (old(self).position(), old(self).after(len as int));
                match r {
                    Ok(Some((va, was, flush))) => {
                        &&& old(self).space().is_next(from, va@)
                        &&& va@ + was.size.bytes() <= end
                        &&& A::supports(prop)
                        &&& request::is_found(old(self).space(), va, was.size, was)
                        &&& !request::needs_break::<A>(old(self).space().pages[va@].prop, prop)
                        &&& final(self).space() == old(self).space().protect(
                            va@,
                            prop.keeping(was.prop),
                        )
                        &&& final(self).table().is_changed_from(
                            old(self).table(),
                            va,
                            was.size,
                            flush,
                        )
                        &&& final(self).position() == va@ + was.size.bytes()
                    },
                    Ok(None) => {
                        &&& old(self).space().is_free(from, end)
                        &&& final(self).moved_from(*old(self), end)
                    },
                    Err(e) => {
                        &&& old(self).table().is_next_error(from, end, prop, e)
                        &&& final(self).stays(*old(self))
                    },
                }
            }),
    {
        proof {
            use_type_invariant(&*self);
            use_type_invariant(&*self.table);
        }
        let end = self.ahead(len);
        let near = self.known();
        self.near = None;
        let (near, r) = self.table.protect_first(near, self.at, end, prop);
        self.near = Some(near);
        let page = r?;
        self.at = match &page {
            Some((va, was, _)) => va.offset() + was.size.bytes(),
            None => end,
        };
        Ok(page)
    }
}

} // verus!
