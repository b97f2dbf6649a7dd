//! What is made in the place of pages that were broken.

use super::{NotMade, Vacant};
#[cfg(verus_only)]
use super::{proof, spec};
use crate::addr::{PageSize, PhysAddr, VirtRange};
use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
#[cfg(verus_only)]
use crate::arch::entry::stored;
use crate::error::Error;
use crate::hw::TableMemory;
use crate::prop::PageProperty;
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

verus! {

/// # Making
/// Each of these maps all of what was broken, or nothing.
impl<'a, M: TableMemory, A: PagingMode, B: AccessBits> Vacant<'a, M, A, B> {
    /// Maps one page of the whole size to `frame`.
    ///
    /// # Errors
    /// In this order: [`Error::NotAligned`] for `frame`, [`Error::UnsupportedProperty`], [`Error::PhysTooWide`],
    /// [`Error::NoMemory`].
    pub fn map(self, frame: PhysAddr, prop: PageProperty) -> (r: Result<(), NotMade<'a, M, A, B>>)
        ensures
            match r {
                Ok(()) => {
                    &&& self.check_make(frame, prop) is None
                    &&& self.final_table()@ == self.table()@.map(
                        self.at()@,
                        frame,
                        self.before().size,
                        stored::<B>(prop),
                    )
                    &&& self.final_table().steps_from(self.table())
                },
                Err(e) => {
                    &&& self.is_make_error(frame, prop, e.error)
                    &&& e.vacant.is_still(self)
                },
            },
    {
        proof {
            use_type_invariant(&self);
            proof::lemma_hole(*self.table, self.va, self.was, self.part);
        }
        let table = self.table;
        let made = table.map(self.va, frame, self.was.size, prop);
        match made {
            Ok(()) => Ok(()),
            Err(error) => {
                let (va, was, part, flushed) = (self.va, self.was, self.part, self.flushed);
                Err(NotMade { error, vacant: Vacant { table, va, was, part, flushed } })
            },
        }
    }

    /// Maps one page of the whole size to the frame that was there, with other properties; accessed and dirty bits that
    /// were set stay set.
    ///
    /// # Errors
    /// [`Error::UnsupportedProperty`], then [`Error::NoMemory`].
    pub fn protect(self, prop: PageProperty) -> (r: Result<(), NotMade<'a, M, A, B>>)
        ensures
            match r {
                Ok(()) => {
                    &&& A::supports(prop)
                    &&& self.final_table()@ == self.table()@.map(
                        self.at()@,
                        self.before().frame,
                        self.before().size,
                        stored::<B>(prop.keeping(self.before().prop)),
                    )
                    &&& self.final_table().steps_from(self.table())
                },
                Err(e) => {
                    &&& e.error == if A::supports(prop) {
                        self.no_memory()
                    } else {
                        Error::UnsupportedProperty {
                            addr: self.at().raw(),
                            size: self.before().size.bytes(),
                        }
                    }
                    &&& e.vacant.is_still(self)
                },
            },
    {
        let (frame, kept) = (self.was.frame, prop.keeping(self.was.prop));
        proof {
            use_type_invariant(&self);
            A::lemma_supports(prop, kept.accessed, kept.dirty);
        }
        self.map(frame, kept)
    }

    /// Maps one page of the whole size to the frame that was there, with the properties that it had.
    ///
    /// # Errors
    /// [`Error::NoMemory`].
    pub fn collapse(self) -> (r: Result<(), NotMade<'a, M, A, B>>)
        ensures
            match r {
                Ok(()) => {
                    &&& self.final_table()@ == self.whole()
                    &&& self.final_table().steps_from(self.table())
                },
                Err(e) => e.error == self.no_memory() && e.vacant.is_still(self),
            },
    {
        proof {
            use_type_invariant(&self);
        }
        let (frame, prop) = (self.was.frame, self.was.prop);
        self.map(frame, prop)
    }

    /// Maps pages of `part` to the frame that was there, with the properties that it had.
    ///
    /// # Errors
    /// [`Error::UnsupportedSize`] if the mode has no such pages, or they are not smaller than what was broken;
    /// [`Error::NoMemory`].
    pub fn split(self, part: PageSize) -> (r: Result<(), NotMade<'a, M, A, B>>)
        ensures
            match r {
                Ok(()) => {
                    &&& self.is_smaller(part)
                    &&& self.final_table()@ == self.whole().split(self.at()@, part)
                    &&& self.final_table().steps_through(self.table())
                },
                Err(e) => {
                    &&& e.error == if self.is_smaller(part) {
                        self.no_memory()
                    } else {
                        Error::UnsupportedSize { addr: self.at().raw(), size: part.bytes() }
                    }
                    &&& e.vacant.is_still(self)
                },
            },
    {
        if A::level_of(part).is_none() || part.bytes() >= self.was.size.bytes() {
            let error = Error::UnsupportedSize { addr: self.va.as_u64(), size: part.bytes() };
            return Err(NotMade { error, vacant: self });
        }
        self.fill(part)
    }

    /// Maps what was there: pages of the size that they had, to the frame that they had, with the properties that they had.
    ///
    /// # Errors
    /// [`Error::NoMemory`]: the flush gave back the tables that had become empty, and somebody else may have their frames.
    pub fn restore(self) -> (r: Result<(), NotMade<'a, M, A, B>>)
        ensures
            match r {
                Ok(()) => {
                    &&& self.final_table()@ == self.whole().split(self.at()@, self.part_size())
                    &&& self.part_size() == self.before().size ==> self.final_table()@
                        == self.whole()
                    &&& self.final_table().steps_through(self.table())
                },
                Err(e) => e.error == self.no_memory() && e.vacant.is_still(self),
            },
    {
        proof {
            use_type_invariant(&self);
            proof::lemma_split_whole(self);
        }
        let part = self.part;
        self.fill(part)
    }

    /// Leaves the pages unmapped.
    pub fn abandon(self)
        ensures
            self.final_table() == self.table(),
    {
    }

    /// Maps pages of `part` to the frame that was there.
    fn fill(self, part: PageSize) -> (r: Result<(), NotMade<'a, M, A, B>>)
        requires
            request::has_size::<A>(part),
            part.bytes() <= self.before().size.bytes(),
        ensures
            match r {
                Ok(()) => {
                    &&& self.final_table()@ == self.whole().split(self.at()@, part)
                    &&& self.final_table().steps_through(self.table())
                },
                Err(e) => e.error == self.no_memory() && e.vacant.is_still(self),
            },
    {
        proof {
            use_type_invariant(&self);
            proof::lemma_hole(*self.table, self.va, self.was, self.part);
        }
        let (table, va, was) = (self.table, self.va, self.was);
        let range = VirtRange::of_page(va, was.size);
        proof {
            proof::lemma_fill::<M, A, B>(*table, range, was, part);
        }
        let made = table.map_range(range, was.frame, part, was.prop);
        match made {
            Ok(()) => Ok(()),
            Err(error) => {
                let (part, flushed) = (self.part, self.flushed);
                Err(NotMade { error, vacant: Vacant { table, va, was, part, flushed } })
            },
        }
    }
}

} // verus!
