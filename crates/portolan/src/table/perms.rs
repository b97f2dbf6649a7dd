//! From the permissions of tables to the model: what their words stand for, and which frames they are.

use super::model::{Model, Node, NodeId};
use super::root::{Root, is_fixed};
use crate::addr::PhysAddr;
use crate::arch::entry::{EntryFormat, is_table_address};
use crate::hw::memory::TablePerm;
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

/// The permissions of tables, by where they stand.
pub(crate) type Perms = Map<NodeId, TablePerm>;

/// A table as the model has it: without the words past a small root's entries.
pub(crate) open spec fn node<A: EntryFormat>(perm: TablePerm) -> Node {
    Node {
        table: perm.addr(),
        entries: Seq::new(
            A::geo().entries(perm.level()) as nat,
            |i: int| A::entry(perm.level(), perm.words()[i]),
        ),
    }
}

/// The model of tables.
pub(crate) open spec fn model<A: EntryFormat>(perms: Perms) -> Model {
    Model {
        geo: A::geo(),
        counts: A::counts(),
        pins: A::pins(),
        nodes: Map::new(perms.dom(), |n: NodeId| node::<A>(perms[n])),
    }
}

/// A table's permission is for its level, and its words are ours.
pub(crate) open spec fn perm_ok<A: EntryFormat>(
    perm: TablePerm,
    level: nat,
    phys_bits: u64,
) -> bool {
    &&& perm.level() == level
    &&& A::geo().entries(level) <= perm.words().len() == A::geo().words()
    &&& is_table_address::<A>(perm.addr(), phys_bits)
    &&& forall|i: int|
        0 <= i < A::geo().entries(level) ==> A::wf(phys_bits, level, #[trigger] perm.words()[i])
}

/// All are, and no two are for the same frame.
pub(crate) open spec fn perms_ok<A: EntryFormat>(perms: Perms, phys_bits: u64) -> bool {
    &&& phys_bits <= A::frame_bits()
    &&& forall|n: NodeId| #[trigger]
        perms.contains_key(n) ==> perm_ok::<A>(perms[n], n.level, phys_bits)
    &&& are_apart(perms)
}

/// No two tables are in the same frame.
#[verifier::opaque]
pub(crate) open spec fn are_apart(perms: Perms) -> bool {
    forall|n: NodeId, m: NodeId| #[trigger]
        perms.contains_key(n) && #[trigger] perms.contains_key(m) && perms[n].addr()
            == perms[m].addr() ==> n == m
}

/// What the tables mean.
pub(crate) open spec fn space<A: EntryFormat>(perms: Perms) -> AddressSpace {
    model::<A>(perms).space::<A>()
}

/// The tables make a tree that hardware walks from `root` as the model says, and what never changes of it is as `root` says.
pub(crate) open spec fn walkable<A: EntryFormat>(perms: Perms, phys_bits: u64, root: Root) -> bool {
    &&& model::<A>(perms).inv()
    &&& model::<A>(perms).pages_ok::<A>()
    &&& perms_ok::<A>(perms, phys_bits)
    &&& perms[model::<A>(perms).root()].addr() == root.addr
    &&& is_fixed::<A>(perms[model::<A>(perms).root()], phys_bits, root.fixed@)
}

/// The frames of tables.
pub(crate) open spec fn tables(perms: Perms) -> Set<PhysAddr> {
    perms.dom().map(|n: NodeId| perms[n].addr())
}

/// A frame is one of the tables' iff some table is there.
pub(crate) broadcast proof fn lemma_tables(perms: Perms, a: PhysAddr)
    ensures
        #[trigger] tables(perms).contains(a) <==> exists|n: NodeId| #[trigger]
            perms.contains_key(n) && perms[n].addr() == a,
{
    let f = |n: NodeId| perms[n].addr();
    perms.dom().lemma_map_contains(f, a);
    if tables(perms).contains(a) {
        let n = choose|n: NodeId| perms.dom().contains(n) && a == f(n);
        assert(perms.contains_key(n));
    }
    if exists|n: NodeId| #[trigger] perms.contains_key(n) && perms[n].addr() == a {
        let n = choose|n: NodeId| #[trigger] perms.contains_key(n) && perms[n].addr() == a;
        assert(perms.dom().contains(n) && a == f(n));
    }
}

/// No tables, no frames.
pub(crate) proof fn lemma_tables_empty()
    ensures
        tables(Map::<NodeId, TablePerm>::empty()) == Set::<PhysAddr>::empty(),
{
    broadcast use lemma_tables;

    assert(tables(Map::<NodeId, TablePerm>::empty()) =~= Set::<PhysAddr>::empty());
}

