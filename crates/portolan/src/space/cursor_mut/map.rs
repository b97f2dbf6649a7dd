//! What a cursor maps.

use super::CursorMut;
#[cfg(verus_only)]
use super::spec::is_noted;
use crate::addr::{PageSize, PhysAddr, VirtAddr};
use crate::arch::entry::Encoding;
#[cfg(verus_only)]
use crate::arch::entry::{EntryFormat, stored};
use crate::error::Error;
use crate::frame::{UFrame, USegment};
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::prop::PageProperty;
use crate::space::flusher::Flusher;
use crate::space::kept::Kept;
use crate::space::part::Part;
use crate::space::target::Target;
use crate::space::{Kernel, VmError};
use vstd::prelude::*;

verus! {

/// # Mapping
/// After an error the references to frames that were to be mapped are given back, and the cursor stays where it is. Nothing
/// has changed then; only a page that was to be replaced may be unmapped already, after [`Error::NoMemory`] and
/// [`VmError::Shootdown`].
///
/// While another cursor of the address space has taken off tables, an access to a page may fault though the page was mapped,
/// until the [`flusher`](CursorMut::flusher) is synced or the cursor dropped.
impl<'a, 'k, K: Kernel, G: AtomicMode> CursorMut<'a, 'k, K, G> {
    /// Maps a frame of 4 KiB where the cursor is, and goes on past it. The reference is the address space's from then on, until
    /// the page is unmapped and processors have been told.
    ///
    /// # Errors
    /// Those of [`map_segment`](CursorMut::map_segment).
    pub fn map(&mut self, frame: UFrame<'k, K::Frames>, prop: PageProperty) -> (r: Result<
        (),
        VmError,
    >)
        ensures
            match r {
                Ok(()) => final(self).is_mapped_from(
                    *old(self),
                    frame.at(),
                    PageSize::Size4K,
                    prop,
                ),
                Err(e) => final(self).is_refused_from(
                    *old(self),
                    0x1000,
                    old(self).refuses_segment(frame.at(), 0x1000, prop, e),
                    e,
                ),
            },
    {
        self.map_segment(USegment::from_frame(frame), prop)
    }

    /// Maps a whole segment as one page where the cursor is, and goes on past it.
    ///
    /// A page of the same size that is there is replaced: it is unmapped, and its references are kept until processors have
    /// been told. On AArch64 they are told before the new page is mapped.
    ///
    /// # Errors
    /// In this order: [`VmError::Paging`] with [`Error::NotAligned`] if the segment's size is not a multiple of the smallest
    /// page; [`VmError::OutOfRange`] if the range ends before the page would; [`VmError::ForeignFrame`] if the frames are
    /// another table's than the machine's; [`Error::UnsupportedSize`] if no page is as large as the segment; those of
    /// [`PageTable::map`](crate::PageTable::map), with [`Error::AlreadyMapped`] if a page of another size is in the way. When a
    /// page is replaced: [`VmError::Shootdown`] on AArch64 as for
    /// [`sync_tlb_flush`](crate::space::TlbFlusher::sync_tlb_flush).
    pub fn map_segment(&mut self, segment: USegment<'k, K::Frames>, prop: PageProperty) -> (r:
        Result<(), VmError>)
        ensures
            ({
                let frame = PhysAddr(segment.start() as u64);
                let bytes = (segment.end() - segment.start()) as u64;
                match r {
                    Ok(()) => exists|size: PageSize|
                        size.bytes() == bytes && #[trigger] final(self).is_mapped_from(
                            *old(self),
                            frame,
                            size,
                            prop,
                        ),
                    Err(e) => final(self).is_refused_from(
                        *old(self),
                        bytes,
                        old(self).refuses_segment(frame, bytes, prop, e),
                        e,
                    ),
                }
            }),
    {
        self.put(Target::Segment(segment), prop)
    }

    /// Maps a page of a device's memory or registers where the cursor is, and goes on past it. Nobody has references to it.
    ///
    /// A page of the same size that is there is replaced, as by [`map_segment`](CursorMut::map_segment).
    ///
    /// # Errors
    /// Those of [`map_segment`](CursorMut::map_segment), but [`VmError::IsMemory`], if a part of the page is ordinary memory,
    /// in the place of [`VmError::ForeignFrame`].
    pub fn map_iomem(&mut self, addr: PhysAddr, size: PageSize, prop: PageProperty) -> (r: Result<
        (),
        VmError,
    >)
        ensures
            match r {
                Ok(()) => final(self).is_mapped_from(*old(self), addr, size, prop),
                Err(e) => final(self).is_refused_from(
                    *old(self),
                    size.bytes(),
                    old(self).refuses_iomem(addr, size, prop, e),
                    e,
                ),
            },
    {
        self.put(Target::Io(addr, size), prop)
    }

    /// `e` is why the target can't be mapped where the cursor is.
    spec fn refuses(self, target: Target<'k, K>, prop: PageProperty, e: VmError) -> bool {
        match target {
            Target::Segment(_) => self.refuses_segment(target.frame(), target.bytes(), prop, e),
            Target::Io(addr, size) => self.refuses_iomem(addr, size, prop, e),
        }
    }

    /// Maps a page where the cursor is, in the place of one of the same size if there is one, and goes on past it.
    fn put(&mut self, target: Target<'k, K>, prop: PageProperty) -> (r: Result<(), VmError>)
        ensures
            match r {
                Ok(()) => target.page_size() matches Some(size) && final(self).is_mapped_from(
                    *old(self),
                    target.frame(),
                    size,
                    prop,
                ),
                Err(e) => final(self).is_refused_from(
                    *old(self),
                    target.bytes(),
                    old(self).refuses(target, prop, e),
                    e,
                ),
            },
    {
        let (at, to) = self.cursor.ahead(target.len())?;
        let Some(va) = self.cursor.virt_addr() else {
            return Err(VmError::OutOfRange { addr: at });
        };
        if !self.cursor.part.is_usable() {
            return Err(VmError::Poisoned);
        }
        proof {
            self.cursor.part.lemma_reach();
            va.lemma_canonical();
        }
        let ghost was = self.part();
        assert(was == old(self).part());
        let done = Self::replace(&mut self.cursor.part, &mut self.flusher, va, to, target, prop);
        match done {
            Ok(()) => {
                self.cursor.part.go(to);
                Ok(())
            },
            Err(e) => {
                assert(target.is_refused(was, va, prop, e) ==> old(self).refuses(target, prop, e));
                Err(e)
            },
        }
    }

    /// Maps a page at `va`, which ends at `to`, in the place of one of the same size if there is one.
    fn replace(
        part: &mut Part<'_, 'k, K>,
        flusher: &mut Flusher<'a, 'k, K, G>,
        va: VirtAddr<K::Mode>,
        to: u64,
        target: Target<'k, K>,
        prop: PageProperty,
    ) -> (r: Result<(), VmError>)
        requires
            old(part).is_live(),
            old(part).lo() <= va@ < old(part).hi(),
            to == va@ + target.bytes(),
            to <= old(part).hi(),
        ensures
            final(part).stays(*old(part)),
            final(flusher).root() == old(flusher).root(),
            ({
                let (was, now) = (old(part).space(), final(part).space());
                let (at, bytes) = (va@, target.bytes());
                match r {
                    Ok(()) => {
                        &&& target.page_size() matches Some(size) && size.bytes() == bytes
                        &&& was.overlaps(at, bytes as int) ==> was.has(at, target.page_size()->0)
                        &&& was.has(at, target.page_size()->0) ==> {
                            &&& is_noted(
                                old(flusher).noted(),
                                final(flusher).noted(),
                                at,
                                bytes as int,
                            )
                            &&& K::Mode::resizes() || final(flusher).owes_nothing()
                        }
                        &&& now == was.vacated(at, target.page_size()->0).map(
                            at,
                            target.frame(),
                            target.page_size()->0,
                            stored::<K::Bits>(prop),
                        )
                    },
                    Err(e) => {
                        ||| {
                            &&& now == was
                            &&& target.is_refused(*old(part), va, prop, e)
                            &&& was.has_bytes(at, bytes as int) ==> !(e matches VmError::Paging(e)
                                && e is AlreadyMapped)
                        }
                        ||| {
                            &&& was.has_bytes(at, bytes as int)
                            &&& now == was.unmap(at)
                            &&& is_noted(
                                old(flusher).noted(),
                                final(flusher).noted(),
                                at,
                                bytes as int,
                            )
                            &&& match e {
                                VmError::Paging(Error::NoMemory { size, .. }) => size == bytes,
                                VmError::Shootdown(_) => !K::Mode::resizes(),
                                _ => false,
                            }
                        }
                    },
                }
            }),
    {
        proof {
            part.lemma_shaped();
            if part.space().has_bytes(va@, to - va@) {
                part.space().lemma_alone(va@, to as int);
            }
        }
        let (e, target) = match part.map(va, target, prop, false) {
            Ok(is_bared) => {
                if is_bared {
                    flusher.issue_walk(va);
                }
                return Ok(());
            },
            Err(refused) => refused,
        };
        match e {
            VmError::Paging(Error::AlreadyMapped { .. }) => {},
            _ => {
                return Err(e);
            },
        }
        if !Self::vacate(part, flusher, va, to)? {
            return Err(e);
        }
        match part.map(va, target, prop, true) {
            Ok(is_bared) => {
                if is_bared {
                    flusher.issue_walk(va);
                }
                Ok(())
            },
            Err((e, _)) => Err(e),
        }
    }

    /// Unmaps the page that starts at `va` and ends at `to`; `false` if there is none.
    fn vacate(
        part: &mut Part<'_, 'k, K>,
        flusher: &mut Flusher<'a, 'k, K, G>,
        va: VirtAddr<K::Mode>,
        to: u64,
    ) -> (r: Result<bool, VmError>)
        requires
            old(part).is_live(),
            old(part).lo() <= va@ < to <= old(part).hi(),
        ensures
            final(part).stays(*old(part)),
            final(flusher).root() == old(flusher).root(),
            ({
                let (was, now) = (old(part).space(), final(part).space());
                let has = was.has_bytes(va@, to - va@);
                &&& has ==> is_noted(old(flusher).noted(), final(flusher).noted(), va@, to - va@)
                &&& match r {
                    Ok(done) => {
                        &&& done == has
                        &&& now == if has {
                            was.unmap(va@)
                        } else {
                            was
                        }
                        &&& has && !K::Mode::resizes() ==> final(flusher).owes_nothing()
                    },
                    Err(e) => has && now == was.unmap(va@) && e is Shootdown && !K::Mode::resizes(),
                }
            }),
    {
        let at = va.offset();
        proof {
            part.lemma_shaped();
        }
        let Some((start, page)) = part.find(at, to) else {
            proof {
                part.space().lemma_none_at(va@, to as int);
            }
            return Ok(false);
        };
        proof {
            part.space().lemma_next_is(va@, start@);
        }
        if start.offset() != at || page.size.bytes() != to - at {
            return Ok(false);
        }
        proof {
            part.space().lemma_alone(va@, to as int);
        }
        let mut kept = Kept::new();
        let Some(gone) = part.unmap_some(at, to, &mut kept) else {
            proof {
                part.space().lemma_none_at(va@, to as int);
            }
            return Ok(false);
        };
        proof {
            old(part).space().lemma_next_is(va@, gone.start@);
        }
        flusher.take_with(gone.flush, &mut kept);
        assert(flusher.noted().last().has_page(va@, to - va@));
        if !K::Mode::resizing() {
            flusher.sync_tlb_flush()?;
        }
        Ok(true)
    }
}

} // verus!
