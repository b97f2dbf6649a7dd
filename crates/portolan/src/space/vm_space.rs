//! The address space of a user program.

use super::cursor::Cursor;
use super::cursor_mut::CursorMut;
use super::error::VmError;
use super::flusher::TlbFlusher;
use super::kernel::{Kernel, Machine};
use super::lease::Lease;
use super::lock::SpinLock;
use super::mappings::Mappings;
#[cfg(verus_only)]
use super::pages::lemma_first_run;
use super::pages::{Pages, Whole};
use super::span::Span;
use crate::addr::{PhysAddr, VirtRange};
#[cfg(verus_only)]
use crate::error::Error;
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
use crate::hw::processor::relax;
#[cfg(verus_only)]
use crate::hw::processor::{Moment, flushed_everywhere};
use crate::hw::space::close_in_drop;
#[cfg(verus_only)]
use crate::spec::request;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use crate::table::PageTable;
use crate::tlb::active::ActiveSet;
use core::mem::ManuallyDrop;
#[cfg(verus_only)]
use vstd::predicate::Predicate;
use vstd::prelude::*;

mod fork;

verus! {

/// The address space of a user program: what it can reach of memory, and how.
///
/// # Processors
/// A processor uses an address space from when it [activates](super::Cpu::activate) it until it activates another one. Its
/// TLB then holds what it likes of what is mapped; whatever an operation takes away is owed to these processors by the
/// cursor's [`TlbFlusher`], and frames and tables are given back only after they have been told.
///
/// # Memory
/// Nothing is mapped at first. [`CursorMut::map`] maps frames, which stay alive as long as they are mapped, counted once for
/// each mapping, and device memory, which is not counted.
///
/// # Kernel
/// The page table that an address space is made of can share the kernel's half with all others
/// ([`PageTable::sharing`]); no address of that half is an address of this space's mode.
///
/// # Cursors
/// A cursor has the whole address space to itself: others wait until it is dropped. While a processor waits it answers what
/// others ask of its TLB.
#[verifier::reject_recursive_types(K)]
pub struct VmSpace<'k, K: Kernel> {
    machine: &'k Machine<'k, K>,
    root: PhysAddr,
    active: ActiveSet,
    lock: SpinLock<Pages<'k, K>, Whole<'k, K>>,
}

