//! The command line.

use crate::arch::Arch;
use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// All of them, as far as they are here
    All,
}
