//! Address spaces of user programs: page tables with references to the frames that they map, shared by processors.
//!
//! A [`VmSpace`] is what a kernel holds for each process. [`Cursor`]s look at what is mapped, [`CursorMut`]s change it,
//! each in a range of its own; a [`TlbFlusher`] tells the processors that use the address space; a [`Cpu`] goes from one address space to the
//! next. What a kernel supplies for all of them is a [`Machine`]: its frames, its processors, and how they reach each other.
//!
//! The names and their meaning are those of OSTD, the framework of the Asterinas kernel. Where a signature differs:
//! - nothing panics: what was a panic there is an error ([`VmError`]), and so is running out of memory;
//! - addresses and ranges are types that are checked once ([`VirtAddr`](crate::VirtAddr), [`VirtRange`](crate::VirtRange)),
//!   lengths are multiples of the smallest page;
//! - pages have every size that the paging mode has: [`CursorMut::map_segment`] maps the frames of a segment as one page, and
//!   what [`Cursor::query`] answers of a large page is a segment;
//! - [`CursorMut::map`] replaces a page of the same size only;
//! - [`CursorMut::protect_next`] takes a function from properties to properties;
//! - a kernel says by an [`AtomicMode`](crate::AtomicMode) value on which processor it runs, and activates an address space
//!   by its [`Cpu`], since there are no statics here;
//! - [`CursorMut::unmap`] notes what processors have to be told, and the cursor tells them when it is dropped, or its
//!   [`flusher`](CursorMut::flusher) before.
//!
//! # What is proven
//! - Each operation does to the [`AddressSpace`](crate::spec::space::AddressSpace) what its contract says, or answers with an
//!   error and leaves it.
//! - **Frames.** The references that an address space holds are exactly those to the frames of ordinary memory that it maps,
//!   one for each mapping of 4 KiB, and all of these frames are untyped. What is unmapped is owed: its references go to the
//!   flusher, and are given back only with evidence that each processor has been quiet since. The count of a frame is the
//!   number of references to it ([`frame`](crate::frame)): handles, mappings and what is owed. Not proven, but tested, is that
//!   no reference is lost: the prover lets values be forgotten.
//! - **Isolation.** An operation changes the tables of its own address space only: it holds the right to write to each, and no
//!   two page tables have the right to the same. The kernel's half is in none of them
//!   (`theorem_share` in `spec/theorem.rs`).
//! - **Locking.** Cursors on disjoint ranges live at the same time. As long as one does, nobody else changes what is mapped in
//!   its range, nor in pages that lie partly in it: its contracts speak of that part of the address space as it was when its
//!   last operation ended, whatever others do in theirs. The lock inside is held for one operation, by who waits for nobody;
//!   who waits for a range answers shootdowns meanwhile. So a processor with one cursor at a time never waits in a circle; one
//!   that needs several takes them in the order of their addresses.
//! - **TLBs.** [`TlbFlusher::sync_tlb_flush`] returns only when each processor, after the stores, has invalidated or, at some
//!   moment, neither used the table nor might come back to it without invalidating ([`tlb`](crate::tlb)). What that means for the
//!   translations that a processor may use, whatever its TLB loads, loses and keeps under identifiers meanwhile, is
//!   `theorem_shootdown` in `spec/theorem.rs`. That this moment comes after the stores is in the types: a
//!   [`Flush`](crate::Flush) carries a moment after all stores to its tables, and what it keeps is released only with evidence
//!   of a later one.

pub(crate) mod batch;
pub(crate) mod claims;
mod cpu;
mod cursor;
mod cursor_mut;
mod error;
pub(crate) mod flusher;
mod identifiers;
pub(crate) mod kept;
mod kernel;
pub(crate) mod lease;
pub(crate) mod lock;
pub(crate) mod mappings;
mod owed;
mod pages;
pub(crate) mod part;
mod slots;
mod span;
pub(crate) mod target;
mod vm_space;

pub use cpu::{Cpu, SpaceRef};
pub use cursor_mut::CursorMut;
pub use error::VmError;
pub use vm_space::VmSpace;

pub use cursor::{Cursor, Slot};
pub use flusher::TlbFlusher;
pub use kernel::{Kernel, Machine};
pub use mappings::MappedItem;
