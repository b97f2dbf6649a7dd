//! Break-before-make: taking pages out of the table to make them anew, with the flush in between.

use super::PageTable;
#[cfg(verus_only)]
use crate::addr::PhysAddr;
use crate::addr::{PageSize, VirtAddr, VirtRange};
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::x86_64::X86_64;
use crate::arch::{PagingMode, Preset};
use crate::error::Error;
use crate::flush::{Flush, FlushRange};
use crate::hw::memory::Flushed;
use crate::hw::{Invalidate, TableMemory};
use crate::prop::Mapping;
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

mod make;
#[cfg(verus_only)]
mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// Pages that were taken out of the table to be made anew, and that processors may still know: break-before-make's
/// first step, which [`PageTable::break_page`] and [`PageTable::break_pages`] take.
///
/// It holds the page table, so that nothing can be mapped there before the flush. [`flush`](Broken::flush) is the way on.
/// Dropped, it leaves the pages unmapped and the flush unpaid: on AArch64 and LoongArch64 nothing may be mapped there until
/// the processors have been told of its [`range`](Broken::range).
#[must_use = "the pages are gone, and processors may go on using them, until `flush`"]
#[verifier::reject_recursive_types(M)]
pub struct Broken<'a, M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    pub(crate) table: &'a mut PageTable<M, A, B>,
    /// Where the pages were.
    pub(crate) va: VirtAddr<A>,
    /// What they were: the page, or the one that they could be.
    pub(crate) was: Mapping,
    /// How large each of them was.
    pub(crate) part: PageSize,
    pub(crate) flush: Flush<M, A>,
}

/// Pages that were taken out of the table, and that no processor knows any longer: break-before-make's second step.
///
/// What is made in their place takes it, and gives the page table back; so do [`abandon`](Vacant::abandon) and dropping
/// it, which leave the pages unmapped. Then anything may be mapped there.
#[must_use = "the pages are gone until they are made anew"]
#[verifier::reject_recursive_types(M)]
#[verifier::reject_recursive_types(A)]
pub struct Vacant<'a, M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    pub(crate) table: &'a mut PageTable<M, A, B>,
    pub(crate) va: VirtAddr<A>,
    pub(crate) was: Mapping,
    pub(crate) part: PageSize,
    /// Evidence that the processors were told.
    pub(crate) flushed: Tracked<Flushed<A>>,
}

/// Why pages could not be made anew, and the way to try again: nothing has changed.
///
/// As an [`Error`], which `?` makes of it, it leaves the pages unmapped.
#[verifier::reject_recursive_types(M)]
#[verifier::reject_recursive_types(A)]
pub struct NotMade<'a, M: TableMemory, A: PagingMode = X86_64, B: AccessBits = Preset> {
    /// What was in the way.
    pub error: Error,
    /// The pages' place, to [`restore`](Vacant::restore) them or to make something else.
    pub vacant: Vacant<'a, M, A, B>,
}

