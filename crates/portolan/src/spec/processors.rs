//! Processors with TLBs, as abstract as can be: at any moment a TLB may load what the table in use says, and may lose
//! whatever it holds.
//!
//! A step is one store to a table, or one thing that a processor does. What the code ensures is in terms of such steps: that
//! each processor invalidated, or didn't use the table, after the stores; what follows for TLBs is
//! [`theorem_shootdown`](super::theorem::theorem_shootdown).

use crate::addr::PhysAddr;
use crate::arch::entry::EntryFormat;
use crate::prop::PageProperty;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

pub(crate) mod proof;

verus! {

/// A translation in a TLB: of which table, of which address, where to, and what may be done there.
pub ghost struct Translation {
    /// The root of the table that it comes from.
    pub root: PhysAddr,
    /// The address, counted from the start of what the table covers.
    pub va: int,
    /// Where the byte lies, and with which properties.
    pub to: (int, PageProperty),
}

/// Tables and processors at one moment.
pub ghost struct Processors {
    /// What each table means, by its root.
    pub spaces: spec_fn(PhysAddr) -> AddressSpace,
    /// The table that each processor uses, if it is one for user space.
    pub using: spec_fn(nat) -> Option<PhysAddr>,
    /// What each processor's TLB holds.
    pub holds: spec_fn(nat, Translation) -> bool,
}

/// What can happen.
pub ghost enum Step {
    /// A TLB loads a translation of the table in use, at any moment it likes.
    Load { cpu: nat, new: Translation },
    /// A TLB loses a translation, at any moment it likes.
    Lose { cpu: nat, old: Translation },
    /// A store changes what a table means.
    Store { root: PhysAddr, now: AddressSpace },
    /// A processor invalidates the addresses from `lo` to below `hi`.
    Invalidate { cpu: nat, lo: int, hi: int },
    /// A processor goes over to another table, or to one of the kernel's own.
    Switch { cpu: nat, to: Option<PhysAddr> },
}

impl Processors {
    /// Whether a table says what a translation says.
    pub open spec fn backs(self, t: Translation) -> bool {
        (self.spaces)(t.root).translate(t.va) == Some(t.to)
    }

    /// Whether a TLB holds only what the table in use says now, or nothing of any.
    pub open spec fn is_fresh(self) -> bool {
        forall|cpu: nat, t: Translation| #[trigger]
            (self.holds)(cpu, t) ==> (self.using)(cpu) == Some(t.root) && self.backs(t)
    }

    /// Whether `now` comes from this by `step`.
    pub open spec fn goes(self, step: Step, now: Self) -> bool {
        &&& step is Store || now.spaces == self.spaces
        &&& step is Switch || now.using == self.using
        &&& match step {
            Step::Load { cpu, new } => {
                &&& (self.using)(cpu) == Some(new.root)
                &&& self.backs(new)
                &&& forall|c: nat, t: Translation| #[trigger]
                    (now.holds)(c, t) == ((self.holds)(c, t) || c == cpu && t == new)
            },
            Step::Lose { cpu, old } => {
                forall|c: nat, t: Translation| #[trigger]
                    (now.holds)(c, t) == ((self.holds)(c, t) && !(c == cpu && t == old))
            },
            Step::Store { root, now: space } => {
                &&& now.holds == self.holds
                &&& forall|r: PhysAddr| #[trigger]
                    (now.spaces)(r) == if r == root {
                        space
                    } else {
                        (self.spaces)(r)
                    }
            },
            Step::Invalidate { cpu, lo, hi } => {
                forall|c: nat, t: Translation| #[trigger]
                    (now.holds)(c, t) == ((self.holds)(c, t) && !(c == cpu && lo <= t.va < hi))
            },
            Step::Switch { cpu, to } => {
                &&& forall|c: nat| #[trigger]
                    (now.using)(c) == if c == cpu {
                        to
                    } else {
                        (self.using)(c)
                    }
                &&& forall|c: nat, t: Translation| #[trigger]
                    (now.holds)(c, t) == ((self.holds)(c, t) && c != cpu)
            },
        }
    }

    /// Whether a processor that uses the table at `root` may read, or write, by the translation `t`, with a program's rights.
    pub open spec fn serves<A: EntryFormat>(
        self,
        cpu: nat,
        root: PhysAddr,
        write: bool,
        t: Translation,
    ) -> bool {
        let rights = A::rights(t.to.1).user;
        &&& (self.using)(cpu) == Some(root)
        &&& (self.holds)(cpu, t)
        &&& if write {
            rights.write
        } else {
            rights.read
        }
    }

    /// Whether a processor is quiet of an address of a table: it doesn't use the table, or its next step is to invalidate the
    /// address.
    pub open spec fn is_quiet(self, step: Step, cpu: nat, root: PhysAddr, va: int) -> bool {
        ||| (self.using)(cpu) != Some(root)
        ||| step matches Step::Invalidate { cpu: c, lo, hi } && c == cpu && lo <= va < hi
    }
}

/// A run of the machine: it starts with TLBs that hold nothing stale, and each moment comes from the one before by a step.
pub open spec fn is_run(run: Seq<Processors>, steps: Seq<Step>) -> bool {
    &&& run.len() == steps.len() + 1
    &&& run[0].is_fresh()
    &&& forall|i: int| 0 <= i < steps.len() ==> #[trigger] run[i].goes(steps[i], run[i + 1])
}

/// Whether from `since` to before `end` there is a moment when the processor is quiet of the address.
pub open spec fn was_quiet(
    run: Seq<Processors>,
    steps: Seq<Step>,
    since: int,
    end: int,
    cpu: nat,
    root: PhysAddr,
    va: int,
) -> bool {
    exists|i: int| since <= i < end && #[trigger] run[i].is_quiet(steps[i], cpu, root, va)
}

} // verus!
