//! The hardware's walk, as all the manuals have it: a descent through tables of raw 64-bit words in memory.
//!
//! What one word means at one level is the architecture's (`hw::x86_64`). Nothing here knows of our code.

#[cfg(verus_only)]
use crate::PhysAddr;
#[cfg(verus_only)]
use crate::arch::Geometry;
use crate::prop::CachePolicy;
use vstd::prelude::*;

verus! {

/// What may be done in one mode of the processor.
pub ghost struct Allowed {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

impl Allowed {
    /// Everything.
    pub open spec fn all() -> Allowed {
        Allowed { read: true, write: true, execute: true }
    }

    /// Nothing.
    pub open spec fn none() -> Allowed {
        Allowed { read: false, write: false, execute: false }
    }

    /// What both allow.
    pub open spec fn and(self, other: Allowed) -> Allowed {
        Allowed {
            read: self.read && other.read,
            write: self.write && other.write,
            execute: self.execute && other.execute,
        }
    }
}

/// What the entries on a path allow: each level can only take away.
pub ghost struct Rights {
    /// In privileged mode: the kernel's.
    pub kernel: Allowed,
    /// In user mode.
    pub user: Allowed,
}

impl Rights {
    /// Nothing taken away.
    pub open spec fn all() -> Rights {
        Rights { kernel: Allowed::all(), user: Allowed::all() }
    }

    /// What both allow.
    pub open spec fn and(self, other: Rights) -> Rights {
        Rights { kernel: self.kernel.and(other.kernel), user: self.user.and(other.user) }
    }
}

/// What one entry tells the walk.
pub ghost enum Step {
    /// Stop: nothing is mapped.
    NotPresent,
    /// Stop: a bit is set that must not be.
    Reserved,
    /// Go on with the table at this address.
    Table {
        /// The table's physical address.
        table: int,
        /// What this entry allows below it.
        rights: Rights,
        /// All translations below it outlive a switch of the root.
        global: bool,
    },
    /// Arrived at a page.
    Page {
        /// The frame's physical address.
        frame: int,
        /// What this entry allows.
        rights: Rights,
        /// The translation outlives a switch of the root.
        global: bool,
        /// How accesses are cached.
        cache: CachePolicy,
    },
}

/// How a walk ends.
pub ghost enum Walk {
    /// Refused before the walk: the upper bits of the address are wrong.
    NonCanonical,
    /// A fault: nothing is mapped.
    NotPresent,
    /// A fault: a reserved bit is set in an entry.
    Reserved,
    /// The address is translated to `phys`, and may be used as `rights` say.
    Page {
        /// The physical address.
        phys: int,
        /// What all entries on the path allow.
        rights: Rights,
        /// The translation outlives a switch of the root.
        global: bool,
        /// How accesses are cached.
        cache: CachePolicy,
    },
}

/// What a processor's manual says of one paging mode. Definitions only.
pub trait Mmu: Sized {
    /// The shape of the tables.
    spec fn geo() -> Geometry;

    /// Whether an address is one at all.
    spec fn canonical(va: u64) -> bool;

    /// What `word`, found in a table of `level`, tells the walk on a machine with `phys_bits` bits of physical address.
    spec fn step(phys_bits: u64, level: nat, word: u64) -> Step;

    /// Whether hardware, left alone, may turn `word` into `now` at any time: it sets accessed and dirty bits.
    spec fn may_become(level: nat, word: u64, now: u64) -> bool;
}

/// Whether hardware leaves `word` alone.
pub open spec fn settled<A: Mmu>(level: nat, word: u64) -> bool {
    forall|now: u64| #[trigger] A::may_become(level, word, now) ==> now == word
}

/// Physical memory: the 64-bit word at each (8-byte aligned) physical address.
pub type Memory = spec_fn(int) -> u64;

/// The walk from the table of `level` at physical address `table`, what is above it allowing `rights` and making the
/// translation global or not.
pub open spec fn walk_from<A: Mmu>(
    memory: Memory,
    phys_bits: u64,
    level: nat,
    table: int,
    va: int,
    rights: Rights,
    global: bool,
) -> Walk
    decreases level,
{
    let index = (va / A::geo().span(level)) % A::geo().entries(level);
    match A::step(phys_bits, level, memory(table + 8 * index)) {
        Step::NotPresent => Walk::NotPresent,
        Step::Reserved => Walk::Reserved,
        Step::Page { frame, rights: more, global: outlives, cache } => Walk::Page {
            phys: frame + va % A::geo().span(level),
            rights: rights.and(more),
            global: global || outlives,
            cache,
        },
        // a table below level 1 doesn't exist
        Step::Table { table: next, rights: more, global: outlives } => if level <= 1 {
            Walk::Reserved
        } else {
            walk_from::<A>(
                memory,
                phys_bits,
                (level - 1) as nat,
                next,
                va,
                rights.and(more),
                global || outlives,
            )
        },
    }
}

/// The walk of virtual address `va` from the table at `root`.
pub open spec fn walk<A: Mmu>(memory: Memory, phys_bits: u64, root: PhysAddr, va: u64) -> Walk {
    if A::canonical(va) {
        walk_from::<A>(
            memory,
            phys_bits,
            A::geo().levels as nat,
            root.0 as int,
            va as int,
            Rights::all(),
            false,
        )
    } else {
        Walk::NonCanonical
    }
}

/// From the table of `level` at physical address `table`, the walk of `va` comes to a table at `target`.
pub open spec fn reaches<A: Mmu>(
    memory: Memory,
    phys_bits: u64,
    level: nat,
    table: int,
    va: int,
    target: int,
) -> bool
    decreases level,
{
    table == target || match A::step(
        phys_bits,
        level,
        memory(table + 8 * ((va / A::geo().span(level)) % A::geo().entries(level))),
    ) {
        Step::Table { table: next, .. } => level > 1 && reaches::<A>(
            memory,
            phys_bits,
            (level - 1) as nat,
            next,
            va,
            target,
        ),
        _ => false,
    }
}

} // verus!
