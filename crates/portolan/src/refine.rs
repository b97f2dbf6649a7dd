//! The hardware's walk of the tables in memory is what the model says.

use crate::addr::PhysAddr;
use crate::arch::entry::{rights, AccessBits, Entry, EntryFormat};
use crate::arch::PagingMode;
use crate::hw::memory::TableMemory;
use crate::hw::mmu::{walk, walk_from, Memory, Mmu, Rights, Step, Walk};
use crate::prop::Mapping;
use crate::spec::space::AddressSpace;
use crate::table::model::{home, Model, NodeId};
use crate::table::perms::{model, node, perm_ok, perms_ok, Perms};
use crate::table::tree::Tree;
use vstd::prelude::*;

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

/// What the walk of a mapped address answers.
pub open spec fn page_walk(m: Mapping, offset: int) -> Walk {
    Walk::Page { phys: m.frame.0 + offset, rights: rights(m.prop), global: m.prop.global, cache: m.prop.cache }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// What the walk of `va` is to answer.
    pub(crate) open spec fn answer(self, va: int) -> Walk {
        let m = self.model();
        if m.is_mapped(va) {
            let l = m.level_of(va);
            page_walk(Model::mapping::<A>(m.entry_at(va, l), l), va % A::geo().span(l))
        } else {
            Walk::NotPresent
        }
    }

    /// From the table of level `l` on, the walk is what the model says.
    proof fn lemma_walk_from(self, memory: Memory, raw: int, l: nat)
        requires
            self.linked(),
            holds::<A>(memory, self.perms@),
            0 <= raw,
            1 <= l <= A::geo().levels,
            self.perms@.contains_key(home(A::geo(), raw % A::geo().limit(), l)),
        ensures
            walk_from::<A>(
                memory,
                self.phys_bits(),
                l,
                self.perms@[home(A::geo(), raw % A::geo().limit(), l)].addr().0 as int,
                raw,
                Rights::all(),
            ) == self.answer(raw % A::geo().limit()),
        decreases l,
    {
        let geo = A::geo();
        let m = self.model();
        geo.lemma_span(geo.levels as nat);
        let va = raw % geo.limit();
        vstd::arithmetic::div_mod::lemma_mod_bound(raw, geo.limit());
        let n = home(geo, va, l);
        let perm = self.perms@[n];
        let i = geo.index_of(va, l);
        geo.lemma_hardware_index(raw, l);
        geo.lemma_bounds(va, l);
        assert(m.nodes.contains_key(n));
        assert(perm_ok::<A>(perm, l, self.phys_bits()));
        let word = perm.words()[i];
        let now = memory(perm.addr().0 + 8 * i);
        assert(A::may_become(l, word, now));
        A::lemma_step(self.phys_bits(), l, word, now);
        A::lemma_wf(self.phys_bits(), l, word);
        assert(m.entry_at(va, l) == A::entry(l, word));
        assert(Rights::all().and(Rights::all()) == Rights::all());
        match A::entry(l, word) {
            Entry::Table { table, .. } => {
                m.lemma_down(va, l);
                let below = (l - 1) as nat;
                assert(m.nodes.contains_key(home(geo, va, below)));
                assert(m.nodes[home(geo, va, below)].table == self.perms@[home(geo, va, below)].addr());
                self.lemma_walk_from(memory, raw, below);
            },
            Entry::Page { prop, .. } => {
                m.lemma_stop(va, l);
                assert(Rights::all().and(rights(prop)) == rights(prop));
            },
            Entry::Empty => {
                m.lemma_stop(va, l);
            },
        }
    }

    /// The walk of an address is what the address space says of it.
    pub(crate) proof fn lemma_walk(self, memory: Memory, va: u64)
        requires
            self.linked(),
            holds::<A>(memory, self.perms@),
        ensures
            walk::<A>(memory, self.phys_bits(), self.root, va) == translation::<A>(self.space(), va),
    {
        let geo = A::geo();
        geo.lemma_span(geo.levels as nat);
        let at = va as int % geo.limit();
        vstd::arithmetic::div_mod::lemma_mod_bound(va as int, geo.limit());
        let m = self.model();
        m.lemma_home_root(at);
        assert(m.nodes.contains_key(m.root()));
        if A::canonical(va) {
            self.lemma_walk_from(memory, va as int, geo.levels as nat);
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
}

/// What an address space says of a virtual address, as hardware would.
pub open spec fn translation<A: Mmu>(space: AddressSpace, va: u64) -> Walk {
    if A::canonical(va) {
        let at = va as int % A::geo().limit();
        match space.lookup(at) {
            Some(m) => page_walk(m, at % m.size.bytes() as int),
            None => Walk::NotPresent,
        }
    } else {
        Walk::NonCanonical
    }
}

} // verus!
