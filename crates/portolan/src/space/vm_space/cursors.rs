//! The cursors of an address space.

use super::super::cursor::Cursor;
use super::super::cursor_mut::CursorMut;
use super::super::flusher::Flusher;
use super::super::kernel::Kernel;
use super::super::part::Part;
use super::super::span::Span;
use super::VmSpace;
use crate::addr::VirtRange;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::hw::processor::relax;
use crate::space::VmError;
#[cfg(verus_only)]
use crate::spec::request;
use crate::table::PageTable;
use vstd::prelude::*;

verus! {

/// # Cursors
impl<'k, K: Kernel> VmSpace<'k, K> {
    /// A cursor over `range`, to look at what is mapped. Waits until no other cursor is in the range, or has a page that lies
    /// partly in it.
    ///
    /// # Errors
    /// [`VmError::Paging`] with [`Error::NotAligned`](crate::Error::NotAligned) if the range's start, or its end, is not a
    /// multiple of the smallest page, or with [`Error::PastEnd`](crate::Error::PastEnd).
    pub fn cursor<'a, G: AtomicMode>(&'a self, guard: &'a G, range: &VirtRange<K::Mode>) -> (r:
        Result<Cursor<'a, 'k, K>, VmError>)
        ensures
            match r {
                Ok(cursor) => request::check_range(*range) is None && cursor.is_new(*range),
                Err(e) => e matches VmError::Paging(e) && request::check_range(*range) == Some(e),
            },
    {
        let span = Self::span(range)?;
        Ok(Cursor::new(self.claim(guard, span)))
    }

    /// A cursor over `range`, to change what is mapped. Waits as [`cursor`](VmSpace::cursor) does.
    ///
    /// # Errors
    /// Those of [`cursor`](VmSpace::cursor).
    pub fn cursor_mut<'a, G: AtomicMode>(&'a self, guard: &'a G, range: &VirtRange<K::Mode>) -> (r:
        Result<CursorMut<'a, 'k, K, G>, VmError>)
        ensures
            match r {
                Ok(cursor) => {
                    &&& request::check_range(*range) is None
                    &&& cursor.is_new(*range)
                    &&& cursor.root() == self.root_table()
                },
                Err(e) => e matches VmError::Paging(e) && request::check_range(*range) == Some(e),
            },
    {
        let span = Self::span(range)?;
        let part = self.claim(guard, span);
        Ok(self.changing(guard, part))
    }

    /// As [`cursor`](VmSpace::cursor), but doesn't wait: `None` if another cursor is in the way, or there are 16 already. For
    /// who has a cursor of this address space, and wants a second one.
    ///
    /// # Errors
    /// Those of [`cursor`](VmSpace::cursor).
    pub fn try_cursor<'a, G: AtomicMode>(&'a self, guard: &'a G, range: &VirtRange<K::Mode>) -> (r:
        Result<Option<Cursor<'a, 'k, K>>, VmError>)
        ensures
            match r {
                Ok(Some(cursor)) => request::check_range(*range) is None && cursor.is_new(*range),
                Ok(None) => request::check_range(*range) is None,
                Err(e) => e matches VmError::Paging(e) && request::check_range(*range) == Some(e),
            },
    {
        let _ = guard;
        let span = Self::span(range)?;
        match Part::try_new(self.machine, &self.lock, span) {
            Ok(part) => Ok(Some(Cursor::new(part))),
            Err(_) => Ok(None),
        }
    }

    /// As [`cursor_mut`](VmSpace::cursor_mut), but doesn't wait, as [`try_cursor`](VmSpace::try_cursor).
    ///
    /// # Errors
    /// Those of [`cursor`](VmSpace::cursor).
    pub fn try_cursor_mut<'a, G: AtomicMode>(
        &'a self,
        guard: &'a G,
        range: &VirtRange<K::Mode>,
    ) -> (r: Result<Option<CursorMut<'a, 'k, K, G>>, VmError>)
        ensures
            match r {
                Ok(Some(cursor)) => {
                    &&& request::check_range(*range) is None
                    &&& cursor.is_new(*range)
                    &&& cursor.root() == self.root_table()
                },
                Ok(None) => request::check_range(*range) is None,
                Err(e) => e matches VmError::Paging(e) && request::check_range(*range) == Some(e),
            },
    {
        let span = Self::span(range)?;
        match Part::try_new(self.machine, &self.lock, span) {
            Ok(part) => Ok(Some(self.changing(guard, part))),
            Err(_) => Ok(None),
        }
    }

    /// A cursor that changes `part`.
    #[inline]
    fn changing<'a, G: AtomicMode>(&'a self, guard: &'a G, part: Part<'a, 'k, K>) -> (r: CursorMut<
        'a,
        'k,
        K,
        G,
    >)
        ensures
            r.is_live() == part.is_live(),
            r.first() == part.first(),
            r.end() == part.end(),
            r.at() == part.at(),
            r.root() == self.root_table(),
    {
        proof {
            use_type_invariant(self);
        }
        CursorMut::new(part, Flusher::new(self.machine, &self.active, guard))
    }

    /// The range, if a cursor can be over it.
    fn span(range: &VirtRange<K::Mode>) -> (r: Result<Span<K::Mode>, VmError>)
        ensures
            match r {
                Ok(span) => {
                    &&& request::check_range(*range) is None
                    &&& span.first() == range.first()@
                    &&& span.end() == range.first()@ + range.bytes()
                    &&& span.at() == span.first()
                },
                Err(e) => e matches VmError::Paging(e) && request::check_range(*range) == Some(e),
            },
    {
        match PageTable::<K::Tables, K::Mode, K::Bits>::bounds(range) {
            Ok((lo, hi)) => Ok(Span::new(lo, hi)),
            Err(e) => Err(VmError::Paging(e)),
        }
    }

    /// Waits until nobody has some of what `span` needs, or all are had that there is room for. Meanwhile this processor does
    /// what others ask of it, one of which may have that.
    ///
    /// It ends when the others' cursors are dropped, which wait for nobody but processors that answer.
    ///
    /// Exercised by `space::cursors_on_the_same_range_wait_for_each_other`.
    #[verifier::exec_allows_no_decreases_clause]
    pub(super) fn claim<G: AtomicMode>(&self, guard: &G, span: Span<K::Mode>) -> (r: Part<
        '_,
        'k,
        K,
    >)
        ensures
            r.is_live(),
            r.whole().root == self.root_table(),
            r.whole().frames == self.machine.frame_table(),
            r.first() == span.first(),
            r.end() == span.end(),
            r.at() == span.at(),
    {
        proof {
            use_type_invariant(self);
        }
        let mut wanted = span;
        loop
            invariant
                self.inv(),
                wanted.first() == span.first(),
                wanted.end() == span.end(),
                wanted.at() == span.at(),
        {
            match Part::try_new(self.machine, &self.lock, wanted) {
                Ok(part) => {
                    return part;
                },
                Err(same) => {
                    wanted = same;
                },
            }
            self.machine.shootdown().handle(guard, self.machine.cpus());
            relax::<K::Mode, K::Cpus>(self.machine.cpus());
        }
    }
}

} // verus!
