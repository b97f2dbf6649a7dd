//! Virtual memory for kernels and hypervisors: page tables, proven with [Verus](https://github.com/verus-lang/verus)
//! down to the words that the processor walks.
//!
//! A kernel implements [`TableMemory`] for its machine (frames for tables, and access to their words) and gets
//! [`PageTable`]:
//!
//! ```
//! use portolan::{PageProperty, PageSize, PageTable, PhysAddr, TableMemory, VirtAddr};
//! # use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
//! # #[repr(align(4096))] struct Pool([[AtomicU64; 512]; 8]);
//! # static POOL: Pool = Pool([const { [const { AtomicU64::new(0) }; 512] }; 8]);
//! # static NEXT: AtomicUsize = AtomicUsize::new(1);
//! # fn alloc_frame() -> Option<u64> {
//! #     let n = NEXT.fetch_add(1, SeqCst);
//! #     (n < 8).then_some(n as u64 * 4096)
//! # }
//! # fn free_frame(_: u64) {}
//! # fn direct_map(phys: u64) -> *mut u64 { (&raw const POOL).cast::<u8>().wrapping_add(phys as usize).cast_mut().cast() }
//! #[derive(Clone, Copy)]
//! struct Kernel;
//!
//! impl Kernel {
//!     fn word(table: PhysAddr, index: usize) -> *mut u64 {
//!         direct_map(table.as_u64()).wrapping_add(index)
//!     }
//! }
//!
//! // SAFETY: `alloc_frame` gives each frame to one owner, and `direct_map` reaches all of them
//! unsafe impl TableMemory for Kernel {
//!     fn alloc_zeroed(&self, bytes: usize) -> Option<PhysAddr> {
//!         let frame = alloc_frame()?;
//!         unsafe { direct_map(frame).write_bytes(0, bytes / 8) };
//!         Some(PhysAddr::new(frame))
//!     }
//!     unsafe fn free(&self, table: PhysAddr, _bytes: usize) {
//!         free_frame(table.as_u64())
//!     }
//!     unsafe fn read(&self, table: PhysAddr, index: usize) -> u64 {
//!         unsafe { Self::word(table, index).read_volatile() }
//!     }
//!     unsafe fn write(&self, table: PhysAddr, index: usize, word: u64) {
//!         unsafe { Self::word(table, index).write_volatile(word) }
//!     }
//!     unsafe fn compare_exchange(&self, table: PhysAddr, index: usize, current: u64, new: u64) -> Result<u64, u64> {
//!         unsafe { AtomicU64::from_ptr(Self::word(table, index)) }.compare_exchange(current, new, SeqCst, SeqCst)
//!     }
//!     fn phys_bits(&self) -> u8 {
//!         48
//!     }
//! }
//!
//! let mut table = PageTable::<Kernel>::new(Kernel)?;
//! let stack = VirtAddr::new(0x7fff_ffff_f000)?;
//! table.map(stack, PhysAddr::new(0x5000), PageSize::Size4K, PageProperty::USER_RW)?;
//! assert_eq!(table.query(stack)?.frame, PhysAddr::new(0x5000));
//! // the processor's root register takes `table.root()`
//!
//! let (was, flush) = table.unmap(stack, PageSize::Size4K)?;
//! assert!(was.prop.write);
//! // SAFETY: no processor uses this table
//! unsafe { flush.assume_flushed() };
//! # Ok::<(), portolan::Error>(())
//! ```
//!
//! # What there is
//! [`PageTable`] is one implementation for all paging modes; each mode's page says what it supports, what its manual
//! demands and which registers a kernel sets:
//! - [`X86_64`] and [`X86_64La57`] ([`arch::x86_64`]); [`Ept`] ([`arch::ept`]) for guests;
//! - [`AArch64Lower`], [`AArch64Upper`] with granules of 4, 16 and 64 KiB ([`arch::aarch64`]); [`AArch64Stage2`]
//!   ([`arch::aarch64::stage2`]) for guests;
//! - [`Sv39`], [`Sv48`] and [`Sv57`] ([`arch::riscv`]);
//! - [`LoongArchLower`], [`LoongArchUpper`] with pages of 4 and 16 KiB ([`arch::loongarch`]);
//! - [`KernelHalf`] and [`UserHalf`] of those of x86_64 and RISC-V ([`arch::halves`]): one kernel half, shared by all user
//!   tables.
//!
//! Pages: [`map`](PageTable::map), [`unmap`](PageTable::unmap), [`protect`](PageTable::protect),
//! [`query`](PageTable::query). Ranges, all or nothing: [`map_range`](PageTable::map_range),
//! [`unmap_range`](PageTable::unmap_range), [`protect_range`](PageTable::protect_range); to another page table, for fork,
//! [`copy_range`](PageTable::copy_range) and [`copy_range_write_protected`](PageTable::copy_range_write_protected). Other
//! sizes in place: [`split`](PageTable::split), [`collapse`](PageTable::collapse). What may not change in place:
//! [`break_page`](PageTable::break_page), [`break_pages`](PageTable::break_pages), the flush, and what is made of the
//! [`Vacant`] place. Step by step: [`cursor`](PageTable::cursor), [`mappings`](PageTable::mappings), and
//! [`cursor_mut`](PageTable::cursor_mut), which changes what it meets. What was used: [`harvest`](PageTable::harvest).
//! What processors have to be told is a value, a [`Flush`].
//!
//! Frames: [`frame::Frame`] and its kin count the references to a physical frame, and the last one gives it back.
//!
//! Address spaces: [`space::VmSpace`], shared by processors. User memory: [`io::VmReader`] and [`io::VmWriter`].
//!
//! # What is proven
//! Each function says in its contract, a specification that Verus checks against the code that runs, what it does to an
//! abstract address space, and which error it gives when. No function has a precondition, none panics, and after an
//! error nothing has changed. `spec/theorem.rs` says on one page what that means to the hardware:
//! - **walk is view**: for every address, the walk of the raw words, as the processor's manual describes it, answers
//!   what the abstract address space says, whichever accessed and dirty bits hardware has set;
//! - **no third answer**: so it does after each single store of an operation, with the space before or the one after; in
//!   the middle of a range, each address is as before or as after;
//! - **break-before-make**: on AArch64 and LoongArch64, no single store changes the size, the frame or the cache policy of
//!   what is mapped;
//! - **nothing lost**: the frames held are those of the tables that walks can reach.
//!
//! # What is trusted
//! Verus, the compiler, our reading of the manuals in [`hw`], and that a kernel's [`TableMemory`] and [`Invalidate`] do
//! what they promise. The repository's `TRUSTED.md` lists every item.
//!
//! # Features
//! None is on by default, and none changes what is proven.
//! - `x86_64`: values of the [`x86_64`](https://docs.rs/x86_64) crate as Portolan's and back, and its frame allocators as
//!   [`TableMemory`];
//! - `buddy_system_allocator`: an allocator of [frames](frame), which needs a heap and a lock;
//! - `aarch64-paging`: values of the [`aarch64-paging`](https://docs.rs/aarch64-paging) crate as Portolan's and back.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    verus_only,
    allow(missing_docs, reason = "the prover adds accessors to ghost types")
)]
#![cfg_attr(
    verus_only,
    allow(unused_imports, reason = "some names are for plain builds")
)]
#![cfg_attr(
    not(verus_only),
    allow(dead_code, reason = "ghost types and fields are the prover's")
)]
#![allow(
    clippy::extra_unused_type_parameters,
    clippy::collapsible_if,
    clippy::manual_is_multiple_of,
    reason = "contracts use the parameters; the prover has no let chains, and does not know that `is_multiple_of` returns"
)]

