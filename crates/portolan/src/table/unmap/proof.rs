//! After the page is gone, its empty tables may go.

use super::super::chain::Chain;
use super::super::descend::Descent;
use super::super::model::{home, used};
use super::super::perms::tables;
use super::super::tree::{Slot, Tree};
use crate::arch::PagingMode;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

verus! {

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// The page is gone: tables that held nothing else are empty, and can be unlinked.
    pub(super) proof fn lemma_cleared(self, old: Self, va: int, d: Descent)
        requires
            old.sound(),
            old.is_descent(va, d.stop.level as nat, d),
            old.is_cut(va, d.cut),
            d.entry is Page,
            self.replaced_from(old, va, d.stop.level as nat, Entry::Empty),
            self.steps_from(old),
        ensures
            self.is_cleared(old, va, d),
            A::geo().wf(),
    {
        reveal(Tree::is_cleared);
        let l = d.stop.level as nat;
        let c = d.cut.level as nat;
        let was = old.model();
        let now = self.model();
        assert(!(old.entry_at(va, l) is Table) && !(old.entry_at(va, l) is Empty));
        self.lemma_after_set(old, va, d.stop, Entry::Empty);
        A::geo().lemma_span(c);
        let n = home(A::geo(), va, l);
        assert forall|k: nat|
            l <= k <= A::geo().levels && old.perms@.contains_key(
                home(A::geo(), va, k),
            ) implies self.perms@.contains_key(#[trigger] home(A::geo(), va, k))
            && self.perms@[home(A::geo(), va, k)].addr() == old.perms@[home(A::geo(), va, k)].addr()
            && (k > l ==> now.nodes[home(A::geo(), va, k)] == was.nodes[home(A::geo(), va, k)]) by {
            let m = home(A::geo(), va, k);
            assert(old.perms@.dom().contains(m));
            assert(self.perms@.dom().contains(m));
            assert(now.nodes[m].table == was.nodes[m].table);
        }
        if c < A::geo().levels {
            let _ = home(A::geo(), va, c + 1);
            old.lemma_bounded(va, d.cut);
            if !A::counts() && c == l && !Self::stays(c) {
                assert(now.nodes[n].entries == was.nodes[n].entries.update(
                    A::geo().index_of(va, l),
                    Entry::Empty,
                ));
                self.lemma_shared(old, va, l, Entry::Empty);
            }
        }
        let _ = home(A::geo(), va, c);
        if c > l {
            assert forall|k: nat| l <= k < c implies self.perms@.contains_key(
                #[trigger] home(A::geo(), va, k),
            ) by {
                assert(old.is_lone(va, k));
            }
            assert forall|k: nat| l < k < c implies used(
                (#[trigger] now.nodes[home(A::geo(), va, k)]).entries,
            ) == 1 by {
                assert(old.is_lone(va, k));
                let _ = home(A::geo(), va, k);
            }
            assert(old.is_lone(va, l));
            assert forall|k: nat| l < k <= c implies #[trigger] self.entry_at(va, k)
                == old.entry_at(va, k) by {
                if k < c {
                    assert(old.is_lone(va, k));
                }
                let _ = home(A::geo(), va, k);
            }
            assert(old.is_lone(va, (c - 1) as nat));
            let _ = home(A::geo(), va, (c - 1) as nat);
            assert(old.entry_at(va, c) is Table);
        }
    }

    /// What is to be done where no table became empty.
    pub(super) proof fn lemma_keep(self, old: Self, va: int, d: Descent)
        requires
            self.is_cleared(old, va, d),
            d.cut.level == d.stop.level,
        ensures
            self.linked(),
            self.steps_from(old),
            self.space() == old.space_with(va, d.stop.level as nat, Entry::Empty),
            self.frames.held() == old.frames.held(),
            tables(self.perms@) == tables(old.perms@),
            self.is_stop(va, d.cut),
            1 <= d.cut.used <= 8192,
            self.model().counted_but(home(A::geo(), va, d.cut.level as nat)),
            d.cut.level < A::geo().levels ==> self.noted(va, d.cut.level as nat) >= 1
                || Self::stays(d.cut.level as nat),
            A::counts() && d.cut.level < A::geo().levels ==> d.cut.used - 1 == self.noted(
                va,
                d.cut.level as nat,
            ),
            d.cut.used - 1 <= A::geo().entries(d.cut.level as nat),
    {
        reveal(Tree::is_cleared);
    }

    /// What is to be done where tables became empty.
    pub(super) proof fn lemma_cut(self, old: Self, va: int, d: Descent)
        requires
            self.is_cleared(old, va, d),
            d.cut.level > d.stop.level,
        ensures
            self.linked(),
            1 <= d.cut.level <= A::geo().levels,
            forall|slot: Slot|
                slot.level == d.cut.level && slot.table == d.cut.table && slot.index
                    == A::geo().index_of(va, slot.level as nat) ==> #[trigger] self.is_slot(
                    va,
                    slot,
                ),
            self.may_unlink(va, d.cut.level as nat, d.head, d.stop.level as nat),
            1 <= d.cut.used <= 8192,
            self.frames.held() == old.frames.held(),
            tables(self.perms@) == tables(old.perms@),
            self.steps_from(old),
    {
        reveal(Tree::is_cleared);
    }

    /// The empty tables are unlinked.
    pub(super) proof fn lemma_after_unlink(
        self,
        old: Self,
        cleared: Self,
        va: int,
        d: Descent,
        chain: Chain<A>,
    )
        requires
            cleared.is_cleared(old, va, d),
            d.cut.level > d.stop.level,
            self.unlinked_from(cleared, va, d.cut.level as nat, chain),
            chain.lo == d.stop.level,
        ensures
            self.is_stop(va, d.cut),
            self.model().counted_but(home(A::geo(), va, d.cut.level as nat)),
            d.cut.level < A::geo().levels ==> self.noted(va, d.cut.level as nat) >= 1
                || Self::stays(d.cut.level as nat),
            A::counts() && d.cut.level < A::geo().levels ==> d.cut.used - 1 == self.noted(
                va,
                d.cut.level as nat,
            ),
            d.cut.used - 1 <= A::geo().entries(d.cut.level as nat),
            self.space() == cleared.space(),
    {
        reveal(Tree::is_cleared);
        let c = d.cut.level as nat;
        let was = cleared.model();
        let now = self.model();
        now.lemma_detach_counted(was, va, (c - 1) as nat, d.stop.level as nat);
        let n = home(A::geo(), va, c);
        A::geo().lemma_span(c);
        assert(was.nodes.contains_key(n) && now.nodes.contains_key(n));
        assert(now.nodes[n].table == was.nodes[n].table);
        if c < A::geo().levels {
            old.lemma_bounded(va, d.cut);
            if !A::counts() && !Self::stays(c) {
                old.model().lemma_home(va, c);
                let e = now.nodes[n].entries[A::geo().index_of(va, c)];
                assert(now.nodes[n].entries =~= old.model().nodes[n].entries.update(
                    A::geo().index_of(va, c),
                    e,
                ));
                self.lemma_shared(old, va, c, e);
            }
            let m = home(A::geo(), va, d.stop.level as nat);
            assert(was.nodes[n] == old.model().nodes[n]);
            let up = home(A::geo(), va, c + 1);
            assert(was.nodes.contains_key(up));
            assert(!now.on_path(va, d.stop.level as nat, (c - 1) as nat, up));
            assert(now.nodes.contains_key(up));
            assert(now.nodes[up] == was.nodes[up]);
        }
    }

    /// Their frames are accounted for elsewhere.
    pub(super) proof fn lemma_detached(self, old: Self, taken: Self, chain: Chain<A>)
        requires
            old.accounted(),
            taken.sound(),
            taken.frames.held() == old.frames.held(),
            taken.is_rest(old, Some(chain)),
            self.perms@ == taken.perms@,
            self.frames.held() == taken.frames.held().difference(chain.tables()),
        ensures
            self.accounted(),
            old.frames.held() == self.frames.held().union(chain.tables()),
            self.frames.held().disjoint(chain.tables()),
    {
        assert(self.frames.held() =~= tables(self.perms@));
    }

    /// All that hardware could see between the stores was the old space or the new.
    pub(super) proof fn lemma_unmapped(self, old: Self, cleared: Self, mid: Self)
        requires
            cleared.steps_from(old),
            mid.trace@ == cleared.trace@ || mid.trace@ == cleared.trace@.push(mid.perms@),
            mid.space() == cleared.space(),
            mid.phys_bits() == old.phys_bits(),
            mid.root == old.root,
            self.space() == mid.space(),
            self.phys_bits() == mid.phys_bits(),
            self.root == mid.root,
            self.trace@ == mid.trace@ || self.trace@ == mid.trace@.push(self.perms@),
        ensures
            self.steps_from(old),
    {
    }
}

} // verus!
