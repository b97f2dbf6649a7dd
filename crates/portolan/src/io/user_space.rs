//! Readers and writers of the memory of user programs.

use super::error::IoError;
use super::fallible::Fallible;
use super::reader::VmReader;
use super::writer::VmWriter;
use crate::arch::PagingMode;
use crate::hw::AtomicMode;
use crate::hw::user::{UserMemory, address};
#[cfg(verus_only)]
use crate::hw::user::{user_sink, user_source};
use crate::space::{Cpu, Kernel, SpaceRef, VmSpace};
use vstd::prelude::*;

/// A reader of the memory of a kernel's user programs.
pub type UserReader<'a, K> = VmReader<'a, Fallible<'a, <K as Kernel>::Cpus>>;

/// A writer of the memory of a kernel's user programs.
pub type UserWriter<'a, K> = VmWriter<'a, Fallible<'a, <K as Kernel>::Cpus>>;

verus! {

/// Half of the 64-bit numbers: addresses below are for user space.
const HALF: u64 = 0x8000_0000_0000_0000;

/// Whether these bytes are at addresses that a program can have: not null, in the lower half, and translated by the paging mode.
pub open spec fn is_user<A: PagingMode>(addr: usize, len: usize) -> bool {
    let last = if len == 0 {
        addr as int
    } else {
        addr + len - 1
    };
    &&& len > 0 ==> addr != 0
    &&& addr + len <= usize::MAX
    &&& last < 0x8000_0000_0000_0000
    &&& A::canonical(addr as u64)
    &&& A::canonical(last as u64)
}

/// Whether these bytes are at addresses that a program can have.
fn check<A: PagingMode>(addr: usize, len: usize) -> (r: Result<(), IoError>)
    ensures
        match r {
            Ok(()) => is_user::<A>(addr, len),
            Err(e) => !is_user::<A>(addr, len) && e == (IoError::NotUser { addr, len }),
        },
{
    let first = addr as u64;
    let more = if len == 0 {
        0
    } else {
        len as u64 - 1
    };
    if (len > 0 && addr == 0) || len > usize::MAX - addr || first >= HALF || more >= HALF - first {
        return Err(IoError::NotUser { addr, len });
    }
    if !A::is_canonical(first) || !A::is_canonical(first + more) {
        return Err(IoError::NotUser { addr, len });
    }
    Ok(())
}

impl<'k, K: Kernel> VmSpace<'k, K> where K::Cpus: UserMemory {
    /// A reader of `len` bytes of user memory from `addr` on, in this address space, which this processor uses and goes on using
    /// as long as the reader is there.
    ///
    /// # Errors
    /// [`IoError::NotUser`] if these are not addresses of a program: null, one of the kernel's half, or that the paging mode
    /// doesn't translate, or past the last one; [`IoError::NotActive`] if the processor uses another address space;
    /// [`IoError::Cpu`] if `cpu` is another processor, or can't tell. Whether anything is mapped there shows when it is read.
    #[inline]
    pub fn reader<'a, G: AtomicMode, S: SpaceRef<'k, K>>(
        &'a self,
        guard: &'a G,
        cpu: &'a Cpu<'_, 'k, K, S>,
        addr: usize,
        len: usize,
    ) -> (r: Result<UserReader<'a, K>, IoError>)
        ensures
            match r {
                Ok(reader) => {
                    &&& is_user::<K::Mode>(addr, len)
                    &&& reader.at() == addr
                    &&& reader.end() == addr + len
                    &&& reader.root() == Some(self.root_table())
                    &&& reader.rest() is None
                    &&& reader.loads().len() == 0
                },
                Err(e) => self.refuses(cpu, addr, len, e),
            },
    {
        check::<K::Mode>(addr, len)?;
        let (user, Tracked(using)) = cpu.serve(guard, self.root())?;
        let tracked source = user_source(using);
        let cursor = address(addr);
        Ok(VmReader::make(cursor, addr + len, Fallible::of_user(user), Tracked(source)))
    }

    /// A writer of `len` bytes of user memory from `addr` on, as [`reader`](VmSpace::reader).
    ///
    /// # Errors
    /// Those of [`reader`](VmSpace::reader).
    #[inline]
    pub fn writer<'a, G: AtomicMode, S: SpaceRef<'k, K>>(
        &'a self,
        guard: &'a G,
        cpu: &'a Cpu<'_, 'k, K, S>,
        addr: usize,
        len: usize,
    ) -> (r: Result<UserWriter<'a, K>, IoError>)
        ensures
            match r {
                Ok(writer) => {
                    &&& is_user::<K::Mode>(addr, len)
                    &&& writer.at() == addr
                    &&& writer.end() == addr + len
                    &&& writer.root() == Some(self.root_table())
                    &&& writer.slice() is None
                    &&& writer.stores().len() == 0
                },
                Err(e) => self.refuses(cpu, addr, len, e),
            },
    {
        check::<K::Mode>(addr, len)?;
        let (user, Tracked(using)) = cpu.serve(guard, self.root())?;
        let tracked sink = user_sink(using);
        let cursor = address(addr);
        Ok(VmWriter::make(cursor, addr + len, Fallible::of_user(user), Tracked(sink)))
    }

    /// Both for the same bytes: for what is changed where it is, as by
    /// [`atomic_compare_exchange`](VmWriter::atomic_compare_exchange).
    ///
    /// # Errors
    /// Those of [`reader`](VmSpace::reader).
    pub fn reader_writer<'a, G: AtomicMode, S: SpaceRef<'k, K>>(
        &'a self,
        guard: &'a G,
        cpu: &'a Cpu<'_, 'k, K, S>,
        addr: usize,
        len: usize,
    ) -> (r: Result<(UserReader<'a, K>, UserWriter<'a, K>), IoError>)
        ensures
            match r {
                Ok((reader, writer)) => {
                    &&& is_user::<K::Mode>(addr, len)
                    &&& reader.at() == addr && writer.at() == addr
                    &&& reader.end() == addr + len && writer.end() == addr + len
                    &&& reader.root() == Some(self.root_table()) && writer.root() == reader.root()
                },
                Err(e) => self.refuses(cpu, addr, len, e),
            },
    {
        Ok((self.reader(guard, cpu, addr, len)?, self.writer(guard, cpu, addr, len)?))
    }

    /// Whether a reader of this address space is rightly refused so.
    pub open spec fn refuses<S: SpaceRef<'k, K>>(
        self,
        cpu: &Cpu<'_, 'k, K, S>,
        addr: usize,
        len: usize,
        e: IoError,
    ) -> bool {
        match e {
            IoError::NotUser { addr: a, len: n } => a == addr && n == len && !is_user::<K::Mode>(
                addr,
                len,
            ),
            IoError::NotActive => cpu.root() != Some(self.root_table()),
            IoError::Cpu(e) => e is WrongCpu || e is Poisoned,
            _ => false,
        }
    }
}

} // verus!
