//! The machine: everything that the proofs take on trust, and what the manuals say.
//!
//! [`TableMemory`] is what a kernel supplies. `memory::Frames` wraps it in contracts over linear permissions; these are the
//! only assumptions of the crate about executable code, and `TRUSTED.md` lists each. [`UserMemory`] and [`DirectMap`] are what
//! it supplies for [user I/O](crate::io), wrapped alike. [`mmu`] and a module for each
//! processor (`x86_64`, `ept`, `riscv`, `aarch64`, `loongarch`) hold definitions only: the walk of page tables as the
//! manuals describe it, over raw 64-bit words.

#[cfg(verus_only)]
pub mod aarch64;
#[cfg(verus_only)]
pub mod aarch64_stage2;
#[cfg(verus_only)]
pub mod ept;
pub(crate) mod frame;
#[cfg(verus_only)]
pub mod loongarch;
pub(crate) mod memory;
pub mod mmu;
pub(crate) mod processor;
#[cfg(verus_only)]
pub mod riscv;
pub(crate) mod space;
pub(crate) mod user;
#[cfg(verus_only)]
pub mod x86_64;

pub use memory::{Invalidate, TableMemory};
pub use processor::{AtomicMode, MAX_CPUS, Processors};
pub use user::{DirectMap, UserMemory, Width};
