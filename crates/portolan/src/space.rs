//! Address spaces of user programs.

pub(crate) mod batch;
pub(crate) mod lock;
