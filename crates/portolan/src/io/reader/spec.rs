//! What a reader is about to read, and what it has read.

use super::VmReader;
use crate::addr::PhysAddr;
use crate::hw::user::Access;
use crate::io::{Fallibility, IoError};
use vstd::prelude::*;

verus! {

impl<'a, F: Fallibility> VmReader<'a, F> {
    /// The address of the next byte.
    pub closed spec fn at(self) -> int {
        self.cursor@.addr as int
    }

    /// Where the memory ends.
    pub closed spec fn end(self) -> int {
        self.end as int
    }

    /// The root of the table that it is read by, if it is a user program's.
    pub closed spec fn root(self) -> Option<PhysAddr> {
        self.source@.root()
    }

    /// The bytes that are left, if nobody can change them: those of a slice.
    pub closed spec fn rest(self) -> Option<Seq<u8>> {
        match self.source@.bytes() {
            Some(all) => {
                let start = self.source@.extent().start;
                Some(all.subrange(self.at() - start, self.end() - start))
            },
            None => None,
        }
    }

    /// What was read.
    pub closed spec fn loads(self) -> Seq<Access> {
        self.source@.log()
    }

    /// This is `before`, `bytes` bytes further.
    pub open spec fn advanced(self, before: Self, bytes: int) -> bool {
        &&& 0 <= bytes <= before.end() - before.at()
        &&& self.at() == before.at() + bytes
        &&& self.end() == before.end()
        &&& self.root() == before.root()
        &&& self.rest() == match before.rest() {
            Some(rest) => Some(rest.skip(bytes)),
            None => None,
        }
    }

    /// This is `before` after `bytes` bytes were skipped.
    pub open spec fn skipped(self, before: Self, bytes: int) -> bool {
        self.advanced(before, bytes) && self.loads() == before.loads()
    }

    /// This is `before` after `bytes` were read: they stood there if nobody could change them, and else they were read from
    /// where the cursor was, and nowhere else.
    pub open spec fn took(self, before: Self, bytes: Seq<u8>, once: bool) -> bool {
        &&& self.advanced(before, bytes.len() as int)
        &&& before.rest() matches Some(rest) ==> bytes == rest.take(bytes.len() as int)
        &&& self.loads() == before.loads().push(
            Access::Load { root: before.root(), at: before.at(), bytes, once },
        )
    }

    /// This is `before`, where no more than `max` bytes are left.
    pub open spec fn limited(self, before: Self, max: int) -> bool {
        let left = if max < before.end() - before.at() {
            max
        } else {
            before.end() - before.at()
        };
        &&& self.at() == before.at()
        &&& self.end() == before.at() + left
        &&& self.root() == before.root()
        &&& self.loads() == before.loads()
        &&& self.rest() == match before.rest() {
            Some(rest) => Some(rest.take(left)),
            None => None,
        }
    }

    /// Whether `e` says rightly that fewer than `needed` bytes are left.
    pub open spec fn is_short(self, needed: int, e: IoError) -> bool {
        &&& self.end() - self.at() < needed
        &&& e matches IoError::TooShort { needed: n, left } && n == needed && left == self.end()
            - self.at()
    }
}

} // verus!
