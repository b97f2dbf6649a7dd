//! Giving all tables back.

use super::model::NodeId;
#[cfg(verus_only)]
use super::model::home;
#[cfg(verus_only)]
use super::perms::{are_apart, lemma_tables_remove, perms_ok};
use super::tree::Tree;
use crate::addr::PhysAddr;
use crate::arch::PagingMode;
#[cfg(verus_only)]
use crate::arch::entry::EntryFormat;
use crate::arch::entry::{AccessBits, Entry};
use crate::hw::memory::TableMemory;
use vstd::prelude::*;

#[cfg(verus_only)]
pub(crate) mod proof;
#[cfg(verus_only)]
pub(crate) mod spec;

verus! {

/// Where the root is once the tables were given back: no table can be there.
pub(crate) const NOWHERE: PhysAddr = PhysAddr(u64::MAX);

/// A tree that gives its tables back when it is dropped, unless other tables' roots may refer to some.
#[verifier::reject_recursive_types(M)]
pub(crate) struct OwnedTree<M: TableMemory, A: PagingMode, B: AccessBits> {
    pub(crate) tree: Tree<M, A, B>,
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> OwnedTree<M, A, B> {
    /// All tables have been given back.
    pub closed spec fn released(self) -> bool {
        self.tree.frames.held() == Set::<PhysAddr>::empty()
    }

    /// The prover wants the invariant even of what has been dropped.
    #[verifier::type_invariant]
    pub(crate) open spec fn inv(self) -> bool {
        self.tree.inv() || self.tree.root.addr == NOWHERE && self.released()
    }

    /// Gives all tables back, also where other tables' roots might have referred to some.
    pub(super) fn give_back(&mut self)
        requires
            old(self).tree.inv(),
        ensures
            final(self).released(),
    {
        self.tree.release();
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Drop for OwnedTree<M, A, B> {
    /// Gives all tables back, unless other tables' roots may refer to some. That there are any is checked for the prover:
    /// to it, nothing says that a value is dropped only once.
    fn drop(&mut self)
        ensures
            if A::pins() {
                *final(self) == *old(self)
            } else {
                final(self).released()
            },
        opens_invariants none
        no_unwind
    {
        proof {
            use_type_invariant(&*self);
            self.lemma_somewhere();
        }
        if !A::pinning() && self.tree.root.addr.0 != NOWHERE.0 {
            self.tree.release();
        }
    }
}

impl<M: TableMemory, A: PagingMode, B: AccessBits> Tree<M, A, B> {
    /// Gives all tables back, each after those below it.
    pub(super) fn release(&mut self)
        requires
            old(self).inv(),
        ensures
            final(self).frames.held() == Set::<PhysAddr>::empty(),
            final(self).root.addr == NOWHERE,
        opens_invariants none
        no_unwind
    {
        let geometry = A::geometry();
        let ghost tree = *self;
        // the tables on the way to `va`, by level; those below `level` are given back already
        let root = self.root.addr;
        let mut path = [root, root, root, root, root, root];
        let mut level = geometry.levels;
        let mut va: u64 = 0;
        self.root.addr = NOWHERE;
        proof {
            self.lemma_release(tree, path@);
        }
        loop
            invariant
                geometry == A::geo(),
                geometry.wf(),
                va < geometry.limit(),
                self.root.addr == NOWHERE,
                self.is_releasing(tree, path@, level as nat, va as int, va as int),
            decreases geometry.limit() - va, level,
        {
            let entry = self.look(Ghost(tree), &path, level, va);
            let ghost x = va as int;
            let ghost was = *self;
            if let Entry::Table { table, .. } = entry {
                if level > 2 {
                    proof {
                        self.lemma_enter(tree, path@, level as nat, x, table);
                    }
                    level -= 1;
                    path[level as usize] = table;
                    continue;
                }
                proof {
                    self.lemma_last(tree, path@, x);
                }
                // of level 1, with no table below it
                self.give_back(Ghost(home(A::geo(), x, 1)), table);
            }
            proof {
                self.lemma_pass(was, tree, path@, level as nat, x);
            }
            va += geometry.entry_span(level);
            while geometry.index(va, level) == 0
                invariant
                    geometry == A::geo(),
                    geometry.wf(),
                    self.root.addr == NOWHERE,
                    x < va,
                    self.is_releasing(tree, path@, level as nat, x, va as int),
                decreases geometry.levels - level,
            {
                let ghost was = *self;
                proof {
                    self.lemma_look(tree, path@, level as nat, x, va as int);
                }
                self.give_back(Ghost(home(A::geo(), x, level as nat)), path[level as usize]);
                proof {
                    self.lemma_leave(was, tree, path@, level as nat, x, va as int);
                }
                if level == geometry.levels {
                    return;
                }
                level += 1;
            }
            proof {
                self.lemma_next(tree, path@, level as nat, x, va as int);
            }
        }
    }

    /// What the entry for `va` refers to.
    #[inline(always)]
    fn look(&self, Ghost(tree): Ghost<Self>, path: &[PhysAddr; 6], level: u8, va: u64) -> (r: Entry)
        requires
            self.is_releasing(tree, path@, level as nat, va as int, va as int),
        ensures
            tree.entry_at(va as int, level as nat).may_become(r),
        opens_invariants none
        no_unwind
    {
        let ghost id = home(A::geo(), va as int, level as nat);
        let (table, index) = (path[level as usize], A::geometry().index(va, level));
        proof {
            self.lemma_look(tree, path@, level as nat, va as int, va as int);
        }
        let tracked perm = self.perms.borrow().tracked_borrow(id);
        let word = self.frames.read::<A>(table, index, Tracked(perm));
        proof {
            tree.lemma_entry(va as int, level as nat, word);
        }
        A::decode(level, word)
    }

    /// Gives the table at `n` back.
    #[inline]
    fn give_back(&mut self, Ghost(n): Ghost<NodeId>, table: PhysAddr)
        requires
            perms_ok::<A>(old(self).perms@, old(self).phys_bits()),
            old(self).accounted(),
            old(self).perms@.contains_key(n),
            old(self).perms@[n].addr() == table,
        ensures
            final(self).is_less(*old(self), n),
            final(self).root == old(self).root,
        opens_invariants none
        no_unwind
    {
        proof {
            reveal(are_apart);
            lemma_tables_remove(self.perms@, n);
        }
        let tracked perm = self.perms.borrow_mut().tracked_remove(n);
        self.frames.free::<A>(table, Tracked(perm));
    }
}

} // verus!
