//! TLB shootdown: telling every processor that uses a table what it must not use any longer.
//!
//! A kernel makes one [`Shootdown`] of an array of [`CpuSlot`]s, and calls [`Shootdown::handle`] in the interrupt by which
//! its [`Processors`](crate::hw::Processors) notify each other.
//!
//! # The protocol
//! Each processor has a slot: room for one request, a set of processors that it waits for, and a set of those that ask
//! it. No lock is taken. Processor *r* asks the processors that use a table:
//! 1. it reads who uses the table, after its stores to the table. A processor enters that set before it loads the table's
//!    root; so one that is missed loads the root, and its TLB starts, after the stores;
//! 2. it writes what is to be invalidated to its slot, and whom it waits for;
//! 3. for each of them it sets its bit in the set of those who ask that processor, and notifies it;
//! 4. a processor that is notified takes the whole set of those who ask it; for each it reads the request, invalidates,
//!    and clears its own bit in the set of those whom that one waits for;
//! 5. *r* waits until that set is empty, and meanwhile does the same for those who ask it: so two that wait for each other
//!    both end.
//!
//! # Processors that may come back
//! A processor with identifiers of address spaces leaves a table, and its TLB keeps what it holds of it, where no access meets it.
//! Nobody asks such a processor. With the bit that says who uses the table stands another one, which says whether it may keep
//! that when it comes back; step 1 clears it, and a processor that comes back looks at it as it enters the set. If it is clear, the
//! processor invalidates what it holds under the identifier. One that was asked while it used the table, and has left it when it
//! answers, or is about to come back, invalidates what it holds under identifiers that are not in use
//! ([`Processors::invalidate_for`](crate::hw::Processors::invalidate_for)).
//!
//! # What is proven
//! That every processor was quiet after the stores when the wait ends: those in the set have invalidated, and all others
//! used nothing that their TLBs held of the table, nor will they when they come back. That nobody reads a request that is being
//! written. Not proven is that the wait ends: that needs each processor that is notified to handle what it is asked.
//!
//! # What is trusted
//! That a kernel's [`AtomicMode`](crate::hw::AtomicMode) and [`Processors`](crate::hw::Processors) do what they promise.

mod account;
pub(crate) mod active;
mod bits;
mod cpus;
mod letter;
mod op;
mod outbox;
mod queue;
mod shootdown;
mod slot;
pub(crate) mod sync;
#[cfg(test)]
mod tests;

pub use cpus::{CpuSet, Cpus};
pub use op::TlbFlushOp;
pub use shootdown::{Shootdown, ShootdownError};
pub use slot::CpuSlot;
