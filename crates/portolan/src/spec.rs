//! For readers: the abstract address space, what each request does to it, and the theorem.

#[cfg(verus_only)]
pub mod processors;
#[cfg(verus_only)]
pub mod request;
pub mod space;
#[cfg(verus_only)]
pub mod theorem;
#[cfg(verus_only)]
mod witness;
