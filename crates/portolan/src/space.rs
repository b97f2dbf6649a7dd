//! Address spaces of user programs.

pub(crate) mod batch;
mod cpu;
mod cursor;
mod cursor_mut;
mod error;
mod flusher;
mod kernel;
pub(crate) mod lease;
pub(crate) mod lock;
pub(crate) mod mappings;
mod owed;
mod pages;
mod span;
mod vm_space;

pub use cpu::{Cpu, SpaceRef};
pub use cursor_mut::CursorMut;
pub use error::VmError;
pub use vm_space::VmSpace;

pub use cursor::{Cursor, Slot};
pub use flusher::TlbFlusher;
pub use kernel::{Kernel, Machine};
pub use mappings::MappedItem;
