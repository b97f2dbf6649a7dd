//! All pages of a range, in order.

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

#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// The pages that overlap a range of addresses, each once and with where it starts, in the order of addresses.
///
/// The first may start before the range, and the last may end after it: pages are not cut. For each page one word is
/// read, and one for each entry in which nothing is; only in another table the way is down from the root again.
///
/// As an [`Iterator`] it gives what [`next_page`](Mappings::next_page) does, whose contract says what that is.
#[verifier::reject_recursive_types(M)]
pub struct Mappings<'a, M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    pub(crate) table: &'a PageTable<M, A, B>,
    /// What is left: the first address and the end, counted from the start of what the table covers.
    pub(crate) at: u64,
    pub(crate) end: u64,
    /// The table of the last page.
    pub(crate) near: Place,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// The pages that overlap `range`, in the order of addresses.
    ///
    /// ```
    /// use portolan::{PageTable, TableMemory, VirtAddr, VirtRange};
    ///
    /// /// How many bytes user mode may write.
    /// fn writable<M: TableMemory>(table: &PageTable<M>) -> Result<u64, portolan::Error> {
    ///     let user = VirtRange::new(VirtAddr::new(0)?, 1 << 47)?;
    ///     let pages = table.mappings(user)?.map(|(_, page)| page);
    ///     Ok(pages.filter(|page| page.prop.user && page.prop.write).map(|page| page.size.bytes()).sum())
    /// }
    /// ```
    ///
    /// # Errors
    /// As for [`cursor`](PageTable::cursor).
    pub fn mappings(&self, range: VirtRange<A>) -> (r: Result<Mappings<'_, M, A, B>, Error>)
        ensures
            match r {
                Ok(pages) => {
                    &&& pages.space() == self@
                    &&& pages.next_at() == range.first()@
                    &&& pages.end_at() == range.first()@ + range.bytes()
                    &&& request::check_range(range) is None
                },
                Err(e) => request::check_range(range) == Some(e),
            },
    {
        let (at, end) = Self::bounds(&range)?;
        Ok(self.pages_between(at, end))
    }

    /// The pages that overlap the addresses from `at` to below `end`, counted from the start of what the table covers.
    pub(crate) fn pages_between(&self, at: u64, end: u64) -> (r: Mappings<'_, M, A, B>)
        requires
            at < A::geo().limit(),
            end <= A::geo().limit(),
        ensures
            r.space() == self@,
            r.next_at() == at,
            r.end_at() == end,
    {
        proof {
            use_type_invariant(self);
        }
        let near = self.owned.tree.top(at);
        Mappings { table: self, at, end, near }
    }
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Mappings<'a, M, A, B> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.end <= A::geo().limit()
        &&& self.table.owned.tree.is_place(self.near)
    }

    /// The next page and where it starts: the first of those left that reaches past the last one.
    pub fn next_page(&mut self) -> (r: Option<(VirtAddr<A>, Mapping)>)
        ensures
            final(self).space() == old(self).space(),
            final(self).end_at() == old(self).end_at(),
            match r {
                Some((va, now)) => {
                    &&& old(self).space().is_next_page(old(self).next_at(), va@)
                    &&& old(self).space().pages[va@].may_become(now)
                    &&& va@ < old(self).end_at()
                    &&& final(self).next_at() == va@ + now.size.bytes()
                },
                None => {
                    &&& old(self).space().is_free(old(self).next_at(), old(self).end_at())
                    &&& final(self).next_at() == old(self).end_at()
                },
            },
    {
        proof {
            use_type_invariant(&*self);
            use_type_invariant(self.table);
        }
        let (near, found) = self.table.owned.tree.scan(self.near, self.at, self.end);
        let Some(entry) = found else {
            *self = Mappings { table: self.table, at: self.end, end: self.end, near };
            return None;
        };
        proof {
            self.table.owned.tree.lemma_decided(near, entry);
        }
        let (start, size) = self.table.owned.tree.extent(&near);
        *self = Mappings { table: self.table, at: start + size, end: self.end, near };
        match (entry, A::size_at(near.stop.level)) {
            (Entry::Page { frame, prop }, Some(size)) => Some(
                (VirtAddr::from_offset(start), Mapping { frame, size, prop }),
            ),
            _ => None,
        }
    }
}

} // verus!

impl<M: TableMemory, A: PagingMode, B: AccessBits> Iterator for Mappings<'_, M, A, B> {
    type Item = (VirtAddr<A>, Mapping);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_page()
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> core::iter::FusedIterator
    for Mappings<'_, M, A, B>
{
}
