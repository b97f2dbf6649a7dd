//! Witnesses: what the invariants and contracts speak of exists, so that no theorem holds for want of a case.

use crate::addr::{PageSize, PhysAddr, VirtAddr, VirtRange};
use crate::arch::entry::{Entry, EntryFormat, stored};
use crate::arch::halves::{KernelHalf, UserHalf};
use crate::arch::x86_64::X86_64;
use crate::arch::{PagingMode, Preset, Tracking};
use crate::hw::memory::{Invalidate, TableMemory};
use crate::prop::PageProperty;
use crate::spec::processors::{Processors, Step, Translation, Use, is_run};
use crate::spec::space::AddressSpace;
use crate::table::PageTable;
use crate::table::model::{Model, Node, NodeId, blank};
use vstd::prelude::*;

verus! {

/// A tree of one blank root.
spec fn bare<A: EntryFormat>() -> Model {
    let root = NodeId { level: A::geo().levels as nat, base: 0 };
    Model {
        geo: A::geo(),
        counts: A::counts(),
        pins: A::pins(),
        nodes: Map::empty().insert(
            root,
            Node { table: PhysAddr(0x1000), entries: blank(A::geo(), root.level) },
        ),
    }
}

/// The model's invariants have a witness without pages, for every mode.
proof fn witness_bare<A: EntryFormat>()
    requires
        A::geo().wf(),
    ensures
        bare::<A>().inv(),
        bare::<A>().pages_ok::<A>(),
        bare::<A>().counted(),
{
    let m = bare::<A>();
    A::geo().lemma_span(m.root().level);
    vstd::arithmetic::div_mod::lemma_small_mod(0, A::geo().cover(m.root().level) as nat);
    assert forall|n: NodeId| #[trigger] m.nodes.contains_key(n) implies n == m.root() by {}
    assert forall|n: NodeId, i: int|
        m.nodes.contains_key(n) && 0 <= i < m.geo.entries(n.level) implies #[trigger] m.slot_ok(
        n,
        i,
    ) by {
        assert(m.nodes[n].entries[i] is Empty);
    }
}

/// What a user writes: map a page, look it up, and take it away again; each answer follows from the contracts.
fn witness_use<M: TableMemory>(memory: M, va: VirtAddr<X86_64>, frame: PhysAddr) {
    let Ok(mut table) = PageTable::<M, X86_64, Preset>::new(memory) else {
        return;
    };
    let ghost empty = table@;
    let prop = PageProperty::USER_RW;
    match table.map(va, frame, PageSize::Size4K, prop) {
        Ok(()) => {
            assert(table@.pages.contains_key(va@));
            assert(table@.covers(va@, va@));
            let found = table.query(va);
            assert(found is Ok);
            match table.unmap(va, PageSize::Size4K) {
                Ok((was, _flush)) => {
                    assert(was.frame == frame && was.prop.write);
                    assert(table@.pages =~= empty.pages);
                },
                Err(_) => {
                    assert(false);
                },
            }
        },
        Err(_) => {},
    }
}

/// By way of a break a page is divided as it would be in place.
fn witness_break<M: TableMemory, A: PagingMode, T: Invalidate<A>>(
    table: &mut PageTable<M, A, Tracking>,
    va: VirtAddr<A>,
    part: PageSize,
    tlb: &T,
) {
    let ghost before = table@;
    let Ok(broken) = table.break_page(va, PageSize::Size2M) else {
        return;
    };
    let ghost prop = broken.before().prop;
    match broken.flush(tlb).split(part) {
        Ok(()) => {
            assert(before.unmap(va@).map(va@, before.pages[va@].frame, PageSize::Size2M, prop).pages
                =~= before.protect(va@, prop).pages);
            assert(table@ == before.protect(va@, prop).split(va@, part));
        },
        Err(not_made) => {
            assert(not_made.vacant.table()@ == before.unmap(va@));
        },
    }
}

/// What is done through a cursor is what the table is once the cursor is gone.
fn witness_cursor<M: TableMemory>(
    table: &mut PageTable<M>,
    range: VirtRange<X86_64>,
    frame: PhysAddr,
) -> (r: bool)
    ensures
        final(table).steps_from(*old(table)),
        if r {
            final(table)@ == old(table)@.map(
                range.first()@,
                frame,
                PageSize::Size4K,
                stored::<Preset>(PageProperty::USER_RW),
            )
        } else {
            final(table)@ == old(table)@
        },
{
    let Ok(mut cursor) = table.cursor_mut(range) else {
        return false;
    };
    let done = cursor.map(frame, PageSize::Size4K, PageProperty::USER_RW).is_ok();
    cursor.find_next(u64::MAX);
    done
}

/// What a kernel writes: a user table shares its half, and still does after the kernel mapped and unmapped a page.
fn witness_share<M: TableMemory>(memory: M, va: VirtAddr<KernelHalf<X86_64>>, frame: PhysAddr) {
    let Ok(mut kernel) = PageTable::<M, KernelHalf<X86_64>, Preset>::new(memory.clone()) else {
        return;
    };
    let Ok(user) = PageTable::<M, UserHalf<X86_64>, Preset>::sharing(memory, &kernel) else {
        return;
    };
    let _ = kernel.map(va, frame, PageSize::Size4K, PageProperty::KERNEL_RW);
    assert(user.shares(kernel));
    let _ = kernel.unmap(va, PageSize::Size4K);
    assert(user.shares(kernel));
}

/// A processor leaves a table, comes back to it, and still holds what it held.
proof fn witness_keep(space: AddressSpace, t: Translation) -> (r: (Seq<Processors>, Seq<Step>))
    requires
        space.translate(t.va) == Some(t.to),
    ensures
        is_run(r.0, r.1),
        r.1 == seq![
            Step::Leave { cpu: 0 },
            Step::Enter { cpu: 0, to: Use { table: t.table, id: 1 }, keep: true },
        ],
        r.0[1].reaches(0, t),
        (r.0[2].using)(0) == Some(Use { table: t.table, id: 1 }),
        (r.0[2].holds)(0, 1, t),
{
    let to = Use { table: t.table, id: 1 };
    let there = Processors {
        spaces: |table: nat| space,
        using: |cpu: nat|
            if cpu == 0 {
                Some(to)
            } else {
                None
            },
        holds: |cpu: nat, id: nat, other: Translation| cpu == 0 && id == 1 && other == t,
        returns: |cpu: nat, table: nat| None,
    };
    let away = Processors {
        using: |cpu: nat| None,
        returns: |cpu: nat, table: nat|
            if cpu == 0 && table == t.table {
                Some(1)
            } else {
                None
            },
        ..there
    };
    let (run, steps) = (
        seq![there, away, there],
        seq![Step::Leave { cpu: 0 }, Step::Enter { cpu: 0, to, keep: true }],
    );
    assert(there.is_fresh());
    assert(there.goes(steps[0], away));
    assert(away.goes(steps[1], there));
    assert(away.serves(0, 1, t.table));
    assert forall|i: int| 0 <= i < steps.len() implies #[trigger] run[i].goes(
        steps[i],
        run[i + 1],
    ) by {
        assert(i == 0 || i == 1);
    }
    (run, steps)
}

} // verus!
