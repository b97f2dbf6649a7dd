//! With the [`x86_64`](https://docs.rs/x86_64) crate: its addresses, pages and flags, tables from its frame
//! allocators, its `INVLPG`.
//!
//! A kernel that uses the crate has page tables with its own frame allocator, `Frames`:
//!
//! ```
//! use core::cell::RefCell;
//! use portolan::interop::x86_64::{OffsetMemory, page_flags};
//! use portolan::{PageProperty, PageSize, PageTable, X86_64};
//! use x86_64::structures::paging::{Page, PageTableFlags, PhysFrame};
//! # use x86_64::structures::paging::{FrameAllocator, FrameDeallocator, Size4KiB};
//! # #[repr(align(4096))] struct Pool([[u64; 512]; 8]);
//! # struct Frames(u64);
//! # unsafe impl FrameAllocator<Size4KiB> for Frames {
//! #     fn allocate_frame(&mut self) -> Option<PhysFrame> {
//! #         self.0 += 1;
//! #         (self.0 < 8).then(|| PhysFrame::from_pfn(self.0))
//! #     }
//! # }
//! # impl FrameDeallocator<Size4KiB> for Frames { unsafe fn deallocate_frame(&mut self, _: PhysFrame) {} }
//! # let pool: &'static mut Pool = Box::leak(Box::new(Pool([[0; 512]; 8])));
//! # let direct_map = x86_64::VirtAddr::new((&raw mut *pool).expose_provenance() as u64);
//! # let frames = Frames(0);
//!
//! let frames = RefCell::new(frames);
//! // SAFETY: all frames are mapped from `direct_map` on, and `Frames` doesn't unwind
//! let memory = unsafe { OffsetMemory::new(&frames, direct_map, 48) };
//! let mut table = PageTable::<_, X86_64>::new(memory)?;
//!
//! let stack: Page = Page::containing_address(x86_64::VirtAddr::new(0x7fff_ffff_f000));
//! let frame: PhysFrame = PhysFrame::from_pfn(5);
//! table.map(stack.into(), frame.into(), PageSize::Size4K, PageProperty::USER_RW)?;
//! let flags = page_flags(PageProperty::USER_RW, PageSize::Size4K)?;
//! assert!(flags.contains(PageTableFlags::WRITABLE | PageTableFlags::NO_EXECUTE));
//! // `Cr3::write` takes `table.root_frame()`
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate's virtual addresses have 48 bits: they are those of [`X86_64`](crate::X86_64), not of
//! [`X86_64La57`](crate::X86_64La57).

mod convert;
mod flags;
mod memory;
#[cfg(target_arch = "x86_64")]
mod tlb;

pub use super::FlagsError;
pub use convert::page_size;
pub use flags::{page_flags, page_mapping, page_property};
pub use memory::{OffsetMemory, SharedAllocator};
#[cfg(target_arch = "x86_64")]
pub use tlb::LocalTlb;
