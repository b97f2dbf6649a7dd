//! Flushes on a single processor.

use crate::{Advice, FlushRange, Invalidate, X86_64};
use ::x86_64::instructions::tlb;
use ::x86_64::registers::control::{Cr4, Cr4Flags};
use core::marker::PhantomData;

/// Up to how many pages are flushed one by one: from there on it is faster to forget everything.
const PAGE_BY_PAGE: u64 = 32;

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
    /// - the code that uses it runs at privilege level 0, on this processor, and nothing interrupts it to change `CR4`;
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

// SAFETY: `INVLPG` takes from this processor all translations of a page, global ones too, whatever sizes they were cached in,
// and all cached entries of upper tables; a change of `CR4.PGE` takes everything (Intel SDM vol. 3, 5.10.4.1 and 5.10.2.3).
// The range has no smaller pages than its stride. `new` was promised that nothing else has any of it: no other processor,
// no other process-context identifier
unsafe impl Invalidate<X86_64> for LocalTlb {
    #[inline]
    fn invalidate(&self, range: FlushRange<X86_64>) {
        match range.advice(PAGE_BY_PAGE) {
            Advice::Pages { first, count, size } => {
                for n in 0..count {
                    let page = first.as_u64() + n * size.bytes();
                    tlb::flush(::x86_64::VirtAddr::new_truncate(page));
                }
            }
            Advice::All => flush_all(),
        }
    }
}

/// Forgets all translations. The crate's `flush_all` leaves global ones.
fn flush_all() {
    let flags = Cr4::read();
    // SAFETY: the processor is at privilege level 0, as `LocalTlb::new` was promised, and whether it keeps global
    // translations apart, in between, is of no consequence to memory
    unsafe {
        Cr4::write(flags ^ Cr4Flags::PAGE_GLOBAL);
        Cr4::write(flags);
    }
}
