//! TLB shootdown: telling every processor that uses a table what it must not use any longer.

pub(crate) mod active;
mod bits;
mod cpus;
mod letter;
mod op;
pub(crate) mod shootdown;
mod slot;

pub use cpus::{CpuSet, Cpus};
pub use op::TlbFlushOp;
pub use shootdown::{Shootdown, ShootdownError};
pub use slot::CpuSlot;
