//! The page table.

mod breaks;
pub(crate) mod chain;
mod change;
pub(crate) mod collapse;
mod copy;
pub(crate) mod cursor;
pub(crate) mod cursor_mut;
mod cut;
pub(crate) mod descend;
pub(crate) mod fill;
pub(crate) mod full;
pub(crate) mod harvest;
pub(crate) mod iter;
pub(crate) mod map;
pub(crate) mod map_range;
pub(crate) mod model;
#[cfg(verus_only)]
pub(crate) mod perms;
pub(crate) mod pin;
mod place;
pub(crate) mod plan;
#[cfg(verus_only)]
pub(crate) mod proof;
pub(crate) mod protect;
mod range;
pub(crate) mod release;
pub(crate) mod remake;
mod resize;
pub(crate) mod root;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod scan;
#[cfg(verus_only)]
pub(crate) mod shape;
mod share;
#[cfg(verus_only)]
pub(crate) mod spec;
pub(crate) mod split;
pub(crate) mod stack;
pub(crate) mod tree;
pub(crate) mod unmap;
pub(crate) mod used;
pub(crate) mod visit;

use crate::addr::{PageSize, PhysAddr, VirtAddr};
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::arch::entry::stored;
use crate::arch::entry::{AccessBits, Entry};
use crate::arch::x86_64::X86_64;
use crate::arch::{PagingMode, Preset};
use crate::error::Error;
use crate::flush::Flush;
use crate::hw::TableMemory;
use crate::prop::{Mapping, PageProperty};
#[cfg(verus_only)]
use crate::spec::request;
use crate::spec::space::AddressSpace;
use change::Change;
use descend::Descent;
use map::Obstacle;
#[cfg(verus_only)]
use proof::{lemma_level, lemma_spans_grow};
use release::OwnedTree;
#[cfg(verus_only)]
use spec::is_level;
use tree::Tree;
#[cfg(verus_only)]
use vstd::arithmetic::power2::pow2;
use vstd::prelude::*;

