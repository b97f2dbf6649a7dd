//! What a cursor gives other properties.

use super::CursorMut;
#[cfg(verus_only)]
use super::proof::part::lemma_mod_adds_none;
#[cfg(verus_only)]
use super::spec::is_noted;
use crate::addr::{PageSize, VirtAddr, VirtRange};
use crate::arch::entry::Encoding;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::error::Error;
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::prop::{Mapping, PageProperty};
use crate::space::flusher::Flusher;
use crate::space::part::Part;
use crate::space::{Kernel, VmError};
#[cfg(verus_only)]
use crate::table::shape::lemma_range_of_pages;
use vstd::prelude::*;

verus! {

/// # Protecting
impl<'a, 'k, K: Kernel, G: AtomicMode> CursorMut<'a, 'k, K, G> {
    /// Gives the first page in the next `len` bytes the properties that `op` makes of those it has, and goes on past it;
    /// answers with where it is. `None` if nothing is mapped in these bytes, which the cursor then goes over.
    ///
    /// A page that lies partly in these bytes is divided first, and what is changed is its first part in them. Accessed and
    /// dirty bits that are set stay set. What processors have to be told is issued to the [`flusher`](CursorMut::flusher).
    ///
    /// # Errors
    /// In this order: [`VmError::Paging`] with [`Error::NotAligned`] if `len` is not a multiple of the smallest page;
    /// [`VmError::OutOfRange`] if the range ends before; [`Error::UnsupportedProperty`] if the mode can't express the new
    /// properties; [`Error::BreakBeforeMake`] on AArch64 if the page would have to be divided, or its cache policy would
    /// change, or it would become global; [`Error::NoMemory`] if there is none for the tables that dividing takes. Then nothing
    /// has changed.
    pub fn protect_next<F: FnOnce(PageProperty) -> PageProperty>(&mut self, len: u64, op: F) -> (r:
        Result<Option<VirtRange<K::Mode>>, VmError>)
        requires
            forall|p: PageProperty| op.requires((p,)),
        ensures
            match r {
                Ok(Some(range)) => final(self).is_protected_from(*old(self), len, op, range),
                Ok(None) => {
                    &&& final(self).is_as(*old(self))
                    &&& old(self).space().is_free(old(self).at(), old(self).at() + len)
                    &&& final(self).at() == old(self).at() + len
                },
                Err(e) => final(self).stays(*old(self)) && old(self).is_protect_error(len, e),
            },
    {
        let (at, to) = self.cursor.ahead(len)?;
        if !self.cursor.part.is_usable() {
            return Err(VmError::Poisoned);
        }
        proof {
            self.cursor.part.lemma_reach();
        }
        let Some((start, page)) = self.cursor.part.find(at, to) else {
            self.cursor.part.go(to);
            return Ok(None);
        };
        // nothing is locked meanwhile
        let prop = op(page.prop);
        if !K::Mode::can_express(prop) {
            let (addr, size) = (start.as_u64(), page.size.bytes());
            return Err(VmError::Paging(Error::UnsupportedProperty { addr, size }));
        }
        let ghost was = self.cursor.part.space();
        proof {
            self.cursor.part.lemma_shaped();
            K::Mode::lemma_geometry();
            K::Mode::geo().lemma_span(1);
            lemma_mod_adds_none(at as int, len as int, K::Mode::geo().span(1));
        }
        let (part, flusher) = (&mut self.cursor.part, &mut self.flusher);
        match Self::protect_part(part, flusher, (at, to), (start, page), prop) {
            Ok(range) => {
                proof {
                    was.lemma_first_page_part(at as int, start@);
                }
                self.cursor.part.go(range.start().offset() + range.size());
                Ok(Some(range))
            },
            Err(e) => Err(e),
        }
    }

    /// Gives the part of a page that lies in `ends` other properties, or the first of the pages that the part is divided into;
    /// answers with where this is.
    fn protect_part(
        part: &mut Part<'_, 'k, K>,
        flusher: &mut Flusher<'a, 'k, K, G>,
        ends: (u64, u64),
        page: (VirtAddr<K::Mode>, Mapping),
        prop: PageProperty,
    ) -> (r: Result<VirtRange<K::Mode>, VmError>)
        requires
            old(part).is_live(),
            old(part).lo() <= ends.0 < ends.1 <= old(part).hi(),
            old(part).space().is_next_page(ends.0 as int, page.0@),
            old(part).space().pages[page.0@].may_become(page.1),
            page.0@ < ends.1,
            K::Mode::supports(prop),
        ensures
            final(part).stays(*old(part)),
            final(flusher).root() == old(flusher).root(),
            ({
                let (was, now) = (old(part).space(), final(part).space());
                let (at, to) = (ends.0 as int, ends.1 as int);
                match r {
                    Ok(range) => {
                        let (lo, hi) = was.part(at, to, page.0@);
                        &&& range.first()@ == lo
                        &&& is_noted(
                            old(flusher).noted(),
                            final(flusher).noted(),
                            lo,
                            range.bytes() as int,
                        )
                        &&& lo + range.bytes() <= hi
                        &&& was.may_protect_part::<K::Mode>(lo, hi, range.bytes() as int, prop, now)
                    },
                    Err(e) => now == was && (e matches VmError::Paging(e) && match e {
                        Error::NoMemory { .. } => K::Mode::resizes(),
                        Error::BreakBeforeMake { .. } => !K::Mode::resizes(),
                        Error::NotAligned { .. } => at % K::Mode::geo().span(1) != 0 || to
                            % K::Mode::geo().span(1) != 0,
                        _ => false,
                    }),
                }
            }),
    {
        let ghost was = part.space();
        let (va, size) = Self::divide(part, ends, page)?;
        let ghost cut = part.space();
        proof {
            part.lemma_shaped();
            cut.lemma_page_check(va);
        }
        match part.protect(va, size, prop) {
            Ok(done) => {
                proof {
                    let (lo, hi) = was.part(ends.0 as int, ends.1 as int, page.0@);
                    assert(was.may_cut::<K::Mode>(lo, hi, cut));
                    assert(cut.pages[lo].prop.may_become(done.0.prop));
                }
                flusher.take(done.1);
                assert(flusher.noted().last().has_page(va@, size.bytes() as int));
                let first = va.offset();
                Ok(VirtRange::from_offsets(first, first + size.bytes()))
            },
            Err(e) => Err(e),
        }
    }

    /// Divides a page such that one starts and none ends outside of `ends`; answers with the first in them.
    fn divide(
        part: &mut Part<'_, 'k, K>,
        ends: (u64, u64),
        page: (VirtAddr<K::Mode>, Mapping),
    ) -> (r: Result<(VirtAddr<K::Mode>, PageSize), VmError>)
        requires
            old(part).is_live(),
            old(part).lo() <= ends.0 < ends.1 <= old(part).hi(),
            old(part).space().is_next_page(ends.0 as int, page.0@),
            old(part).space().pages[page.0@].may_become(page.1),
            page.0@ < ends.1,
        ensures
            final(part).stays(*old(part)),
            ({
                let (was, now) = (old(part).space(), final(part).space());
                let (at, to) = (ends.0 as int, ends.1 as int);
                let (lo, hi) = was.part(at, to, page.0@);
                match r {
                    Ok((va, size)) => {
                        &&& va@ == lo
                        &&& was.may_cut::<K::Mode>(lo, hi, now)
                        &&& now.has(lo, size)
                        &&& lo + size.bytes() <= hi
                        &&& K::Mode::resizes() || now == was
                    },
                    Err(e) => now == was && (e matches VmError::Paging(e) && match e {
                        Error::NoMemory { .. } => K::Mode::resizes(),
                        Error::BreakBeforeMake { .. } => !K::Mode::resizes(),
                        Error::NotAligned { .. } => at % K::Mode::geo().span(1) != 0 || to
                            % K::Mode::geo().span(1) != 0,
                        _ => false,
                    }),
                }
            }),
    {
        let ((at, to), (start, page)) = (ends, page);
        let ghost was = part.space();
        proof {
            part.lemma_shaped();
            K::Mode::lemma_geometry();
            was.lemma_page_part::<K::Mode>(at as int, to as int, start@);
        }
        let (first, bytes) = (start.offset(), page.size.bytes());
        let end = first + bytes;
        let lo = if first > at {
            first
        } else {
            at
        };
        let hi = if end < to {
            end
        } else {
            to
        };
        if hi - lo == bytes {
            return Ok((start, page.size));
        }
        let range = VirtRange::from_offsets(lo, hi);
        proof {
            let size = K::Mode::geo().span(1);
            if at as int % size == 0 && to as int % size == 0 {
                was.lemma_part_aligned::<K::Mode>(at as int, to as int, start@);
                lemma_range_of_pages(range);
            }
        }
        part.cut(range)?;
        proof {
            part.lemma_shaped();
            was.lemma_cut_starts(part.space(), lo as int, hi as int, start@);
        }
        let Some((va, first)) = part.find(lo, hi) else {
            proof {
                part.space().lemma_none_at(lo as int, hi as int);
            }
            return Err(VmError::Poisoned);
        };
        proof {
            part.space().lemma_next_is(lo as int, va@);
        }
        Ok((va, first.size))
    }
}

} // verus!
