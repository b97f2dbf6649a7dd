//! Processors with TLBs, as abstract as can be: at any moment a TLB may load what the table in use says, and may lose
//! whatever it holds.
//!
//! What a TLB holds it holds under an identifier (PCID, ASID), the one that is in use when it loads it; an access is answered
//! by what is held under the identifier in use, whichever table that came from. Global translations are none of user space,
//! and not in here.
//!
//! A step is one store to a table, or one thing that a processor does. What the code ensures is in terms of such steps: that
//! each processor invalidated, or was away, after the stores; what follows for TLBs is
//! [`theorem_shootdown`](super::theorem::theorem_shootdown).

use crate::arch::entry::EntryFormat;
use crate::prop::PageProperty;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

pub(crate) mod proof;

verus! {

/// A translation in a TLB: of which table, of which address, where to, and what may be done there.
pub ghost struct Translation {
    /// The table that it comes from, by its number: no table has the number of another one, also if its root lies where
    /// that one's lay.
    pub table: nat,
    /// The address, counted from the start of what the table covers.
    pub va: int,
    /// Where the byte lies, and with which properties.
    pub to: (int, PageProperty),
}

/// How a processor uses a table.
pub ghost struct Use {
    /// The table.
    pub table: nat,
    /// The identifier under which its TLB holds what it loads.
    pub id: nat,
}

/// Tables and processors at one moment.
pub ghost struct Processors {
    /// What each table means.
    pub spaces: spec_fn(nat) -> AddressSpace,
    /// The table that each processor uses, if it is one for user space.
    pub using: spec_fn(nat) -> Option<Use>,
    /// What each processor's TLB holds, under which identifier.
    pub holds: spec_fn(nat, nat, Translation) -> bool,
    /// Under which identifier each processor may go back to a table and keep what its TLB holds. Of this hardware knows
    /// nothing, it is what software has noted.
    pub returns: spec_fn(nat, nat) -> Option<nat>,
}

/// What can happen.
pub ghost enum Step {
    /// A TLB loads a translation of the table in use, at any moment it likes.
    Load { cpu: nat, new: Translation },
    /// A TLB loses a translation, at any moment it likes.
    Lose { cpu: nat, id: nat, old: Translation },
    /// A store changes what a table means.
    Store { table: nat, now: AddressSpace },
    /// A processor invalidates the addresses of a table from `lo` to below `hi`: under the identifier in use if it uses that
    /// table, or else under all.
    Invalidate { cpu: nat, table: nat, lo: int, hi: int },
    /// A processor goes over to a table, and keeps what its TLB holds under the identifier or invalidates it. It keeps only
    /// what it may.
    Enter { cpu: nat, to: Use, keep: bool },
    /// A processor goes over to a table of the kernel's own.
    Leave { cpu: nat },
    /// Software notes that a processor that doesn't use a table will invalidate before it uses it again.
    Renounce { cpu: nat, table: nat },
}

impl Processors {
    /// Whether a table says what a translation says.
    pub open spec fn backs(self, t: Translation) -> bool {
        (self.spaces)(t.table).translate(t.va) == Some(t.to)
    }

    /// Whether a processor uses a table.
    pub open spec fn uses(self, cpu: nat, table: nat) -> bool {
        (self.using)(cpu) matches Some(now) && now.table == table
    }

    /// Whether what a TLB holds under an identifier is used for the table: it is in use, or the processor may go back to it
    /// and keep it.
    pub open spec fn serves(self, cpu: nat, id: nat, table: nat) -> bool {
        ||| (self.using)(cpu) == Some(Use { table, id })
        ||| (self.returns)(cpu, table) == Some(id)
    }

    /// Whether a processor may use a translation, at once or when it goes back to a table, though its TLB doesn't load it
    /// again.
    pub open spec fn reaches(self, cpu: nat, t: Translation) -> bool {
        exists|id: nat, table: nat| #[trigger]
            self.serves(cpu, id, table) && (self.holds)(cpu, id, t)
    }

    /// Whether identifiers are kept apart: what is used for a table comes from it, an identifier is that of one table, and no
    /// processor goes back to a table that it uses.
    pub open spec fn is_apart(self) -> bool {
        &&& forall|cpu: nat, id: nat, table: nat, t: Translation| #[trigger]
            self.serves(cpu, id, table) && #[trigger] (self.holds)(cpu, id, t) ==> t.table == table
        &&& forall|cpu: nat, id: nat, one: nat, other: nat| #[trigger]
            self.serves(cpu, id, one) && #[trigger] self.serves(cpu, id, other) ==> one == other
        &&& forall|cpu: nat, table: nat| #[trigger]
            self.uses(cpu, table) ==> (self.returns)(cpu, table) is None
    }

    /// Whether identifiers are kept apart, and whatever a processor may use, the table says now.
    pub open spec fn is_fresh(self) -> bool {
        &&& self.is_apart()
        &&& forall|cpu: nat, t: Translation| #[trigger] self.reaches(cpu, t) ==> self.backs(t)
    }

    /// Under which identifier a processor may go back to a table once it has left the one in use: to that one, too.
    pub open spec fn returns_after(self, cpu: nat, table: nat) -> Option<nat> {
        match (self.using)(cpu) {
            Some(now) if now.table == table => Some(now.id),
            _ => (self.returns)(cpu, table),
        }
    }

    /// Whether a TLB holds nothing of a translation any more once the processor has invalidated addresses of a table.
    pub open spec fn hits(self, step: Step, cpu: nat, id: nat, t: Translation) -> bool {
        step matches Step::Invalidate { cpu: c, table, lo, hi } && c == cpu && lo <= t.va < hi && (
        if self.uses(cpu, table) {
            (self.using)(cpu) == Some(Use { table, id })
        } else {
            t.table == table
        })
    }

    /// Whether `now` comes from this by `step`.
    pub open spec fn goes(self, step: Step, now: Self) -> bool {
        &&& step is Store || now.spaces == self.spaces
        &&& step is Enter || step is Leave || now.using == self.using
        &&& step is Enter || step is Leave || step is Renounce || now.returns == self.returns
        &&& match step {
            Step::Load { cpu, new } => {
                &&& self.uses(cpu, new.table)
                &&& self.backs(new)
                &&& forall|c: nat, i: nat, t: Translation| #[trigger]
                    (now.holds)(c, i, t) == ((self.holds)(c, i, t) || c == cpu && t == new && (
                    self.using)(cpu) == Some(Use { table: new.table, id: i }))
            },
            Step::Lose { cpu, id, old } => {
                forall|c: nat, i: nat, t: Translation| #[trigger]
                    (now.holds)(c, i, t) == ((self.holds)(c, i, t) && !(c == cpu && i == id && t
                        == old))
            },
            Step::Store { table, now: space } => {
                &&& now.holds == self.holds
                &&& forall|other: nat| #[trigger]
                    (now.spaces)(other) == if other == table {
                        space
                    } else {
                        (self.spaces)(other)
                    }
            },
            Step::Invalidate { cpu, .. } => {
                forall|c: nat, i: nat, t: Translation| #[trigger]
                    (now.holds)(c, i, t) == ((self.holds)(c, i, t) && !self.hits(step, c, i, t))
            },
            Step::Enter { cpu, to, keep } => {
                &&& keep ==> (self.returns)(cpu, to.table) == Some(to.id)
                &&& forall|c: nat| #[trigger]
                    (now.using)(c) == if c == cpu {
                        Some(to)
                    } else {
                        (self.using)(c)
                    }
                &&& forall|c: nat, i: nat, t: Translation| #[trigger]
                    (now.holds)(c, i, t) == ((self.holds)(c, i, t) && (keep || !(c == cpu && i
                        == to.id)))
                &&& forall|c: nat, table: nat| #[trigger]
                    (now.returns)(c, table) == if c != cpu {
                        (self.returns)(c, table)
                    } else if table == to.table || self.returns_after(cpu, table) == Some(to.id) {
                        None
                    } else {
                        self.returns_after(cpu, table)
                    }
            },
            Step::Leave { cpu } => {
                &&& now.holds == self.holds
                &&& forall|c: nat| #[trigger]
                    (now.using)(c) == if c == cpu {
                        None
                    } else {
                        (self.using)(c)
                    }
                &&& forall|c: nat, table: nat| #[trigger]
                    (now.returns)(c, table) == if c == cpu {
                        self.returns_after(cpu, table)
                    } else {
                        (self.returns)(c, table)
                    }
            },
            Step::Renounce { cpu, table } => {
                &&& now.holds == self.holds
                &&& !self.uses(cpu, table)
                &&& forall|c: nat, other: nat| #[trigger]
                    (now.returns)(c, other) == if c == cpu && other == table {
                        None
                    } else {
                        (self.returns)(c, other)
                    }
            },
        }
    }

    /// Whether a processor may read, or write, by the translation `t`, with a program's rights: it is held under the identifier
    /// in use.
    pub open spec fn permits<A: EntryFormat>(
        self,
        cpu: nat,
        now: Use,
        write: bool,
        t: Translation,
    ) -> bool {
        let rights = A::rights(t.to.1).user;
        &&& (self.using)(cpu) == Some(now)
        &&& (self.holds)(cpu, now.id, t)
        &&& if write {
            rights.write
        } else {
            rights.read
        }
    }

    /// Whether a processor is quiet of an address of a table: it doesn't use the table, and will invalidate before it does; or
    /// its next step is to invalidate the address.
    pub open spec fn is_quiet(self, step: Step, cpu: nat, table: nat, va: int) -> bool {
        ||| !self.uses(cpu, table) && (self.returns)(cpu, table) is None
        ||| step matches Step::Invalidate { cpu: c, table: of, lo, hi } && c == cpu && of == table
            && lo <= va < hi
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
    table: nat,
    va: int,
) -> bool {
    exists|i: int| since <= i < end && #[trigger] run[i].is_quiet(steps[i], cpu, table, va)
}

} // verus!
