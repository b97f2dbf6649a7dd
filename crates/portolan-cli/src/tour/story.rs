//! What is done on the tour, and what has to come of it.

use super::image::{self, ELSEWHERE, GUARD, IMAGE, NOT_CANONICAL};
use super::stage::Stage;
use portolan::{Error, Invalidate, Mapping, PageProperty, PageSize, PhysAddr, X86_64};
use portolan_machine::Kind::{Fetch, Load, Store};
use portolan_machine::Privilege::{Supervisor, User};
use portolan_machine::fault::Refusal;
use portolan_machine::walk::{Regime, Rights};
use portolan_machine::{Access, Isa, Kind, Machine, MachineError, Outcome, Privilege};

const FUNCTION: u64 = 0x40_1000;
const CONSTANT: u64 = 0x40_3010;
const VARIABLE: u64 = 0x40_4008;
const UNUSED: u64 = 0x40_5000;
const OBJECT: u64 = 0x9f_0000;
const STACK_TOP: u64 = 0x7fff_ffff_eff8;
const BELOW_STACK: u64 = GUARD + 0xff8;
const SYSCALL: u64 = 0xffff_ffff_8000_1000;
const KERNEL_VARIABLE: u64 = 0xffff_ffff_8020_0000;
const REGISTER: u64 = 0xffff_ffff_ffd0_00f0;

const HEAP: u64 = 0x80_0000;
const STORED: u64 = 0xc0ffee;
const BYTES_4K: u64 = PageSize::Size4K.bytes();
const BYTES_2M: u64 = PageSize::Size2M.bytes();

/// What memory holds where the program reads, by physical address.
const CONTENTS: [(u64, u64); 5] = [
    (0x4000_1000, Isa::X86_64.code_word(7)),
    (0x4000_3010, 42),
    (0x403f_0000, 0x0b1ec7),
    (0x4040_1000, Isa::X86_64.code_word(60)),
    (0xfed0_00f0, 0x1a77),
];

/// What has to come of an access.
#[derive(Clone, Copy)]
enum Comes {
    /// A load reads this.
    Value(u64),
    /// A store is made.
    Stored,
    /// Code runs and leaves this number.
    Runs(u32),
    /// The page is there, but not for this.
    Refused,
    /// There is no page.
    Absent,
    /// The address is none.
    NotCanonical,
}

impl Comes {
    fn outcome(self, regime: Regime, access: &Access) -> Outcome {
        let refused = |refusal: Refusal| Outcome::Fault(refusal.fault(regime, access));
        match self {
            Comes::Value(value) => Outcome::Loaded(value),
            Comes::Stored => Outcome::Stored,
            Comes::Runs(number) => Outcome::Fetched(number),
            Comes::Refused => refused(Refusal::Denied {
                level: 1,
                rights: Rights::ALL,
            }),
            Comes::Absent => refused(Refusal::Absent { level: 1 }),
            Comes::NotCanonical => refused(Refusal::NotCanonical),
        }
    }
}

fn made<K: Machine + Invalidate<X86_64>>(
    stage: &mut Stage<'_, K>,
    (privilege, kind, va): (Privilege, Kind, u64),
    comes: &[Comes],
    note: Option<&'static str>,
) -> Result<(), MachineError> {
    let value = if kind == Store { STORED } else { 0 };
    let access = Access {
        va,
        kind,
        privilege,
        value,
    };
    let expected: Vec<Outcome> = comes
        .iter()
        .map(|comes| comes.outcome(stage.regime(), &access))
        .collect();
    stage.access(access, &expected, note)
}

const UNCHANGED: &str = "not a word of any table has changed";
const UNPAID: Option<&str> = Some("not flushed yet, so the old translation may serve, or not");

/// Maps the program and the kernel.
pub fn image<K: Machine + Invalidate<X86_64>>(
    stage: &mut Stage<'_, K>,
) -> Result<(), MachineError> {
    for (frame, word) in CONTENTS {
        stage.memory().store(PhysAddr::new(frame), word);
    }
    for (va, page) in IMAGE.into_iter().flat_map(image::Region::pages) {
        stage.map(va, page, "", Ok(()));
        stage.quietly();
    }
    stage.show_space();
    stage.show_tables();
    stage.load_root()
}

