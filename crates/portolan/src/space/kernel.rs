//! What a kernel supplies for all its address spaces.

use crate::arch::PagingMode;
use crate::arch::entry::AccessBits;
use crate::frame::{FrameAllocator, FrameTable};
use crate::hw::{Processors, TableMemory};
use crate::tlb::Shootdown;
use vstd::prelude::*;

verus! {

/// The kinds of things that a kernel's address spaces are made of.
///
/// ```
/// # use portolan::{FlushRange, PhysAddr, Preset, Processors, TableMemory, UserHalf, X86_64};
/// # use portolan::frame::FrameAllocator;
/// # #[derive(Clone)] struct DirectMap;
/// # unsafe impl TableMemory for DirectMap {
/// #     fn alloc_zeroed(&self, _: usize) -> Option<PhysAddr> { None }
/// #     unsafe fn free(&self, _: PhysAddr, _: usize) {}
/// #     unsafe fn read(&self, _: PhysAddr, _: usize) -> u64 { 0 }
/// #     unsafe fn write(&self, _: PhysAddr, _: usize, _: u64) {}
/// #     unsafe fn compare_exchange(&self, _: PhysAddr, _: usize, _: u64, _: u64) -> Result<u64, u64> { Err(0) }
/// #     fn phys_bits(&self) -> u8 { 46 }
/// # }
/// # struct Buddies;
/// # impl FrameAllocator for Buddies {
/// #     fn alloc(&self, _: usize, _: u64) -> Option<PhysAddr> { None }
/// #     fn dealloc(&self, _: PhysAddr, _: usize) {}
/// # }
/// # struct Apics;
/// # unsafe impl Processors<UserHalf<X86_64>> for Apics {
/// #     fn invalidate(&self, _: FlushRange<UserHalf<X86_64>>) {}
/// #     unsafe fn switch(&self, _: PhysAddr) {}
/// #     fn leave(&self) {}
/// #     fn notify(&self, _: usize) {}
/// #     fn relax(&self) {}
/// # }
/// use portolan::space::Kernel;
///
/// struct MyKernel;
///
/// impl Kernel for MyKernel {
///     type Mode = UserHalf<X86_64>;
///     type Bits = Preset;
///     type Tables = DirectMap;
///     type Frames = Buddies;
///     type Cpus = Apics;
/// }
///
/// type VmSpace = portolan::space::VmSpace<'static, MyKernel>;
/// ```
pub trait Kernel: Sized + 'static {
    /// The paging mode of user address spaces.
    type Mode: PagingMode;

    /// Who looks after accessed and dirty bits.
    type Bits: AccessBits;

    /// Where tables lie.
    type Tables: TableMemory + Send;

    /// Where frames come from, and where they go.
    type Frames: FrameAllocator + Send + Sync;

    /// The processors.
    type Cpus: Processors<Self::Mode> + Send + Sync;
}

/// A kernel's machine: what all its address spaces have in common. A kernel has one, in a static.
#[verifier::reject_recursive_types(K)]
pub struct Machine<'k, K: Kernel> {
    frames: &'k FrameTable<'k, K::Frames>,
    shootdown: &'k Shootdown<'k, K::Mode>,
    cpus: K::Cpus,
}

impl<'k, K: Kernel> Machine<'k, K> {
    /// The table of frames.
    pub closed spec fn frame_table(self) -> FrameTable<'k, K::Frames> {
        *self.frames
    }

    /// The processors.
    pub closed spec fn processors(self) -> K::Cpus {
        self.cpus
    }

    /// A machine with these frames, and these processors, which reach each other by `shootdown`.
    #[must_use]
    pub fn new(
        frames: &'k FrameTable<'k, K::Frames>,
        shootdown: &'k Shootdown<'k, K::Mode>,
        cpus: K::Cpus,
    ) -> (r: Self)
        ensures
            r.frame_table() == *frames,
    {
        Machine { frames, shootdown, cpus }
    }

    /// The table of frames.
    #[inline]
    #[must_use]
    pub fn frames(&self) -> (r: &'k FrameTable<'k, K::Frames>)
        ensures
            *r == self.frame_table(),
        no_unwind
    {
        self.frames
    }

    /// How processors are asked to invalidate.
    #[inline]
    #[must_use]
    pub fn shootdown(&self) -> &'k Shootdown<'k, K::Mode>
        no_unwind
    {
        self.shootdown
    }

    /// The processors.
    #[inline]
    #[must_use]
    pub fn cpus(&self) -> (r: &K::Cpus)
        ensures
            *r == self.processors(),
        no_unwind
    {
        &self.cpus
    }
}

} // verus!
