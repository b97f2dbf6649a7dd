//! The hardware's walk of the tables in memory is what the model says.

use crate::addr::PhysAddr;
use crate::arch::entry::{Entry, EntryFormat};
use crate::hw::mmu::{Memory, Mmu, Rights, Step, Walk, reaches, walk, walk_from};
use crate::spec::space::{page_walk, translation};
use crate::table::model::{Model, NodeId, home};
use crate::table::perms::{
    Perms, are_apart, lemma_tables, model, perm_ok, space, tables, walkable,
};
use crate::table::root::Root;
use vstd::prelude::*;

pub(crate) mod halves;

verus! {

/// Memory holds the tables: each word as software knows it, or with bits that hardware has set since.
pub(crate) open spec fn holds<A: Mmu>(memory: Memory, perms: Perms) -> bool {
    forall|n: NodeId, i: int| #[trigger]
        perms.contains_key(n) && 0 <= i < perms[n].words().len() ==> A::may_become(
            n.level,
            #[trigger] perms[n].words()[i],
            memory(perms[n].addr().0 + 8 * i),
        )
}

/// What the walk of `va` is to answer.
pub(crate) open spec fn answer<A: EntryFormat>(m: Model, va: int) -> Walk {
    if m.is_mapped(va) {
        let l = m.level_of(va);
        page_walk::<A>(Model::mapping::<A>(m.entry_at(va, l), l), va % A::geo().span(l))
    } else {
        Walk::NotPresent
    }
}

/// From the table of level `l` on, the walk is what the model says.
proof fn lemma_walk_from<A: EntryFormat>(
    perms: Perms,
    phys_bits: u64,
    root: Root,
    memory: Memory,
    raw: int,
    l: nat,
)
    requires
        walkable::<A>(perms, phys_bits, root),
        holds::<A>(memory, perms),
        0 <= raw,
        1 <= l <= A::geo().levels,
        perms.contains_key(home(A::geo(), raw % A::geo().limit(), l)),
    ensures
        walk_from::<A>(
            memory,
            phys_bits,
            l,
            perms[home(A::geo(), raw % A::geo().limit(), l)].addr().0 as int,
            raw,
            Rights::all(),
            false,
        ) == answer::<A>(model::<A>(perms), raw % A::geo().limit()),
    decreases l,
{
    let geo = A::geo();
    let m = model::<A>(perms);
    geo.lemma_span(geo.levels as nat);
    let va = raw % geo.limit();
    vstd::arithmetic::div_mod::lemma_mod_bound(raw, geo.limit());
    let n = home(geo, va, l);
    let perm = perms[n];
    let i = geo.index_of(va, l);
    geo.lemma_hardware_index(raw, l);
    geo.lemma_bounds(va, l);
    assert(m.nodes.contains_key(n));
    assert(perm_ok::<A>(perm, l, phys_bits));
    let word = perm.words()[i];
    let now = memory(perm.addr().0 + 8 * i);
    assert(A::may_become(l, word, now));
    A::lemma_step(phys_bits, l, word, now);
    A::lemma_wf(phys_bits, l, word);
    assert(m.entry_at(va, l) == A::entry(l, word));
    assert(Rights::all().and(Rights::all()) == Rights::all());
    match A::entry(l, word) {
        Entry::Table { table, .. } => {
            m.lemma_down(va, l);
            let below = (l - 1) as nat;
            assert(m.nodes.contains_key(home(geo, va, below)));
            assert(m.nodes[home(geo, va, below)].table == perms[home(geo, va, below)].addr());
            lemma_walk_from::<A>(perms, phys_bits, root, memory, raw, below);
        },
        Entry::Page { prop, .. } => {
            m.lemma_stop(va, l);
            assert(Rights::all().and(A::rights(prop)) == A::rights(prop));
        },
        Entry::Empty => {
            m.lemma_stop(va, l);
        },
    }
}

/// The walk of an address is what the address space says of it.
pub(crate) proof fn lemma_walk<A: EntryFormat>(
    perms: Perms,
    phys_bits: u64,
    root: Root,
    memory: Memory,
    va: u64,
)
    requires
        walkable::<A>(perms, phys_bits, root),
        holds::<A>(memory, perms),
    ensures
        walk::<A>(memory, phys_bits, root.addr, va) == translation::<A>(space::<A>(perms), va),
{
    let geo = A::geo();
    geo.lemma_span(geo.levels as nat);
    let at = va as int % geo.limit();
    vstd::arithmetic::div_mod::lemma_mod_bound(va as int, geo.limit());
    let m = model::<A>(perms);
    m.lemma_home_root(at);
    assert(m.nodes.contains_key(m.root()));
    if A::canonical(va) {
        lemma_walk_from::<A>(perms, phys_bits, root, memory, va as int, geo.levels as nat);
    }
    m.lemma_lookup::<A>(at);
    if m.is_mapped(at) {
        let l = m.level_of(at);
        assert(m.page_at(at, l));
        geo.lemma_bounds(at, l);
        assert(m.nodes.contains_key(home(geo, at, l)));
        assert(m.nodes[home(geo, at, l)].entries[geo.index_of(at, l)] is Page);
        A::lemma_page_size(l);
    }
}

/// One step of a walk.
proof fn lemma_step_at<A: EntryFormat>(
    perms: Perms,
    phys_bits: u64,
    root: Root,
    memory: Memory,
    va: int,
    l: nat,
)
    requires
        walkable::<A>(perms, phys_bits, root),
        holds::<A>(memory, perms),
        0 <= va < A::geo().limit(),
        1 <= l <= A::geo().levels,
        perms.contains_key(home(A::geo(), va, l)),
    ensures
        match A::step(
            phys_bits,
            l,
            memory(
                perms[home(A::geo(), va, l)].addr().0 + 8 * ((va / A::geo().span(l))
                    % A::geo().entries(l)),
            ),
        ) {
            Step::Table { table, .. } => {
                &&& l > 1
                &&& model::<A>(perms).entry_at(va, l) is Table
                &&& perms.contains_key(home(A::geo(), va, (l - 1) as nat))
                &&& perms[home(A::geo(), va, (l - 1) as nat)].addr().0 == table
            },
            _ => !(model::<A>(perms).entry_at(va, l) is Table),
        },
{
    let geo = A::geo();
    let m = model::<A>(perms);
    let n = home(geo, va, l);
    let i = geo.index_of(va, l);
    geo.lemma_hardware_index(va, l);
    geo.lemma_bounds(va, l);
    assert(m.nodes.contains_key(n));
    assert(perm_ok::<A>(perms[n], l, phys_bits));
    let word = perms[n].words()[i];
    A::lemma_step(phys_bits, l, word, memory(perms[n].addr().0 + 8 * i));
    A::lemma_wf(phys_bits, l, word);
    assert(m.entry_at(va, l) == A::entry(l, word));
    if A::entry(l, word) is Table {
        m.lemma_down(va, l);
        assert(m.nodes.contains_key(home(geo, va, (l - 1) as nat)));
        assert(m.nodes[home(geo, va, (l - 1) as nat)].table == perms[home(
            geo,
            va,
            (l - 1) as nat,
        )].addr());
    }
}

/// A table is reached by the walk of the first address that it covers.
proof fn lemma_reached<A: EntryFormat>(
    perms: Perms,
    phys_bits: u64,
    root: Root,
    memory: Memory,
    n: NodeId,
    l: nat,
)
    requires
        walkable::<A>(perms, phys_bits, root),
        holds::<A>(memory, perms),
        perms.contains_key(n),
        n.level <= l <= A::geo().levels,
        perms.contains_key(home(A::geo(), n.base, l)),
    ensures
        reaches::<A>(
            memory,
            phys_bits,
            l,
            perms[home(A::geo(), n.base, l)].addr().0 as int,
            n.base,
            perms[n].addr().0 as int,
        ),
    decreases l,
{
    let m = model::<A>(perms);
    assert(m.nodes.contains_key(n));
    A::geo().lemma_span(n.level);
    A::geo().lemma_span(A::geo().levels as nat);
    assert(home(A::geo(), n.base, n.level) == n);
    if l > n.level {
        m.lemma_chain(n.base, n.level, l);
        lemma_step_at::<A>(perms, phys_bits, root, memory, n.base, l);
        lemma_reached::<A>(perms, phys_bits, root, memory, n, (l - 1) as nat);
    }
}

/// What a walk comes to is one of the tables.
proof fn lemma_reaches<A: EntryFormat>(
    perms: Perms,
    phys_bits: u64,
    root: Root,
    memory: Memory,
    va: int,
    l: nat,
    target: int,
)
    requires
        walkable::<A>(perms, phys_bits, root),
        holds::<A>(memory, perms),
        0 <= va < A::geo().limit(),
        1 <= l <= A::geo().levels,
        perms.contains_key(home(A::geo(), va, l)),
        reaches::<A>(
            memory,
            phys_bits,
            l,
            perms[home(A::geo(), va, l)].addr().0 as int,
            va,
            target,
        ),
    ensures
        exists|n: NodeId| #[trigger] perms.contains_key(n) && perms[n].addr().0 == target,
    decreases l,
{
    lemma_step_at::<A>(perms, phys_bits, root, memory, va, l);
    if perms[home(A::geo(), va, l)].addr().0 != target {
        lemma_reaches::<A>(perms, phys_bits, root, memory, va, (l - 1) as nat, target);
    }
}

/// The tables are those that walks reach.
pub(crate) proof fn lemma_reachable<A: EntryFormat>(
    perms: Perms,
    phys_bits: u64,
    root: Root,
    memory: Memory,
    frame: PhysAddr,
)
    requires
        walkable::<A>(perms, phys_bits, root),
        holds::<A>(memory, perms),
    ensures
        tables(perms).contains(frame) <==> exists|va: int|
            0 <= va < A::geo().limit() && #[trigger] reaches::<A>(
                memory,
                phys_bits,
                A::geo().levels as nat,
                root.addr.0 as int,
                va,
                frame.0 as int,
            ),
{
    broadcast use lemma_tables;

    let m = model::<A>(perms);
    let top = A::geo().levels as nat;
    if tables(perms).contains(frame) {
        let n = choose|n: NodeId| #[trigger] perms.contains_key(n) && perms[n].addr() == frame;
        assert(m.nodes.contains_key(n));
        A::geo().lemma_span(n.level);
        m.lemma_home_root(n.base);
        assert(m.nodes.contains_key(m.root()));
        lemma_reached::<A>(perms, phys_bits, root, memory, n, top);
    }
    if exists|va: int|
        0 <= va < A::geo().limit() && #[trigger] reaches::<A>(
            memory,
            phys_bits,
            top,
            root.addr.0 as int,
            va,
            frame.0 as int,
        ) {
        let va = choose|va: int|
            0 <= va < A::geo().limit() && #[trigger] reaches::<A>(
                memory,
                phys_bits,
                top,
                root.addr.0 as int,
                va,
                frame.0 as int,
            );
        m.lemma_home_root(va);
        assert(m.nodes.contains_key(m.root()));
        lemma_reaches::<A>(perms, phys_bits, root, memory, va, top, frame.0 as int);
    }
}