#[cfg(feature = "alloc")]
extern crate alloc;

mod addr;
pub mod arch;
#[cfg(verus_only)]
mod arith;
mod error;
mod flush;
pub mod frame;
pub mod hw;
#[cfg(any(
    feature = "x86_64",
    feature = "aarch64-paging",
    feature = "buddy_system_allocator"
))]
// each of its modules says which feature it needs
#[cfg_attr(docsrs, doc(auto_cfg = false))]
pub mod interop;
pub mod io;
mod prop;
#[cfg(verus_only)]
mod refine;
pub mod space;
pub mod spec;
mod table;
pub mod tlb;

pub use addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
pub use arch::aarch64::stage2::AArch64Stage2;
pub use arch::aarch64::{AArch64, AArch64Lower, AArch64Upper};
pub use arch::ept::Ept;
pub use arch::halves::{KernelHalf, UserHalf};
pub use arch::loongarch::{LoongArch, LoongArchLower, LoongArchUpper};
pub use arch::riscv::{Sv39, Sv48, Sv57};
pub use arch::x86_64::{X86_64, X86_64La57};
pub use arch::{AccessBits, PagingMode, Preset, Tracking};
pub use error::Error;
pub use flush::{Advice, Flush, FlushRange};
pub use hw::{AtomicMode, Invalidate, MAX_CPUS, Processors, TableMemory};
pub use prop::{CachePolicy, Mapping, PageProperty, UsedBits};
pub use table::PageTable;
pub use table::cursor::Cursor;
pub use table::cursor_mut::{ChangedPage, CursorMut};
pub use table::harvest::Harvest;
pub use table::iter::Mappings;
pub use table::remake::{Broken, NotMade, Vacant};
pub use table::runs::{Run, Runs};
pub use table::used::UsedPage;
pub use table::visit::{TableInfo, Tables};