verus! {

/// A page table: the tables of one address space, for paging mode `A`, in frames that `M` gives.
///
/// `B` says who looks after accessed and dirty bits: with [`Preset`], the default, all pages have them set from the
/// start and hardware never writes to a table; with [`Tracking`](crate::Tracking) hardware sets them as pages are used.
///
/// Dropping it gives all tables back; but not those of a [`KernelHalf`](crate::KernelHalf), which others may share. The
/// frames that were mapped are the caller's.
#[verifier::reject_recursive_types(M)]
pub struct PageTable<M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    pub(crate) owned: OwnedTree<M, A, B>,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        self.owned.tree.inv() && self.owned.tree.is_complete()
    }

    /// A page table in which nothing is mapped.
    ///
    /// # Errors
    /// [`Error::NoMemory`] if there is no frame for the root, or for a table of a [`KernelHalf`](crate::KernelHalf), which has
    /// them from the start.
    pub fn new(memory: M) -> (r: Result<Self, Error>)
        ensures
            match r {
                Ok(table) => table@ == AddressSpace::empty(),
                Err(e) => e == (Error::NoMemory {
                    addr: 0,
                    size: pow2(A::geo().page_bits as nat) as u64,
                }),
            },
    {
        match Tree::new(memory) {
            Ok(tree) => Ok(PageTable { owned: OwnedTree { tree } }),
            Err(_) => Err(Error::NoMemory { addr: 0, size: A::geometry().table_bytes() as u64 }),
        }
    }

    /// The root table's physical address: what the processor's root register takes (on x86_64, bits 51:12 of `CR3`).
    #[inline]
    #[must_use]
    pub fn root(&self) -> (r: PhysAddr)
        ensures
            r == self.root_table(),
    {
        self.owned.tree.root.addr
    }

    /// Maps the page of `size` at `va` to `frame`.
    ///
    /// On AArch64 and LoongArch64, whatever was unmapped here before has to be flushed first ("break-before-make"). That the
    /// caller did so no type shows here; [`break_page`](PageTable::break_page) leaves no other way.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`] for `va` or `frame`,
    /// [`Error::UnsupportedProperty`], [`Error::PhysTooWide`], [`Error::AlreadyMapped`] if anything is mapped in the
    /// page's range, [`Error::NoMemory`].
    pub fn map(
        &mut self,
        va: VirtAddr<A>,
        frame: PhysAddr,
        size: PageSize,
        prop: PageProperty,
    ) -> (r: Result<(), Error>)
        ensures
            match r {
                Ok(()) => {
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
        match self.owned.tree.map(va.offset(), level, frame, prop) {
            Ok(()) => {
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
                Ok(())
            },
            Err(Obstacle::NoMemory) => Err(
                Error::NoMemory { addr: va.as_u64(), size: size.bytes() },
            ),
            Err(Obstacle::Mapped { level: found }) => {
                proof {
                    old(self).owned.tree.lemma_in_the_way(va, level as nat, found, size);
                }
                Err(self.in_the_way(Ghost(old(self)@), va, Ghost(size), found, Ghost(level)))
            },
        }
    }

    /// Unmaps the page of `size` at `va`.
    ///
    /// The flush keeps alive the tables that became empty. The mapping is as it was at that moment, with the accessed
    /// and dirty bits that hardware had set.
    ///
    /// On AArch64 and LoongArch64 the flush has to be paid before anything is mapped here again, or, if it
    /// [frees tables](Flush::frees_tables), anywhere that they covered. Dropping it, or paying it late, is not noticed: to
    /// map something else in a page's place, take [`break_page`](PageTable::break_page).
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`]; then [`Error::CoveredByHugePage`] or
    /// [`Error::NotMapped`].
    pub fn unmap(&mut self, va: VirtAddr<A>, size: PageSize) -> (r: Result<
        (Mapping, Flush<M, A>),
        Error,
    >)
        ensures
            match r {
                Ok((was, flush)) => {
                    &&& request::is_found(old(self)@, va, size, was)
                    &&& final(self)@ == old(self)@.unmap(va@)
                    &&& final(self).steps_from(*old(self))
                    &&& final(self).is_stored_before(flush.since())
                    &&& flush.due().is_page(va, size)
                    &&& old(self).frames() == final(self).frames().union(flush.frames())
                    &&& final(self).frames().disjoint(flush.frames())
                },
                Err(e) => request::is_find_error(old(self)@, va, size, e) && final(self).same_as(
                    *old(self),
                ),
            },
    {
        let d = self.find(va, size)?;
        proof {
            use_type_invariant(&*self);
        }
        let (frame, prop, owed) = self.owned.tree.unmap(va.offset(), d);
        proof {
            self.owned.tree.lemma_unmapped_page(
                old(self).owned.tree,
                va,
                d.stop.level as nat,
                size,
            );
        }
        Ok(
            (
                Mapping { frame, size, prop },
                Flush::new(va, size.bytes(), size, owed, self.owned.tree.moment()),
            ),
        )
    }

    /// Gives the page of `size` at `va` other properties, by one store: no access meets a hole in between.
    ///
    /// Accessed and dirty bits that are set stay set. The mapping returned is the one before.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`], [`Error::UnsupportedProperty`]; then
    /// [`Error::CoveredByHugePage`] or [`Error::NotMapped`]; [`Error::BreakBeforeMake`] on AArch64 and LoongArch64 if the page's
    /// cache policy would change, or it would become global: then [`break_page`](PageTable::break_page) is the way.
    pub fn protect(&mut self, va: VirtAddr<A>, size: PageSize, prop: PageProperty) -> (r: Result<
        (Mapping, Flush<M, A>),
        Error,
    >)
        ensures
            match r {
                Ok((was, flush)) => {
                    &&& A::supports(prop)
                    &&& request::is_found(old(self)@, va, size, was)
                    &&& !request::needs_break::<A>(old(self)@.pages[va@].prop, prop)
                    &&& final(self)@ == old(self)@.protect(va@, prop.keeping(was.prop))
                    &&& final(self).steps_from(*old(self))
                    &&& final(self).is_stored_before(flush.since())
                    &&& flush.due().is_page(va, size)
                    &&& old(self).frames() == final(self).frames()
                    &&& flush.frames() == Set::<PhysAddr>::empty()
                },
                Err(e) => request::is_protect_error(old(self)@, va, size, prop, e)
                    && final(self).same_as(*old(self)),
            },
        no_unwind
    {
        self.check(va, size)?;
        if !A::can_express(prop) {
            return Err(Error::UnsupportedProperty { addr: va.as_u64(), size: size.bytes() });
        }
        let d = self.find(va, size)?;
        if let Entry::Page { prop: seen, .. } = d.entry {
            if breaks::needs_break::<A>(seen, prop) {
                return Err(Error::BreakBeforeMake { addr: va.as_u64(), size: size.bytes() });
            }
        }
        proof {
            use_type_invariant(&*self);
        }
        let (frame, was) = self.owned.tree.protect(Ghost(va@), d, Change::Protect(prop));
        proof {
            self.owned.tree.lemma_protected_page(
                old(self).owned.tree,
                va,
                d.stop.level as nat,
                size,
                frame,
                prop.keeping(was),
            );
        }
        Ok(
            (
                Mapping { frame, size, prop: was },
                Flush::new(va, size.bytes(), size, None, self.owned.tree.moment()),
            ),
        )
    }

    /// The mapping that covers `va`.
    ///
    /// # Errors
    /// [`Error::NotMapped`].
    pub fn query(&self, va: VirtAddr<A>) -> (r: Result<Mapping, Error>)
        ensures
            match r {
                Ok(now) => self@.lookup(va@) is Some && self@.lookup(va@)->0.may_become(now),
                Err(e) => self@.lookup(va@) is None && e == (Error::NotMapped {
                    addr: va.raw(),
                    size: A::geo().span(1) as u64,
                }),
            },
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        let d = self.owned.tree.descend(va.offset(), 1);
        proof {
            self.owned.tree.lemma_query(va@, d);
        }
        match (d.entry, A::size_at(d.stop.level)) {
            (Entry::Page { frame, prop }, Some(size)) => Ok(Mapping { frame, size, prop }),
            _ => Err(Error::NotMapped { addr: va.as_u64(), size: A::geometry().entry_span(1) }),
        }
    }

    /// The level of pages of `size`, if `va` is aligned to it.
    #[inline(always)]
    fn check(&self, va: VirtAddr<A>, size: PageSize) -> (r: Result<u8, Error>)
        ensures
            match r {
                Ok(l) => request::check(va, size) is None && is_level(va, l as nat, size),
                Err(e) => request::check(va, size) == Some(e),
            },
        no_unwind
    {
        match A::level_of(size) {
            None => Err(Error::UnsupportedSize { addr: va.as_u64(), size: size.bytes() }),
            Some(level) => if va.is_aligned(size) {
                proof {
                    lemma_level(va, level as nat, size);
                }
                Ok(level)
            } else {
                Err(Error::NotAligned { addr: va.as_u64(), size: size.bytes() })
            },
        }
    }

    /// The level of pages of `size`, if one can be mapped at `va` to `frame`.
    #[inline(always)]
    fn check_map(&self, va: VirtAddr<A>, frame: PhysAddr, size: PageSize, prop: PageProperty) -> (r:
        Result<u8, Error>)
        ensures
            match r {
                Ok(l) => {
                    &&& request::check_map(self.phys_bits(), va, frame, size, prop) is None
                    &&& is_level(va, l as nat, size)
                    &&& self.owned.tree.may_map(va@, l as nat, frame, prop)
                },
                Err(e) => request::check_map(self.phys_bits(), va, frame, size, prop) == Some(e),
            },
        no_unwind
    {
        let level = self.check(va, size)?;
        let bytes = size.bytes();
        if !frame.is_aligned(size) {
            return Err(Error::NotAligned { addr: frame.0, size: bytes });
        }
        if !A::can_express(prop) {
            return Err(Error::UnsupportedProperty { addr: va.as_u64(), size: bytes });
        }
        proof {
            use_type_invariant(self);
        }
        if !self.owned.tree.has_frame(frame, bytes) {
            return Err(Error::PhysTooWide { addr: frame.0, size: bytes });
        }
        Ok(level)
    }

    /// The page of `size` at `va`.
    #[inline(always)]
    fn find(&self, va: VirtAddr<A>, size: PageSize) -> (r: Result<Descent, Error>)
        ensures
            match r {
                Ok(d) => {
                    &&& request::check(va, size) is None
                    &&& is_level(va, d.stop.level as nat, size)
                    &&& self.owned.tree.is_descent(va@, d.stop.level as nat, d)
                    &&& d.entry is Page
                    &&& self.owned.tree.maps(va@, d.stop.level as nat, size)
                },
                Err(e) => request::is_find_error(self@, va, size, e),
            },
        no_unwind
    {
        let level = self.check(va, size)?;
        proof {
            use_type_invariant(self);
        }
        let d = self.owned.tree.descend(va.offset(), level);
        proof {
            self.owned.tree.lemma_find(va, level as nat, size, d);
        }
        match d.entry {
            Entry::Page { .. } => if d.stop.level == level {
                Ok(d)
            } else {
                let (addr, size) = self.cover(va, d.stop.level, Ghost(level));
                Err(Error::CoveredByHugePage { addr, size })
            },
            _ => Err(Error::NotMapped { addr: va.as_u64(), size: size.bytes() }),
        }
    }

    /// The error for what is mapped at level `found`, where a page of `size` was to be.
    #[inline]
    fn in_the_way(
        &self,
        Ghost(space): Ghost<AddressSpace>,
        va: VirtAddr<A>,
        Ghost(size): Ghost<PageSize>,
        found: u8,
        Ghost(level): Ghost<u8>,
    ) -> (r: Error)
        requires
            is_level(va, level as nat, size),
            level <= found <= A::geo().levels,
            va.raw() as int % size.bytes() as int == 0,
            if found > level {
                space.lookup(va@) matches Some(m) && m.size.bytes() == A::geo().span(found as nat)
            } else {
                !request::is_covered(space, va, size)
            },
        ensures
            request::is_in_the_way(space, va, size, r),
        no_unwind
    {
        let (addr, size) = self.cover(va, found, Ghost(level));
        Error::AlreadyMapped { addr, size }
    }

    /// The part of the address space that the entry of level `found` for `va` covers.
    #[inline]
    fn cover(&self, va: VirtAddr<A>, found: u8, Ghost(level): Ghost<u8>) -> (r: (u64, u64))
        requires
            1 <= level <= found <= A::geo().levels,
        ensures
            r.1 == A::geo().span(found as nat),
            r.0 == va.raw() - va.raw() as int % r.1 as int,
            found > level ==> r.1 > A::geo().span(level as nat),
        no_unwind
    {
        let span = A::geometry().entry_span(found);
        proof {
            A::geo().lemma_align_down(va.raw(), found as nat);
            lemma_spans_grow(A::geo(), level as nat, found as nat);
        }
        (va.as_u64() & !(span - 1), span)
    }
}

} // verus!
