//! One page mapped or protected from a table that is known, as a user is told.

use super::super::PageTable;
use super::super::breaks::needs_break;
use super::super::change::Change;
#[cfg(verus_only)]
use super::super::model::Model;
use super::super::protect::page_of;
use super::super::scan::Place;
#[cfg(verus_only)]
use super::super::tree::Tree;
#[cfg(verus_only)]
use super::super::used::proof::lemma_check;
use super::change::ChangedPage;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::arch::entry::stored;
use crate::arch::entry::{AccessBits, Entry};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty};
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

#[cfg(verus_only)]
mod proof;

verus! {

/// Where a page starts, and its size.
type PageAt<A> = (VirtAddr<A>, PageSize);

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// As [`map`](PageTable::map), from a table that is known; answers with the one of the page.
    pub(super) fn map_from(
        &mut self,
        near: Place,
        va: VirtAddr<A>,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> (r: Result<Place, Error>)
        requires
            old(self).owned.tree.is_place(near),
        ensures
            match r {
                Ok(near) => {
                    &&& final(self).owned.tree.is_place(near)
                    &&& request::check_map(old(self).phys_bits(), va, frame, size, prop) is None
                    &&& !old(self)@.overlaps(va@, size.bytes() as int)
                    &&& final(self)@ == old(self)@.map(va@, frame, size, stored::<B>(prop))
                    &&& final(self).steps_from(*old(self))
                },
                Err(e) => {
                    &&& request::is_map_error(
                        old(self)@,
                        old(self).phys_bits(),
                        va,
                        frame,
                        size,
                        prop,
                        e,
                    )
                    &&& final(self).same_as(*old(self))
                },
            },
        no_unwind
    {
        let level = self.check_map(va, frame, size, prop)?;
        proof {
            use_type_invariant(&*self);
        }
        let (place, entry) = self.owned.tree.seek(near, va.offset());
        match entry {
            Entry::Empty if place.stop.level == level => {
                let near = self.owned.tree.map_at(place, frame, prop);
                proof {
                    self.owned.tree.lemma_mapped(
                        old(self).owned.tree,
                        va,
                        level as nat,
                        frame,
                        size,
                        stored::<B>(prop),
                    );
                }
                Ok(near)
            },
            _ => {
                self.map(va, frame, size, prop)?;
                proof {
                    use_type_invariant(&*self);
                }
                let tree = &self.owned.tree;
                let (near, _) = tree.seek(tree.top(va.offset()), va.offset());
                Ok(near)
            },
        }
    }

    /// Gives the first page from `from` to below `end` other properties, from a table that is known; answers with that of
    /// the page, or with one on the way.
    pub(super) fn protect_first(
        &mut self,
        near: Place,
        from: u64,
        end: u64,
        prop: PageProperty,
    ) -> (r: (Place, Result<Option<ChangedPage<M, A>>, Error>))
        requires
            old(self).owned.tree.is_place(near),
            from <= end <= A::geo().limit(),
        ensures
            final(self).owned.tree.is_place(r.0),
            match r.1 {
                Ok(Some((va, was, flush))) => {
                    &&& old(self)@.is_next(from as int, va@)
                    &&& va@ + was.size.bytes() <= end
                    &&& A::supports(prop)
                    &&& request::is_found(old(self)@, va, was.size, was)
                    &&& !request::needs_break::<A>(old(self)@.pages[va@].prop, prop)
                    &&& final(self)@ == old(self)@.protect(va@, prop.keeping(was.prop))
                    &&& final(self).is_changed_from(*old(self), va, was.size, flush)
                },
                Ok(None) => {
                    &&& old(self)@.is_free(from as int, end as int)
                    &&& *final(self) == *old(self)
                },
                Err(e) => {
                    &&& old(self).is_next_error(from as int, end as int, prop, e)
                    &&& *final(self) == *old(self)
                },
            },
        no_unwind
    {
        let (place, r) = self.first_page(near, from, end, prop);
        let (va, size) = match r {
            Ok(Some(page)) => page,
            Ok(None) => return (place, Ok(None)),
            Err(e) => return (place, Err(e)),
        };
        proof {
            use_type_invariant(&*self);
        }
        let change = Change::Protect(prop);
        let (frame, was) = self.owned.tree.change_at(place, change);
        proof {
            self.owned.tree.lemma_changed_page(old(self).owned.tree, place, (frame, was), change);
        }
        let flush = Flush::new(va, size.bytes(), size, None, self.owned.tree.moment());
        (place, Ok(Some((va, Mapping { frame, size, prop: was }, flush))))
    }

    /// The first page from `from` to below `end`, where it can be given these properties; and its table, or one on the
    /// way.
    fn first_page(&self, near: Place, from: u64, end: u64, prop: PageProperty) -> (r: (
        Place,
        Result<Option<PageAt<A>>, Error>,
    ))
        requires
            self.owned.tree.is_place(near),
            from <= end <= A::geo().limit(),
        ensures
            self.owned.tree.is_place(r.0),
            match r.1 {
                Ok(Some((va, size))) => {
                    let tree = self.owned.tree;
                    let (at, l) = (r.0.va as int, r.0.stop.level as nat);
                    &&& self@.is_next(from as int, va@)
                    &&& va@ + size.bytes() <= end
                    &&& A::supports(prop)
                    &&& request::check(va, size) is None
                    &&& self@.has(va@, size)
                    &&& !request::needs_break::<A>(self@.pages[va@].prop, prop)
                    &&& va@ == at - at % A::geo().span(l)
                    &&& tree.entry_at(at, l) is Page
                    &&& self@.pages[va@] == Model::mapping::<A>(tree.entry_at(at, l), l)
                },
                Ok(None) => self@.is_free(from as int, end as int),
                Err(e) => self.is_next_error(from as int, end as int, prop, e),
            },
        no_unwind
    {
        hide(AddressSpace::is_next);
        hide(AddressSpace::is_next_page);
        hide(AddressSpace::is_free);
        hide(Tree::is_stop);
        hide(PageTable::is_next_error);
        proof {
            use_type_invariant(self);
        }
        let tree = &self.owned.tree;
        let (place, found) = tree.scan(near, from, end);
        let Some(entry) = found else {
            return (place, Ok(None));
        };
        proof {
            tree.lemma_next_page(from as int, end as int, place, entry);
        }
        let Some(size) = A::size_at(place.stop.level) else {
            return (place, Ok(None));
        };
        let (start, bytes) = tree.extent(&place);
        let va = VirtAddr::from_offset(start);
        let addr = va.as_u64();
        proof {
            lemma_check(va, size);
            self.lemma_next_error(from as int, end as int, prop, va, size, entry->Page_prop);
        }
        if start < from || bytes > end - start {
            (place, Err(Error::CoveredByHugePage { addr, size: bytes }))
        } else if !A::can_express(prop) {
            (place, Err(Error::UnsupportedProperty { addr, size: bytes }))
        } else if needs_break::<A>(page_of(entry).1, prop) {
            (place, Err(Error::BreakBeforeMake { addr, size: bytes }))
        } else {
            (place, Ok(Some((va, size))))
        }
    }
}

} // verus!
