//! Where frames come from, and where they go.

use crate::addr::PhysAddr;
use vstd::prelude::*;

verus! {

/// A kernel's allocator of frames.
///
/// It is not trusted: a frame that it hands out is claimed before it is used, and one that is not the allocator's is
/// refused with an error. What it owes is not to unwind from [`dealloc`](FrameAllocator::dealloc), as the last reference
/// to a frame may be dropped anywhere.
pub trait FrameAllocator {
    /// The first of `frames` frames that follow each other, aligned to `align` bytes, a power of two; or `None`.
    fn alloc(&self, frames: usize, align: u64) -> Option<PhysAddr>;

    /// Takes `frames` frames, the first of which is `addr`: some that came from `alloc`, maybe not all at once, or new
    /// ones.
    fn dealloc(&self, addr: PhysAddr, frames: usize)
        no_unwind
    ;
}

} // verus!
