//! Address spaces of user programs.

pub(crate) mod batch;
pub(crate) mod lease;
pub(crate) mod lock;
