//! Where a writer is about to write, and what it has written.

use super::VmWriter;
use crate::addr::PhysAddr;
use crate::hw::user::{Access, overwritten};
use crate::io::{Fallibility, IoError};
use vstd::prelude::*;

verus! {

impl<'a, F: Fallibility> VmWriter<'a, F> {
    /// Where the next byte goes.
    pub closed spec fn at(self) -> int {
        self.cursor@.addr as int
    }

    /// Where the memory ends.
    pub closed spec fn end(self) -> int {
        self.end as int
    }

    /// Where the slice starts, if it is one.
    pub closed spec fn start(self) -> int {
        self.sink@.extent().start
    }

    /// The root of the table that it is written by, if it is a user program's.
    pub closed spec fn root(self) -> Option<PhysAddr> {
        self.sink@.root()
    }

    /// What the slice holds, if it is one: also before the cursor, and after the end.
    pub closed spec fn slice(self) -> Option<Seq<u8>> {
        self.sink@.bytes()
    }

    /// What the slice will hold when the writer is gone, if it is one.
    #[verifier::prophetic]
    pub closed spec fn final_slice(self) -> Option<Seq<u8>> {
        self.sink@.fin()
    }

    /// What was written.
    pub closed spec fn stores(self) -> Seq<Access> {
        self.sink@.log()
    }

    /// This writes to the same memory as `before`.
    #[verifier::prophetic]
    pub open spec fn is_of(self, before: Self) -> bool {
        &&& self.start() == before.start()
        &&& self.root() == before.root()
        &&& self.final_slice() == before.final_slice()
    }

    /// This is `before`, `bytes` bytes further.
    #[verifier::prophetic]
    pub open spec fn advanced(self, before: Self, bytes: int) -> bool {
        &&& 0 <= bytes <= before.end() - before.at()
        &&& self.is_of(before)
        &&& self.at() == before.at() + bytes
        &&& self.end() == before.end()
    }

    /// This is `before` after `bytes` bytes were skipped.
    #[verifier::prophetic]
    pub open spec fn skipped(self, before: Self, bytes: int) -> bool {
        &&& self.advanced(before, bytes)
        &&& self.slice() == before.slice()
        &&& self.stores() == before.stores()
    }

    /// What it holds after `bytes` were put where the cursor of `before` was, and nowhere else.
    pub open spec fn holds(self, before: Self, bytes: Seq<u8>) -> bool {
        self.slice() == match before.slice() {
            Some(slice) => Some(overwritten(slice, before.at() - before.start(), bytes)),
            None => None,
        }
    }

    /// This is `before` after `bytes` were written: where the cursor was, and nowhere else.
    #[verifier::prophetic]
    pub open spec fn put(self, before: Self, bytes: Seq<u8>, once: bool) -> bool {
        &&& self.advanced(before, bytes.len() as int)
        &&& self.wrote(before, bytes, once)
    }

    /// This has written `bytes`, wherever its cursor is.
    pub open spec fn wrote(self, before: Self, bytes: Seq<u8>, once: bool) -> bool {
        &&& self.holds(before, bytes)
        &&& self.stores() == before.stores().push(
            Access::Store { root: before.root(), at: before.at(), bytes, once },
        )
    }

    /// This is `before`, where no more than `max` bytes are left.
    #[verifier::prophetic]
    pub open spec fn limited(self, before: Self, max: int) -> bool {
        let left = if max < before.end() - before.at() {
            max
        } else {
            before.end() - before.at()
        };
        &&& self.is_of(before)
        &&& self.at() == before.at()
        &&& self.end() == before.at() + left
        &&& self.slice() == before.slice()
        &&& self.stores() == before.stores()
    }

    /// Whether `e` says rightly that fewer than `needed` bytes are left.
    pub open spec fn is_short(self, needed: int, e: IoError) -> bool {
        &&& self.end() - self.at() < needed
        &&& e matches IoError::TooShort { needed: n, left } && n == needed && left == self.end()
            - self.at()
    }
}

} // verus!