/// Loads, stores and fetches.
pub fn accesses<K: Machine + Invalidate<X86_64>>(
    stage: &mut Stage<'_, K>,
) -> Result<(), MachineError> {
    let accesses = [
        ((User, Fetch, FUNCTION), Comes::Runs(7)),
        ((User, Load, CONSTANT), Comes::Value(42)),
        ((User, Store, VARIABLE), Comes::Stored),
        ((User, Load, VARIABLE), Comes::Value(STORED)),
        ((User, Store, STACK_TOP), Comes::Stored),
        ((User, Load, OBJECT), Comes::Value(0x0b1ec7)),
        ((Supervisor, Fetch, SYSCALL), Comes::Runs(60)),
        ((Supervisor, Store, KERNEL_VARIABLE), Comes::Stored),
        ((Supervisor, Load, REGISTER), Comes::Value(0x1a77)),
        ((User, Store, CONSTANT), Comes::Refused),
        ((User, Store, FUNCTION), Comes::Refused),
        ((User, Fetch, VARIABLE), Comes::Refused),
        ((User, Store, BELOW_STACK), Comes::Absent),
        ((User, Load, SYSCALL), Comes::Refused),
        ((User, Load, NOT_CANONICAL), Comes::NotCanonical),
        ((Supervisor, Store, SYSCALL), Comes::Refused),
        ((Supervisor, Fetch, VARIABLE), Comes::Refused),
    ];
    for (access, comes) in accesses {
        made(stage, access, &[comes], None)?;
    }
    stage.check_word(0x4000_4008, STORED);
    Ok(())
}

/// What the processor has marked on the way.
pub fn marks<K: Machine + Invalidate<X86_64>>(
    stage: &mut Stage<'_, K>,
) -> Result<(), MachineError> {
    for va in [FUNCTION, CONSTANT, VARIABLE, UNUSED, OBJECT, GUARD] {
        stage.query(va);
    }
    Ok(())
}

/// The program's data become read-only.
pub fn protect<K: Machine + Invalidate<X86_64>>(
    stage: &mut Stage<'_, K>,
) -> Result<(), MachineError> {
    let page = VARIABLE & !(BYTES_4K - 1);
    made(stage, (User, Store, VARIABLE), &[Comes::Stored], None)?;
    let owed = stage.protect(page, "to r--", |was| Mapping {
        prop: PageProperty {
            write: false,
            ..was.prop
        },
        ..was
    });
    made(
        stage,
        (User, Store, VARIABLE),
        &[Comes::Stored, Comes::Refused],
        UNPAID,
    )?;
    stage.pay(owed, 0);
    made(stage, (User, Store, VARIABLE), &[Comes::Refused], None)?;
    made(stage, (User, Load, VARIABLE), &[Comes::Value(STORED)], None)
}

/// The stack goes, and the tables that it alone had.
pub fn unmap<K: Machine + Invalidate<X86_64>>(
    stage: &mut Stage<'_, K>,
) -> Result<(), MachineError> {
    let last = STACK_TOP & !(BYTES_4K - 1);
    for va in [last - 2 * BYTES_4K, last - BYTES_4K] {
        let owed = stage.unmap(va);
        stage.quietly();
        stage.pay(owed, 0);
        stage.quietly();
    }
    let owed = stage.unmap(last);
    made(
        stage,
        (User, Load, STACK_TOP),
        &[Comes::Value(STORED), Comes::Absent],
        UNPAID,
    )?;
    stage.pay(owed, 3);
    made(stage, (User, Load, STACK_TOP), &[Comes::Absent], None)
}