/// # Break-before-make
/// What a page in use may become in place differs: AArch64 and LoongArch64 let neither its size, nor its frame, nor its
/// cache policy change, nor make it global, without an entry that is not present, and a flush, in between. The way there is
/// [`Broken`], then [`Vacant`], and back; on every mode it is also the way to give a page another frame.
///
/// ```
/// use portolan::{Error, Invalidate, PageSize, PageTable, PagingMode, TableMemory, VirtAddr};
///
/// /// Divides a page, whatever the mode asks for.
/// fn split<M: TableMemory, A: PagingMode>(
///     table: &mut PageTable<M, A>,
///     va: VirtAddr<A>,
///     tlb: &impl Invalidate<A>,
/// ) -> Result<(), Error> {
///     match table.split(va, PageSize::Size2M) {
///         Ok((_, flush)) => flush.pay(tlb),
///         Err(Error::BreakBeforeMake { .. }) => {
///             let vacant = table.break_page(va, PageSize::Size2M)?.flush(tlb);
///             if let Err(not_made) = vacant.split(PageSize::Size4K) {
///                 // there is no memory for the table: the page comes back as it was
///                 let error = not_made.error;
///                 not_made.vacant.restore()?;
///                 return Err(error);
///             }
///         },
///         Err(e) => return Err(e),
///     }
///     Ok(())
/// }
/// ```
impl<M: TableMemory, A: PagingMode, B: AccessBits> PageTable<M, A, B> {
    /// Takes the page of `size` at `va` out of the table, to be made anew.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`]; then [`Error::CoveredByHugePage`] or
    /// [`Error::NotMapped`].
    pub fn break_page(&mut self, va: VirtAddr<A>, size: PageSize) -> (r: Result<
        Broken<'_, M, A, B>,
        Error,
    >)
        ensures
            match r {
                Ok(broken) => {
                    &&& request::is_found(old(self)@, va, size, broken.before())
                    &&& broken.at() == va && broken.part_size() == size
                    &&& broken.table()@ == old(self)@.unmap(va@)
                    &&& broken.table().steps_from(*old(self))
                    &&& old(self).frames() == broken.table().frames().union(broken.frames())
                    &&& broken.final_table() == *final(self)
                },
                Err(e) => request::is_find_error(old(self)@, va, size, e) && final(self).same_as(
                    *old(self),
                ),
            },
    {
        proof {
            use_type_invariant(&*self);
            self.owned.tree.lemma_mappable();
            self.owned.tree.lemma_disjoint();
        }
        let (was, flush) = self.unmap(va, size)?;
        proof {
            proof::lemma_broken_page(*old(self), *self, va, was);
        }
        Ok(Broken { table: self, va, was, part: size, flush })
    }