impl<'k, K: Kernel> VmSpace<'k, K> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.active.root() == self.root
        &&& self.lock.kept() == self.whole()
    }

    /// What holds of the page table.
    pub(crate) closed spec fn whole(self) -> Whole<'k, K> {
        Whole { root: self.root, frames: self.machine.frame_table() }
    }

    /// The physical address of the root table.
    pub closed spec fn root_table(self) -> PhysAddr {
        self.root
    }

    /// An address space without mappings, made of `table`.
    ///
    /// # Errors
    /// [`VmError::NotEmpty`] if something is mapped there.
    pub fn new(machine: &'k Machine<'k, K>, table: PageTable<K::Tables, K::Mode, K::Bits>) -> (r:
        Result<Self, VmError>)
        ensures
            match r {
                Ok(space) => space.root_table() == table.root_table(),
                Err(e) => e is NotEmpty,
            },
    {
        match Mappings::of(table, machine.frames()) {
            Ok(pages) => Ok(Self::of(machine, pages)),
            Err(addr) => Err(VmError::NotEmpty { addr }),
        }
    }

    /// The address space of these mappings, which no processor has used yet.
    fn of(machine: &'k Machine<'k, K>, pages: Pages<'k, K>) -> (r: Self)
        requires
            pages.inv(),
            pages.frame_table() == machine.frame_table(),
        ensures
            r.root_table() == pages.table().root_table(),
    {
        let root = pages.page_table().root();
        let ghost whole = Whole { root, frames: machine.frame_table() };
        VmSpace {
            machine,
            root,
            active: ActiveSet::new(root),
            lock: SpinLock::new(pages, Ghost(whole)),
        }
    }

    /// The physical address of the root table: what the processor's root register takes.
    #[inline]
    #[must_use]
    pub fn root(&self) -> (r: PhysAddr)
        ensures
            r == self.root_table(),
        no_unwind
    {
        self.root
    }

    /// The machine that it is for.
    #[inline]
    #[must_use]
    pub fn machine(&self) -> &'k Machine<'k, K>
        no_unwind
    {
        self.machine
    }

    /// Which processors use it.
    pub(crate) fn active(&self) -> (r: &ActiveSet)
        ensures
            *r == self.active_set(),
            r.root() == self.root_table(),
        no_unwind
    {
        proof {
            use_type_invariant(self);
        }
        &self.active
    }

    /// Which processors use it.
    pub(crate) closed spec fn active_set(self) -> ActiveSet {
        self.active
    }

    /// A cursor over `range`, to look at what is mapped. Waits until no other cursor is there.
    ///
    /// # Errors
    /// [`VmError::Paging`] with [`Error::NotAligned`](crate::Error::NotAligned) if the range's start, or its end, is not a
    /// multiple of the smallest page, or with [`Error::PastEnd`](crate::Error::PastEnd).
    pub fn cursor<'a, G: AtomicMode>(&'a self, guard: &'a G, range: &VirtRange<K::Mode>) -> (r:
        Result<Cursor<'a, 'k, K>, VmError>)
        ensures
            match r {
                Ok(cursor) => {
                    &&& request::check_range(*range) is None
                    &&& cursor.is_live()
                    &&& cursor.first() == range.first()@
                    &&& cursor.end() == range.first()@ + range.bytes()
                    &&& cursor.at() == cursor.first()
                },
                Err(e) => e matches VmError::Paging(e) && request::check_range(*range) == Some(e),
            },
    {
        let span = Self::span(range)?;
        Ok(Cursor::new(self.lock(guard), span))
    }

    /// A cursor over `range`, to change what is mapped. Waits until no other cursor is there.
    ///
    /// # Errors
    /// Those of [`cursor`](VmSpace::cursor).
    pub fn cursor_mut<'a, G: AtomicMode>(&'a self, guard: &'a G, range: &VirtRange<K::Mode>) -> (r:
        Result<CursorMut<'a, 'k, K, G>, VmError>)
        ensures
            match r {
                Ok(cursor) => {
                    &&& request::check_range(*range) is None
                    &&& cursor.is_live()
                    &&& cursor.first() == range.first()@
                    &&& cursor.end() == range.first()@ + range.bytes()
                    &&& cursor.at() == cursor.first()
                    &&& cursor.root() == self.root_table()
                },
                Err(e) => e matches VmError::Paging(e) && request::check_range(*range) == Some(e),
            },
    {
        let span = Self::span(range)?;
        let lease = self.lock(guard);
        proof {
            use_type_invariant(self);
        }
        Ok(CursorMut::new(lease, span, TlbFlusher::new(self.machine, &self.active, guard)))
    }

    /// Unmaps everything, and waits until all processors have been told.
    ///
    /// # Errors
    /// Those of [`TlbFlusher::sync_tlb_flush`]: then all is unmapped, and what waits for the processors is not given back.
    pub fn clear<G: AtomicMode>(&self, guard: &G) -> Result<(), VmError> {
        proof {
            use_type_invariant(self);
        }
        let mut flusher = TlbFlusher::new(self.machine, &self.active, guard);
        let mut lease = self.lock(guard);
        if let Some((mut pages, held)) = lease.take() {
            Self::take_all(&mut pages, &mut flusher);
            lease.put(pages, held);
        }
        flusher.sync_tlb_flush()
    }

    /// Unmaps everything.
    fn take_all<G: AtomicMode>(pages: &mut Pages<'k, K>, flusher: &mut TlbFlusher<'_, 'k, K, G>)
        requires
            old(pages).inv(),
        ensures
            final(pages).inv(),
            final(pages).table().root_table() == old(pages).table().root_table(),
            final(pages).frame_table() == old(pages).frame_table(),
            final(pages).space() == AddressSpace::empty(),
    {
        let ghost mut at = 0;
        proof {
            pages.lemma_shaped();
        }
        loop
            invariant
                0 <= at <= K::Mode::geo().limit(),
                pages.inv(),
                pages.table().root_table() == old(pages).table().root_table(),
                pages.frame_table() == old(pages).frame_table(),
                pages.space().is_free(0, at),
            ensures
                pages.space() == AddressSpace::empty(),
            decreases K::Mode::geo().limit() - at,
        {
            let ghost before = pages.space();
            proof {
                pages.lemma_shaped();
            }
            let Some(gone) = pages.clear_step() else {
                return;
            };
            proof {
                let end = gone.start@ + gone.bytes;
                lemma_first_run(before, pages.space(), at, gone.start@, end);
                at = end;
            }
            flusher.take(gone.flush, gone.item);
        }
    }

    /// Gives back what is mapped, and the tables, when the space is dropped.
    ///
    /// If a cursor was forgotten, or a processor uses the space whose [`Cpu`](super::Cpu) was dropped, nothing is given back.
    pub(crate) fn close(&self) {
        proof {
            use_type_invariant(self);
        }
        let Some((mut pages, _)) = self.lock.try_lock() else {
            return;
        };
        // also if nothing is mapped: the processor walks the root
        if self.is_used() {
            let _ = ManuallyDrop::new(pages);
            return;
        }
        let ghost mut at = 0;
        proof {
            pages.lemma_shaped();
        }
        loop
            invariant
                self.inv(),
                0 <= at <= K::Mode::geo().limit(),
                pages.inv(),
                pages.space().is_free(0, at),
            decreases K::Mode::geo().limit() - at,
        {
            let ghost before = pages.space();
            proof {
                pages.lemma_shaped();
            }
            let Some(gone) = pages.clear_step() else {
                return;
            };
            proof {
                let end = gone.start@ + gone.bytes;
                lemma_first_run(before, pages.space(), at, gone.start@, end);
                at = end;
            }
            let tracked since = Moment::now();
            let ghost range = gone.flush.due();
            let (users, Tracked(quiet)) = self.active.snapshot::<K::Mode>(
                Ghost(range),
                Tracked(&since),
            );
            if !users.is_empty() {
                let _ = (ManuallyDrop::new(gone), ManuallyDrop::new(pages));
                return;
            }
            let tracked flushed = flushed_everywhere(&since, &quiet, self.root, range);
            if let Some(kept) = gone.item {
                kept.release(Tracked(&flushed));
            }
            gone.flush.settle_for(Tracked(&flushed));
        }
    }

    /// Whether a processor uses the space.
    fn is_used(&self) -> bool {
        proof {
            use_type_invariant(self);
        }
        let tracked since = Moment::now();
        let ghost range = arbitrary();
        let (users, _) = self.active.snapshot::<K::Mode>(Ghost(range), Tracked(&since));
        !users.is_empty()
    }

    /// The range, if a cursor can be over it.
    fn span(range: &VirtRange<K::Mode>) -> (r: Result<Span<K::Mode>, VmError>)
        ensures
            match r {
                Ok(span) => {
                    &&& request::check_range(*range) is None
                    &&& span.first() == range.first()@
                    &&& span.end() == range.first()@ + range.bytes()
                    &&& span.at() == span.first()
                },
                Err(e) => e matches VmError::Paging(e) && request::check_range(*range) == Some(e),
            },
    {
        match PageTable::<K::Tables, K::Mode, K::Bits>::bounds(range) {
            Ok((lo, hi)) => Ok(Span::new(lo, hi)),
            Err(e) => Err(VmError::Paging(e)),
        }
    }

    /// Waits until no cursor is there. Meanwhile this processor does what others ask of it, one of which may have the cursor.
    ///
    /// It ends when the cursor is dropped, which waits for nobody but processors that answer.
    ///
    /// Exercised by `space::cursors_on_the_same_range_wait_for_each_other`.
    #[verifier::exec_allows_no_decreases_clause]
    fn lock<G: AtomicMode>(&self, guard: &G) -> (r: Lease<'_, Pages<'k, K>, Whole<'k, K>>)
        ensures
            r.kept() == self.whole(),
            r@ matches Some(pages) && self.whole().predicate(pages),
    {
        proof {
            use_type_invariant(self);
        }
        loop
            invariant
                self.inv(),
        {
            if let Some(lease) = Lease::try_new(&self.lock) {
                return lease;
            }
            self.machine.shootdown().handle(guard, self.machine.cpus());
            relax::<K::Mode, K::Cpus>(self.machine.cpus());
        }
    }
}

impl<K: Kernel> Drop for VmSpace<'_, K> {
    /// Gives back what is mapped, and the tables.
    fn drop(&mut self)
        opens_invariants none
        no_unwind
    {
        close_in_drop(self);
    }
}

} // verus!
