//! Reading and writing memory as bytes: of user programs, of frames, and the kernel's own.
//!
//! A [`VmReader`] is a range of memory to read, from a cursor on; a [`VmWriter`] one to write. Each says in its type whether it
//! may fail: [`Infallible`] ones are of the kernel's own memory, [`Fallible`] ones may be of a user program's, where a page may
//! be missing at any moment.
//!
//! | of | by |
//! | --- | --- |
//! | user memory | [`VmSpace::reader`](crate::space::VmSpace::reader), [`writer`](crate::space::VmSpace::writer), [`reader_writer`](crate::space::VmSpace::reader_writer) |
//! | slices | `VmReader::from(&[u8])`, `VmWriter::from(&mut [u8])` |
//! | frames, segments | [`UntypedMem::reader`], [`UntypedMem::writer`] |
//! | what a kernel vouches for | [`VmReader::from_kernel_space`], [`VmWriter::from_kernel_space`] |
//!
//! ```
//! use portolan::io::{IoError, VmReader, VmWriter};
//!
//! let mut page = [0; 16];
//! let mut writer = VmWriter::from(&mut page[..]);
//! writer.write_val(&0xdead_beef_u32)?;
//! writer.write(&mut VmReader::from(&b"bytes"[..]));
//! assert_eq!(writer.avail(), 7);
//!
//! let mut reader = VmReader::from(&page[..]);
//! assert_eq!(reader.read_val::<u32>()?, 0xdead_beef);
//! reader.try_skip(5)?;
//! // a value that is longer than what is left is refused, and the cursor stays
//! assert_eq!(reader.read_val::<u64>(), Err(IoError::TooShort { needed: 8, left: 7 }));
//! assert_eq!(reader.remain(), 7);
//! # Ok::<(), IoError>(())
//! ```
//!
//! The names and their meaning are those of OSTD, the framework of the Asterinas kernel. Where a signature differs:
//! - plain old data is [`zerocopy`]'s ([`Pod`]);
//! - what was a panic there is an error; where chaining wants the panic, it is documented, and has a twin that starts with
//!   `try_`;
//! - values, single accesses and [`collect`](VmReader::collect) are the same for both kinds;
//! - a single access needs an address that is a multiple of the value's size, not only of its alignment: else it could be torn;
//! - that an address space is in use here is shown by its processor's [`Cpu`](crate::space::Cpu), since there are no statics.
//!
//! # What is proven
//! - **Slices.** What is read from a slice is what stands there, from the cursor on; what is written into one is what was
//!   given, from the cursor on, and all other bytes stay (`VmReader::took`, `VmWriter::put`).
//! - **User memory, frames.** Others change these at any time. What a reader was told is noted: which bytes, at which addresses,
//!   by which table (`VmReader::loads`, `VmWriter::stores`). What is returned is what was noted, at exactly the addresses from
//!   the cursor on; what was stored is what was given. A reader or writer of user memory only ever accesses addresses of the range
//!   that it was made for, which are a program's.
//! - **Cursors** advance by exactly the count that is returned, also after a fault. After an error of an operation on a value
//!   they are where they were.
//! - **Objects** ([`VmIo`]) are never read or written past their end, and what a writer was given is what was loaded from the
//!   object. Which of its bytes these were, an offset from its start, is tested.
//! - **Errors** say what is wrong and when. No function has a precondition, and none panics unless it says so.
//!
//! A reader or writer stays with the thread that made it, and one of user memory keeps its processor in atomic mode and in its
//! address space. Whoever is told of a fault lets go of it, has the fault served, and goes on where the cursor was.
//!
//! What a single access of user memory is, is the machine's promise ([`UserMemory`]): by the table in use, with the rights of a
//! program. What that means for the address space is `theorem_user_access` in `spec/theorem.rs`.

mod atomic;
#[cfg(feature = "alloc")]
mod collect;
mod error;
mod fallible;
mod fill;
mod frames;
#[cfg(verus_only)]
pub mod log;
mod reader;
mod transfer;
mod user_space;
mod value;
mod vm_io;
mod writer;

pub use crate::hw::user::{DirectMap, NoUser, Pod, PodAtomic, PodOnce, UserMemory, Width};
pub use error::IoError;
pub use fallible::{Fallibility, Fallible, Infallible};
pub use frames::UntypedMem;
pub use reader::VmReader;
pub use transfer::{FallibleVmRead, FallibleVmWrite};
pub use user_space::{UserReader, UserWriter};
pub use vm_io::{VmIo, VmIoFill, VmIoOnce};
pub use writer::VmWriter;
pub use zerocopy;
