//! The theorem.
use vstd::prelude::*; verus! {} 
