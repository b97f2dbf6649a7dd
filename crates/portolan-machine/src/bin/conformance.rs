//! Runs the conformance suite on the machines that are there, and prints what was counted.

use clap::{Parser, ValueEnum};
use portolan::{Invalidate, PageSize, PagingMode, X86_64, X86_64La57};
use portolan_machine::conformance::{Counts, Failure, Plan, agree, run};
use portolan_machine::{Caching, KvmConfig, KvmMachine, Machine, SoftConfig, SoftMachine};
use std::process::ExitCode;
use std::time::Instant;

/// Page tables on machines: operations against a plain map, then every kind of access at every edge.
#[derive(Parser)]
struct Arguments {
    /// A million accesses on the software machine, a hundred thousand on the guest; otherwise a quick selection.
    #[arg(long)]
    full: bool,
    /// Which machines.
    #[arg(long, value_enum, default_value_t = Selection::All)]
    machine: Selection,
    /// Where random choices come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Selection {
    /// The software machine.
    Soft,
    /// The guest of /dev/kvm.
    Kvm,
    /// Both.
    All,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = soft(&arguments).and_then(|()| kvm(&arguments));
    match result {
        Ok(()) => {
            println!("conformance: everything as it should be");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("conformance: FAILED (seed {})\n{failure}", arguments.seed);
            ExitCode::FAILURE
        }
    }
}

fn soft(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.machine == Selection::Kvm {
        return Ok(());
    }
    let seed = arguments.seed;
    let plan = if arguments.full {
        Plan::full(seed)
    } else {
        Plan::quick(seed)
    };
    let four = SoftConfig {
        caching: Caching::Seeded(seed),
        ..SoftConfig::default()
    };
    suite::<X86_64, _>(
        "software, 4 levels, 48 physical bits, 2 processors",
        &SoftMachine::new(four),
        &plan,
    )?;
    let five = SoftConfig {
        levels: 5,
        phys_bits: 52,
        cpus: 3,
        ..four
    };
    suite::<X86_64La57, _>(
        "software, 5 levels, 52 physical bits, 3 processors",
        &SoftMachine::new(five),
        &plan,
    )?;
    let hoard = SoftConfig {
        caching: Caching::Hoard,
        phys_bits: 36,
        cpus: 1,
        ..four
    };
    suite::<X86_64, _>(
        "software, 4 levels, 36 physical bits, keeps all it may",
        &SoftMachine::new(hoard),
        &plan,
    )
}

fn kvm(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.machine == Selection::Soft {
        return Ok(());
    }
    let guest = match KvmMachine::new(KvmConfig {
        cpus: 2,
        ..KvmConfig::default()
    }) {
        Ok(guest) => guest,
        Err(error) => {
            println!("guest: skipped, {error}");
            return Ok(());
        }
    };
    let bits = guest.memory().phys_bits();
    println!("guest: {bits} physical bits; {}", guest.paging());
    if !guest.supports(PageSize::Size1G) {
        println!("guest: has no pages of 1 GiB, so they have to cause faults for a reserved bit");
    }
    if !guest.misserved().is_empty() {
        println!(
            "guest: the host doesn't serve top-level slots {:?} right, so they are left out",
            guest.misserved()
        );
    }
    let plan = if arguments.full {
        Plan::full_guest(arguments.seed)
    } else {
        Plan::quick_guest(arguments.seed)
    };
    suite::<X86_64, _>("guest, 4 levels, 2 processors", &guest, &plan)?;
    let start = Instant::now();
    let reference = SoftConfig {
        caching: Caching::Hoard,
        phys_bits: bits,
        ..SoftConfig::default()
    };
    let mut counts = Counts::default();
    let cases = if arguments.full { 3000 } else { 200 };
    agree(
        &SoftMachine::new(reference),
        &guest,
        arguments.seed,
        cases,
        &mut counts,
    )?;
    println!(
        "guest beside software, {cases} chains of arbitrary entries: same outcomes, {:.1?}",
        start.elapsed()
    );
    print!("{counts}");
    Ok(())
}

fn suite<A: PagingMode, K: Machine + Invalidate<A>>(
    name: &str,
    machine: &K,
    plan: &Plan,
) -> Result<(), Failure> {
    let start = Instant::now();
    let mut counts = Counts::default();
    let result = run::<A, K>(machine, plan, &mut counts);
    println!("{name}: {:.1?}", start.elapsed());
    print!("{counts}");
    result
}
