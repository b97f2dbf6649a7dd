//! Where a writer is about to write, and what it has written.

use super::VmWriter;
use crate::addr::PhysAddr;
use crate::hw::user::{Access, overwritten};
use crate::io::log::{is_within, refuses_once, tells};
use crate::io::{Fallibility, IoError};
use vstd::prelude::*;

verus! {

impl<'a, F: Fallibility> VmWriter<'a, F> {
    /// Where the next byte goes.
    pub open(in crate::io) spec fn at(self) -> int {
        self.cursor@.addr as int
    }

    /// Where the memory ends.
    pub open(in crate::io) spec fn end(self) -> int {
        self.end as int
    }

    /// Where the slice starts, if it is one.
    pub open(in crate::io) spec fn start(self) -> int {
        self.sink@.extent().start
    }

    /// The root of the table that it is written by, if it is a user program's.
    pub open(in crate::io) spec fn root(self) -> Option<PhysAddr> {
        self.sink@.root()
    }

    /// What the slice holds, if it is one: also before the cursor, and after the end.
    pub open(in crate::io) spec fn slice(self) -> Option<Seq<u8>> {
        self.sink@.bytes()
    }

    /// What the slice will hold when the writer is gone, if it is one.
    #[verifier::prophetic]
    pub open(in crate::io) spec fn final_slice(self) -> Option<Seq<u8>> {
        self.sink@.fin()
    }

    /// Where it is about to write is in the slice, if it is one.
    pub(in crate::io) open spec fn is_inside(self) -> bool {
        self.slice() matches Some(slice) ==> {
            &&& self.start() <= self.at()
            &&& self.end() - self.start() <= slice.len()
        }
    }

    /// What was written.
    pub open(in crate::io) spec fn stores(self) -> Seq<Access> {
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

    /// This is `before` after a value of these bytes was rightly refused with `e`: the cursor is where it was, and no more than
    /// the bytes before the one that faulted were written.
    #[verifier::prophetic]
    pub open spec fn kept(self, before: Self, bytes: Seq<u8>, e: IoError) -> bool {
        ||| self == before && before.is_short(bytes.len() as int, e)
        ||| {
            &&& self.is_of(before)
            &&& self.at() == before.at()
            &&& self.end() == before.end()
            &&& before.root() is Some
            &&& e matches IoError::PageFault { addr } && {
                &&& before.at() <= addr < before.at() + bytes.len()
                &&& self.wrote(before, bytes.take(addr - before.at()), false)
            }
        }
    }

    /// This is `before` after `bytes` were written, by any number of accesses.
    #[verifier::prophetic]
    pub open spec fn got(self, before: Self, bytes: Seq<u8>) -> bool {
        &&& self.advanced(before, bytes.len() as int)
        &&& self.holds(before, bytes)
        &&& tells(self.stores(), before.stores(), before.at(), bytes)
        &&& is_within(
            self.stores(),
            before.stores().len() as int,
            before.at(),
            before.at() + bytes.len(),
        )
    }

    /// This is `before` after what was `found` where the cursor is was replaced, if there is something `new`.
    #[verifier::prophetic]
    pub open spec fn exchanged(self, before: Self, found: Seq<u8>, new: Option<Seq<u8>>) -> bool {
        let at = before.at() - before.start();
        &&& self.is_of(before)
        &&& self.at() == before.at()
        &&& self.end() == before.end()
        &&& self.stores() == before.stores().push(
            Access::Exchange { root: before.root(), at: before.at(), found, new },
        )
        &&& before.slice() matches Some(slice) ==> found == slice.subrange(at, at + found.len())
        &&& match new {
            Some(new) => self.holds(before, new),
            None => self.slice() == before.slice(),
        }
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

    /// Whether an access of one instruction for a `T` is rightly refused with `e`.
    pub open spec fn refuses_once<T>(self, e: IoError) -> bool {
        let bytes = vstd::layout::size_of::<T>() as int;
        refuses_once(self.root(), self.at(), self.end() - self.at(), bytes, e)
    }
}

} // verus!
