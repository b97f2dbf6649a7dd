//! The address space of a user program.

use super::claims::Claims;
use super::cursor_mut::unmap::unmap_all;
use super::error::VmError;
use super::flusher::Flusher;
use super::kept::Kept;
use super::kernel::{Kernel, Machine};
use super::lock::SpinLock;
use super::mappings::Mappings;
#[cfg(verus_only)]
use super::pages::lemma_first_run;
use super::pages::{Pages, Shared, Whole};
use super::span::Span;
use crate::addr::PhysAddr;
use crate::arch::entry::Encoding;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
#[cfg(verus_only)]
use crate::error::Error;
use crate::hw::AtomicMode;
#[cfg(verus_only)]
use crate::hw::mmu::Mmu;
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

mod cursors;
mod fork;

verus! {

/// The address space of a user program: what it can reach of memory, and how.
///
/// # Processors
/// A processor uses an address space from when it [activates](super::Cpu::activate) it until it activates another one. Its
/// TLB then holds what it likes of what is mapped; whatever an operation takes away is owed to these processors by the
/// cursor's [`TlbFlusher`](super::TlbFlusher), and frames and tables are given back only after they have been told. Processors that have used it
/// before are told nothing: what their TLBs still hold of it under identifiers is of no use before they come back, and then
/// invalidated if something was taken away meanwhile.
///
/// # Memory
/// Nothing is mapped at first. [`CursorMut::map`](super::CursorMut::map) maps frames, which stay alive as long as they are mapped, counted once for
/// each mapping, and device memory, which is not counted.
///
/// # Kernel
/// The page table that an address space is made of can share the kernel's half with all others
/// ([`PageTable::sharing`]); no address of that half is an address of this space's mode.
///
/// # Cursors
/// A cursor has its range to itself, with the pages that lie partly in it: others that need some of it wait until the cursor is
/// dropped, while those on other ranges live at the same time, up to 16 of them. While a processor waits it answers what others
/// ask of its TLB. One cursor at a time never waits in a circle. A processor that holds one and wants another
/// [asks](VmSpace::try_cursor) for it without waiting, or takes them in the order of their addresses: else it may wait for ever
/// for who waits for it, and so may 16 processors that each hold one.
///
/// Each operation holds a lock, while it takes tables from [`Kernel::Tables`], too: what gives these must not wait for other
/// processors.
///
/// Where a cursor takes off tables that reach out of its range, another one may map a page there before processors have been
/// told of the former: then an access may fault though the page is mapped, until the latter's flusher has been synced, or the
/// cursor dropped.
///
/// # Unwinding
/// If an operation unwinds, nobody knows what became of the tables: its cursor answers [`VmError::Poisoned`] from then on, and
/// all others of the address space wait for ever, even where they are dropped.
#[verifier::reject_recursive_types(K)]
pub struct VmSpace<'k, K: Kernel> {
    machine: &'k Machine<'k, K>,
    root: PhysAddr,
    active: ActiveSet,
    lock: SpinLock<Shared<'k, K>, Whole<'k, K>>,
}

impl<'k, K: Kernel> VmSpace<'k, K> {
    #[verifier::type_invariant]
    spec fn inv(self) -> bool {
        &&& self.active.root() == self.root
        &&& self.lock.kept().root == self.root
        &&& self.lock.kept().frames == self.machine.frame_table()
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
        let ghost space = pages.space();
        let (claims, Ghost(ids)) = Claims::new(Ghost(space));
        let ghost phys_bits = pages.table().phys_bits();
        let ghost whole = Whole { root, phys_bits, frames: machine.frame_table(), ids };
        let lock = SpinLock::new(Shared { pages, claims }, Ghost(whole));
        VmSpace { machine, root, active: ActiveSet::new(root), lock }
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

    /// Unmaps everything, and waits until all processors have been told.
    ///
    /// # Errors
    /// Those of [`TlbFlusher::sync_tlb_flush`](super::TlbFlusher::sync_tlb_flush): then all is unmapped, and what waits for the processors is not given back.
    pub fn clear<G: AtomicMode>(&self, guard: &G) -> Result<(), VmError> {
        proof {
            use_type_invariant(self);
        }
        let mut part = self.claim(guard, Self::all());
        let mut flusher = Flusher::new(self.machine, &self.active, guard);
        let end = K::Mode::geometry().limit_bytes();
        proof {
            part.lemma_shaped();
            part.lemma_reach();
            part.lemma_all_whole();
        }
        let _ = unmap_all(&mut part, &mut flusher, 0, end);
        flusher.sync_tlb_flush()
    }

    /// All addresses.
    fn all() -> (r: Span<K::Mode>)
        ensures
            r.first() == 0,
            r.at() == 0,
            r.end() == K::Mode::geo().limit(),
    {
        proof {
            K::Mode::lemma_geometry();
            K::Mode::geo().lemma_limit();
        }
        Span::new(0, K::Mode::geometry().limit_bytes())
    }

    /// Gives back what is mapped, and the tables, when the space is dropped.
    ///
    /// If a cursor was forgotten, or a processor uses the space whose [`Cpu`](super::Cpu) was dropped, nothing is given back.
    pub(crate) fn close(&self) {
        proof {
            use_type_invariant(self);
        }
        let Some(held) = self.lock.try_lock() else {
            return;
        };
        let shared = self.lock.take_value(held);
        let (mut pages, claims) = (shared.pages, shared.claims);
        // also if nothing is mapped: the processor walks the root
        if self.is_used() || !claims.is_unclaimed() {
            let _ = ManuallyDrop::new(pages);
            return;
        }
        let ghost mut at = 0;
        let mut kept = Kept::new();
        proof {
            pages.lemma_shaped();
        }
        loop
            invariant
                self.inv(),
                kept.inv(),
                kept@.len() == 0,
                0 <= at <= K::Mode::geo().limit(),
                pages.inv(),
                pages.space().is_free(0, at),
            decreases K::Mode::geo().limit() - at,
        {
            let ghost before = pages.space();
            proof {
                pages.lemma_shaped();
            }
            let Some(gone) = pages.clear_step(&mut kept) else {
                return;
            };
            proof {
                let end = gone.end as int;
                lemma_first_run(before, pages.space(), at, gone.start@, end);
                at = end;
            }
            let Tracked(stored) = gone.flush.stored();
            let tracked since = stored.after();
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
            kept.release(Tracked(&flushed));
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