/// The machine has no frame for one of the tables that a page needs.
pub fn memory<K: Machine + Invalidate<X86_64>>(
    stage: &mut Stage<'_, K>,
) -> Result<(), MachineError> {
    let frame = PhysAddr::new(0x4080_0000);
    let page = Mapping {
        frame,
        size: PageSize::Size4K,
        prop: PageProperty::USER_RW,
    };
    let (before, held) = (stage.read_tables(), stage.frames_held());
    for (granted, which) in [
        ", 1st table denied",
        ", 2nd table denied",
        ", 3rd table denied",
    ]
    .into_iter()
    .enumerate()
    {
        stage.memory().refuse_after(granted as u64);
        let error = Error::NoMemory {
            addr: ELSEWHERE,
            size: BYTES_4K,
        };
        stage.map(ELSEWHERE, page, which, Err(error));
        stage.memory().refuse_none();
    }
    stage.check("table frames held, as before", held, stage.frames_held());
    let same = stage.read_tables() == before;
    stage.check(UNCHANGED, true, same);
    stage.map(ELSEWHERE, page, ", all granted", Ok(()));
    stage.check("table frames held", held + 3, stage.frames_held());
    let owed = stage.unmap(ELSEWHERE);
    stage.quietly();
    stage.pay(owed, 3);
    stage.quietly();
    Ok(())
}

/// Requests that make no sense.
pub fn mistakes<K: Machine + Invalidate<X86_64>>(
    stage: &mut Stage<'_, K>,
) -> Result<(), MachineError> {
    let before = stage.read_tables();
    let frame = PhysAddr::new(0x4080_0000);
    let (small, large) = (PageSize::Size4K, PageSize::Size2M);
    let page = Mapping {
        frame,
        size: small,
        prop: PageProperty::USER_RW,
    };
    let free = 0x50_0000;

    let addr = NOT_CANONICAL;
    stage.no_address(addr, Error::NotCanonical { addr, size: 0 });
    let addr = free + 8;
    stage.map(
        addr,
        page,
        "",
        Err(Error::NotAligned {
            addr,
            size: BYTES_4K,
        }),
    );
    let addr = frame.as_u64() + BYTES_4K;
    let askew = Mapping {
        frame: PhysAddr::new(addr),
        size: large,
        ..page
    };
    let note = format!(" to {addr:#x}");
    stage.map(
        HEAP,
        askew,
        &note,
        Err(Error::NotAligned {
            addr,
            size: BYTES_2M,
        }),
    );
    let strange = Mapping {
        size: PageSize::Size16K,
        ..page
    };
    let size = strange.size.bytes();
    stage.map(
        free,
        strange,
        "",
        Err(Error::UnsupportedSize { addr: free, size }),
    );
    let prop = PageProperty {
        read: false,
        ..page.prop
    };
    let error = Error::UnsupportedProperty {
        addr: free,
        size: BYTES_4K,
    };
    stage.map(free, Mapping { prop, ..page }, ", not readable", Err(error));
    let bits = stage.memory().phys_bits();
    let addr = 1 << bits;
    let error = Error::PhysTooWide {
        addr,
        size: BYTES_4K,
    };
    let outside = Mapping {
        frame: PhysAddr::new(addr),
        ..page
    };
    stage.map(free, outside, &format!(" to 2^{bits}"), Err(error));
    let error = Error::AlreadyMapped {
        addr: FUNCTION,
        size: BYTES_4K,
    };
    stage.map(FUNCTION, page, "", Err(error));
    let error = Error::AlreadyMapped {
        addr: HEAP,
        size: BYTES_2M,
    };
    stage.map(HEAP + BYTES_4K, page, "", Err(error));
    let error = Error::CoveredByHugePage {
        addr: HEAP,
        size: BYTES_2M,
    };
    stage.no_unmap(HEAP + BYTES_4K, small, "", error);
    stage.no_unmap(
        GUARD,
        small,
        "",
        Error::NotMapped {
            addr: GUARD,
            size: BYTES_4K,
        },
    );

    let same = stage.read_tables() == before;
    stage.check(UNCHANGED, true, same);
    Ok(())
}
