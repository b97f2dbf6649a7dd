//! What is done on the tour, and what has to come of it.

use super::scene::Region;
use super::stage::Stage;
use portolan::{CachePolicy, Error, Mapping, PageProperty, PageSize, PhysAddr};
use portolan_machine::Kind::{Fetch, Load, Store};
use portolan_machine::Privilege::{Supervisor, User};
use portolan_machine::conformance::model::Op;
use portolan_machine::{Access, Isa, Kind, MachineError, Outcome, Privilege};

const STORED: u64 = 0xc0ffee;

/// What has to come of an access that is performed; of one that isn't, the fault that the address space says.
fn made(
    stage: &mut Stage<'_>,
    (privilege, kind, va): (Privilege, Kind, u64),
    performed: Outcome,
) -> Result<(), MachineError> {
    let access = accessing(privilege, kind, va);
    let expected = stage.comes(&access, performed);
    stage.access(access, &[expected], None)
}

/// As [`made`], where the old translation may serve, or not.
fn made_unpaid(
    stage: &mut Stage<'_>,
    (privilege, kind, va): (Privilege, Kind, u64),
    performed: Outcome,
) -> Result<(), MachineError> {
    const UNPAID: &str = "not flushed yet, so the old translation may serve, or not";
    let access = accessing(privilege, kind, va);
    let expected = [performed, stage.comes(&access, performed)];
    stage.access(access, &expected, Some(UNPAID))
}

fn accessing(privilege: Privilege, kind: Kind, va: u64) -> Access {
    let value = if kind == Store { STORED } else { 0 };
    Access {
        va,
        kind,
        privilege,
        value,
    }
}

const UNCHANGED: &str = "not a word of any table has changed";

/// Maps the program and the kernel.
pub fn image(stage: &mut Stage<'_>) -> Result<(), MachineError> {
    let scene = stage.scene;
    for (frame, word) in scene.contents() {
        stage.memory().store(PhysAddr::new(frame), word);
    }
    for (va, page) in scene.image().into_iter().flat_map(Region::pages) {
        stage.map(va, page, "", Ok(()));
        stage.quietly();
    }
    stage.show_space();
    stage.show_tables();
    stage.load_root()
}

/// Loads, stores and fetches.
pub fn accesses(stage: &mut Stage<'_>) -> Result<(), MachineError> {
    let scene = stage.scene;
    let small = scene.small.bytes();
    let [function, constant] = [scene.at("code", small), scene.at("rodata", 0x10)];
    let [variable, object] = [scene.at("data", 8), scene.at("heap", 0x1f_0000)];
    let [syscall, register] = [scene.at("kernel", 0x1000), scene.at("device", 0xf0)];
    let below_stack = scene.guard() + (small - 8);
    let value = Outcome::Loaded;
    let code = Isa::of(scene.regime).code_word(60);
    let accesses = [
        ((User, Fetch, function), Outcome::Fetched(7)),
        ((User, Load, constant), value(42)),
        ((User, Store, variable), Outcome::Stored),
        ((User, Load, variable), value(STORED)),
        ((User, Store, scene.stack_top()), Outcome::Stored),
        ((User, Load, object), value(0x0b1ec7)),
        ((Supervisor, Fetch, syscall), Outcome::Fetched(60)),
        ((Supervisor, Store, scene.at("kdata", 0)), Outcome::Stored),
        ((Supervisor, Load, register), value(0x1a77)),
        ((User, Store, constant), Outcome::Stored),
        ((User, Store, function), Outcome::Stored),
        ((User, Fetch, variable), Outcome::Fetched(0)),
        ((User, Store, below_stack), Outcome::Stored),
        ((User, Load, syscall), value(code)),
        ((User, Load, scene.not_canonical()), value(0)),
        ((Supervisor, Store, syscall), Outcome::Stored),
        ((Supervisor, Fetch, variable), Outcome::Fetched(0)),
    ];
    for (access, performed) in accesses {
        made(stage, access, performed)?;
    }
    stage.check_word(scene.frame_at("data", 8), STORED);
    Ok(())
}

/// What the processor has marked on the way.
pub fn marks(stage: &mut Stage<'_>) -> Result<(), MachineError> {
    let scene = stage.scene;
    let small = scene.small.bytes();
    let addresses = [
        scene.at("code", small),
        scene.at("rodata", 0x10),
        scene.at("data", 8),
        scene.at("data", small),
        scene.at("heap", 0x1f_0000),
        scene.guard(),
    ];
    for va in addresses {
        stage.query(va);
    }
    Ok(())
}

/// The program's data become read-only.
pub fn protect(stage: &mut Stage<'_>) -> Result<(), MachineError> {
    let (page, variable) = (stage.scene.at("data", 0), stage.scene.at("data", 8));
    let store = (User, Store, variable);
    made(stage, store, Outcome::Stored)?;
    let owed = stage.protect(page, "to r--", |was| Mapping {
        prop: PageProperty {
            write: false,
            ..was.prop
        },
        ..was
    });
    made_unpaid(stage, store, Outcome::Stored)?;
    stage.pay(owed, 0);
    made(stage, store, Outcome::Stored)?;
    made(stage, (User, Load, variable), Outcome::Loaded(STORED))
}

/// The stack goes, and the tables that it alone had.
pub fn unmap(stage: &mut Stage<'_>) -> Result<(), MachineError> {
    let scene = stage.scene;
    let small = scene.small.bytes();
    let load = (User, Load, scene.stack_top());
    for page in 0..2 {
        let owed = stage.unmap(scene.at("stack", page * small));
        stage.quietly();
        stage.pay(owed, 0);
        stage.quietly();
    }
    let before = stage.expected.tables();
    let owed = stage.unmap(scene.at("stack", 2 * small));
    let emptied = before - stage.expected.tables();
    made_unpaid(stage, load, Outcome::Loaded(STORED))?;
    stage.pay(owed, emptied);
    made(stage, load, Outcome::Loaded(STORED))
}

