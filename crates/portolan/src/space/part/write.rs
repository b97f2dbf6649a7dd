//! Changing a part of an address space.

use super::Part;
use crate::addr::{PageSize, VirtAddr, VirtRange};
#[cfg(verus_only)]
use crate::arch::entry::{Encoding, EntryFormat, stored};
use crate::flush::Flush;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::prop::{Mapping, PageProperty};
use crate::space::kept::Kept;
use crate::space::mappings::unmap::Unmapped;
use crate::space::pages::Pages;
use crate::space::target::Target;
use crate::space::{Kernel, VmError};
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// A page as it was, and what processors have to be told of it.
type Changed<K> = (Mapping, Flush<<K as Kernel>::Tables, <K as Kernel>::Mode>);

/// Operations on the address space's pages, all of whose changes lie in the part.
impl<'a, 'k, K: Kernel> Part<'a, 'k, K> {
    /// Maps `target` at `va`, and answers whether processors may still come to tables there that others took off, and so not
    /// find what is mapped; if it fails, answers with `target`. If its frames are `known` to be the machine's, they are not
    /// asked for that.
    #[inline]
    pub(crate) fn map(
        &mut self,
        va: VirtAddr<K::Mode>,
        target: Target<'k, K>,
        prop: PageProperty,
        known: bool,
    ) -> (r: Result<bool, (VmError, Target<'k, K>)>)
        requires
            old(self).is_live(),
            known ==> target.is_own(old(self).whole().frames),
            old(self).lo() <= va@ < old(self).hi(),
            va@ + target.bytes() <= old(self).hi(),
        ensures
            final(self).stays(*old(self)),
            match r {
                Ok(_) => final(self).is_mapped_from(*old(self), va@, target, prop),
                Err((e, same)) => {
                    &&& same == target
                    &&& target.is_refused(*old(self), va, prop, e)
                    &&& e is Paging ==> target.is_own(old(self).whole().frames)
                    &&& known ==> !(e is ForeignFrame)
                    &&& final(self).space() == old(self).space()
                },
            },
    {
        let Tracked(mut opened) = self.open();
        let shared = self.lock.borrow_mut(Tracked(&mut opened.held));
        let ghost was = shared.pages.space();
        let done = target.map(&mut shared.pages, va, prop, known);
        proof {
            shared.pages.lemma_shaped();
            let (lo, hi) = (self.lo(), self.hi());
            match done {
                Ok(()) => was.lemma_map_within(
                    lo,
                    hi,
                    va@,
                    target.frame(),
                    target.page_size()->0,
                    stored::<K::Bits>(prop),
                ),
                Err((e, _)) => target.lemma_refused_within(
                    was,
                    self.whole(),
                    (lo, hi),
                    va,
                    prop,
                    e,
                ),
            }
        }
        let ghost now = shared.pages.space();
        let is_bared = shared.claims.is_bared_by_others(self.slot);
        self.close(Tracked(opened), Ghost(was));
        match done {
            Ok(()) => Ok(is_bared),
            Err(refused) => Err(refused),
        }
    }

    /// Takes off the first pages of what is mapped from `lo` to below `hi`, as
    /// [`Mappings::unmap_some`](crate::space::mappings::Mappings::unmap_some) does.
    pub(crate) fn unmap_some(
        &mut self,
        lo: u64,
        hi: u64,
        kept: &mut Kept<'k, K::Mode, K::Frames>,
    ) -> (r: Option<Unmapped<K::Tables, K::Mode>>)
        requires
            old(self).is_live(),
            old(kept).inv(),
            old(kept)@.len() == 0,
            old(self).lo() <= lo,
            hi <= old(self).hi(),
            lo < hi ==> !old(self).space().is_cut(lo as int, hi as int),
        ensures
            final(self).stays(*old(self)),
            final(kept).inv(),
            match r {
                Some(gone) => {
                    &&& final(self).is_unmapped_from(*old(self), lo as int, hi as int, gone)
                    &&& final(kept).due() == gone.flush.due()
                    &&& final(kept).since() == gone.flush.since()
                },
                None => {
                    &&& old(self).space().is_free(lo as int, hi as int)
                    &&& final(self).space() == old(self).space()
                    &&& final(kept)@.len() == 0
                },
            },
    {
        if lo >= hi {
            return None;
        }
        let Tracked(mut opened) = self.open();
        let shared = self.lock.borrow_mut(Tracked(&mut opened.held));
        let ghost was = shared.pages.space();
        proof {
            was.lemma_within_part(self.lo(), self.hi(), lo as int, hi as int);
        }
        let gone = shared.pages.unmap_some(lo, hi, kept);
        let ghost now = shared.pages.space();
        proof {
            shared.pages.lemma_shaped();
            if let Some(gone) = &gone {
                let (start, end) = (gone.start@, gone.end as int);
                was.lemma_within_next(self.lo(), self.hi(), lo as int, hi as int, start);
                was.lemma_starts(lo as int, hi as int, start);
                was.lemma_within_part(self.lo(), self.hi(), start, end);
                was.lemma_within_unmapped(self.lo(), self.hi(), start, end);
            }
            was.lemma_still_whole(now, self.lo(), self.hi());
        }
        let is_bared = match &gone {
            Some(gone) => gone.flush.frees_tables(),
            None => false,
        };
        if is_bared {
            shared.claims.note_bared(self.slot);
        }
        self.close(Tracked(opened), Ghost(was));
        gone
    }

    /// Divides the pages that the range starts or ends inside of, as [`Mappings::cut`](crate::space::mappings::Mappings::cut)
    /// does.
    ///
    /// # Errors
    /// Those of `Mappings::cut`.
    pub(crate) fn cut(&mut self, range: VirtRange<K::Mode>) -> (r: Result<(), VmError>)
        requires
            old(self).is_live(),
            old(self).lo() <= range.first()@,
            range.bytes() > 0,
            range.first()@ + range.bytes() <= old(self).hi(),
        ensures
            final(self).stays(*old(self)),
            ({
                let (lo, hi) = (range.first()@, range.first()@ + range.bytes());
                let (was, now) = (old(self).space(), final(self).space());
                match r {
                    Ok(()) => {
                        &&& request::check_range(range) is None
                        &&& was.may_cut::<K::Mode>(lo, hi, now)
                        &&& was.resembles(now)
                        &&& !now.is_cut(lo, hi)
                        &&& !K::Mode::resizes() || !was.is_cut(lo, hi) ==> now == was
                    },
                    Err(e) => {
                        &&& e matches VmError::Paging(e) && request::is_cut_error(was, range, e)
                        &&& now == was
                    },
                }
            }),
    {
        let Tracked(mut opened) = self.open();
        let shared = self.lock.borrow_mut(Tracked(&mut opened.held));
        let ghost was = shared.pages.space();
        let ghost (lo, hi) = (range.first()@, range.first()@ + range.bytes());
        proof {
            K::Mode::lemma_geometry();
        }
        let done = shared.pages.cut(range);
        let ghost now = shared.pages.space();
        proof {
            shared.pages.lemma_shaped();
            was.lemma_within_part(self.lo(), self.hi(), lo, hi);
            match done {
                Ok(()) => {
                    was.lemma_within_cut::<K::Mode>(now, self.lo(), self.hi(), lo, hi);
                    now.lemma_within_part(self.lo(), self.hi(), lo, hi);
                    was.lemma_within_resembles(now, self.lo(), self.hi());
                },
                Err(VmError::Paging(e)) => was.lemma_within_cut_error(
                    self.lo(),
                    self.hi(),
                    range,
                    e,
                ),
                _ => {},
            }
        }
        self.close(Tracked(opened), Ghost(was));
        done
    }

    /// Gives the page of `size` at `va` other properties, as
    /// [`Mappings::protect`](crate::space::mappings::Mappings::protect) does.
    ///
    /// # Errors
    /// Those of `Mappings::protect`.
    pub(crate) fn protect(
        &mut self,
        va: VirtAddr<K::Mode>,
        size: PageSize,
        prop: PageProperty,
    ) -> (r: Result<Changed<K>, VmError>)
        requires
            old(self).is_live(),
            old(self).lo() <= va@ < old(self).hi(),
        ensures
            final(self).stays(*old(self)),
            match r {
                Ok((was, flush)) => {
                    &&& K::Mode::supports(prop)
                    &&& request::is_found(old(self).space(), va, size, was)
                    &&& !request::needs_break::<K::Mode>(old(self).space().pages[va@].prop, prop)
                    &&& final(self).space() == old(self).space().protect(
                        va@,
                        prop.keeping(was.prop),
                    )
                    &&& flush.due().is_page(va, size)
                },
                Err(e) => {
                    &&& e matches VmError::Paging(e) && request::is_protect_error(
                        old(self).space(),
                        va,
                        size,
                        prop,
                        e,
                    )
                    &&& final(self).space() == old(self).space()
                },
            },
    {
        let Tracked(mut opened) = self.open();
        let shared = self.lock.borrow_mut(Tracked(&mut opened.held));
        let ghost was = shared.pages.space();
        let done = shared.pages.protect(va, size, prop);
        let ghost now = shared.pages.space();
        proof {
            shared.pages.lemma_shaped();
            was.lemma_within_changed(self.lo(), self.hi(), va@);
            match done {
                Ok((seen, _)) => was.lemma_protect_whole(
                    va@,
                    prop.keeping(seen.prop),
                    self.lo(),
                    self.hi(),
                ),
                Err(VmError::Paging(e)) => was.lemma_within_protect_error(
                    self.lo(),
                    self.hi(),
                    va,
                    size,
                    prop,
                    e,
                ),
                _ => {},
            }
        }
        self.close(Tracked(opened), Ghost(was));
        done
    }

    /// Maps in `child` all that is mapped here, where the part is all of the address space, as
    /// [`Mappings::fork`](crate::space::mappings::Mappings::fork) does. Answers with how many bytes they are.
    ///
    /// # Errors
    /// Those of `Mappings::fork`.
    pub(crate) fn fork(&mut self, range: VirtRange<K::Mode>, child: &mut Pages<'k, K>) -> (r:
        Result<u64, VmError>)
        requires
            old(self).is_live(),
            old(self).lo() == 0,
            old(self).hi() == K::Mode::geo().limit(),
            range.first()@ == 0,
            range.bytes() == K::Mode::geo().limit(),
            old(child).inv(),
            old(child).frame_table() == old(self).whole().frames,
            old(child).space() == AddressSpace::empty(),
        ensures
            final(self).stays(*old(self)),
            final(child).inv(),
            final(child).frame_table() == old(child).frame_table(),
            final(child).table().root_table() == old(child).table().root_table(),
            final(child).table().phys_bits() == old(child).table().phys_bits(),
            ({
                let (was, now) = (old(self).space(), final(self).space());
                let (copy, end) = (final(child).space(), K::Mode::geo().limit());
                match r {
                    Ok(bytes) => {
                        &&& was.may_write_protect_range(0, end, now)
                        &&& was.may_copy_range::<K::Bits>(0, end, true, AddressSpace::empty(), copy)
                        &&& bytes == was.mapped_bytes(0, end)
                    },
                    Err(e) => {
                        &&& e is Frame || e is Paging
                        &&& now == was
                        &&& copy == AddressSpace::empty()
                    },
                }
            }),
    {
        let Tracked(mut opened) = self.open();
        let shared = self.lock.borrow_mut(Tracked(&mut opened.held));
        let ghost was = shared.pages.space();
        proof {
            K::Mode::lemma_geometry();
            was.lemma_within_all::<K::Mode>();
        }
        let done = match shared.pages.fork(range, child) {
            Ok((bytes, _)) => Ok(bytes),
            Err(e) => Err(e),
        };
        let ghost now = shared.pages.space();
        proof {
            shared.pages.lemma_shaped();
            now.lemma_within_all::<K::Mode>();
            was.lemma_all_kept::<K::Mode>(now);
        }
        self.close(Tracked(opened), Ghost(was));
        done
    }
}

} // verus!
