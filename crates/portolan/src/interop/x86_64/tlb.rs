//! Flushes on a single processor.

use crate::{Invalidate, PageSize, VirtAddr, X86_64};
use ::x86_64::instructions::tlb;
use core::marker::PhantomData;

/// The TLB of the processor that runs this, and of no other.
///
/// It is for kernels that run on one processor, and for page tables that only one uses. Where others use the table too,
/// [`Invalidate`] is the kernel's own: it sends them an interrupt and waits until each has executed `INVLPG`.
#[derive(Debug)]
pub struct LocalTlb {
    /// It must not be sent to another processor.
    _not_send: PhantomData<*mut ()>,
}

impl LocalTlb {
    /// The TLB of this processor.
    ///
    /// # Safety
    /// As long as the value exists:
    /// - the code that uses it runs at privilege level 0 (`INVLPG` faults elsewhere), on this processor;
    /// - a flush that is paid with it is of a page table that no other processor has used since it was last told to forget
    ///   all of it;
    /// - process-context identifiers are off (`CR4.PCIDE`), or that page table was used with the current one only.
    #[inline]
    #[must_use]
    pub const unsafe fn new() -> Self {
        LocalTlb {
            _not_send: PhantomData,
        }
    }
}

// SAFETY: `INVLPG` takes from this processor all translations of the page, global ones too, whatever sizes they were cached
// in, and all cached entries of upper tables (Intel SDM vol. 3, 5.10.4.1 and 5.10.2.3); `new` was promised that no other
// processor, and no other process-context identifier, has any
unsafe impl Invalidate<X86_64> for LocalTlb {
    #[inline]
    fn invalidate(&self, addr: VirtAddr<X86_64>, _size: PageSize) {
        tlb::flush(addr.into());
    }
}
