//! Runs static x86_64 Linux programs, unmodified, in user mode on the host's processor.
//!
//! A program runs in a guest of `/dev/kvm`, in an address space of Portolan ([`VmSpace`](portolan::space::VmSpace)) whose page
//! tables the processor walks. Nothing else is in the guest but a monitor of a page of code in ring 0, which leaves to the host
//! at every system call and exception. The host serves page faults by demand paging and copy-on-write, and system calls of
//! Linux, with every address that a program gives checked against what it has been granted.
//!
//! Programs reach no files but the standard streams, themselves, `/dev/null` and those below a [root](Options::root), and no
//! network.
//!
//! ```no_run
//! use portolan_run::{Options, run};
//!
//! let mut options = Options::new("/bin/busybox");
//! options.arguments = ["busybox", "echo", "hello"].map(Into::into).into();
//! let outcome = run(&options)?;
//! assert_eq!(outcome.end.code(), 0);
//! # Ok::<(), portolan_run::RunError>(())
//! ```
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod area;
mod call;
mod elf;
mod error;
mod files;
mod hardware;
mod load;
mod memory;
mod monitor;
mod pipe;
mod platform;
mod process;
mod report;
mod root;
mod run;
mod signal;
mod space;
mod stats;
mod system;
mod ticker;
mod trace;
mod user;
mod vcpu;

pub use call::SERVED;
pub use elf::ElfError;
pub use error::RunError;
pub use process::End;
pub use run::{Options, Outcome, run};
pub use stats::Stats;
