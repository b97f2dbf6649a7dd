//! User memory, and the kernel's own as far as bytes are concerned: single accesses, and what the machine promises of them.
//!
//! User memory changes at any time: programs on other processors write to it, and so do devices. So a load of it proves nothing
//! of what is there before or after. What a load is, is evidence: these bytes were read at these addresses, each at some moment
//! of the access, by a processor that used this table, with a program's rights. The accesses are noted where only this module
//! can note them, in a [`Source`] and a [`Sink`].

mod access;
mod kernel;
mod once;
mod pod;

pub(crate) use access::{copy_from_user, copy_to_user, fill_user, load_user, store_user};
pub use kernel::DirectMap;
#[cfg(feature = "alloc")]
pub(crate) use kernel::zeroed;
pub(crate) use kernel::{
    CHUNK, address, bytes_of_frame, bytes_of_segment, copy_kernel, fill_kernel, lend, load_kernel,
    read_slice, room, store_kernel, trust_readable, trust_writable, write_slice,
};
pub(crate) use once::{exchange, load_once, store_once};
pub use pod::{Pod, PodAtomic, PodOnce};
pub(crate) use pod::{bytes_mut, bytes_ref, slice_bytes, slice_bytes_mut, zero};
#[cfg(verus_only)]
pub use pod::{bytes_of, bytes_of_all};

use crate::addr::PhysAddr;
use crate::hw::processor::Using;
use vstd::prelude::*;
use vstd::raw_ptr::Provenance;

verus! {

/// How many bytes one load or store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 1.
    One,
    /// 2.
    Two,
    /// 4.
    Four,
    /// 8.
    Eight,
}

/// How a machine's kernel reaches user memory: the memory that programs see, at their addresses, with their rights.
///
/// On bare metal a value of the type is empty, and each function a routine whose loads or stores of user memory have fault
/// fix-ups: the page fault handler finds the instruction in a table and goes on behind it, where the routine ends. Where a
/// kernel is kept from user memory otherwise, the routine opens the way for as long as it runs (`STAC` and `CLAC` on x86_64,
/// `sstatus.SUM` on RISC-V; where a word faults, it goes on by bytes), and where it isn't, uses loads and stores with a program's rights (`LDTR` and `STTR` on AArch64).
/// On a machine in software, and in a monitor of a guest, it walks the tables and checks what they allow to user mode.
///
/// # Safety
/// Each function does what it says to user memory, by the table in use on the processor that runs it, only where that table
/// lets user mode do it, and touches nothing else. None unwinds.
pub unsafe trait UserMemory {
    /// Copies `bytes` bytes from user addresses to `to`. It stops before the first byte that a program could not read;
    /// answers with how many were copied.
    ///
    /// # Safety
    /// `from + bytes` is at most 2^63, and `to` is valid for writes of `bytes` bytes.
    unsafe fn read(&self, from: usize, to: *mut u8, bytes: usize) -> usize;

    /// Copies `bytes` bytes from `from` to user addresses. It stops before the first byte that a program could not write;
    /// answers with how many were copied.
    ///
    /// # Safety
    /// `to + bytes` is at most 2^63, and `from` is valid for reads of `bytes` bytes.
    unsafe fn write(&self, to: usize, from: *const u8, bytes: usize) -> usize;

    /// Sets `bytes` bytes of user memory to `byte`. It stops before the first one that a program could not write; answers
    /// with how many were set.
    ///
    /// # Safety
    /// `to + bytes` is at most 2^63.
    unsafe fn fill(&self, to: usize, byte: u8, bytes: usize) -> usize;

    /// Loads from a user address by one atomic load, without order to others. `None` if a program could not read there.
    ///
    /// # Safety
    /// `at` is below 2^63, and a multiple of the width.
    unsafe fn load(&self, at: usize, width: Width) -> Option<u64>;

