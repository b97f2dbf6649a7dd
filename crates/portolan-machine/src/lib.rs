//! Machines to run page tables on, for tests and demonstrations.
//!
//! - [`SoftMachine`]: processors in software of any architecture, whose TLBs do the worst that it allows;
//! - [`KvmMachine`]: a guest of the host's processor, through `/dev/kvm`;
//! - [`qemu::QemuMachine`]: a guest of QEMU, whose memory management units someone else wrote;
//! - [`bochs::BochsMachine`]: a guest of Bochs, for extended page tables.
//!
//! Each is a [`Machine`]: they hand out table frames ([`Memory`] is a [`TableMemory`](portolan::TableMemory)), load roots,
//! perform loads, stores and fetches of kernels and programs, and say what came of each. [`walk`] is what processors make
//! of the words of tables, by the manuals. [`any`] has page tables of any paging mode behind one type, and [`conformance`]
//! one suite for all of them and all machines; [`stress`] has address spaces changed and used by several [`processors`] at
//! once.
//!
//! ```
//! use portolan::{PageProperty, PageSize, PageTable, PhysAddr, VirtAddr, X86_64};
//! use portolan_machine::{Access, Machine, Outcome, Privilege, SoftConfig, SoftMachine};
//!
//! let machine = SoftMachine::new(SoftConfig::default());
//! let mut table = PageTable::<_, X86_64>::new(machine.memory().clone())?;
//! let page = VirtAddr::<X86_64>::new(0x40_0000)?;
//! table.map(page, PhysAddr::new(0x1234_5000), PageSize::Size4K, PageProperty::USER_RO)?;
//! machine.memory().store(PhysAddr::new(0x1234_5008), 42);
//!
//! machine.set_root(0, Some(table.root()))?;
//! let load = Access::load(0x40_0008, Privilege::User);
//! assert_eq!(machine.access(0, &[load])?, [Outcome::Loaded(42)]);
//!
//! let (_, flush) = table.unmap(page, PageSize::Size4K)?;
//! flush.pay(&machine);
//! assert!(matches!(machine.access(0, &[load])?[0], Outcome::Fault(_)));
//!
//! machine.set_root(0, None)?;
//! drop(table);
//! assert_eq!(machine.memory().frames_held(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod access;
pub mod any;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod bochs;
pub mod conformance;
pub mod fault;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod guest;
mod isa;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kvm;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[path = "kvm/absent.rs"]
mod kvm;
pub mod machine;
mod memory;
pub mod processors;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod qemu;
mod rng;
mod soft;
pub mod stress;
pub mod walk;

pub use access::{Access, Kind, Outcome, Privilege};
pub use fault::Fault;
pub use isa::Isa;
pub use kvm::{KvmConfig, KvmMachine, Paging};
pub use machine::{Machine, MachineError, Page, Sight};
pub use memory::Memory;
pub use soft::{Caching, SoftConfig, SoftMachine};
