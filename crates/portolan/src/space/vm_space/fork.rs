//! A copy of an address space, that shares the frames until one of the two is written to.

use super::super::flusher::Flusher;
use super::super::kernel::Kernel;
use super::super::mappings::Mappings;
use super::super::pages::Pages;
use super::super::part::Part;
use super::VmSpace;
use crate::addr::VirtRange;
use crate::arch::entry::Encoding;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::flush::FlushRange;
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::space::VmError;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use crate::table::PageTable;
use crate::tlb::TlbFlushOp;
use vstd::prelude::*;

verus! {

impl<'k, K: Kernel> VmSpace<'k, K> {
    /// A copy of this address space, made of `table`: each page is mapped in both to the same frames, which have one more
    /// reference, and can't be written to in either. Waits until no cursor is there, and returns when the processors that
    /// use this address space have been told.
    ///
    /// Whoever gets a fault for a write then, in one of the two, maps a copy of the page there, or gives the right to write
    /// back if there is no other reference.
    ///
    /// # Errors
    /// - [`VmError::NotEmpty`] if something is mapped in `table`;
    /// - [`VmError::Frame`] if a frame can't have one more reference;
    /// - [`VmError::Paging`] with [`Error::PhysTooWide`](crate::Error::PhysTooWide) if `table` is for a machine whose physical
    ///   addresses reach less far, and with [`Error::NoMemory`](crate::Error::NoMemory);
    /// - [`VmError::Shootdown`] as for [`sync_tlb_flush`](crate::space::TlbFlusher::sync_tlb_flush): then pages of this address space can't
    ///   be written to any longer.
    ///
    /// `table`, and what was mapped in it, are given back. But for the last, nothing has changed.
    pub fn fork<G: AtomicMode>(
        &self,
        guard: &G,
        table: PageTable<K::Tables, K::Mode, K::Bits>,
    ) -> (r: Result<Self, VmError>)
        ensures
            match r {
                Ok(child) => child.root_table() == table.root_table(),
                Err(e) => e is NotEmpty || e is Frame || e is Paging || e is Shootdown,
            },
    {
        let mut child = match Mappings::of(table, self.machine.frames()) {
            Ok(child) => child,
            Err(addr) => {
                return Err(VmError::NotEmpty { addr });
            },
        };
        proof {
            use_type_invariant(self);
        }
        let mut part = self.claim(guard, Self::all());
        let mut flusher = Flusher::new(self.machine, &self.active, guard);
        let done = Self::copy(&mut part, &mut child, &mut flusher);
        done?;
        // from here on a copy that is dropped gives its references back
        let child = Self::of(self.machine, child);
        flusher.sync_tlb_flush()?;
        Ok(child)
    }

    /// Copies everything, and issues what processors have to be told of the original.
    fn copy<G: AtomicMode>(
        part: &mut Part<'_, 'k, K>,
        child: &mut Pages<'k, K>,
        flusher: &mut Flusher<'_, 'k, K, G>,
    ) -> (r: Result<(), VmError>)
        requires
            old(part).is_live(),
            old(part).first() == 0,
            old(part).end() == K::Mode::geo().limit(),
            old(child).inv(),
            old(child).frame_table() == old(part).whole().frames,
            old(child).space() == AddressSpace::empty(),
        ensures
            final(part).stays(*old(part)),
            final(child).inv(),
            final(child).frame_table() == old(child).frame_table(),
            final(child).table().root_table() == old(child).table().root_table(),
            ({
                let (was, now, copy) = (
                    old(part).space(),
                    final(part).space(),
                    final(child).space(),
                );
                let end = K::Mode::geo().limit();
                match r {
                    Ok(()) => {
                        &&& was.may_write_protect_range(0, end, now)
                        &&& was.may_copy_range::<K::Bits>(0, end, true, AddressSpace::empty(), copy)
                        &&& was.mapped_bytes(0, end) > 0 ==> (final(flusher).issued() matches Some(
                            all,
                        ) && exists|due: FlushRange<K::Mode>| #[trigger]
                            TlbFlushOp::All.says(due) && all.covers(due))
                    },
                    Err(e) => {
                        &&& e is Frame || e is Paging
                        &&& now == was
                        &&& copy == AddressSpace::empty()
                    },
                }
            }),
    {
        proof {
            part.lemma_shaped();
            part.lemma_reach();
            K::Mode::lemma_geometry();
        }
        let range = VirtRange::from_offsets(0, K::Mode::geometry().limit_bytes());
        let bytes = part.fork(range, child)?;
        // what the addresses of both halves have in common is only that all of them are flushed
        if bytes > 0 {
            flusher.issue_tlb_flush(TlbFlushOp::All);
        }
        Ok(())
    }
}

} // verus!