    /// Stores the lower bytes of `value` to a user address by one atomic store, without order to others. Answers with whether
    /// it was done: not if a program could not write there.
    ///
    /// # Safety
    /// As for [`load`](UserMemory::load).
    unsafe fn store(&self, at: usize, width: Width, value: u64) -> bool;

    /// Stores `new` to a user address if `current` is there, by one atomic access, ordered to all others. Answers with what
    /// was there; `None` if a program could not read or write there, whatever is there.
    ///
    /// # Safety
    /// As for [`load`](UserMemory::load).
    unsafe fn compare_exchange(&self, at: usize, width: Width, current: u64, new: u64) -> Option<
        u64,
    >;
}

/// No user memory: there is no value of this type.
#[verifier::external_body]
pub struct NoUser {
    never: core::convert::Infallible,
}

/// One access to memory. `root` is the table by which it was done, with a program's rights; `None` for the kernel's own memory.
pub ghost enum Access {
    /// The bytes from address `at` on were read, each at some moment of the access; all at the same one if it was `once`.
    Load { root: Option<PhysAddr>, at: int, bytes: Seq<u8>, once: bool },
    /// The bytes from address `at` on were written, each at some moment of the access; all at the same one if it was `once`.
    Store { root: Option<PhysAddr>, at: int, bytes: Seq<u8>, once: bool },
    /// The bytes from address `at` on were read and, if there are new ones, replaced by these at the same moment.
    Exchange { root: Option<PhysAddr>, at: int, found: Seq<u8>, new: Option<Seq<u8>> },
}

impl Access {
    /// The first address.
    pub open spec fn first(self) -> int {
        match self {
            Access::Load { at, .. } => at,
            Access::Store { at, .. } => at,
            Access::Exchange { at, .. } => at,
        }
    }

    /// The bytes that were read or written; those that were found where something was exchanged.
    pub open spec fn data(self) -> Seq<u8> {
        match self {
            Access::Load { bytes, .. } => bytes,
            Access::Store { bytes, .. } => bytes,
            Access::Exchange { found, .. } => found,
        }
    }

    /// Whether the byte at `va` is one of them.
    pub open spec fn has(self, va: int) -> bool {
        self.first() <= va < self.first() + self.data().len()
    }

    /// The byte at `va`.
    pub open spec fn byte(self, va: int) -> u8 {
        self.data()[va - self.first()]
    }
}

/// Bytes of the kernel's memory that follow each other: from where on, how many, and which pointers reach them.
pub(crate) ghost struct Extent {
    pub(crate) start: int,
    pub(crate) len: nat,
    pub(crate) provenance: Provenance,
}

impl Extent {
    /// Whether `bytes` bytes from `at` on are some of them.
    pub(crate) open spec fn has(self, at: *mut u8, bytes: int) -> bool {
        &&& at@.provenance == self.provenance
        &&& self.start <= at@.addr
        &&& at@.addr + bytes <= self.start + self.len
    }
}

/// Whether `bytes` bytes from `at` on are in the half of the addresses that is for user space.
pub(crate) open spec fn is_lower(at: int, bytes: int) -> bool {
    0 <= at && at + bytes <= 0x8000_0000_0000_0000
}

/// `new` in the place of the bytes from `at` on.
pub open spec fn overwritten(bytes: Seq<u8>, at: int, new: Seq<u8>) -> Seq<u8> {
    bytes.subrange(0, at) + new + bytes.subrange(at + new.len(), bytes.len() as int)
}

/// The right to read memory, and what was read by it.
pub(crate) tracked struct Source<'a> {
    ghost extent: Extent,
    /// Nobody changes it.
    ghost bytes: Option<Seq<u8>>,
    tracked using: Option<&'a Using>,
    ghost log: Seq<Access>,
}

/// The right to write to memory, and what was written by it.
pub(crate) tracked struct Sink<'a> {
    ghost extent: Extent,
    /// Nobody else sees or changes it.
    tracked slice: Option<&'a mut [u8]>,
    tracked using: Option<&'a Using>,
    ghost log: Seq<Access>,
}