/// The machine has no frame for one of the tables that a page needs.
pub fn memory(stage: &mut Stage<'_>) -> Result<(), MachineError> {
    let scene = stage.scene;
    let (va, size) = (scene.elsewhere(), scene.small.bytes());
    let page = Mapping {
        frame: PhysAddr::new(scene.free_frame()),
        size: scene.small,
        prop: PageProperty::USER_RW,
    };
    let (before, held) = (stage.read_tables(), stage.frames_held());
    let ordinals = ["1st", "2nd", "3rd", "4th"];
    let map = Op::Map {
        va,
        frame: page.frame.as_u64(),
        size: page.size,
        prop: page.prop,
    };
    let needed = stage.expected.missing_tables(&map);
    for (granted, nth) in ordinals.into_iter().enumerate().take(needed) {
        stage.memory().refuse_after(granted as u64);
        let error = Error::NoMemory { addr: va, size };
        stage.map(va, page, &format!(", no {nth} table"), Err(error));
        stage.memory().refuse_none();
    }
    stage.check("table frames held, as before", held, stage.frames_held());
    let same = stage.read_tables() == before;
    stage.check(UNCHANGED, true, same);
    stage.map(va, page, ", all tables", Ok(()));
    stage.check("table frames held", held + needed, stage.frames_held());
    let owed = stage.unmap(va);
    stage.quietly();
    stage.pay(owed, needed);
    stage.quietly();
    Ok(())
}

/// Requests that make no sense.
pub fn mistakes(stage: &mut Stage<'_>) -> Result<(), MachineError> {
    let before = stage.read_tables();
    wrong_pages(stage);
    in_the_way(stage);
    let same = stage.read_tables() == before;
    stage.check(UNCHANGED, true, same);
    Ok(())
}

/// A page that nobody has asked for yet.
fn fresh(stage: &Stage<'_>) -> Mapping {
    Mapping {
        frame: PhysAddr::new(stage.scene.free_frame()),
        size: stage.scene.small,
        prop: PageProperty::USER_RW,
    }
}

/// Pages that there can't be.
fn wrong_pages(stage: &mut Stage<'_>) {
    let (scene, page) = (stage.scene, fresh(stage));
    let (small, large, free) = (scene.small.bytes(), scene.large.bytes(), scene.free());

    let addr = scene.not_canonical();
    stage.no_address(addr, Error::NotCanonical { addr, size: 0 });
    let addr = free + 8;
    stage.map(addr, page, "", Err(Error::NotAligned { addr, size: small }));
    let addr = scene.free_frame() + small;
    let askew = Mapping {
        frame: PhysAddr::new(addr),
        size: scene.large,
        ..page
    };
    let error = Error::NotAligned { addr, size: large };
    stage.map(
        scene.at("heap", 0),
        askew,
        &format!(" to {addr:#x}"),
        Err(error),
    );
    let strange = Mapping {
        size: match scene.small {
            PageSize::Size16K => PageSize::Size64K,
            _ => PageSize::Size16K,
        },
        ..page
    };
    let size = strange.size.bytes();
    stage.map(
        free,
        strange,
        "",
        Err(Error::UnsupportedSize { addr: free, size }),
    );
    if let Some((note, prop)) = unspeakable(stage, page) {
        let error = Error::UnsupportedProperty {
            addr: free,
            size: small,
        };
        stage.map(free, Mapping { prop, ..page }, note, Err(error));
    }
    let bits = stage.memory().phys_bits();
    let addr = 1 << bits;
    let outside = Mapping {
        frame: PhysAddr::new(addr),
        ..page
    };
    let error = Error::PhysTooWide { addr, size: small };
    stage.map(free, outside, &format!(" to 2^{bits}"), Err(error));
}

/// Properties that no entry can express, where there are such.
fn unspeakable(stage: &Stage<'_>, page: Mapping) -> Option<(&'static str, PageProperty)> {
    let Mapping { frame, size, prop } = page;
    let unreadable = PageProperty {
        read: false,
        ..prop
    };
    // What EL2 maps for a guest is the guest's, in all of its modes
    let kernels = PageProperty {
        user: false,
        ..prop
    };
    // Where entries have each of the rights for itself
    let protected = PageProperty {
        cache: CachePolicy::WriteProtected,
        ..prop
    };
    let refused = |prop| {
        let op = Op::Map {
            va: stage.scene.free(),
            frame: frame.as_u64(),
            size,
            prop,
        };
        stage.expected.clone().apply(&op).is_err()
    };
    let candidates = [
        (", not readable", unreadable),
        (", for the kernel only", kernels),
        (", write-protected", protected),
    ];
    candidates.into_iter().find(|(_, prop)| refused(*prop))
}

/// Requests that something mapped stands against.
fn in_the_way(stage: &mut Stage<'_>) {
    let (scene, page) = (stage.scene, fresh(stage));
    let (small, large) = (scene.small.bytes(), scene.large.bytes());
    let addr = scene.at("code", small);
    stage.map(
        addr,
        page,
        "",
        Err(Error::AlreadyMapped { addr, size: small }),
    );
    let addr = scene.at("heap", 0);
    let error = Error::AlreadyMapped { addr, size: large };
    stage.map(addr + small, page, "", Err(error));
    let error = Error::CoveredByHugePage { addr, size: large };
    stage.no_unmap(addr + small, scene.small, "", error);
    let addr = scene.guard();
    stage.no_unmap(
        addr,
        scene.small,
        "",
        Error::NotMapped { addr, size: small },
    );
}
