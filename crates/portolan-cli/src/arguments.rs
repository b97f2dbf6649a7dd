//! The command line.

use crate::arch::Arch;
use crate::inspect::target::ARCHITECTURES;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use portolan_machine::walk::{self, Regime};
use std::ffi::OsString;
use std::path::PathBuf;

/// Page tables for kernels and hypervisors, proven down to the words that the processor walks, at work on a machine.
///
/// Without a command: the tour.
#[derive(Parser)]
#[command(name = "portolan", version, args_conflicts_with_subcommands = true)]
#[command(after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The tour's arguments, where no command is given.
    #[command(flatten)]
    pub tour: TourArguments,
}

const EXIT_CODES: &str = "Exit codes:\n  \
    0  everything was as expected\n  \
    1  a page table or a processor answered otherwise than expected\n  \
    2  the command line is wrong\n  \
    3  the machine that was asked for is not there, or the host refused what it needs\n\n\
    Colours are for terminals; NO_COLOR turns them off.";

const INSPECT_EXIT_CODES: &str = "Exit codes:\n  \
    0  nothing was found that is worth a look\n  \
    1  something was found\n  \
    2  the command line is wrong\n  \
    3  the image can't be read, or the output not written\n\n\
    Colours are for terminals; NO_COLOR turns them off.";

const RUN_EXIT_CODES: &str = "Exit codes: the program's; 128 and the number of the signal that ended it; \
    2 if it can't be run, or the command line is wrong.";

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Build an address space, let the processor use it, and show what it answers
    ///
    /// Maps a small program and a kernel, performs loads, stores and fetches in both modes, protects, unmaps, runs out
    /// of memory and makes mistakes, and shows the tables, the address space and each answer. Every answer is compared
    /// with what it has to be.
    #[command(after_help = EXIT_CODES)]
    Tour(TourArguments),
    /// Compare page tables with a model, and every kind of access at every edge with what the model allows
    #[command(after_help = EXIT_CODES)]
    Conformance(ConformanceArguments),
    /// Change address spaces that all processors share, on all of them at once, and compare what programs meet meanwhile
    #[command(after_help = EXIT_CODES)]
    Stress(StressArguments),
    /// Show the address space that tables in an image of physical memory describe, and what to look at there
    ///
    /// The image is raw, or an ELF core as QEMU's dump-guest-memory writes it. Nothing in it is trusted: tables that
    /// refer to themselves, share tables or lead out of the image are shown as what they are.
    #[command(after_help = INSPECT_EXIT_CODES)]
    Inspect(InspectArguments),
    /// Run a static x86_64 Linux program in user mode on this processor, in an address space of Portolan's
    ///
    /// The program is not changed. It runs in a guest of /dev/kvm; page faults and system calls are served by this process.
    /// It reaches no network, and no files but the standard streams, itself, /dev/null, and what is below --root.
    #[command(after_help = RUN_EXIT_CODES)]
    Run(RunArguments),
}

/// What running a program needs to know.
#[derive(Args)]
pub struct RunArguments {
    /// The directory that the program sees as its root; without one there are no files
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// How many MiB of memory there are for programs
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(1..=0x10_0000))]
    pub memory: u64,
    /// Show system calls on the standard error
    #[arg(long)]
    pub trace: bool,
    /// Show on the standard error what was counted: faults, system calls, tables, frames, flushes, memory
    #[arg(long)]
    pub stats: bool,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    pub program: Vec<OsString>,
}

/// What a tour needs to know.
#[derive(Args)]
pub struct TourArguments {
    /// Which machine the tour is on
    #[arg(long, value_enum, default_value_t = TourMachine::Auto)]
    pub machine: TourMachine,
    /// Which architecture's tables; a guest of /dev/kvm has x86_64's
    #[arg(long, value_enum, default_value_t = Arch::X86_64)]
    pub arch: Arch,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// The machine of a tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TourMachine {
    /// A guest of /dev/kvm if there can be one, and else software
    Auto,
    /// A processor in software, which keeps every translation for as long as it may
    Soft,
    /// A guest of /dev/kvm
    Kvm,
}

