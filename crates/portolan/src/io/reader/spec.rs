//! What a reader is about to read, and what it has read.

use super::VmReader;
use crate::addr::PhysAddr;
use crate::hw::user::Access;
use crate::io::log::{is_within, refuses_once, tells};
use crate::io::{Fallibility, IoError};
use vstd::prelude::*;

verus! {

impl<'a, F: Fallibility> VmReader<'a, F> {
    /// The address of the next byte.
    pub open(in crate::io) spec fn at(self) -> int {
        self.cursor@.addr as int
    }

    /// Where the memory ends.
    pub open(in crate::io) spec fn end(self) -> int {
        self.end as int
    }

    /// The root of the table that it is read by, if it is a user program's.
    pub open(in crate::io) spec fn root(self) -> Option<PhysAddr> {
        self.source@.root()
    }

    /// The bytes that are left, if nobody can change them: those of a slice.
    pub open(in crate::io) spec fn rest(self) -> Option<Seq<u8>> {
        match self.source@.bytes() {
            Some(all) => {
                let start = self.source@.extent().start;
                Some(all.subrange(self.at() - start, self.end() - start))
            },
            None => None,
        }
    }

    /// As many bytes are left as are known.
    pub(in crate::io) open spec fn is_whole(self) -> bool {
        self.rest() matches Some(rest) ==> rest.len() == self.end() - self.at()
    }

    /// What was read.
    pub open(in crate::io) spec fn loads(self) -> Seq<Access> {
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

    /// This is `before`, but for what was read.
    pub open spec fn stays(self, before: Self) -> bool {
        &&& self.at() == before.at()
        &&& self.end() == before.end()
        &&& self.root() == before.root()
        &&& self.rest() == before.rest()
    }

    /// This is `before` after `bytes` were read where the cursor is, at once.
    pub open spec fn peeked(self, before: Self, bytes: Seq<u8>) -> bool {
        &&& self.stays(before)
        &&& bytes.len() <= before.end() - before.at()
        &&& before.rest() matches Some(rest) ==> bytes == rest.take(bytes.len() as int)
        &&& self.loads() == before.loads().push(
            Access::Load { root: before.root(), at: before.at(), bytes, once: true },
        )
    }

    /// This is `before` after a value of `bytes` bytes was rightly refused with `e`: the cursor is where it was, and no more than
    /// the bytes before the one that faulted were read.
    pub open spec fn kept(self, before: Self, bytes: int, e: IoError) -> bool {
        ||| self == before && before.is_short(bytes, e)
        ||| {
            &&& self.stays(before)
            &&& before.root() is Some
            &&& e matches IoError::PageFault { addr } && {
                &&& before.at() <= addr < before.at() + bytes
                &&& self.loads() == before.loads().push(self.loads().last())
                &&& self.loads().last() matches Access::Load { root, at, bytes: part, once } && {
                    root == before.root() && at == before.at() && part.len() == addr - at && !once
                }
            }
        }
    }

    /// This is `before` after `bytes` were read, by any number of accesses.
    pub open spec fn gave(self, before: Self, bytes: Seq<u8>) -> bool {
        &&& self.advanced(before, bytes.len() as int)
        &&& before.rest() matches Some(rest) ==> bytes == rest.take(bytes.len() as int)
        &&& tells(self.loads(), before.loads(), before.at(), bytes)
        &&& is_within(self.loads(), before.loads().len() as int, before.at(), before.end())
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

    /// Whether an access of one instruction for a `T` is rightly refused with `e`.
    pub open spec fn refuses_once<T>(self, e: IoError) -> bool {
        let bytes = vstd::layout::size_of::<T>() as int;
        refuses_once(self.root(), self.at(), self.end() - self.at(), bytes, e)
    }
}

} // verus!