    /// Takes the pages of the next smaller size that fill the `size` bytes at `va` out of the table, to be made one.
    ///
    /// They have to fit each other as for [`collapse`](PageTable::collapse). As there, the one page that they can become
    /// counts as accessed, and as dirty if stores are allowed or a part was dirty: a processor that still knows the parts
    /// may set their bits until the flush.
    ///
    /// # Errors
    /// In this order: [`Error::UnsupportedSize`], [`Error::NotAligned`]; [`Error::UnsupportedSize`] if there is no smaller
    /// size; [`Error::AlreadyMapped`] by a page at least as large; [`Error::NotMapped`] for a hole or
    /// [`Error::NotUniform`] for a page that doesn't fit, whichever comes first.
    pub fn break_pages(&mut self, va: VirtAddr<A>, size: PageSize) -> (r: Result<
        Broken<'_, M, A, B>,
        Error,
    >)
        ensures
            match r {
                Ok(broken) => {
                    let (was, part) = (broken.before(), broken.part_size());
                    &&& request::check(va, size) is None
                    &&& request::part_size::<A>(size) == Some(part)
                    &&& old(self)@.is_uniform(va@, size, part)
                    &&& was.frame == old(self)@.pages[va@].frame && was.size == size
                    &&& was.prop.accessed && (was.prop.write ==> was.prop.dirty)
                    &&& forall|at: int| #[trigger]
                        AddressSpace::is_part(va@, size, part, at) ==> old(
                            self,
                        )@.pages[at].prop.may_become(was.prop)
                    &&& broken.at() == va
                    &&& broken.table()@ == old(self)@.unmap_range(va@, va@ + size.bytes())
                    &&& broken.table().steps_through(*old(self))
                    &&& old(self).frames() == broken.table().frames().union(broken.frames())
                    &&& broken.final_table() == *final(self)
                },
                Err(e) => {
                    &&& request::is_collapse_error(old(self)@, va, size, e)
                    &&& !(e is BreakBeforeMake)
                    &&& final(self).same_as(*old(self))
                },
            },
    {
        let (d, _, (frame, prop)) = self.joinable(va, size)?;
        proof {
            use_type_invariant(&*self);
            self.owned.tree.lemma_disjoint();
            self.owned.tree.lemma_breakable(va, d.stop.level as nat, size, frame, prop);
        }
        let part = match A::size_at(d.stop.level - 1) {
            Some(part) => part,
            None => size,
        };
        let range = VirtRange::of_page(va, size);
        proof {
            proof::lemma_nothing_cut(*self, va, size, part);
        }
        match self.unmap_range(range) {
            Ok((_, flush)) => {
                let was = Mapping { frame, size, prop };
                proof {
                    proof::lemma_broken_pages(*old(self), *self, va, was, part, flush);
                }
                Ok(Broken { table: self, va, was, part, flush })
            },
            Err(e) => Err(e),
        }
    }
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Broken<'a, M, A, B> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& spec::is_hole(*self.table, self.va, self.was, self.part)
        &&& spec::tells_of(self.flush.due(), self.va, self.was.size, self.part)
    }

    /// What the pages were: the page, or the one that they could be.
    #[inline]
    #[must_use]
    pub fn was(&self) -> (r: Mapping)
        ensures
            r == self.before(),
    {
        self.was
    }

    /// What the processors are to be told of, for a caller that does so itself.
    #[inline]
    #[must_use]
    pub fn range(&self) -> (r: FlushRange<A>)
        ensures
            r == self.due(),
    {
        self.flush.range()
    }

    /// Tells the processors, and gives back the tables that became empty.
    #[inline]
    pub fn flush<T: Invalidate<A>>(self, tlb: &T) -> (r: Vacant<'a, M, A, B>)
        ensures
            r.follows(self),
    {
        proof {
            use_type_invariant(&self);
        }
        let table = self.table;
        let flushed = self.flush.pay_for(tlb);
        Vacant { table, va: self.va, was: self.was, part: self.part, flushed }
    }

    /// The next step, for a caller that has told the processors itself.
    ///
    /// # Safety
    /// No processor holds a translation that serves an address of the [range](Broken::range), nor, if it
    /// [frees tables](FlushRange::frees_tables), a cached entry of an upper table.
    #[inline]
    pub unsafe fn assume_flushed(self) -> (r: Vacant<'a, M, A, B>)
        ensures
            r.follows(self),
    {
        proof {
            use_type_invariant(&self);
        }
        let table = self.table;
        let flushed = self.flush.trust_paid();
        Vacant { table, va: self.va, was: self.was, part: self.part, flushed }
    }
}

impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Vacant<'a, M, A, B> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& spec::is_hole(*self.table, self.va, self.was, self.part)
        &&& spec::tells_of(self.flushed@.range(), self.va, self.was.size, self.part)
    }

    /// What the pages were: the page, or the one that they could be.
    #[inline]
    #[must_use]
    pub fn was(&self) -> (r: Mapping)
        ensures
            r == self.before(),
    {
        self.was
    }
}

} // verus!

impl<M: TableMemory, A: PagingMode, B: AccessBits> From<NotMade<'_, M, A, B>> for Error {
    fn from(not_made: NotMade<'_, M, A, B>) -> Self {
        not_made.error
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> core::fmt::Debug for Broken<'_, M, A, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Broken")
            .field("va", &self.va)
            .field("was", &self.was)
            .field("flush", &self.flush)
            .finish_non_exhaustive()
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> core::fmt::Debug for Vacant<'_, M, A, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vacant")
            .field("va", &self.va)
            .field("was", &self.was)
            .finish_non_exhaustive()
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> core::fmt::Debug for NotMade<'_, M, A, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NotMade")
            .field("error", &self.error)
            .field("vacant", &self.vacant)
            .finish()
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> core::fmt::Display for NotMade<'_, M, A, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.error.fmt(f)
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> core::error::Error for NotMade<'_, M, A, B> {}
