use vstd::prelude::*; verus! {} 
