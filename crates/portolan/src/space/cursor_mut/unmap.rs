//! What a cursor unmaps.

use super::CursorMut;
use crate::addr::VirtRange;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::space::flusher::Flusher;
use crate::space::kept::Kept;
use crate::space::part::Part;
use crate::space::{Kernel, VmError};
#[cfg(verus_only)]
use crate::spec::request;
use vstd::prelude::*;

verus! {

/// # Unmapping
impl<'a, 'k, K: Kernel, G: AtomicMode> CursorMut<'a, 'k, K, G> {
    /// Unmaps all pages in the next `len` bytes, and goes on past these; there may be holes. Answers with how many pages they
    /// were.
    ///
    /// A page that lies partly in these bytes is divided first. What processors have to be told is issued to the
    /// [`flusher`](CursorMut::flusher), which keeps the references to the frames until they have been.
    ///
    /// # Errors
    /// In this order: [`VmError::Paging`] with [`Error::NotAligned`](crate::Error::NotAligned) if `len` is not a multiple of the
    /// smallest page; [`VmError::OutOfRange`] if the range ends before;
    /// [`Error::BreakBeforeMake`](crate::Error::BreakBeforeMake) on AArch64 if a page would have to be divided, elsewhere
    /// [`Error::NoMemory`](crate::Error::NoMemory) if there is none for the tables that takes. Then nothing has changed.
    pub fn unmap(&mut self, len: u64) -> (r: Result<u64, VmError>)
        ensures
            match r {
                Ok(n) => final(self).is_unmapped_from(*old(self), len, n),
                Err(e) => {
                    &&& final(self).stays(*old(self))
                    &&& old(self).as_spec().is_ahead_error(len, e) || (e matches VmError::Paging(e)
                        && old(self).is_cut_error(len, e))
                },
            },
    {
        let (at, to) = self.cursor.ahead(len)?;
        if at == to {
            proof {
                self.space().lemma_nothing_unmapped::<K::Mode>(at as int);
            }
            return Ok(0);
        }
        if !self.cursor.part.is_usable() {
            return Err(VmError::Poisoned);
        }
        proof {
            self.cursor.part.lemma_reach();
        }
        let range = VirtRange::from_offsets(at, to);
        if let Err(e) = self.cursor.part.cut(range) {
            assert(e matches VmError::Paging(e) && request::is_cut_error(
                old(self).space(),
                range,
                e,
            ));
            return Err(e);
        }
        let ghost cut = self.cursor.part.space();
        let n = unmap_all(&mut self.cursor.part, &mut self.flusher, at, to);
        self.cursor.part.go(to);
        assert(old(self).space().may_cut::<K::Mode>(at as int, to as int, cut));
        Ok(n)
    }
}

/// Unmaps all pages from `lo` to below `hi`, none of which lies partly outside; answers with how many they are.
pub(crate) fn unmap_all<'k, K: Kernel, G: AtomicMode>(
    part: &mut Part<'_, 'k, K>,
    flusher: &mut Flusher<'_, 'k, K, G>,
    lo: u64,
    hi: u64,
) -> (r: u64)
    requires
        old(part).is_live(),
        old(part).lo() <= lo < hi <= old(part).hi(),
        !old(part).space().is_cut(lo as int, hi as int),
    ensures
        final(part).stays(*old(part)),
        final(flusher).root() == old(flusher).root(),
        final(part).space() == old(part).space().unmap_range(lo as int, hi as int),
        r == old(part).space().count_pages(lo as int, hi as int),
        old(part).space().is_noted_between(
            old(flusher).noted(),
            final(flusher).noted(),
            lo as int,
            hi as int,
        ),
{
    let (mut at, mut n) = (lo, 0u64);
    let mut kept = Kept::new();
    let ghost (was, noted) = (part.space(), flusher.noted());
    proof {
        part.lemma_shaped();
        part.lemma_reach();
        assert(was.unmap_range(lo as int, lo as int).pages =~= was.pages);
    }
    loop
        invariant
            part.stays(*old(part)),
            part.is_live(),
            part.lo() <= lo,
            hi <= part.hi() <= K::Mode::geo().limit(),
            flusher.root() == old(flusher).root(),
            was.is_apart(),
            was == old(part).space(),
            kept.inv(),
            kept@.len() == 0,
            lo <= at <= hi,
            lo < hi,
            !was.is_cut(lo as int, hi as int),
            part.space() == was.unmap_range(lo as int, at as int),
            at < hi ==> !part.space().is_cut(at as int, hi as int),
            n == was.count_pages(lo as int, at as int),
            noted == old(flusher).noted(),
            noted.len() <= flusher.noted().len(),
            was.is_noted_between(noted, flusher.noted(), lo as int, at as int),
        decreases hi - at,
    {
        let ghost mid = part.space();
        proof {
            part.lemma_shaped();
        }
        let Some(gone) = part.unmap_some(at, hi, &mut kept) else {
            proof {
                was.lemma_rest_free(mid, lo as int, at as int, hi as int);
            }
            return n;
        };
        let ghost end = gone.end as int;
        proof {
            was.lemma_run_unmapped(mid, (lo as int, at as int, hi as int), gone.start@, end);
            was.lemma_count_bound(lo as int, end);
        }
        let ghost place = (lo as int, at as int, gone.start@, end);
        at = gone.end;
        n += gone.pages;
        let ghost before = flusher.noted();
        flusher.take_with(gone.flush, &mut kept);
        proof {
            was.lemma_noted_more(mid, (noted, before, flusher.noted()), place);
        }
    }
}

} // verus!
