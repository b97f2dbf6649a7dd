//! TLB shootdown: telling every processor that uses a table what it must not use any longer.

mod account;
pub(crate) mod active;
mod bits;
mod cpus;
mod letter;
mod op;
mod queue;
mod shootdown;
mod slot;
#[cfg(test)]
mod tests;

pub use cpus::{CpuSet, Cpus};
pub use op::TlbFlushOp;
pub use shootdown::{Shootdown, ShootdownError};
pub use slot::CpuSlot;
