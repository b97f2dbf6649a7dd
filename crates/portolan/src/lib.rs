//! Virtual memory for kernels and hypervisors, proven with Verus.
#![no_std]
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
#![forbid(unsafe_op_in_unsafe_fn)]

mod addr;
pub mod arch;
mod error;
mod flush;
pub mod hw;
mod prop;
#[cfg(verus_only)]
mod refine;
pub mod spec;
mod table;

pub use addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
pub use arch::x86_64::{X86_64, X86_64La57};
pub use arch::{AccessBits, PagingMode, Preset, Tracking};
pub use error::Error;
pub use flush::Flush;
pub use hw::{Invalidate, TableMemory};
pub use prop::{CachePolicy, Mapping, PageProperty};
pub use table::PageTable;
