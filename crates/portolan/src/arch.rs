//! Paging modes: how many levels, how entries are encoded.
//!
//! [`PageTable`](crate::PageTable) is one implementation for all of them. A mode is a [`Geometry`] and an entry
//! format; what its hardware does with the words is in [`hw`](crate::hw), and that the two fit is proven in the
//! mode's own module.
//!
//! What an entry stands for is defined by the code that reads it: functions marked `auto_spec` are their own definitions,
//! and stand in contracts and proofs as they are.

pub mod aarch64;
pub(crate) mod entry;
pub mod ept;
pub mod geometry;
pub mod halves;
pub mod loongarch;
mod region;
pub mod riscv;
mod words;
pub mod x86_64;

pub use entry::{AccessBits, Preset, Tracking};
pub use geometry::Geometry;

use entry::EntryFormat;
use vstd::prelude::*;

verus! {

/// A paging mode: a geometry and an entry format whose meaning to the hardware is proven.
///
/// Sealed: the modes are those of this module.
pub trait PagingMode: EntryFormat {

}

} // verus!