/// Whether word `i` of table `n` is at physical address `at`.
spec fn is_at(perms: Perms, n: NodeId, i: int, at: int) -> bool {
    perms.contains_key(n) && 0 <= i < perms[n].words().len() && at == perms[n].addr().0 + 8 * i
}

/// There is a memory that holds the tables: no two words are at the same place.
pub(crate) proof fn lemma_memory_exists<A: EntryFormat>(perms: Perms, phys_bits: u64, root: Root)
    requires
        walkable::<A>(perms, phys_bits, root),
    ensures
        exists|memory: Memory| holds::<A>(memory, perms),
{
    reveal(are_apart);
    let memory = |at: int|
        {
            let (n, i) = choose|n: NodeId, i: int| is_at(perms, n, i, at);
            perms[n].words()[i]
        };
    assert forall|n: NodeId, i: int| #[trigger]
        perms.contains_key(n) && 0 <= i < perms[n].words().len() implies A::may_become(
        n.level,
        #[trigger] perms[n].words()[i],
        memory(perms[n].addr().0 + 8 * i),
    ) by {
        let at = perms[n].addr().0 + 8 * i;
        assert(is_at(perms, n, i, at));
        let (m, j) = choose|m: NodeId, j: int| is_at(perms, m, j, at);
        assert(is_at(perms, m, j, at));
        assert(model::<A>(perms).nodes.contains_key(n) && model::<A>(perms).nodes.contains_key(m));
        assert(perm_ok::<A>(perms[n], n.level, phys_bits) && perm_ok::<A>(
            perms[m],
            m.level,
            phys_bits,
        ));
        A::geo().lemma_fits(perms[n].addr().0 as int, i, perms[m].addr().0 as int, j);
        A::lemma_reflexive(n.level, perms[n].words()[i]);
    }
    assert(holds::<A>(memory, perms));
}

} // verus!
