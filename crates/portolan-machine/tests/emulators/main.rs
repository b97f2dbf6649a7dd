//! Holds [`walk`](portolan_machine::walk) against memory management units that someone else wrote: those of QEMU's
//! translator and of Bochs.
//!
//! For each regime, words of tables are written by hand and accesses performed in both modes; what the guest's processor
//! says, and what it made of the words, must be what the walk says. Where an emulator is not installed, the tests say so
//! and pass.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod bench;
mod bochs;
mod format;
mod guest;
mod known;
mod qemu;
mod words;