/// The frames of one more table.
pub(crate) proof fn lemma_tables_insert(perms: Perms, n: NodeId, perm: TablePerm)
    requires
        !perms.contains_key(n),
    ensures
        tables(perms.insert(n, perm)) == tables(perms).insert(perm.addr()),
{
    broadcast use lemma_tables;

    let more = perms.insert(n, perm);
    assert forall|a: PhysAddr|
        #![auto]
        tables(more).contains(a) == tables(perms).insert(perm.addr()).contains(a) by {
        if exists|m: NodeId| #[trigger] perms.contains_key(m) && perms[m].addr() == a {
            let m = choose|m: NodeId| #[trigger] perms.contains_key(m) && perms[m].addr() == a;
            assert(more.contains_key(m) && more[m].addr() == a);
        }
        assert(more.contains_key(n) && more[n].addr() == perm.addr());
        if tables(more).contains(a) {
            let m = choose|m: NodeId| #[trigger] more.contains_key(m) && more[m].addr() == a;
            assert(m == n || perms.contains_key(m));
        }
    }
    assert(tables(more) =~= tables(perms).insert(perm.addr()));
}

/// The frames of the same tables with other words.
pub(crate) proof fn lemma_tables_same(p: Perms, q: Perms)
    requires
        p.dom() == q.dom(),
        forall|n: NodeId| #[trigger] p.contains_key(n) ==> p[n].addr() == q[n].addr(),
    ensures
        tables(p) == tables(q),
{
    broadcast use lemma_tables;

    assert forall|n: NodeId| p.contains_key(n) == q.contains_key(n) by {
        assert(p.dom().contains(n) == q.dom().contains(n));
    }
    assert forall|a: PhysAddr| tables(p).contains(a) == tables(q).contains(a) by {
        if tables(p).contains(a) {
            let n = choose|n: NodeId| #[trigger] p.contains_key(n) && p[n].addr() == a;
            assert(q.contains_key(n));
        }
        if tables(q).contains(a) {
            let n = choose|n: NodeId| #[trigger] q.contains_key(n) && q[n].addr() == a;
            assert(p.contains_key(n));
        }
    }
    assert(tables(p) =~= tables(q));
}

/// The frames of two groups of tables.
pub(crate) proof fn lemma_tables_union(all: Perms, p: Perms, q: Perms)
    requires
        forall|n: NodeId| #[trigger]
            all.contains_key(n) <==> p.contains_key(n) || q.contains_key(n),
        forall|n: NodeId| #[trigger] p.contains_key(n) ==> p[n].addr() == all[n].addr(),
        forall|n: NodeId| #[trigger] q.contains_key(n) ==> q[n].addr() == all[n].addr(),
    ensures
        tables(all) == tables(p).union(tables(q)),
{
    broadcast use lemma_tables;

    assert forall|a: PhysAddr|
        #![auto]
        tables(all).contains(a) == tables(p).union(tables(q)).contains(a) by {
        if tables(all).contains(a) {
            let n = choose|n: NodeId| #[trigger] all.contains_key(n) && all[n].addr() == a;
            assert(p.contains_key(n) || q.contains_key(n));
        }
        if tables(p).contains(a) {
            let n = choose|n: NodeId| #[trigger] p.contains_key(n) && p[n].addr() == a;
            assert(all.contains_key(n));
        }
        if tables(q).contains(a) {
            let n = choose|n: NodeId| #[trigger] q.contains_key(n) && q[n].addr() == a;
            assert(all.contains_key(n));
        }
    }
    assert(tables(all) =~= tables(p).union(tables(q)));
}

/// The frames of all tables but one.
pub(crate) proof fn lemma_tables_remove(perms: Perms, n: NodeId)
    requires
        perms.contains_key(n),
        forall|m: NodeId| #[trigger]
            perms.contains_key(m) && perms[m].addr() == perms[n].addr() ==> m == n,
    ensures
        tables(perms.remove(n)) == tables(perms).remove(perms[n].addr()),
        tables(perms).contains(perms[n].addr()),
{
    broadcast use lemma_tables;

    let less = perms.remove(n);
    lemma_tables_insert(less, n, perms[n]);
    assert(less.insert(n, perms[n]) =~= perms);
    assert(!tables(less).contains(perms[n].addr())) by {
        if tables(less).contains(perms[n].addr()) {
            let m = choose|m: NodeId| #[trigger]
                less.contains_key(m) && less[m].addr() == perms[n].addr();
            assert(perms.contains_key(m));
        }
    }
    assert(tables(less) =~= tables(perms).remove(perms[n].addr()));
}

} // verus!
