//! Address spaces of user programs.

pub(crate) mod batch;
mod cursor;
mod error;
mod flusher;
mod kernel;
pub(crate) mod lease;
pub(crate) mod lock;
pub(crate) mod mappings;
mod owed;
mod pages;
mod span;


pub use error::VmError;

pub use flusher::TlbFlusher;
pub use kernel::{Kernel, Machine};
pub use cursor::{Cursor, Slot};
pub use mappings::MappedItem;