impl<'a> Source<'a> {
    /// Some right, of which nothing is known: what there is of it when the program runs.
    proof fn any() -> (tracked r: Self) {
        Source { extent: arbitrary(), bytes: None, using: None, log: Seq::empty() }
    }

    /// The table by which programs see it; `None` for the kernel's memory.
    pub(crate) closed spec fn root(self) -> Option<PhysAddr> {
        match self.using {
            Some(using) => using.root(),
            None => None,
        }
    }

    /// Whether it is user memory.
    pub(crate) closed spec fn is_user(self) -> bool {
        self.using is Some
    }

    /// Where it is, if it is the kernel's.
    pub(crate) closed spec fn extent(self) -> Extent {
        self.extent
    }

    /// What it holds, if nobody can change it.
    pub(crate) closed spec fn bytes(self) -> Option<Seq<u8>> {
        self.bytes
    }

    /// What was done.
    pub(crate) closed spec fn log(self) -> Seq<Access> {
        self.log
    }

    /// The same, but for what was done.
    pub(crate) open spec fn is_of(self, other: Self) -> bool {
        &&& self.extent() == other.extent()
        &&& self.bytes() == other.bytes()
        &&& self.is_user() == other.is_user()
        &&& self.root() == other.root()
    }

    /// What follows from a load of `bytes` from `at` on.
    pub(crate) open spec fn loaded(
        self,
        before: Self,
        at: int,
        bytes: Seq<u8>,
        once: bool,
    ) -> bool {
        &&& self.is_of(before)
        &&& self.log() == before.log().push(Access::Load { root: before.root(), at, bytes, once })
        &&& before.bytes() matches Some(all) ==> bytes == all.subrange(
            at - before.extent().start,
            at - before.extent().start + bytes.len(),
        )
    }

    /// What follows from a load of the first `bytes` bytes from `at` on.
    pub(crate) open spec fn loads_part(self, before: Self, at: int, bytes: nat) -> bool {
        &&& self.log() == before.log().push(self.log().last())
        &&& self.log().last() is Load
        &&& self.loaded(before, at, self.log().last()->Load_bytes, false)
        &&& self.log().last()->Load_bytes.len() == bytes
    }

    /// There is no more of it than where it is.
    pub(crate) open spec fn wf(self) -> bool {
        self.bytes() matches Some(all) ==> all.len() == self.extent().len
    }

    /// The same right, for somebody else to use.
    pub(crate) proof fn share(tracked &self) -> (tracked r: Self)
        ensures
            r == *self,
    {
        Source { extent: self.extent, bytes: self.bytes, using: self.using, log: self.log }
    }
}

impl<'a> Sink<'a> {
    /// As [`Source::any`].
    proof fn any() -> (tracked r: Self) {
        Sink { extent: arbitrary(), slice: None, using: None, log: Seq::empty() }
    }

    /// As [`Source::root`].
    pub(crate) closed spec fn root(self) -> Option<PhysAddr> {
        match self.using {
            Some(using) => using.root(),
            None => None,
        }
    }

    /// Whether it is user memory.
    pub(crate) closed spec fn is_user(self) -> bool {
        self.using is Some
    }

    /// Where it is, if it is the kernel's.
    pub(crate) closed spec fn extent(self) -> Extent {
        self.extent
    }

    /// What it holds, if nobody else can see or change it.
    pub(crate) closed spec fn bytes(self) -> Option<Seq<u8>> {
        match self.slice {
            Some(slice) => Some(slice@),
            None => None,
        }
    }

    /// What it will hold when the right ends, if nobody else can see or change it before.
    #[verifier::prophetic]
    pub(crate) closed spec fn fin(self) -> Option<Seq<u8>> {
        match self.slice {
            Some(slice) => Some(final(slice)@),
            None => None,
        }
    }

    /// What was done.
    pub(crate) closed spec fn log(self) -> Seq<Access> {
        self.log
    }