/// What a run of the conformance suite needs to know.
#[derive(Args)]
pub struct ConformanceArguments {
    /// More than a million accesses in software and a hundred thousand in a guest, instead of a quick selection
    #[arg(long)]
    pub full: bool,
    /// Which machines
    #[arg(long, value_enum, default_value_t = SuiteMachines::All)]
    pub machine: SuiteMachines,
    /// Which architecture's tables; all if it is left out
    #[arg(long, value_enum)]
    pub arch: Option<Arch>,
    /// Where random choices come from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// The machines of the conformance suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SuiteMachines {
    /// Processors in software
    Soft,
    /// A guest of /dev/kvm, which has tables of x86_64 with 4 levels
    Kvm,
    /// Guests of QEMU, which has processors for all but extended page tables
    Qemu,
    /// A guest of Bochs, for extended page tables
    Bochs,
    /// All of them, as far as they are here
    All,
}

/// What a stress needs to know.
#[derive(Args)]
pub struct StressArguments {
    /// Which machine
    #[arg(long, value_enum, default_value_t = StressMachine::Soft)]
    pub machine: StressMachine,
    /// Which architecture's tables; one whose root covers both halves
    #[arg(long, value_enum, default_value_t = Arch::X86_64)]
    pub arch: Arch,
    /// How many processors
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = processors())]
    pub cpus: usize,
    /// For how long
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub seconds: u64,
    /// So many operations of all processors together, instead of a time
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    pub operations: Option<u64>,
    /// Where random choices come from; who is faster is not among them
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A control: processors don't invalidate what they are asked to, so it fails
    #[arg(long)]
    pub without_shootdown: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// The machine of a stress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StressMachine {
    /// Processors in software, whose caches do anything
    Soft,
    /// A guest of /dev/kvm, which has tables of x86_64 with 4 levels
    Kvm,
}

/// How many processors there can be.
fn processors() -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u64)
        .range(1..=64)
        .map(|cpus| cpus as usize)
}

/// What an inspection needs to know.
#[derive(Args)]
pub struct InspectArguments {
    /// The image of physical memory
    pub file: PathBuf,
    /// The architecture; for AArch64 and LoongArch64, with the smallest page and the bits of address
    #[arg(long, value_parser = architectures())]
    pub arch: Architecture,
    /// The root table's physical address, in hexadecimal: an address, without the other bits of CR3, TTBR or satp. Needed
    /// unless the image is an ELF core of an x86 machine, which has it
    #[arg(long, value_name = "ADDR", value_parser = hexadecimal)]
    pub root: Option<u64>,
    /// For AArch64's stage 1 and LoongArch64: which half of the address space the root serves [default: lower]
    #[arg(long, value_enum)]
    pub region: Option<RegionName>,
    /// The physical address of a raw image's first byte, in hexadecimal [default: 0]
    #[arg(long, value_name = "ADDR", value_parser = hexadecimal)]
    pub base: Option<u64>,
    /// How wide physical addresses are [default: as wide as they can be]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(32..))]
    pub phys_bits: Option<u8>,
    /// What IA32_PAT holds, in hexadecimal; Linux: 407050600070106 [default: 7050100070406, as Portolan's tables need
    /// it]
    #[arg(long, value_name = "VALUE", value_parser = hexadecimal)]
    pub pat: Option<u64>,
    /// What MAIR_EL1 holds, in hexadecimal; Linux: 40044ffff [default: 444bbff, as Portolan's tables need it]
    #[arg(long, value_name = "VALUE", value_parser = hexadecimal)]
    pub mair: Option<u64>,
    /// Show the tables, each once, instead of the address space
    #[arg(long)]
    pub tree: bool,
    /// Print one JSON document instead of text
    #[arg(long, conflicts_with = "tree")]
    pub json: bool,
    /// How many runs of pages, or lines of the tree, are shown
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub limit: usize,
}

/// An architecture and its name.
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// Its name.
    pub name: &'static str,
    /// What processors do.
    pub regime: Regime,
}

fn architectures() -> impl TypedValueParser<Value = Architecture> {
    PossibleValuesParser::new(ARCHITECTURES.map(|(name, _)| name)).try_map(|wish| {
        let named = ARCHITECTURES.iter().find(|(name, _)| *name == wish);
        named
            .map(|&(name, regime)| Architecture { name, regime })
            .ok_or("no such architecture")
    })
}

/// Half of the address space of AArch64 or LoongArch64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RegionName {
    /// From TTBR0
    Lower,
    /// From TTBR1
    Upper,
}

impl From<RegionName> for walk::Region {
    fn from(name: RegionName) -> Self {
        match name {
            RegionName::Lower => walk::Region::Lower,
            RegionName::Upper => walk::Region::Upper,
        }
    }
}

/// A number in hexadecimal, with or without 0x.
fn hexadecimal(text: &str) -> Result<u64, std::num::ParseIntError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(&digits.replace('_', ""), 16)
}
