//! A new tree is one, and so is each with one more table that stays.

use super::super::chain::Chain;
use super::super::descend::Stop;
use super::super::model::{Model, home};
use super::super::perms::{
    are_apart, lemma_tables_empty, lemma_tables_insert, node, perm_ok, tables,
};
use super::super::root::{Fixed, Root, lemma_none, lemma_one_more, refers, top};
use super::super::tree::live::lemma_orderly_new;
use super::super::tree::{Slot, Tree};
use super::spec::is_new_root;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry, EntryFormat, is_table_address};
use crate::hw::memory::{TableMemory, TablePerm, zeros};
use crate::spec::space::AddressSpace;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// A zeroed frame is a root without entries in use.
    pub(super) proof fn lemma_blank_root(perm: TablePerm, phys_bits: u64)
        requires
            perm.words() == zeros::<A>(),
            perm.level() == A::geo().levels,
            is_table_address::<A>(perm.addr(), phys_bits),
        ensures
            is_new_root::<A>(perm, perm.addr(), phys_bits, Fixed::none()),
    {
        A::lemma_geometry();
        A::geo().lemma_span(A::geo().levels as nat);
        lemma_none::<A>(perm, phys_bits);
    }

    pub(super) proof fn lemma_new(self, perm: TablePerm)
        requires
            self.phys_bits() <= A::frame_bits(),
            self.perms@ == Map::<_, TablePerm>::empty().insert(top::<A>(), perm),
            is_new_root::<A>(perm, self.root.addr, self.phys_bits(), self.root.fixed@),
            self.frames.held() == Set::<PhysAddr>::empty().insert(perm.addr()),
            self.trace@.len() == 0,
            A::pins() ==> self.root.fixed@ == Fixed::none(),
        ensures
            self.is_pinning(0),
    {
        reveal(Model::space);
        reveal(are_apart);
        reveal(Tree::are_preset);

        let root = top::<A>();
        let m = self.model();
        let phys_bits = self.phys_bits();
        A::lemma_geometry();
        A::geo().lemma_span(root.level);
        A::lemma_zero(phys_bits, root.level);
        lemma_tables_insert(Map::empty(), root, perm);
        lemma_tables_empty();
        assert(Map::<_, TablePerm>::empty().insert(root, perm).dom() =~= Set::empty().insert(root));
        assert(perm_ok::<A>(perm, root.level, phys_bits));
        assert forall|n| #![auto] self.perms@.contains_key(n) implies n == root && m.nodes[n]
            == node::<A>(self.perms@[n]) by {}
        assert(m.root() == root);
        assert(m.nodes.contains_key(root));
        vstd::arithmetic::div_mod::lemma_small_mod(0, A::geo().cover(root.level) as nat);
        assert forall|n, i: int|
            m.nodes.contains_key(n) && 0 <= i < A::geo().entries(
                n.level,
            ) implies m.nodes[n].entries[i] is Empty && #[trigger] m.slot_ok(n, i) by {
            assert(n == root);
            assert(perm.words()[i] == 0);
        }
        assert(m.inv());
        assert forall|va: int| m.in_range(va) implies !#[trigger] m.is_mapped(va) by {
            assert forall|l: nat| !#[trigger] m.page_at(va, l) by {
                if m.page_at(va, l) {
                    A::geo().lemma_bounds(va, l);
                    assert(home(A::geo(), va, l) == root);
                }
            }
        }
        assert(self.space().pages =~= AddressSpace::empty().pages);
        assert(self.trace@ =~= Seq::empty());
        lemma_orderly_new::<A>(self.perms@, self.phys_bits(), self.root);
    }

    /// Where the next table goes.
    pub(super) proof fn lemma_pin_place(self, index: int)
        requires
            self.is_pinning(index),
            0 <= index < A::geo().entries(A::geo().levels as nat),
        ensures
            A::geo().wf(),
            ({
                let (level, va) = (
                    A::geo().levels as nat,
                    index * A::geo().span(A::geo().levels as nat),
                );
                &&& 0 <= va < A::geo().limit() <= u64::MAX
                &&& self.model().in_range(va)
                &&& home(A::geo(), va, level) == top::<A>()
                &&& A::geo().index_of(va, level) == index
                &&& self.perms@.contains_key(top::<A>())
                &&& self.perms@[top::<A>()].addr() == self.root.addr
                &&& self.entry_at(va, level) is Empty
                &&& A::entry((level - 1) as nat, 0) is Empty
                &&& A::wf(self.phys_bits(), (level - 1) as nat, 0)
            }),
    {
        let m = self.model();
        A::lemma_geometry();
        A::geo().lemma_span(A::geo().levels as nat);
        vstd::arithmetic::power2::lemma2_to64_rest();
        vstd::arithmetic::power2::lemma_pow2_strictly_increases(57, 63);
        assert(m.root() == top::<A>());
        assert(m.nodes.contains_key(m.root()));
        m.lemma_first(m.root(), index);
        A::lemma_zero(self.phys_bits(), (A::geo().levels - 1) as nat);
    }

    /// An empty table can be linked there.
    pub(super) proof fn lemma_pin_link(self, old: Self, chain: Chain<A>, slot: Slot)
        requires
            A::pins(),
            old.is_pinning(slot.index as int),
            slot.index < A::geo().entries(A::geo().levels as nat),
            slot.level == A::geo().levels,
            slot.table == old.root.addr,
            self == (Tree { frames: self.frames, ..old }),
            self.phys_bits() == old.phys_bits(),
            chain.inv(self.phys_bits()),
            chain.offset == slot.index * A::geo().span(slot.level as nat),
            chain.lo == chain.hi == slot.level - 1,
            chain.page() is Empty,
            chain.is_added(old.frames.held(), self.frames.held()),
        ensures
            self.linked(),
            self.is_slot(chain.offset as int, slot),
            self.may_link(chain.offset as int, slot.level as nat, chain),
    {
        old.lemma_pin_place(slot.index as int);
    }

    /// It is linked; what is noted of it is to be noted anew.
    pub(super) proof fn lemma_pin_linked(
        self,
        taken: Self,
        old: Self,
        chain: Chain<A>,
        stop: Stop,
        index: int,
    )
        requires
            A::pins(),
            old.is_pinning(index),
            0 <= index < A::geo().entries(A::geo().levels as nat),
            taken == (Tree { frames: taken.frames, ..old }),
            taken.phys_bits() == old.phys_bits(),
            taken.may_link(chain.offset as int, A::geo().levels as nat, chain),
            chain.offset == index * A::geo().span(A::geo().levels as nat),
            chain.lo == chain.hi == A::geo().levels - 1,
            chain.page() is Empty,
            chain.is_added(old.frames.held(), taken.frames.held()),
            self.linked_from(taken, chain.offset as int, A::geo().levels as nat, chain),
            stop == (Stop {
                level: (A::geo().levels - 1) as u8,
                table: chain.head,
                above: old.root.addr,
                used: 1,
            }),
        ensures
            self.linked(),
            self.accounted(),
            self.is_stop(chain.offset as int, stop),
            self.model().counted_but(home(A::geo(), chain.offset as int, stop.level as nat)),
            self.noted(chain.offset as int, stop.level as nat) == 0,
            self.space() == AddressSpace::empty(),
            Self::stays(stop.level as nat),
    {
        let (va, l) = (chain.offset as int, stop.level as nat);
        let (was, now) = (old.model(), self.model());
        old.lemma_pin_place(index);
        was.lemma_pin_counted(now, va, l);
        assert(was.nodes.contains_key(top::<A>()));
        assert(now.nodes.contains_key(top::<A>()));
        assert(was.on_path(va, l, l, home(A::geo(), va, l)));
        assert(now.nodes.contains_key(home(A::geo(), va, l)));
        assert(now.entry_at(va, l + 1) is Table);
        assert(self.frames.held() =~= tables(self.perms@));
    }

    /// It stays.
    pub(super) proof fn lemma_pinned(
        self,
        noted: Self,
        linked: Self,
        old: Self,
        chain: Chain<A>,
        stop: Stop,
        index: int,
    )
        requires
            A::pins(),
            old.is_pinning(index),
            0 <= index < A::geo().entries(A::geo().levels as nat),
            chain.offset == index * A::geo().span(A::geo().levels as nat),
            chain.lo == chain.hi == A::geo().levels - 1,
            old.model().attached(
                linked.model(),
                chain.offset as int,
                chain.hi as nat,
                chain.lo as nat,
            ),
            linked.entry_at(chain.offset as int, A::geo().levels as nat) == (Entry::Table {
                table: stop.table,
                used: 1,
            }),
            linked.root == old.root,
            stop.level == A::geo().levels - 1,
            noted.noted_from(linked, chain.offset as int, stop.level as nat, 0),
            noted.inv(),
            noted.space() == AddressSpace::empty(),
            noted.root == old.root,
            self == (Tree {
                root: Root {
                    fixed: Ghost(
                        Fixed {
                            pinned: old.root.fixed@.pinned.push(stop.table),
                            ..old.root.fixed@
                        },
                    ),
                    ..noted.root
                },
                trace: Ghost(Seq::empty()),
                ..noted
            }),
        ensures
            self.is_pinning(index + 1),
    {
        let (va, level) = (chain.offset as int, A::geo().levels as nat);
        let (was, mid, now) = (old.model(), linked.model(), noted.model());
        let root = top::<A>();
        old.lemma_pin_place(index);
        assert(was.nodes.contains_key(root));
        assert(now.nodes.contains_key(now.root()));
        assert(mid.nodes[root].entries =~= was.nodes[root].entries.update(
            index,
            mid.entry_at(va, level),
        ));
        assert(now.entry_at(va, level) is Table && now.entry_at(va, level)->table == stop.table);
        assert forall|i: int| index + 1 <= i < A::geo().entries(level) implies (
        #[trigger] now.nodes[root].entries[i]) is Empty by {
            assert(was.nodes[root].entries[i] is Empty);
        }
        let perm = noted.perms@[root];
        assert(perm_ok::<A>(perm, level, noted.phys_bits()));
        assert(now.nodes[root] == node::<A>(perm));
        assert(refers::<A>(noted.phys_bits(), perm.words()[index], stop.table));
        lemma_one_more::<A>(perm, noted.phys_bits(), old.root.fixed@, stop.table);
        lemma_orderly_new::<A>(self.perms@, self.phys_bits(), self.root);
    }
}

} // verus!