    /// The same, but for what it holds and what was done.
    #[verifier::prophetic]
    pub(crate) open spec fn is_of(self, other: Self) -> bool {
        &&& self.extent() == other.extent()
        &&& self.is_user() == other.is_user()
        &&& self.root() == other.root()
        &&& self.fin() == other.fin()
        &&& self.bytes() is Some == other.bytes() is Some
    }

    /// What follows from `bytes` in the place of those from `at` on.
    #[verifier::prophetic]
    pub(crate) open spec fn holds(self, before: Self, at: int, bytes: Seq<u8>) -> bool {
        &&& self.is_of(before)
        &&& before.bytes() matches Some(all) ==> self.bytes() == Some(
            overwritten(all, at - before.extent().start, bytes),
        )
    }

    /// What follows from a store of `bytes` from `at` on.
    #[verifier::prophetic]
    pub(crate) open spec fn stored(
        self,
        before: Self,
        at: int,
        bytes: Seq<u8>,
        once: bool,
    ) -> bool {
        &&& self.holds(before, at, bytes)
        &&& self.log() == before.log().push(Access::Store { root: before.root(), at, bytes, once })
    }

    /// What follows from an exchange of what was `found` at `at`.
    #[verifier::prophetic]
    pub(crate) open spec fn exchanged(
        self,
        before: Self,
        at: int,
        found: Seq<u8>,
        new: Option<Seq<u8>>,
    ) -> bool {
        &&& self.is_of(before)
        &&& self.log() == before.log().push(
            Access::Exchange { root: before.root(), at, found, new },
        )
        &&& match new {
            Some(new) => self.holds(before, at, new),
            None => self.bytes() == before.bytes(),
        }
        &&& before.bytes() matches Some(all) ==> found == all.subrange(
            at - before.extent().start,
            at - before.extent().start + found.len(),
        )
    }

    /// There is no more of it than where it is.
    pub(crate) open spec fn wf(self) -> bool {
        self.bytes() matches Some(all) ==> all.len() == self.extent().len
    }
}

/// The right to write ends: a slice keeps what it holds.
#[inline(always)]
pub(crate) fn end_sink(sink: Tracked<Sink<'_>>)
    ensures
        sink@.bytes() == sink@.fin(),
    opens_invariants none
    no_unwind
{
    let _ = sink;
}

/// The right to read user memory.
pub(crate) proof fn user_source<'a>(tracked using: &'a Using) -> (tracked r: Source<'a>)
    ensures
        r.is_user(),
        r.root() == using.root(),
        r.bytes() is None,
        r.log().len() == 0,
{
    Source { extent: arbitrary(), bytes: None, using: Some(using), log: Seq::empty() }
}

/// The right to write to user memory.
pub(crate) proof fn user_sink<'a>(tracked using: &'a Using) -> (tracked r: Sink<'a>)
    ensures
        r.is_user(),
        r.root() == using.root(),
        r.bytes() is None,
        r.fin() is None,
        r.wf(),
        r.log().len() == 0,
{
    Sink { extent: arbitrary(), slice: None, using: Some(using), log: Seq::empty() }
}

} // verus!
// SAFETY: there is no value to call a function of
unsafe impl UserMemory for NoUser {
    unsafe fn read(&self, _from: usize, _to: *mut u8, _bytes: usize) -> usize {
        match self.never {}
    }
    unsafe fn write(&self, _to: usize, _from: *const u8, _bytes: usize) -> usize {
        match self.never {}
    }
    unsafe fn fill(&self, _to: usize, _byte: u8, _bytes: usize) -> usize {
        match self.never {}
    }
    unsafe fn load(&self, _at: usize, _width: Width) -> Option<u64> {
        match self.never {}
    }
    unsafe fn store(&self, _at: usize, _width: Width, _value: u64) -> bool {
        match self.never {}
    }
    unsafe fn compare_exchange(&self, _at: usize, _width: Width, _: u64, _: u64) -> Option<u64> {
        match self.never {}
    }
}
