use vstd::prelude::*;
verus! {}
