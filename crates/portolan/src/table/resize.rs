//! Changing the size of pages in place.

use super::PageTable;
use super::collapse::Flaw;
use super::descend::Descent;
#[cfg(verus_only)]
use super::spec::is_level;
use super::unmap::{Loose, Owed};
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
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
pub(super) mod proof;

verus! {

/// # Pages of other sizes
/// The size of a page changes by one store, while the page is in use: no access meets a hole. Until the flush is paid,
/// processors may use either size, and both translate alike. On x86_64 the TLB may hold a translation for each size, and
/// a reference may use any of them (Intel SDM vol. 3, 5.10.2.3); on RISC-V it is unpredictable whether the old or the new
/// entry is used, "but the behavior is otherwise well defined" (Privileged Architecture, SFENCE.VMA). AArch64 demands an
/// invalid entry in between (Arm Architecture Reference Manual, D8, break-before-make; `FEAT_BBM` relaxes it on some
/// processors): there, the answer is [`Error::BreakBeforeMake`], and [`break_page`](PageTable::break_page) and
/// [`break_pages`](PageTable::break_pages) are the way. LoongArch64 must not have both in its TLB (Volume 1, 5.4.4), and is
/// treated alike.
///
/// Some Intel processors stop with a machine check if the size of a page of code changes while the code runs: those
/// without `IF_PSCHANGE_MC_NO`, bit 6 of `IA32_ARCH_CAPABILITIES` (SDM vol. 4, table 2-2). On these, unmap executable
/// pages, pay the flush, and map them anew.
impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Divides the page of `size` at `va` into pages of the mode's next smaller size, with the same properties.
    ///
    /// The mapping returned is the page as it was at that moment; each part has its accessed and dirty bits.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`]; [`Error::CoveredByHugePage`] or
    /// [`Error::NotMapped`]; [`Error::UnsupportedSize`] if there is no smaller size; [`Error::BreakBeforeMake`];
    /// [`Error::NoMemory`].
    pub fn split(&mut self, va: VirtAddr<A>, size: PageSize) -> (r: Result<
        (Mapping, Flush<M, A>),
        Error,
    >)
        ensures
            match r {
                Ok((was, flush)) => {
                    &&& A::resizes()
                    &&& request::is_found(old(self)@, va, size, was)
                    &&& request::part_size::<A>(size) matches Some(part) && final(self)@ == old(
                        self,
                    )@.protect(va@, was.prop).split(va@, part)
                    &&& forall|at: int| #[trigger] old(self)@.agrees(final(self)@, at)
                    &&& final(self).steps_from(*old(self))
                    &&& flush.due().is_page(va, size)
                    &&& flush.frames() == Set::<PhysAddr>::empty()
                },
                Err(e) => request::is_split_error(old(self)@, va, size, e) && final(self).same_as(
                    *old(self),
                ),
            },
    {
        let d = self.find(va, size)?;
        let (addr, bytes, level) = (va.as_u64(), size.bytes(), d.stop.level);
        proof {
            proof::lemma_part_size(va, level as nat, size);
            use_type_invariant(&*self);
        }
        if level == 1 || A::size_at(level - 1).is_none() {
            return Err(Error::UnsupportedSize { addr, size: bytes });
        }
        if !A::resizing() {
            return Err(Error::BreakBeforeMake { addr, size: bytes });
        }
        match self.owned.tree.split(Ghost(va@), d) {
            Some((frame, prop)) => {
                proof {
                    self.owned.tree.lemma_split_page(
                        old(self).owned.tree,
                        va,
                        level as nat,
                        size,
                        (frame, prop),
                    );
                }
                Ok(
                    (
                        Mapping { frame, size, prop },
                        Flush::new(va, bytes, size, None, self.owned.tree.moment()),
                    ),
                )
            },
            None => Err(Error::NoMemory { addr, size: bytes }),
        }
    }

    /// Joins the pages of the next smaller size that fill the `size` bytes at `va` to one page.
    ///
    /// They have to lie one after the other, the first at a multiple of `size`, and to have the same properties but for the
    /// accessed and dirty bits. The mapping returned is the one page. It counts as accessed, and as dirty if stores are
    /// allowed or a part was dirty: a processor that still knows the parts may set their bits until the flush, which keeps
    /// their table alive.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`]; [`Error::UnsupportedSize`] if there is no smaller
    /// size; [`Error::AlreadyMapped`] by a page at least as large; [`Error::NotMapped`] for a hole or
    /// [`Error::NotUniform`] for a page that doesn't fit, whichever comes first; [`Error::BreakBeforeMake`].
    pub fn collapse(&mut self, va: VirtAddr<A>, size: PageSize) -> (r: Result<
        (Mapping, Flush<M, A>),
        Error,
    >)
        ensures
            match r {
                Ok((now, flush)) => {
                    &&& A::resizes()
                    &&& request::check(va, size) is None
                    &&& request::part_size::<A>(size) matches Some(part) && old(self)@.is_uniform(
                        va@,
                        size,
                        part,
                    ) && flush.due().least() == part
                    &&& now.frame == old(self)@.pages[va@].frame && now.size == size
                    &&& now.prop.accessed && (now.prop.write ==> now.prop.dirty)
                    &&& final(self)@ == old(self)@.collapse(va@, size, now.prop)
                    &&& forall|at: int| #[trigger] old(self)@.agrees(final(self)@, at)
                    &&& final(self).steps_from(*old(self))
                    &&& flush.due().first() == va && flush.due().len() == size.bytes()
                    &&& old(self).frames() == final(self).frames().union(flush.frames())
                    &&& final(self).frames().disjoint(flush.frames())
                },
                Err(e) => request::is_collapse_error(old(self)@, va, size, e)
                    && final(self).same_as(*old(self)),
            },
    {
        let (d, table, (frame, prop)) = self.joinable(va, size)?;
        if !A::resizing() {
            return Err(Error::BreakBeforeMake { addr: va.as_u64(), size: size.bytes() });
        }
        proof {
            use_type_invariant(&*self);
        }
        let level = d.stop.level;
        let joined = self.owned.tree.collapse(Ghost(va@), d, table, frame, prop);
        proof {
            self.owned.tree.lemma_collapse_page(
                old(self).owned.tree,
                va,
                level as nat,
                size,
                frame,
                prop,
                joined,
            );
        }
        let part = match A::size_at(level - 1) {
            Some(part) => part,
            None => size,
        };
        let owed = Owed { frames: joined.frames, tables: Loose::Full(joined.full) };
        Ok(
            (
                Mapping { frame, size, prop },
                Flush::new(va, size.bytes(), part, Some(owed), self.owned.tree.moment()),
            ),
        )
    }

    /// The entry of the page of `size` at `va`, the table below it, and the page that its pages can be joined to.
    pub(super) fn joinable(&self, va: VirtAddr<A>, size: PageSize) -> (r: Result<
        (Descent, PhysAddr, (PhysAddr, PageProperty)),
        Error,
    >)
        ensures
            match r {
                Ok((d, table, (frame, prop))) => {
                    let level = d.stop.level as nat;
                    &&& request::check(va, size) is None
                    &&& is_level(va, level, size)
                    &&& level > 1
                    &&& request::part_size::<A>(size) == A::page_size((level - 1) as nat)
                    &&& request::part_size::<A>(size) matches Some(part) && self@.is_uniform(
                        va@,
                        size,
                        part,
                    )
                    &&& self@.pages[va@].frame == frame
                    &&& forall|at: int| #[trigger]
                        AddressSpace::is_part(va@, size, request::part_size::<A>(size)->0, at)
                            ==> self@.pages[at].prop.may_become(prop)
                    &&& self.owned.tree.is_descent(va@, level, d)
                    &&& d.entry is Table
                    &&& d.entry->table == table
                    &&& self.owned.tree.is_whole(va@, (level - 1) as nat, frame, prop)
                    &&& prop.accessed && (prop.write ==> prop.dirty)
                },
                Err(e) => request::is_collapse_error(self@, va, size, e) && !(e is BreakBeforeMake),
            },
    {
        let level = self.check(va, size)?;
        let (addr, bytes) = (va.as_u64(), size.bytes());
        proof {
            proof::lemma_part_size(va, level as nat, size);
            use_type_invariant(self);
        }
        let part = match level {
            1 => None,
            _ => A::size_at(level - 1),
        };
        let Some(part) = part else {
            return Err(Error::UnsupportedSize { addr, size: bytes });
        };
        let d = self.owned.tree.descend(va.offset(), level);
        proof {
            self.owned.tree.lemma_collapse_find(va, level as nat, size, d);
        }
        let table = match d.entry {
            Entry::Table { table, .. } => table,
            Entry::Page { .. } => {
                let (addr, size) = self.cover(va, d.stop.level, Ghost(level));
                return Err(Error::AlreadyMapped { addr, size });
            },
            Entry::Empty => {
                return Err(Error::NotMapped { addr, size: bytes });
            },
        };
        match self.owned.tree.whole(Ghost(va@), level - 1, table) {
            Ok(page) => {
                proof {
                    self.owned.tree.lemma_uniform(va, level as nat, size, part, page.0, page.1);
                }
                Ok((d, table, page))
            },
            Err(flaw) => Err(self.misfit(va, Ghost(size), Ghost(level), part, flaw)),
        }
    }

    /// The error for the first entry that keeps pages of size `part` from being joined.
    fn misfit(
        &self,
        va: VirtAddr<A>,
        Ghost(size): Ghost<PageSize>,
        Ghost(level): Ghost<u8>,
        part: PageSize,
        flaw: Flaw,
    ) -> (r: Error)
        requires
            request::check(va, size) is None,
            request::part_size::<A>(size) == Some(part),
            proof::has_flaw(self.owned.tree, va, level as nat, size, part, flaw),
        ensures
            request::is_collapse_error(self@, va, size, r),
            !(r is BreakBeforeMake),
    {
        proof {
            use_type_invariant(self);
            self.owned.tree.lemma_flaw(va, level as nat, size, part, flaw);
        }
        let (addr, size) = (va.as_u64() + flaw.index as u64 * part.bytes(), part.bytes());
        if flaw.hole {
            Error::NotMapped { addr, size }
        } else {
            Error::NotUniform { addr, size }
        }
    }
}

} // verus!
