//! What a filled range holds.

use crate::io::transfer::least;
use crate::io::{Fallibility, IoError, VmWriter};
use vstd::prelude::*;

verus! {

/// `bytes`, `count` times.
pub open spec fn repeated(bytes: Seq<u8>, count: nat) -> Seq<u8>
    decreases count,
{
    if count == 0 {
        Seq::empty()
    } else {
        repeated(bytes, (count - 1) as nat) + bytes
    }
}

/// So many zeros.
pub open spec fn zeros(count: int) -> Seq<u8> {
    Seq::new(count as nat, |i| 0u8)
}

impl<'a, F: Fallibility> VmWriter<'a, F> {
    /// This is `before` after up to `max` bytes were set to 0, as `r` says.
    #[verifier::prophetic]
    pub open spec fn zeroed(
        self,
        before: Self,
        max: int,
        r: Result<usize, (IoError, usize)>,
    ) -> bool {
        let most = least(before.end() - before.at(), max);
        match r {
            Ok(n) => n == most && self.put(before, zeros(n as int), false),
            Err((e, n)) => {
                &&& n < most
                &&& before.root() is Some
                &&& self.put(before, zeros(n as int), false)
                &&& e matches IoError::PageFault { addr } && addr == before.at() + n
            },
        }
    }

    /// Whether values of type `T` are rightly refused to fill what is left.
    pub open spec fn refuses_fill<T>(self, e: IoError) -> bool {
        let size = vstd::layout::size_of::<T>() as int;
        match e {
            IoError::NotAligned { addr, align } => {
                &&& addr == self.at() && align == vstd::layout::align_of::<T>()
                &&& addr as int % align as int != 0
            },
            IoError::NotMultiple { bytes, size: s } => {
                &&& bytes == self.end() - self.at() && s == size
                &&& size == 0 || bytes as int % size != 0
            },
            _ => false,
        }
    }
}

} // verus!
