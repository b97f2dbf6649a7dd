//! Address spaces of user programs.
