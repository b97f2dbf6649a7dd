//! For readers: the abstract address space and the theorem.

pub mod space;
#[cfg(verus_only)]
pub mod theorem;
