//! Address spaces of user programs.

mod error;
pub(crate) mod mappings;

pub use error::VmError;
