//! The ghost state of a page table: a flat map from where a table stands in the tree to what it holds.
//!
//! Nothing here is recursive: the invariant of a table speaks of its neighbours, and an address is mapped by the level
//! whose table for it is present with a page at its index.

use crate::addr::PhysAddr;
use crate::arch::entry::Entry;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::geometry::Geometry;
#[cfg(verus_only)]
use crate::prop::Mapping;
#[cfg(verus_only)]
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod attach;
#[cfg(verus_only)]
pub(crate) mod counting;
#[cfg(verus_only)]
pub(crate) mod live;
#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod split;

verus! {

/// Where a table stands in the tree: its level, and the first address that it covers.
pub(crate) ghost struct NodeId {
    pub level: nat,
    pub base: int,
}

/// A table: where it is in memory, and what its words stand for.
pub(crate) ghost struct Node {
    pub table: PhysAddr,
    pub entries: Seq<Entry>,
}

/// A tree of tables for mode `A`.
pub(crate) ghost struct Model {
    pub geo: Geometry,
    /// Whether entries note how much of the tables below is in use.
    pub counts: bool,
    /// Whether the tables directly below the root stay, also while they are empty.
    pub pins: bool,
    pub nodes: Map<NodeId, Node>,
}

/// Where the table of level `l` for `va` stands.
pub(crate) open spec fn home(geo: Geometry, va: int, l: nat) -> NodeId {
    NodeId { level: l, base: geo.base(va, l) }
}

/// How many entries are in use.
pub(crate) open spec fn used(entries: Seq<Entry>) -> nat
    decreases entries.len(),
{
    if entries.len() == 0 {
        0
    } else {
        used(entries.drop_last()) + if entries.last() is Empty {
            0nat
        } else {
            1
        }
    }
}

/// A table without entries in use.
pub(crate) open spec fn blank(geo: Geometry, l: nat) -> Seq<Entry> {
    Seq::new(geo.entries(l) as nat, |i: int| Entry::Empty)
}

impl Model {
    pub(crate) open spec fn root(self) -> NodeId {
        NodeId { level: self.geo.levels as nat, base: 0 }
    }

    /// Whether a node can stand where `n` says.
    pub(crate) open spec fn place_ok(self, n: NodeId) -> bool {
        &&& 1 <= n.level <= self.geo.levels
        &&& n.base % self.geo.cover(n.level) == 0
        &&& 0 <= n.base
        &&& n.base + self.geo.cover(n.level) <= self.geo.limit()
    }

    /// Where the table that entry `i` of `n` refers to stands.
    pub(crate) open spec fn child(self, n: NodeId, i: int) -> NodeId {
        NodeId { level: (n.level - 1) as nat, base: n.base + i * self.geo.span(n.level) }
    }

    /// Where the table that refers to `n` stands.
    pub(crate) open spec fn parent(self, n: NodeId) -> NodeId {
        home(self.geo, n.base, n.level + 1)
    }

    /// Entry `i` of node `n` fits what is below it.
    pub(crate) open spec fn entry_ok(self, n: NodeId, i: int) -> bool {
        match self.nodes[n].entries[i] {
            Entry::Table { table, .. } => n.level > 1 && self.nodes.contains_key(self.child(n, i))
                && self.nodes[self.child(n, i)].table == table,
            _ => n.level > 1 ==> !self.nodes.contains_key(self.child(n, i)),
        }
    }

    /// The tree is one: each entry refers to the node that stands below it, each node to the one above.
    pub(crate) open spec fn inv(self) -> bool {
        &&& self.geo.wf()
        &&& self.nodes.contains_key(self.root())
        &&& forall|n: NodeId| #[trigger]
            self.nodes.contains_key(n) ==> self.place_ok(n) && self.nodes[n].entries.len()
                == self.geo.entries(n.level)
        &&& forall|n: NodeId, i: int|
            self.nodes.contains_key(n) && 0 <= i < self.geo.entries(n.level)
                ==> #[trigger] self.slot_ok(n, i)
        &&& forall|n: NodeId|
            self.nodes.contains_key(n) && n.level < self.geo.levels ==> self.nodes.contains_key(
                #[trigger] self.parent(n),
            )
    }

    /// [`entry_ok`](Model::entry_ok), as a trigger.
    pub(crate) open spec fn slot_ok(self, n: NodeId, i: int) -> bool {
        self.entry_ok(n, i)
    }

    /// What the entry that refers to `n` says of how many entries are in use.
    pub(crate) open spec fn noted(self, n: NodeId) -> int {
        self.nodes[self.parent(n)].entries[self.geo.index_of(n.base, n.level + 1)]->used as int
    }

    /// Whether tables of level `l` stay, also while they are empty.
    pub(crate) open spec fn is_pinned(self, l: nat) -> bool {
        self.pins && l + 1 == self.geo.levels
    }

    /// `n` is in use or stays, and the entry that refers to it knows how much is if it has room for that.
    pub(crate) open spec fn count_ok(self, n: NodeId) -> bool {
        &&& self.counts ==> self.noted(n) == used(self.nodes[n].entries)
        &&& used(self.nodes[n].entries) >= 1 || self.is_pinned(n.level)
    }

    /// Every node but the root is in use or stays, and the entry that refers to it knows how much.
    pub(crate) open spec fn counted(self) -> bool {
        forall|n: NodeId|
            self.nodes.contains_key(n) && n.level < self.geo.levels ==> #[trigger] self.count_ok(n)
    }

    /// As [`counted`](Model::counted), for every node but one.
    pub(crate) open spec fn counted_but(self, but: NodeId) -> bool {
        forall|n: NodeId| #[trigger]
            self.nodes.contains_key(n) && n.level < self.geo.levels && n != but ==> self.count_ok(n)
    }

    pub(crate) open spec fn in_range(self, va: int) -> bool {
        0 <= va < self.geo.limit()
    }

    /// The entry of level `l` for `va`.
    pub(crate) open spec fn entry_at(self, va: int, l: nat) -> Entry {
        self.nodes[home(self.geo, va, l)].entries[self.geo.index_of(va, l)]
    }

    /// Whether the table of level `l` for `va` is there, and maps `va`.
    pub(crate) open spec fn page_at(self, va: int, l: nat) -> bool {
        1 <= l <= self.geo.levels && self.nodes.contains_key(home(self.geo, va, l))
            && self.entry_at(va, l) is Page
    }

    /// The level that maps `va`.
    pub(crate) open spec fn level_of(self, va: int) -> nat {
        choose|l: nat| self.page_at(va, l)
    }

    pub(crate) open spec fn is_mapped(self, va: int) -> bool {
        exists|l: nat| self.page_at(va, l)
    }

    /// What the page at entry `e` of level `l` is to the address space.
    pub(crate) open spec fn mapping<A: EntryFormat>(e: Entry, l: nat) -> Mapping {
        Mapping { frame: e->frame, size: A::page_size(l)->0, prop: e->prop }
    }

    /// What the tree means.
    #[verifier::opaque]
    pub(crate) open spec fn space<A: EntryFormat>(self) -> AddressSpace {
        AddressSpace {
            pages: IMap::new(
                |va: int|
                    self.in_range(va) && self.is_mapped(va) && va % self.geo.span(self.level_of(va))
                        == 0,
                |va: int|
                    Self::mapping::<A>(self.entry_at(va, self.level_of(va)), self.level_of(va)),
            ),
        }
    }

    /// Pages stand only where the mode has them.
    pub(crate) open spec fn pages_ok<A: EntryFormat>(self) -> bool {
        &&& self.geo == A::geo()
        &&& self.counts == A::counts()
        &&& self.pins == A::pins()
        &&& forall|n: NodeId, i: int|
            self.nodes.contains_key(n) && 0 <= i < self.geo.entries(n.level) && (
            #[trigger] self.nodes[n].entries[i]) is Page ==> A::page_size(n.level) is Some
    }

    /// Entry `i` of node `n` replaced.
    pub(crate) open spec fn put(self, n: NodeId, i: int, e: Entry) -> Model {
        Model {
            nodes: self.nodes.insert(
                n,
                Node { entries: self.nodes[n].entries.update(i, e), ..self.nodes[n] },
            ),
            ..self
        }
    }

    /// Whether `n` is one of the tables for `va` from level `lo` to level `hi`.
    pub(crate) open spec fn on_path(self, va: int, lo: nat, hi: nat, n: NodeId) -> bool {
        lo <= n.level <= hi && n == home(self.geo, va, n.level)
    }

    /// `q` is this tree with a chain of tables for `va`, of levels `lo` to `hi`, below an entry that was empty.
    pub(crate) open spec fn attached(self, q: Model, va: int, hi: nat, lo: nat) -> bool {
        let top = home(self.geo, va, hi + 1);
        &&& self.in_range(va)
        &&& 1 <= lo <= hi < self.geo.levels
        &&& q.geo == self.geo
        &&& q.counts == self.counts
        &&& q.pins == self.pins
        &&& self.nodes.contains_key(top)
        &&& self.nodes[top].entries.len() == self.geo.entries(hi + 1)
        &&& self.entry_at(va, hi + 1) is Empty
        &&& forall|n: NodeId|
            #![trigger q.nodes.contains_key(n)]
            #![trigger self.nodes.contains_key(n)]
            q.nodes.contains_key(n) <==> (self.nodes.contains_key(n) || self.on_path(va, lo, hi, n))
        &&& forall|n: NodeId| #[trigger] self.nodes.contains_key(n) ==> !self.on_path(va, lo, hi, n)
        &&& forall|n: NodeId| #[trigger]
            self.nodes.contains_key(n) && n != top ==> q.nodes[n] == self.nodes[n]
        &&& q.nodes[top] == Node {
            entries: self.nodes[top].entries.update(
                self.geo.index_of(va, hi + 1),
                q.entry_at(va, hi + 1),
            ),
            ..self.nodes[top]
        }
        &&& forall|l: nat|
            lo < l <= hi + 1 ==> (#[trigger] q.entry_at(va, l) matches Entry::Table { table, .. }
                && table == q.nodes[home(self.geo, va, (l - 1) as nat)].table)
        &&& forall|l: nat|
            lo <= l <= hi ==> q.nodes[home(self.geo, va, l)].entries == blank(self.geo, l).update(
                self.geo.index_of(va, l),
                #[trigger] q.entry_at(va, l),
            )
        &&& !(q.entry_at(va, lo) is Table)
    }
}

} // verus!
